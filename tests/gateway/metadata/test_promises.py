"""What metadata never holds (P3, P4), and that hosting changes nothing of what is hosted (P5)."""

from __future__ import annotations

import base64
import importlib.util
import inspect
import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cddl_verifier import Validator

import graftwire
from graftwire.cli import main
from graftwire.gateway.interface import methods_of
from graftwire.gateway.metadata.as_json import to_json
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.encode import decode, digest, encode
from graftwire.gateway.metadata.model import MetadataError
from graftwire.gateway.metadata.share import share
from graftwire.gateway.metadata.text import text
from graftwire.protocol import values

GRAMMAR = Validator(Path(__file__).parents[3] / "spec" / "metadata.cddl")

SOURCE = '''"""The module: {docstring_module}"""
from __future__ import annotations

import dataclasses
import enum
import functools
import typing
from collections.abc import AsyncIterator

import graftwire
import msgspec

# {comment_module}
CONSTANT = "{constant}"
_PRIVATE = "{private_value}"


class Status(enum.Enum):
    """{docstring_enum}"""

    OPEN = "{enum_value}"
    PAID = ("{enum_tuple}", 2)


class Unknown(Exception):
    """{docstring_exception}"""

    customer: str = "{exception_default}"
    {private_field}: str = ""

    def __init__(self, customer: str) -> None:
        super().__init__("{exception_message}")
        self.customer = customer


@dataclasses.dataclass
class Line:
    """{docstring_record}"""

    net: int = {number}
    text: str = "{field_default}"
    tags: list[str] = dataclasses.field(default_factory=lambda: ["{factory}"], metadata={{"key": "{metadata}"}})


class Tagged(msgspec.Struct):
    name: typing.Annotated[str, msgspec.Meta(description="{description}", pattern="{pattern}")] = "{struct_default}"


def decorated(function):
    secret = "{closure}"

    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return secret and await function(*args, **kwargs)

    return wrapper


def {helper}(self) -> None: ...


class {base}:
    def {inherited}(self) -> None: ...


@graftwire.interface(version="1.2")
class Invoices({base}):
    """{docstring_class}"""

    attribute = "{class_attribute}"
    annotated: str = "{annotated_attribute}"
    imported = {helper}

    def __init__(self) -> None:
        self.token = "{instance_attribute}"

    @graftwire.raises(Unknown)
    async def total(self, customer: str, net: int = {number}, status: Status = Status.OPEN,
                    note: str = "{default}") -> int:
        """{docstring_method}"""
        local = "{local}"  # {comment}
        if not local:
            raise Unknown("{raised}")
        return net

    @decorated
    async def lines(self, *, of: Line = Line(text="{default_record}")) -> Tagged: ...

    async def overdue(self) -> AsyncIterator[Line]:
        yield Line(text="{yielded}")

    @property
    def count(self) -> int:
        """{docstring_property}"""
        return len("{property}")

    def _hidden(self, {hidden_parameter}: int = 1) -> None: ...

    class {inner}: ...
'''
NAMES = (
    "docstring_module", "comment_module", "constant", "private_value", "docstring_enum", "enum_value", "enum_tuple",
    "docstring_exception", "exception_default", "private_field", "exception_message", "docstring_record",
    "field_default", "factory", "metadata", "description", "pattern", "struct_default", "closure", "helper", "base",
    "inherited", "docstring_class", "class_attribute", "annotated_attribute", "instance_attribute", "default",
    "docstring_method", "local", "comment", "raised", "default_record", "yielded", "docstring_property", "property",
    "hidden_parameter", "inner", "file", "folder",
)  # fmt: skip


def canaries() -> dict[str, str]:
    """A secret for each place where one could be picked up; each can be a name, too."""
    return {name: f"canary{secrets.token_hex(8)}" for name in NAMES} | {
        "private_field": f"_canary{secrets.token_hex(8)}"
    }


