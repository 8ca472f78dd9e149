"""Finding what is to be hosted: `module:Class`, `name=module:Class` or `module`, looked for in a folder, too."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from .configuration.errors import ConfigurationError
from .members import NAME, RESERVED, name_of
from .metadata.build import build
from .metadata.model import Interface
from .modules import needed_arguments, public_classes
from .problems import InterfaceError

_EXAMPLE: Final = "as in shop:Invoices"
_OURS: Final = os.path.join(Path(__file__).parents[1], "")
# Where code is that the user has not written; what is imported comes by way of "<frozen importlib._bootstrap>".
_LIBRARIES: Final = (
    "<",
    _OURS,
    *(os.path.join(sysconfig.get_path(each), "") for each in ("stdlib", "platstdlib", "purelib", "platlib")),
)


class Found(NamedTuple):
    """What a text names: an object, or a class to make one of, and where it was named, as in `shop:Invoices`."""

    hosted: object
    place: str


def look_in(folder: str) -> str:
    """Have modules looked for in a folder first; the folder as a whole path, for `find`."""
    folder = os.path.abspath(folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return folder


def find(text: str, *, folder: str | None = None) -> dict[str, Found]:
    """What a text names, by the names to host it under; nothing of it is made.

    `folder` is where modules are looked for first, besides where Python looks for them. Raises ConfigurationError, or
    InterfaceError with all that is wrong with a module.
    """
    folder = look_in(folder) if folder is not None else ""
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
    except Exception as error:  # noqa: BLE001 - whatever the module's own __getattr__ raises
        raise ConfigurationError(
            f"the module {module_name} has nothing called {path}; its __getattr__ raises {type(error).__name__}"
        ) from None
    name = name or name_of(found if isinstance(found, type) else type(found))
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise ConfigurationError(
            "the name of what is hosted is printable ASCII without spaces, and not graftwire.…"
        )
    return {name: Found(found, place)}


def check_it_can_be_made(found: Found) -> None:
    """Raises ConfigurationError for a class that can't be made without arguments."""
    cls, place = found
    if not isinstance(cls, type):
        return
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


def made(found: Found) -> object:
    """The object to host. Raises ConfigurationError for a class whose own code fails."""
    cls, place = found
    if not isinstance(cls, type):
        return cls
    try:
        return cls()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's class raises, SystemExit too, is about it
        raise ConfigurationError(f"{place} can't be made: {_where(error)}") from None


def described(found: Mapping[str, Found], *, allow_untyped: bool = False) -> list[Interface]:
    """The interfaces of what was found, made or not. Raises InterfaceError with all that can't be described."""
    problems: list[str] = []
    interfaces: list[Interface] = []
    for name, (hosted, _) in found.items():
        cls = hosted if isinstance(hosted, type) else type(hosted)
        try:
            interfaces.append(build(cls, name, allow_untyped=allow_untyped))
        except InterfaceError as error:
            problems += error.problems
    if problems:
        raise InterfaceError(*dict.fromkeys(problems))
    return interfaces


def _of_module(module_name: str, folder: str) -> dict[str, Found]:
    classes = public_classes(_module(module_name, folder))
    return {name: Found(cls, f"{module_name}:{cls.__name__}") for name, cls in classes.items()}


def _module(name: str, folder: str) -> ModuleType:
    if not all(name.split(".")):
        raise ConfigurationError(f"{name} is no name of a module")
    _check_only_one(name, folder)
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's module raises, SystemExit too, is about it
        raise ConfigurationError(_not_imported(name, folder, error)) from None
    _check_it_is_that_one(name, module, folder)
    return module


def _not_imported(name: str, folder: str, error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return f"the module {name} can't be imported: {_where(error)}"
    if name == missing or name.startswith(missing + "."):
        where = "in this directory or among the installed packages"
        return f"there is no module {name} {where}{_instead(name, folder)}"
    return f"the module {name} needs the module {missing}, which is not installed"


def _instead(name: str, folder: str) -> str:
    """What was meant by a name that is no module, where a file in the folder tells."""
    before, _, last = name.rpartition(".")
    if not before or not _here(before, folder):
        return ""
    return f"; leave out .{last}" if last == "py" else f"; did you mean {before}:{last}?"


def _here(name: str, folder: str) -> list[str]:
    """The file and the package in the folder that a module of this name could be, as far as they exist."""
    if not folder:
        return []
    path = name.replace(".", os.sep)
    file = path + ".py"
    package = path if os.path.isfile(os.path.join(folder, path, "__init__.py")) else ""
    return [each for each in (file if os.path.isfile(os.path.join(folder, file)) else "", package) if each]


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
