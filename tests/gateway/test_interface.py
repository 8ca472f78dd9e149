"""What of an object becomes callable, and how plain values become arguments."""

from __future__ import annotations

import decimal
import functools
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from graftwire.gateway.interface import InterfaceError, Method, methods_of, nonblocking, raises
from graftwire.gateway.metadata.share import share
from graftwire.protocol import frames
from graftwire.protocol.errors import BadArguments


class Base:
    def inherited(self) -> None: ...


class Sample(Base):
    """Has one of everything."""

    class Inner:
        """A class is no method."""

    constant = 7

    def __init__(self) -> None:
        self.attribute = lambda: None  # not of the class, so not of its interface

    def plain(self, a: int, b: str = "x") -> int:
        return a

    async def waiting(self, a: int) -> None: ...

    @nonblocking
    def quick(self) -> None: ...

    @staticmethod
    def static(a: int) -> int:
        return a

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    async def stream(self) -> AsyncIterator[int]:
        yield 1

    def sync_stream(self) -> Iterator[int]:
        yield 1

    async def takes(self, items: AsyncIterator[int]) -> int:
        return 0

    async def both(self, items: AsyncIterable[int]) -> AsyncIterator[int]:
        yield 1

    def _hidden(self) -> None: ...

    @property
    def value(self) -> int:
        return 1


def test_public_methods_and_nothing_else() -> None:
    methods = methods_of(Sample(), "Sample")
    assert sorted(methods) == [
        f"Sample.{name}"
        for name in (
            "both",
            "of_class",
            "plain",
            "quick",
            "static",
            "stream",
            "sync_stream",
            "takes",
            "value",
            "waiting",
        )
    ]


@pytest.mark.parametrize(
    ("name", "how", "shape"),
    [
        ("plain", "thread", frames.UNARY),
        ("waiting", "task", frames.UNARY),
        ("quick", "inline", frames.UNARY),
        ("stream", "task", frames.SERVER_STREAM),
        ("sync_stream", "thread", frames.SERVER_STREAM),
        ("takes", "task", frames.CLIENT_STREAM),
        ("both", "task", frames.BOTH_STREAMS),
    ],
)
def test_how_a_method_runs(name: str, how: str, shape: int) -> None:
    method = methods_of(Sample(), "Sample")[f"Sample.{name}"]
    assert (method.how, method.shape) == (how, shape)


def test_the_function_stays_the_one_that_was_written() -> None:
    sample = Sample()
    methods = methods_of(sample, "Sample")
    assert methods["Sample.plain"].function.__func__ is Sample.plain  # type: ignore[attr-defined]
    assert methods["Sample.plain"].function.__self__ is sample  # type: ignore[attr-defined]


def test_nothing_public() -> None:
    with pytest.raises(InterfaceError, match=r"^Empty has no public method, so there is nothing to call; "):
        share({"Empty": object()})


def test_a_type_that_cannot_cross() -> None:
    class Odd:
        def method(self, sock: re_pattern) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InterfaceError, match=r"line \d+: an annotation of Odd\.method can't be resolved"):
        share({"Odd": Odd()})


