"""Finding what `serve` is to host: `module:Class`, `name=module:Class` or `module`, from the current directory too."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterable
from types import ModuleType
from typing import Final

from graftwire import InterfaceError
from graftwire.gateway.members import NAME, RESERVED, Untyped, name_of
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.model import Interface
from graftwire.gateway.metadata.share import share
from graftwire.gateway.modules import needed_arguments, public_classes

from .failure import Failure, of_problems

_EXAMPLE: Final = "as in shop:Invoices"


def find(texts: Iterable[str], *, allow_untyped: bool = False) -> dict[str, object]:
    """The objects to host, by the names to host them under. Raises Failure with all that is wrong with them."""
    found: dict[str, object] = {}
    for text in texts:
        for name, hosted, place in _named(text):
            if name in found:
                raise Failure(f"two of them would be called {name}; rename one, as in Other={place}")
            found[name] = _made(hosted, place) if isinstance(hosted, type) else hosted
    if allow_untyped:
        found = {name: Untyped(hosted) for name, hosted in found.items()}
    try:
        share(found)
    except InterfaceError as error:
        raise of_problems(error) from None
    return found


def interfaces(text: str, *, allow_untyped: bool = False) -> list[Interface]:
    """The interfaces of what `find` would host for `text`; nothing of it is made. Raises Failure."""
    problems: list[str] = []
    found: list[Interface] = []
    for name, hosted, _ in _named(text):
        try:
            found.append(
                build(hosted if isinstance(hosted, type) else type(hosted), name, allow_untyped=allow_untyped)
            )
        except InterfaceError as error:
            problems += error.problems
    if problems:
        raise of_problems(InterfaceError(*problems))
    return found


def _named(text: str) -> list[tuple[str, object, str]]:
    """What a text names: the name to host each under, the object or class, and where it was named."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    name, equals, place = text.partition("=")
    if not equals:
        name, place = "", text
    module_name, colon, path = place.partition(":")
    if not colon and not equals and module_name:
        return _of_module(module_name)
    if not colon or not module_name or not path.isidentifier():
        raise Failure(f"what is hosted is named by its module and its class, {_EXAMPLE}")
    module = _module(module_name)
    try:
        found: object = getattr(module, path)
    except AttributeError:
        raise Failure(f"the module {module_name} has nothing called {path}; check the name") from None
    name = name or name_of(found if isinstance(found, type) else type(found))
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise Failure("the name of what is hosted is printable ASCII without spaces, and not graftwire.…")
    return [(name, found, place)]


def _of_module(module_name: str) -> list[tuple[str, object, str]]:
    try:
        classes = public_classes(_module(module_name))
    except InterfaceError as error:
        raise of_problems(error) from None
    return [(name, cls, f"{module_name}:{cls.__name__}") for name, cls in classes.items()]


def _module(name: str) -> ModuleType:
    _check_only_one(name)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise Failure(
                f"there is no module {name} in this directory or among the installed packages{_instead(name)}"
            ) from None
        raise Failure(f"the module {name} needs the module {error.name}, which is not installed") from None
    except (ValueError, TypeError):  # a name such as `.shop` or `shop..x`
        raise Failure(f"{name} is no name of a module") from None
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises is about that module
        raise Failure(f"the module {name} can't be imported: {_where(error)}") from None
    _check_it_is_that_one(name, module)
    return module


def _instead(name: str) -> str:
    """What was meant by a name that is no module, where a file in the current directory tells."""
    before, _, last = name.rpartition(".")
    if not before or not _here(before):
        return ""
    return f"; leave out .{last}" if last == "py" else f"; did you mean {before}:{last}?"


def _here(name: str) -> list[str]:
    """The file and the folder in the current directory that a module of this name could be, as far as they exist."""
    path = name.replace(".", os.sep)
    file = path + ".py"
    folder = path if os.path.isfile(os.path.join(path, "__init__.py")) else ""
    return [each for each in (file if os.path.isfile(file) else "", folder) if each]


def _check_only_one(name: str) -> None:
    here = _here(name)
    if len(here) > 1:
        raise Failure(
            f"there are two modules called {name} in this directory, {here[0]} and the folder {here[1]}; rename one"
        )


def _check_it_is_that_one(name: str, module: ModuleType) -> None:
    """A module that was loaded before (of the standard library, say) hides one of the same name."""
    here = _here(name)
    file = getattr(module, "__file__", None)
    folder = os.path.join(os.getcwd(), "")
    if here and not os.path.realpath(file or "").startswith(os.path.realpath(folder) + os.sep):
        raise Failure(
            f"there are two modules called {name}: {here[0]} in this directory, and one that hides it; rename yours"
        )


def _made(cls: type, place: str) -> object:
    if inspect.isabstract(cls):
        raise Failure(f"{place} is abstract, so it can't be made; serve a class that implements all of it")
    needed = needed_arguments(cls)
    if needed:
        module = place.partition(":")[0]
        raise Failure(
            f"{place} needs {needed} to be made; make one in the module, as in `it = {cls.__name__}(…)`, and serve "
            f"{module}:it"
        )
    try:
        return cls()
    except Exception as error:  # noqa: BLE001 - whatever the user's class raises is about that class
        raise Failure(f"{place} can't be made: {_where(error)}") from None


def _where(error: Exception) -> str:
    """What kind of exception it is and where it was raised; its text may hold anything, so it stays away."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {os.path.basename(error.filename or '?')}, line {error.lineno}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}"
