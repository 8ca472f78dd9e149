"""Finding what `serve` is to host: `module:Class`, or `name=module:Class`, from the current directory too."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Final

from graftwire import InterfaceError
from graftwire.gateway.interface import methods_of

from .failure import Failure

_NAME: Final = re.compile(r"[!-~]{1,127}")
_EXAMPLE: Final = "as in shop:Invoices"


def find(texts: Iterable[str]) -> dict[str, object]:
    """The objects to host, by the names to host them under. Raises Failure."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: dict[str, object] = {}
    for text in texts:
        name, hosted = _find_one(text)
        if name in found:
            raise Failure(
                f"two of them would be called {name}; rename one, as in Other={text.rpartition('=')[2]}"
            )
        _check_methods(name, hosted)
        found[name] = hosted
    return found


def _find_one(text: str) -> tuple[str, object]:
    name, equals, place = text.partition("=")
    if not equals:
        name, place = "", text
    module_name, colon, path = place.partition(":")
    if not colon or not module_name or not path.isidentifier():
        raise Failure(f"what is hosted is named by its module and its class, {_EXAMPLE}")
    module = _module(module_name)
    try:
        found: object = getattr(module, path)
    except AttributeError:
        raise Failure(f"the module {module_name} has nothing called {path}; check the name") from None
    name = name or (found.__name__ if inspect.isclass(found) else type(found).__name__)
    if not _NAME.fullmatch(name) or name.startswith("graftwire."):
        raise Failure("the name of what is hosted is printable ASCII without spaces, and not graftwire.…")
    return name, _made(found, place) if inspect.isclass(found) else found


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise Failure(
                f"there is no module {name} in this directory or among the installed packages"
            ) from None
        raise Failure(f"the module {name} needs the module {error.name}, which is not installed") from None
    except (ValueError, TypeError):  # a name such as `.shop` or `shop..x`
        raise Failure(f"{name} is no name of a module") from None
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises is about that module
        raise Failure(f"the module {name} can't be imported: {_where(error)}") from None


def _made(cls: type, place: str) -> object:
    if inspect.isabstract(cls):
        raise Failure(f"{place} is abstract, so it can't be made; serve a class that implements all of it")
    needed = _needed_arguments(cls)
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


def _needed_arguments(cls: type) -> str:
    """The arguments that making one can't do without, in words; empty if there are none."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (ValueError, TypeError):
        return ""  # a class written in C may not tell; making one will
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
    return f"the argument{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""


def _check_methods(name: str, hosted: object) -> None:
    try:
        methods_of(hosted, name)
    except InterfaceError as error:
        raise Failure(str(error), kind="interface") from None


def _where(error: Exception) -> str:
    """What kind of exception it is and where it was raised; its text may hold anything, so it stays away."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {os.path.basename(error.filename or '?')}, line {error.lineno}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}"