def encodings(secret: str) -> Iterator[tuple[str, bytes]]:
    """A secret in every way in which it could be hidden."""
    raw = secret.encode()
    yield "raw", raw
    yield "upper case", raw.upper()
    yield "reversed", raw[::-1]
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "UTF-16 LE", secret.encode("utf-16-le")
    yield "UTF-16 BE", secret.encode("utf-16-be")
    for shift in range(3):
        # What of it does not depend on what stands before and behind.
        coded = base64.b64encode(bytes(shift) + raw + bytes(3))
        yield f"base64, {shift}", coded[shift + 1 : (shift + len(raw)) * 4 // 3 - 1]
        yield (
            f"base64url, {shift}",
            coded[shift + 1 : (shift + len(raw)) * 4 // 3 - 1].translate(bytes.maketrans(b"+/", b"-_")),
        )
    yield "base32", base64.b32encode(raw)[:-8]


def found_in(data: bytes, planted: dict[str, str]) -> list[str]:
    return [
        f"{name}: {how}"
        for name, secret in planted.items()
        for how, encoded in encodings(secret)
        if encoded in data
    ]


@pytest.fixture
def planted() -> dict[str, str]:
    return canaries()


@pytest.fixture
def module(planted: dict[str, str], tmp_path: Path) -> Iterator[ModuleType]:
    """A module with a secret wherever one can be."""
    folder = tmp_path / planted["folder"]
    folder.mkdir()
    file = folder / f"{planted['file']}.py"
    file.write_text(SOURCE.format(**planted, number=int("7" * 15)))
    spec = importlib.util.spec_from_file_location(planted["file"], file)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[planted["file"]] = loaded
    spec.loader.exec_module(loaded)
    yield loaded
    del sys.modules[planted["file"]]


def test_no_canary_leaves(module: Any, planted: dict[str, str]) -> None:
    interface = build(module.Invoices, "Invoices")
    shared = share({"Invoices": module.Invoices()})["Invoices"]
    assert shared.encoded == encode(interface)
    for form in (shared.encoded, text(interface).encode(), json.dumps(to_json(interface)).encode()):
        assert found_in(form, planted) == []
        assert b"7" * 15 not in form
    assert (7 * 10**14).to_bytes(8, "big")[2:] not in shared.encoded
    assert int("7" * 15).to_bytes(8, "big") not in shared.encoded
    assert [method.name for method in interface.methods] == ["count", "lines", "overdue", "total"]


def test_the_search_finds_what_is_there(planted: dict[str, str]) -> None:
    secret = planted["default"]
    for before in (b"", b"a", b"ab"):
        whole = before + secret.encode() + b"after"
        for data in (
            whole, whole[::-1], whole.hex().encode(), base64.b64encode(whole), base64.urlsafe_b64encode(whole),
            whole.decode().encode("utf-16-le"), whole.decode().encode("utf-16-be"),
        ):  # fmt: skip
            assert found_in(data, {"default": secret}), data


def test_the_digest_says_nothing_of_what_is_left_out(tmp_path: Path) -> None:
    """Two modules that differ in everything but the interface have the same bytes."""
    found: list[bytes] = []
    for number in (1, 2):
        planted = canaries()
        space: dict[str, Any] = {"__name__": f"module{number}"}
        sys.modules[f"module{number}"] = made = ModuleType(f"module{number}")
        vars(made).update(space)
        exec(SOURCE.format(**planted, number=number), vars(made))  # noqa: S102 - a test's own
        found.append(encode(build(made.Invoices, "Invoices")))
        del sys.modules[f"module{number}"]
    assert found[0] == found[1]
    assert digest(found[0]) == digest(found[1])


def test_the_schema_is_closed(module: Any) -> None:
    """A further element, at any place, is refused by the grammar and by the reader."""
    plain = values.decode(encode(build(module.Invoices, "Invoices")))
    assert GRAMMAR.validate(values.encode(plain), root_type="interface").valid
    for where in places(plain):
        for extra in ({"doc": "secret"}, 1.5, b"secret"):
            where.append(extra)
            data = values.encode(plain)
            assert not GRAMMAR.validate(data, root_type="interface").valid
            with pytest.raises(MetadataError):
                decode(data)
            where.pop()


def places(plain: Any) -> list[list[Any]]:
    """One array of each kind that there is in the metadata, and the whole."""
    _, _, _, enums, exceptions, records, methods = plain
    return [
        plain, enums, enums[0], enums[0][1], exceptions, exceptions[0], exceptions[0][1][0], records, records[0],
        records[0][2], records[0][2][0], methods, methods[3], methods[3][2], methods[3][2][0], methods[3][5],
    ]  # fmt: skip


def test_the_command_prints_the_very_bytes(
    module: Any,
    planted: dict[str, str],
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`graftwire metadata --cbor` prints what is shared, and its other forms hold no more."""
    monkeypatch.chdir(Path(module.__file__).parent)
    name = f"{planted['file']}:Invoices"
    assert main(["metadata", name, "--cbor"]) == 0
    assert capfdbinary.readouterr().out == share({"Invoices": module.Invoices()})["Invoices"].encoded
    for option in ([], ["--json"]):
        assert main(["metadata", name, *option]) == 0
        assert found_in(capfdbinary.readouterr().out, planted) == []


def test_hosting_changes_nothing_of_what_is_hosted(module: Any) -> None:
    cls = module.Invoices
    names = ["total", "lines", "overdue"]
    before = {
        name: (vars(cls)[name], vars(cls)[name].__code__, inspect.getsource(vars(cls)[name]))
        for name in names
    }
    whole = dict(vars(cls)), dict(vars(module)), inspect.getsource(cls)
    attributes = {name: dict(vars(vars(cls)[name])) for name in names}
    hosted = cls()
    methods = methods_of(hosted, "Invoices")
    share({"Invoices": hosted})
    for name in names:
        function = methods[f"Invoices.{name}"].function
        assert function.__self__ is hosted  # type: ignore[attr-defined]
        assert function.__func__ is before[name][0]  # type: ignore[attr-defined]
        after = vars(cls)[name]
        assert after is before[name][0]
        assert after.__code__ is before[name][1]
        assert inspect.getsource(after) == before[name][2]
        assert vars(after) == attributes[name]
    assert methods["Invoices.count"].function.__func__ is cls.count.fget  # type: ignore[attr-defined]
    assert (dict(vars(cls)), dict(vars(module)), inspect.getsource(cls)) == whole
    assert vars(hosted) == {"token": hosted.token}


async def test_the_function_that_runs_is_the_one_that_was_written() -> None:
    """Its frame runs the code object that the user wrote, in the module that the user wrote."""
    ran: list[Any] = []

    class Service:
        async def method(self) -> None:
            ran.append(sys._getframe())

    code = Service.method.__code__
    async with (
        graftwire.serve({"Service": Service()}, "memory:as-written", auth=graftwire.Anonymous()),
        graftwire.connect("memory:as-written") as client,
    ):
        await client.call("Service.method")
    assert ran[0].f_code is code is Service.method.__code__
    assert ran[0].f_globals is globals()
