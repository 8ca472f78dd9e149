"""Finding what is to be hosted: `module:Class`, `name=module:Class` or `module`, looked for in a folder, too."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from types import ModuleType
from typing import Final

from ..members import NAME, RESERVED, name_of
from ..metadata.build import build
from ..metadata.model import Interface
from ..modules import needed_arguments, public_classes
from ..problems import InterfaceError
from .errors import ConfigurationError

_EXAMPLE: Final = "as in shop:Invoices"


def find_one(text: str, *, folder: str | None = None) -> dict[str, object]:
    """The objects that a text names, made, by the names to host them under.

    `folder` is where modules are looked for first, the current one if None. Raises ConfigurationError, or
    InterfaceError with all that is wrong with a module.
    """
    return {
        name: _made(hosted, place) if isinstance(hosted, type) else hosted
        for name, hosted, place in _named(text, folder)
    }


def interfaces(text: str, *, allow_untyped: bool = False) -> list[Interface]:
    """The interfaces of what `find_one` would host for `text`; nothing of it is made. Raises as that does."""
    problems: list[str] = []
    found: list[Interface] = []
    for name, hosted, _ in _named(text, None):
        try:
            found.append(
                build(hosted if isinstance(hosted, type) else type(hosted), name, allow_untyped=allow_untyped)
            )
        except InterfaceError as error:
            problems += error.problems
    if problems:
        raise InterfaceError(*problems)
    return found


def _named(text: str, folder: str | None) -> list[tuple[str, object, str]]:
    """What a text names: the name to host each under, the object or class, and where it was named."""
    folder = os.path.abspath(folder or os.getcwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name, equals, place = text.partition("=")
    if not equals:
        name, place = "", text
    module_name, colon, path = place.partition(":")
    if not colon and not equals and module_name:
        return _of_module(module_name, folder)
    if not colon or not module_name or not path.isidentifier():
        raise ConfigurationError(f"what is hosted is named by its module and its class, {_EXAMPLE}")
    module = _module(module_name, folder)
    try:
        found: object = getattr(module, path)
    except AttributeError:
        raise ConfigurationError(
            f"the module {module_name} has nothing called {path}; check the name"
        ) from None
    name = name or name_of(found if isinstance(found, type) else type(found))
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise ConfigurationError(
            "the name of what is hosted is printable ASCII without spaces, and not graftwire.…"
        )
    return [(name, found, place)]


def _of_module(module_name: str, folder: str) -> list[tuple[str, object, str]]:
    classes = public_classes(_module(module_name, folder))
    return [(name, cls, f"{module_name}:{cls.__name__}") for name, cls in classes.items()]


def _module(name: str, folder: str) -> ModuleType:
    _check_only_one(name, folder)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ConfigurationError(
                f"there is no module {name} in this directory or among the installed packages"
            ) from None
        raise ConfigurationError(
            f"the module {name} needs the module {error.name}, which is not installed"
        ) from None
    except (ValueError, TypeError):  # a name such as `.shop` or `shop..x`
        raise ConfigurationError(f"{name} is no name of a module") from None
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises is about that module
        raise ConfigurationError(f"the module {name} can't be imported: {_where(error)}") from None
    _check_it_is_that_one(name, module, folder)
    return module


def _here(name: str, folder: str) -> list[str]:
    """The file and the package in the folder that a module of this name could be, as far as they exist."""
    path = name.replace(".", os.sep)
    package = path if os.path.isfile(os.path.join(folder, path, "__init__.py")) else ""
    return [
        each
        for each in (path + ".py" if os.path.isfile(os.path.join(folder, path + ".py")) else "", package)
        if each
    ]


def _check_only_one(name: str, folder: str) -> None:
    here = _here(name, folder)
    if len(here) > 1:
        raise ConfigurationError(
            f"there are two modules called {name} in this directory, {here[0]} and the folder {here[1]}; rename one"
        )


def _check_it_is_that_one(name: str, module: ModuleType, folder: str) -> None:
    """A module that was loaded before (of the standard library, say) hides one of the same name."""
    here = _here(name, folder)
    file = getattr(module, "__file__", None)
    if here and not os.path.realpath(file or "").startswith(os.path.join(os.path.realpath(folder), "")):
        raise ConfigurationError(
            f"there are two modules called {name}: {here[0]} in this directory, and one that hides it; rename yours"
        )


def _made(cls: type, place: str) -> object:
    if inspect.isabstract(cls):
        raise ConfigurationError(
            f"{place} is abstract, so it can't be made; serve a class that implements all of it"
        )
    needed = needed_arguments(cls)
    if needed:
        module = place.partition(":")[0]
        raise ConfigurationError(
            f"{place} needs {needed} to be made; make one in the module, as in `it = {cls.__name__}(…)`, and serve "
            f"{module}:it"
        )
    try:
        return cls()
    except Exception as error:  # noqa: BLE001 - whatever the user's class raises is about that class
        raise ConfigurationError(f"{place} can't be made: {_where(error)}") from None


def _where(error: Exception) -> str:
    """What kind of exception it is and where it was raised; its text may hold anything, so it stays away."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {os.path.basename(error.filename or '?')}, line {error.lineno}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}"
