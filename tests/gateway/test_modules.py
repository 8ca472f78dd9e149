"""A whole module as what is hosted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from graftwire import InterfaceError
from graftwire.gateway.modules import needed_arguments, public_classes

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a module of this text, and forgets it afterwards."""
    monkeypatch.chdir(tmp_path)

    def load(text: str) -> ModuleType:
        module = ModuleType("shop")
        monkeypatch.setitem(sys.modules, "shop", module)
        module.__file__ = str(tmp_path / "shop.py")
        exec(compile(text, tmp_path / "shop.py", "exec"), vars(module))  # noqa: S102 - a module of our own
        return module

    return load


WHOLE = """
import abc, dataclasses, enum, logging
from collections import OrderedDict
from typing import Protocol
import graftwire

__all__ = ["Invoices", "Line", "Status", "Unknown", "Api", "OrderedDict", "Empty", "limit", "_Hidden"]
limit = 7

class Api(Protocol):
    def total(self) -> int: ...

class Invoices:
    def total(self) -> int: ...

@graftwire.interface(name="Books", version="2")
class Accounts:
    def total(self) -> int: ...

@graftwire.interface
class Abstract(abc.ABC):
    @abc.abstractmethod
    def total(self) -> int: ...

class Unlisted:
    def total(self) -> int: ...

class _Hidden:
    def total(self) -> int: ...

class Empty: ...

@dataclasses.dataclass
class Line:
    net: int
    def gross(self) -> int: ...

class Status(enum.Enum):
    OPEN = 1
    def label(self) -> str: ...

class Unknown(Exception):
    def label(self) -> str: ...
"""


def test_public_classes(load: Load) -> None:
    module = load(WHOLE)
    assert public_classes(module) == {"Invoices": module.Invoices, "Books": module.Accounts}


NO_CLASS = "the module shop has no public class to host; name one in its __all__, or mark it with graftwire.interface()"
TWICE = 'shop.py: two classes would be hosted as A; give one another name with graftwire.interface(name="…")'


WRONG_ALL = "the __all__ of the module shop is no list of names; make it one"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "class A:\n    def f(self) -> None: ...\n",
            NO_CLASS,
        ),
        (
            "import graftwire\n@graftwire.interface\nclass A: ...\n@graftwire.interface(name='A')\nclass B: ...\n",
            TWICE,
        ),
        ("__all__ = 7\n", WRONG_ALL),
        ("__all__ = 'A'\n", WRONG_ALL),
    ],
)
def test_mistakes(load: Load, text: str, problem: str) -> None:
    with pytest.raises(InterfaceError) as raised:
        public_classes(load(text))
    assert raised.value.problems == (problem,)


def test_what_a_class_needs_to_be_made(load: Load) -> None:
    module = load("class A:\n    def __init__(self, a, b, c=1, *d, **e): ...\nclass B: ...\n")
    assert needed_arguments(module.A) == "the arguments a, b"
    assert needed_arguments(module.B) == ""
    assert needed_arguments(dict) == ""
