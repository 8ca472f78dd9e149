"""Finding what `serve` is to host: `module:Class`, `name=module:Class` or `module`, from the current directory too."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Final

import graftwire
from graftwire import InterfaceError
from graftwire.gateway.members import NAME, RESERVED, Untyped, name_of
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.model import Interface
from graftwire.gateway.modules import needed_arguments, public_classes

from .failure import Failure, of_problems

_EXAMPLE: Final = "as in shop:Invoices"
_OURS: Final = os.path.join(os.path.dirname(graftwire.__file__), "")
# Where code is that the user has not written; what is imported comes by way of "<frozen importlib._bootstrap>".
_LIBRARIES: Final = (
    "<",
    _OURS,
    *(os.path.join(sysconfig.get_path(each), "") for each in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def find(texts: Iterable[str], *, allow_untyped: bool = False) -> dict[str, object]:
    """The objects to host, by the names to host them under. Raises Failure with all that is wrong with them.

    Nothing is made before everything is known to be right.
    """
    named: dict[str, tuple[object, str]] = {}
    for text in texts:
        for name, hosted, place in _named(text):
            if name in named:
                raise Failure(f"two of them would be called {name}; rename one, as in Other={place}")
            named[name] = hosted, place
    for hosted, place in named.values():
        if isinstance(hosted, type):
            _check_it_can_be_made(hosted, place)
    _described({name: hosted for name, (hosted, _) in named.items()}, allow_untyped=allow_untyped)
    made = {
        name: _made(hosted, place) if isinstance(hosted, type) else hosted
        for name, (hosted, place) in named.items()
    }
    return {name: Untyped(each) for name, each in made.items()} if allow_untyped else made


def interfaces(text: str, *, allow_untyped: bool = False) -> list[Interface]:
    """The interfaces of what `find` would host for `text`; nothing of it is made. Raises Failure."""
    return _described({name: hosted for name, hosted, _ in _named(text)}, allow_untyped=allow_untyped)


def _described(named: Mapping[str, object], *, allow_untyped: bool) -> list[Interface]:
    """The interfaces of objects, and of what will be made of classes."""
    problems: list[str] = []
    found: list[Interface] = []
    for name, hosted in named.items():
        cls = hosted if isinstance(hosted, type) else type(hosted)
        try:
            found.append(build(cls, name, allow_untyped=allow_untyped))
        except InterfaceError as error:
            problems += error.problems
    if problems:
        raise of_problems(InterfaceError(*dict.fromkeys(problems)))
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
    except Exception as error:  # noqa: BLE001 - whatever the module's own __getattr__ raises
        raise Failure(
            f"the module {module_name} has nothing called {path}; its __getattr__ raises {type(error).__name__}"
        ) from None
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
    if not all(name.split(".")):
        raise Failure(f"{name} is no name of a module")
    _check_only_one(name)
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's module raises, SystemExit too, is about it
        raise Failure(_not_imported(name, error)) from None
    _check_it_is_that_one(name, module)
    return module


def _not_imported(name: str, error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return f"the module {name} can't be imported: {_where(error)}"
    if name == missing or name.startswith(missing + "."):
        return f"there is no module {name} in this directory or among the installed packages{_instead(name)}"
    return f"the module {name} needs the module {missing}, which is not installed"


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


def _check_it_can_be_made(cls: type, place: str) -> None:
    if inspect.isabstract(cls):
        raise Failure(f"{place} is abstract, so it can't be made; serve a class that implements all of it")
    needed = needed_arguments(cls)
    if needed:
        module = place.partition(":")[0]
        raise Failure(
            f"{place} needs {needed} to be made; make one in the module, as in `it = {cls.__name__}(…)`, and serve "
            f"{module}:it"
        )


def _made(cls: type, place: str) -> object:
    try:
        return cls()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's class raises, SystemExit too, is about it
        raise Failure(f"{place} can't be made: {_where(error)}") from None


def _where(error: BaseException) -> str:
    """What kind of exception it is, and where in the user's own code; its text only if it is one of ours."""
    if isinstance(error, SyntaxError):
        if (
            error.filename is None
        ):  # of what is no text at all; Python says no more, and its words are no data
            return f"SyntaxError ({error.msg})"
        return f"SyntaxError in {os.path.basename(error.filename)}, line {error.lineno}"
    places = traceback.extract_tb(error.__traceback__)
    own = [each for each in places if not each.filename.startswith(_LIBRARIES)]
    place = (own or places)[-1]
    text = f": {error}" if places[-1].filename.startswith(_OURS) else ""
    return f"{type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}{text}"