def test_what_is_handed_out_by_reference_is_looked_at_when_it_is_called() -> None:
    def unresolved(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    def unfit(a: complex) -> None: ...

    with pytest.raises(
        InterfaceError, match=r"^an annotation of m can't be resolved: name 'Nowhere' is not defined; "
    ):
        Method("m", unresolved)
    with pytest.raises(
        InterfaceError, match=r"^the type of a in m can't cross the wire: complex has no form"
    ):
        Method("m", unfit)


def test_two_streams() -> None:
    async def two(a: AsyncIterator[int], b: AsyncIterator[int]) -> None: ...

    with pytest.raises(InterfaceError, match="takes two streams"):
        Method("two", two)


@pytest.mark.parametrize("hint", [typing.AsyncIterator, typing.AsyncIterable, AsyncIterator, AsyncIterable])
def test_a_stream_that_does_not_say_of_what(hint: Any) -> None:
    async def take(items: Any) -> int:
        return 0

    take.__annotations__["items"] = hint
    with pytest.raises(InterfaceError) as caught:
        Method("Sample.take", take)
    assert str(caught.value) == (
        "items of Sample.take is a stream that does not say of what: write AsyncIterator[int], or "
        "AsyncIterator[Any] for items of any type"
    )


@pytest.mark.parametrize("hint", [typing.AsyncIterator, typing.Iterator, AsyncGenerator, Iterator])
def test_a_given_stream_may_be_of_anything(hint: Any) -> None:
    def give() -> Any: ...

    give.__annotations__["return"] = hint
    method = Method("give", give)
    assert (method.how, method.shape, method.result) == ("thread", frames.SERVER_STREAM, None)


# --- callables that are no functions ---------------------------------------------------------------------------------


class Waiting:
    @raises(KeyError)
    async def __call__(self, a: int) -> int:
        return a


class Plain:
    @nonblocking
    def __call__(self, a: int) -> int:
        return a


class Making:
    def __init__(self, a: int, b: int) -> None: ...


async def adding(a: int, b: int) -> int:
    return a + b


@functools.lru_cache
def cached(a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("function", "how", "refused"),
    [
        (Waiting(), "task", "arguments[0]"),
        (Plain(), "inline", "arguments[0]"),
        (functools.partial(adding, 1), "task", "arguments[0]"),
        (functools.partial(functools.partial(adding), b=1), "task", "arguments[0]"),
        (functools.partial(Waiting()), "task", "arguments[0]"),
        (functools.partial(Making, 1), "thread", "arguments[0]"),
        (cached, "thread", "arguments[0]"),
        ([].append, "thread", None),
        (str.upper, "thread", None),
        (print, "thread", None),
        (max, "thread", None),
    ],
)
def test_anything_callable(function: Callable[..., object], how: str, refused: str | None) -> None:
    """What is written in Python has its annotations, wherever they stand; what is written in C takes what it gets."""
    method = Method("", function)
    assert method.how == how
    assert method.bind([7], {}) == ([7], {})
    if refused is None:
        assert method.bind(["7"], {}) == (["7"], {})
    else:
        with pytest.raises(BadArguments) as caught:
            method.bind(["7"], {})
        assert caught.value.path == refused


def test_marks_of_a_callable_object() -> None:
    assert (
        Method("", Waiting()).raises
        == Method("", functools.partial(Waiting())).raises
        == {"KeyError": KeyError}
    )


def test_only_a_plain_def_is_nonblocking() -> None:
    with pytest.raises(TypeError, match="only a plain def"):

        @nonblocking
        async def wrong() -> None: ...


def test_raises_keeps_the_names() -> None:
    @raises(KeyError, ValueError)
    def method() -> None: ...

    assert Method("method", method).raises == {"KeyError": KeyError, "ValueError": ValueError}


# --- binding ---------------------------------------------------------------------------------------------------------


def positional_only(a: int, /, b: int = 2) -> None: ...


def keyword_only(*, a: int, b: int = 2) -> None: ...


def any_number(a: int, *rest: int, **named: str) -> None: ...


def plain(a: int, b: str = "x", c: decimal.Decimal | None = None) -> None: ...


@pytest.mark.parametrize(
    ("function", "positional", "named", "expected"),
    [
        (plain, [1], {}, ([1], {})),
        (plain, [1, "y"], {}, ([1, "y"], {})),
        (plain, [1], {"c": decimal.Decimal("1.50")}, ([1], {"c": decimal.Decimal("1.50")})),
        (plain, [], {"b": "y", "a": 1}, ([], {"a": 1, "b": "y"})),
        (positional_only, [1], {"b": 3}, ([1], {"b": 3})),
        (keyword_only, [], {"a": 1}, ([], {"a": 1})),
        (any_number, [1, 2, 3], {"x": "y"}, ([1, 2, 3], {"x": "y"})),
        (any_number, [1], {}, ([1], {})),
    ],
)
def test_arguments_that_fit(
    function: Any, positional: list[object], named: dict[str, object], expected: Any
) -> None:
    assert Method("m", function).bind(positional, named) == expected


@pytest.mark.parametrize(
    ("function", "positional", "named", "path"),
    [
        (plain, [], {}, "arguments.a"),
        (plain, ["1"], {}, "arguments[0]"),
        (plain, [1, 2], {}, "arguments[1]"),
        (plain, [1, "y", None, 4], {}, "arguments[3]"),
        (plain, [1], {"z": 1}, "arguments"),
        (plain, [1], {"a": 1}, "arguments.a"),
        (plain, [1], {"c": 1.5}, "arguments.c"),
        (positional_only, [], {"a": 1}, "arguments.a"),
        (keyword_only, [1], {}, "arguments.a"),
        (any_number, [1, 2, "3"], {}, "arguments[2]"),
        (any_number, [1], {"x": 1}, "arguments"),
    ],
)
def test_arguments_that_do_not_fit(
    function: Any, positional: list[object], named: dict[str, object], path: str
) -> None:
    with pytest.raises(BadArguments) as caught:
        Method("m", function).bind(positional, named)
    assert caught.value.path == path
    assert not caught.value.ran
