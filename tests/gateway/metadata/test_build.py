"""From Python to the model: what each annotation becomes, and what is said of what can't be expressed."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import functools
import re
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Protocol,
    TypedDict,
    TypeVar,
)

import attrs
import msgspec
import pytest
from typing_extensions import TypeAliasType

import graftwire
from graftwire.gateway.metadata.annotations import Annotations
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.encode import encode
from graftwire.gateway.metadata.share import share
from graftwire.gateway.metadata.text import method_text, text, type_text

HERE = "tests/gateway/metadata/test_build.py"
Item = TypeVar("Item")
Number = TypeVar("Number", int, Decimal)
Bound = TypeVar("Bound", bound=str)
Age = NewType("Age", int)
Pair = TypeAliasType("Pair", tuple[Item, Item], type_params=(Item,))
Cyclic = list["Cyclic"]  # type: ignore[misc]


class Colour(enum.Enum):
    RED = "a secret"
    BLUE = 2


@dataclasses.dataclass
class Node:
    value: int
    children: list[Node] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Page(Generic[Item]):
    items: list[Item]
    next: Page[Item] | None = None


class Dict(TypedDict):
    a: int
    b: NotRequired[str]


class Tuple(NamedTuple):
    a: int
    b: str = "x"


class Cat(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    name: str
    toy: str | msgspec.UnsetType = msgspec.UNSET


class Dog(msgspec.Struct, tag=True, rename="camel"):
    bone_count: int


@attrs.define
class Attrs:
    a: int
    b: int = attrs.field(default=1)


class Callback(Protocol):
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Any, "any"),
        (object, "any"),
        (None, "null"),
        (bytearray, "bytes"),
        (datetime, "datetime"),
        (typing.LiteralString, "text"),
        (list, "list[any]"),
        (typing.List, "list[any]"),  # noqa: UP006 - also written so
        (Sequence[int], "list[integer]"),
        (collections.abc.Iterable[int], "list[integer]"),
        (tuple, "list[any]"),
        (tuple[int, ...], "list[integer]"),
        (tuple[()], "tuple[]"),
        (tuple[int, str], "tuple[integer, text]"),
        (frozenset[Colour], "set[Colour]"),
        (Mapping[str, Any], "map[text, any]"),
        (dict[int | str, None], "map[integer | text, null]"),
        (Callable[[int], str], "reference"),
        (Callback, "reference"),
        (graftwire.Remote, "reference"),
        (str | None | int, "integer | text | null"),
        (str | Any, "any"),
        (int | (str | None), "integer | text | null"),
        (
            Literal["b", "a", 3, None, b"x", True],  # noqa: PYI061 - also written so
            "3 | 'a' | 'b' | b'x' | true | null",
        ),
        (Literal[Colour.RED], "'RED'"),
        (Literal["a", "b", 1], "1 | 'a' | 'b'"),
        (Annotated[int, msgspec.Meta(ge=3)], "integer"),
        (Age, "integer"),
        (Item, "any"),
        (Bound, "text"),
        (Number, "integer | decimal"),
        (Pair[int], "tuple[integer, integer]"),
        (Page[Node], "Page[Node]"),
        (Page[Annotated[int, msgspec.Meta(ge=3)]], "Page[integer]"),
        (Cat | Dog, "Cat | Dog"),
    ],
)
def test_what_an_annotation_becomes(annotation: Any, expected: str) -> None:
    assert type_text(Annotations(untyped=False).type(annotation)) == expected


def record(annotation: Any, **options: bool) -> str:
    class Hosted:
        def method(self) -> None: ...

    Hosted.method.__annotations__["return"] = annotation
    return "\n".join(text(build(Hosted, "A", **options)).splitlines()[2:])


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Node, "  record Node\n    children: list[Node] = …\n    value: integer"),
        (Page[int], "  record Page[integer]\n    items: list[integer]\n    next: Page[integer] | null = …"),
        (Dict, "  record Dict\n    a: integer\n    b: text = …"),
        (Tuple, "  record Tuple\n    a: integer\n    b: text = …"),
        (Cat, "  closed record Cat\n    name: text\n    toy: text = …\n    type: 'Cat'"),
        (Dog, "  record Dog\n    boneCount: integer\n    type: 'Dog'"),
        (Attrs, "  record Attrs\n    a: integer\n    b: integer = …"),
        (Colour, "  enum Colour: BLUE, RED"),
    ],
)
def test_records_and_enums(annotation: Any, expected: str) -> None:
    assert record(annotation) == expected


class Unknown(Exception):
    customer: str
    _private: int = 1


class Whole:
    @graftwire.raises(Unknown, KeyError)
    async def each(
        self, a: int, /, b: str = "x", *rest: int, c: bool, d: bool = False, **more: Any
    ) -> None: ...

    async def named(self, a: int, *, b: int) -> None: ...

    async def gives(self) -> AsyncIterator[int]:
        yield 1

    def plainly(self) -> Iterator[str]:
        yield ""

    async def takes(self, first: int, items: AsyncIterator[bytes], last: int) -> int: ...


def test_methods() -> None:
    interface = build(Whole, "Whole")
    assert [method_text(method) for method in interface.methods] == [
        (
            "each(a: integer, /, b: text = …, *rest: integer, c: boolean, d: boolean = …, **more: any) -> null "
            "raises KeyError, Unknown"
        ),
        "gives() -> stream of integer",
        "named(a: integer, *, b: integer) -> null",
        "plainly() -> stream of text",
        "takes(first: integer, last: integer, stream of bytes) -> integer",
    ]
    assert "  exception KeyError\n  exception Unknown\n    customer: text\n" in text(interface)


def test_the_order_in_the_source_changes_nothing() -> None:
    class Turned:
        async def takes(self, first: int, last: int, items: AsyncIterator[bytes]) -> int: ...

        def plainly(self) -> Iterator[str]:
            yield ""

        async def gives(self) -> AsyncIterator[int]:
            yield 1

        def named(self, a: int, *, b: int) -> None: ...

        @graftwire.raises(KeyError, Unknown)
        def each(self, a: int, /, b: str = "y", *rest: int, c: bool, d: bool = True, **more: Any) -> None: ...

    assert encode(build(Turned, "Whole")) == encode(build(Whole, "Whole"))


# ---------------------------------------------------------------- what can't be expressed


def untyped(self: object, customer, net=1):  # type: ignore[no-untyped-def]  # noqa: ANN201 - on purpose
    ...


def unsupported(self: object, a: complex, b: list[re.Pattern[str]]) -> complex: ...


def cyclic(self: object, a: int) -> Cyclic: ...  # type: ignore[valid-type]


def bare_stream(self: object, items: typing.AsyncIterator) -> None: ...  # type: ignore[type-arg]


def bare_streams(self: object, items: AsyncIterator) -> Iterator: ...  # type: ignore[type-arg]


def two_streams(self: object, a: AsyncIterator[int], b: AsyncIterator[int]) -> None: ...


def unresolved(self: object, a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def generator(self: object):  # type: ignore[no-untyped-def]  # noqa: ANN201 - on purpose
    yield 1


def ambiguous(self: object, a: Node | Attrs) -> None: ...


def selfless() -> None: ...


def flags(self: object, a: re.RegexFlag) -> None: ...


def untyped_field(self: object, a: collections.namedtuple("Loose", "x")) -> None: ...  # type: ignore[valid-type]  # noqa: PYI024


class Twin:
    """Has another class called Node."""

    @dataclasses.dataclass
    class Node:
        value: int


def twins(self: object, a: Node, b: Twin.Node) -> None: ...


@dataclasses.dataclass
class integer:  # noqa: N801 - as the type is called in the metadata
    value: int


def brackets(self: object, a: Page[int], b: Page[integer]) -> None: ...


def line(function: Callable[..., object]) -> str:
    return f"{HERE}, line {function.__code__.co_firstlineno}: "


CYCLIC = "can't cross the wire: the alias {} leads to itself, which only a record may; make it a dataclass"
IMPORT = "define or import it in the module, outside of functions and of `if TYPE_CHECKING`"
BRACKETS = "two records would be called Page[integer]; rename a class in the brackets"
NODE = "are both called Node; rename one of the two"
TYPES = "; the documentation lists what can under Types"


@pytest.mark.parametrize(
    ("function", "problems"),
    [
        (
            untyped,
            [
                "the parameter customer of A.m has no type; annotate it, as in customer: str (Any takes everything)",
                "the parameter net of A.m has no type; annotate it, as in net: str (Any takes everything)",
                "A.m has no return type; annotate it, as in `-> None`",
            ],
        ),
        (generator, ["A.m has no return type; annotate it, as in `-> AsyncIterator[int]`"]),
        (
            unsupported,
            [
                f"the parameter a of A.m can't cross the wire: complex has no form on the wire{TYPES}",
                f"the parameter b of A.m can't cross the wire: re.Pattern[str] has no form on the wire{TYPES}",
                f"the result of A.m can't cross the wire: complex has no form on the wire{TYPES}",
            ],
        ),
        (
            cyclic,
            [f"the result of A.m {CYCLIC.format('Cyclic')}"],
        ),
        (
            bare_stream,
            [
                "the parameter items of A.m is a stream of unknown items; say of what, as in AsyncIterator[int]"
            ],
        ),
        (
            bare_streams,
            [
                f"{what} of A.m is a stream of unknown items; say of what, as in AsyncIterator[int]"
                for what in ("the parameter items", "the result")
            ],
        ),
        (two_streams, ["A.m takes two streams; a call carries one: make the other one a list"]),
        (
            unresolved,
            [f"an annotation of A.m can't be resolved: name 'Nowhere' is not defined; {IMPORT}"],
        ),
        (
            selfless,
            [
                "A.m has no parameter for the object that it belongs to; add self, or make it a static method",
            ],
        ),
        (
            twins,
            [f"the parameter b of A.m can't cross the wire: {__name__}.Twin.Node and {__name__}.Node {NODE}"],
        ),
        (
            brackets,
            [f"the parameter b of A.m can't cross the wire: {BRACKETS}"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_can_not_be_expressed(
    function: Callable[..., object], problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    cls = type("A", (), {"m": graftwire.exposed(function)})
    with pytest.raises(graftwire.InterfaceError) as raised:
        build(cls, "A")
    assert list(raised.value.problems) == [line(function) + problem for problem in problems]
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    assert str(raised.value) == line(function) + problems[0] + more


@pytest.mark.parametrize("function", [ambiguous, flags, untyped_field])
def test_further_ones(function: Callable[..., object]) -> None:
    cls = type("A", (), {"m": graftwire.exposed(function)})
    with pytest.raises(graftwire.InterfaceError, match=r"can't (cross the wire|be resolved)"):
        build(cls, "A")


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("1 +", "it raises SyntaxError; correct it"),
        ("1 / 0", "it raises ZeroDivisionError; correct it"),
        ("{}['secret']", "it raises KeyError; correct it"),
        ("typing.Nothing", "it raises AttributeError; correct it"),
        ("Nowhere", f"name 'Nowhere' is not defined; {IMPORT}"),
    ],
)
@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("method", "an annotation of A.m can't be resolved: "),
        ("record", "the parameter a of A.m can't cross the wire: an annotation of Wrong can't be resolved: "),
        ("exception", "an annotation of the exception Wrong can't be resolved: "),
    ],
)
def test_annotations_that_can_not_be_resolved(
    annotation: str, reason: str, where: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])

    def method(self: object, a: int) -> None: ...

    annotations = {"__annotations__": {"a": annotation}, "__module__": __name__}
    if where == "method":
        method.__annotations__["a"] = annotation
    elif where == "record":
        method.__annotations__["a"] = dataclasses.dataclass(type("Wrong", (), annotations))
    else:
        method = graftwire.raises(type("Wrong", (Exception,), annotations))(method)
    with pytest.raises(graftwire.InterfaceError) as raised:
        build(type("A", (), {"m": graftwire.exposed(method)}), "A")
    assert raised.value.problems == (line(method) + sentence + reason,)


class Alias:
    """As `type Cycle = list[Cycle]` of Python 3.12."""

    __name__ = "Cycle"

    @property
    def __value__(self) -> Any:
        return list[self]  # type: ignore[valid-type]


def test_an_alias_that_leads_to_itself() -> None:
    with pytest.raises(TypeError, match=r"^the alias Cycle leads to itself, which only a record may"):
        Annotations(untyped=False).type(Alias())


@dataclasses.dataclass
class Endless(Generic[Item]):
    more: Endless[list[Item]] | None


def test_a_record_that_leads_to_ever_new_ones() -> None:
    with pytest.raises(TypeError, match=r"^it leads to ever new types$"):
        Annotations(untyped=False).type(Endless[int])


def test_without_types_by_choice() -> None:
    cls = type("A", (), {"m": graftwire.exposed(untyped)})
    interface = build(cls, "A", allow_untyped=True)
    assert method_text(interface.methods[0]) == "m(customer: any, net: any = …) -> any"
    assert record(collections.namedtuple("Loose", "x"), allow_untyped=True) == "  record Loose\n    x: any"  # noqa: PYI024


def test_a_name_that_no_target_can_have() -> None:
    class Named:
        pass

    setattr(Named, "größe", graftwire.exposed(lambda self: None))  # noqa: B010 - no name for a source

    with pytest.raises(
        graftwire.InterfaceError, match=r"A\.größe can't be called so; give it a name of at most 127"
    ):
        build(Named, "A", allow_untyped=True)


def test_what_does_not_say_what_it_takes() -> None:
    cls = type("A", (), {"m": graftwire.exposed(functools.partial(min, 7))})
    with pytest.raises(graftwire.InterfaceError) as raised:
        build(cls, "A", allow_untyped=True)
    assert str(raised.value) == "A.m does not say what it takes; write a method that calls it"


def test_two_exceptions_of_one_name() -> None:
    other = type("Unknown", (Exception,), {})

    class Raising:
        @graftwire.raises(Unknown)
        def a(self) -> None: ...

        @graftwire.raises(other)
        def b(self) -> None: ...

    with pytest.raises(
        graftwire.InterfaceError, match=r"A\.b declares another exception Unknown than a method before"
    ):
        build(Raising, "A")


def test_what_is_too_deep() -> None:
    annotation: Any = int
    for _ in range(17):
        annotation = list[annotation]
    with pytest.raises(graftwire.InterfaceError, match="A can't be described: types are more than 16 deep"):
        record(annotation)
    for _ in range(3000):
        annotation = list[annotation]
    with pytest.raises(graftwire.InterfaceError, match="can't be resolved: it is too deep; make it simpler"):
        record(annotation)


def test_share_says_all_of_all() -> None:
    class Good:
        def m(self) -> int: ...

    class Bad:
        def m(self, x) -> int: ...  # type: ignore[no-untyped-def]

    found = share({"Good": Good(), "Again": Good()})
    assert found["Good"].encoded == encode(build(Good, "Good"))
    assert (found["Good"].name, found["Good"].version, len(found["Good"].digest)) == ("Good", None, 32)
    assert found["Good"].digest != found["Again"].digest
    with pytest.raises(graftwire.InterfaceError) as raised:
        share({"One": Bad(), "Good": Good(), "Two": Bad()})
    assert [problem.partition(" of ")[2].partition(".")[0] for problem in raised.value.problems] == [
        "One",
        "Two",
    ]
    assert set(share({"One": Bad()}, allow_untyped=True)) == {"One"}
