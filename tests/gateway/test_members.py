"""What is public: what a class defines, what a declared base declares, what is exposed. Nothing by accident."""

from __future__ import annotations

import abc
import functools
import logging
import os.path
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import pytest

import graftwire
from graftwire.gateway.interface import methods_of
from graftwire.gateway.members import Kind, Untyped, members_of, name_of, version_of
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.share import share

Function = TypeVar("Function", bound=Callable[..., Any])


def names(cls: type, **options: Any) -> set[str]:
    return {member.name for member in members_of(cls, **options)}


def wrapped(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: object) -> None: ...

    return wrapper


def helper(self: object) -> None: ...


def free() -> None: ...


class Helpers:
    def inherited(self) -> None: ...

    @graftwire.exposed
    def shown(self) -> None: ...

    @graftwire.exposed
    @property
    def size(self) -> int:
        return 1


class Own(Helpers):
    constant = 7
    imported = helper
    borrowed = os.path.join
    undone = unwrapped(helper)
    lent = staticmethod(graftwire.exposed(free))

    class Inner:
        def method(self) -> None: ...

    def method(self) -> None: ...

    @wrapped
    def decorated(self) -> None: ...

    @staticmethod
    def static() -> None: ...

    @classmethod
    def of_class(cls) -> None: ...

    @property
    def annotated(self) -> int:
        return 1

    @property
    def bare(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - on purpose
        return 1

    def _hidden(self) -> None: ...


def test_what_a_class_has() -> None:
    own = {"method", "decorated", "static", "of_class", "annotated"}
    assert names(Own) == own | {"shown", "size", "lent"}
    assert names(Own, instance=False) == {"static", "of_class", "lent"}
    assert {member.name: member.kind for member in members_of(Own)}["size"] is Kind.PROPERTY


def test_what_was_left_out_is_said_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "graftwire.gateway"):
        members_of(Own, told=True)
    assert sorted(record.message for record in caplog.records) == [
        f"{__name__}.Own.{name} was not written in that class, so it is not public; write a method that calls it, or "
        "mark it with graftwire.exposed"
        for name in ("borrowed", "imported", "undone")
    ]


@graftwire.interface(version="1.2")
class Declared(abc.ABC):
    @abc.abstractmethod
    def total(self, net: int) -> int: ...

    def extra(self) -> int:
        return 1


class Between(Declared):
    def total(self, net: int) -> int:
        return net

    def detail(self) -> None: ...


class Concrete(Between):
    def more(self) -> None: ...


def test_a_declared_base_says_which_names_are_public() -> None:
    assert names(Concrete) == {"total", "extra", "more"}
    total = next(member for member in members_of(Concrete) if member.name == "total")
    assert total.function is Between.total  # what Python would run
    assert version_of(Concrete) == "1.2"
    assert version_of(Own) is None


class Api(Protocol):
    async def total(self, customer: str, net: int) -> int: ...


class Larger(Api, Protocol):
    async def count(self) -> int: ...


class Implements:
    async def total(self, customer: str, net: int) -> int:
        return net


class Inherits(Api):
    async def total(self, customer: str, net: int) -> int:
        return net


def test_a_protocol_is_declared() -> None:
    assert names(Larger) == {"total", "count"}
    assert build(Api, "A") == build(Implements, "A") == build(Inherits, "A")


def test_what_hides_a_method_hides_it() -> None:
    class Hides(Declared):
        extra = None  # type: ignore[assignment]
        total = 7  # type: ignore[assignment]

    assert names(Hides) == set()


def test_an_instance_can_not_add_to_its_class() -> None:
    instance: Any = Implements()
    instance.other = lambda: None
    instance.total = lambda: None
    methods = methods_of(instance, "A")
    assert list(methods) == ["A.total"]
    assert methods["A.total"].function.__func__ is Implements.total  # type: ignore[attr-defined]


def test_a_property_is_read_by_a_call_without_arguments() -> None:
    method = methods_of(Own(), "Own")["Own.annotated"]
    assert method.bind([], {}) == ([], {})
    assert method.function() == 1
    assert method.how == "thread"


def test_of_a_class_the_methods_of_instances_are_left_out() -> None:
    assert set(methods_of(Own, "Own")) == {"Own.lent", "Own.of_class", "Own.static"}


def test_marks() -> None:
    @graftwire.interface
    class Bare: ...

    @graftwire.interface(name="Other")
    class Named: ...

    class Below(Named): ...

    assert (name_of(Bare), name_of(Named), name_of(Below)) == ("Bare", "Other", "Below")


@pytest.mark.parametrize("name", ["", "a b", "graftwire.x", "größe", "x" * 128])
def test_names_that_can_not_be(name: str) -> None:
    with pytest.raises(ValueError, match=r"^the name of an interface is printable ASCII"):
        graftwire.interface(name=name)


@pytest.mark.parametrize("version", ["", "1 2", "x" * 65])
def test_versions_that_can_not_be(version: str) -> None:
    with pytest.raises(ValueError, match=r"^the version of an interface is 1 to 64 printable ASCII"):
        graftwire.interface(version=version)


def test_what_can_not_be_exposed() -> None:
    with pytest.raises(TypeError, match=r"^a name with an underscore in front is never public$"):

        @graftwire.exposed
        def _hidden() -> None: ...

    with pytest.raises(TypeError, match=r"^only what is written in Python can be exposed"):
        graftwire.exposed(len)


@pytest.mark.parametrize(
    "member",
    [
        functools.partialmethod(helper),
        functools.cached_property(helper),
        functools.singledispatchmethod(helper),
        Helpers,
        7,
    ],
    ids=lambda member: type(member).__name__,
)
def test_what_is_no_method_can_not_be_exposed(member: object) -> None:
    with pytest.raises(
        TypeError, match=r"^only a method or a property can be exposed; write one that calls it$"
    ):
        graftwire.exposed(member)


def test_a_property_that_is_exposed_needs_a_type() -> None:
    class Bare:
        @graftwire.exposed
        @property
        def size(self):  # type: ignore[no-untyped-def]
            return 1

    with pytest.raises(graftwire.InterfaceError, match=r"Bare\.size has no return type; annotate it"):
        build(Bare, "Bare")


class Machine:
    def __call__(self) -> None: ...


def test_what_binds_itself_is_a_method_of_the_object() -> None:
    class Cached:
        @graftwire.exposed
        @functools.cache  # noqa: B019 - on purpose
        def total(self, net: int) -> int:
            return 2 * net

        made = graftwire.exposed(Machine())

    assert {member.name: member.kind for member in members_of(Cached)} == {
        "made": Kind.STATIC,
        "total": Kind.INSTANCE,
    }
    assert build(Protocolled, "Cached").methods[0] == build(Cached, "Cached", allow_untyped=True).methods[1]
    assert methods_of(Cached(), "Cached")["Cached.total"].function(4) == 8


class Protocolled(Protocol):
    def total(self, net: int) -> int: ...


def test_what_only_looks_like_a_method_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Near:
        __slots__ = ("slot",)

        def method(self) -> None: ...

        part = functools.partialmethod(method)

    with caplog.at_level(logging.WARNING, "graftwire.gateway"):
        assert [member.name for member in members_of(Near, told=True)] == ["method"]
    (record,) = caplog.records
    assert record.message == (
        f"{__name__}.{Near.__qualname__}.part is neither a method nor a property, so it is not public; write a method "
        "that calls it"
    )


def test_what_is_handed_out_by_reference_needs_no_types() -> None:
    class Plain:
        def method(self, x):  # type: ignore[no-untyped-def]
            return x

    assert list(methods_of(Plain(), "")) == [".method"]
    with pytest.raises(graftwire.InterfaceError):
        share({"Plain": Plain()})
    assert list(share({"Plain": Untyped(Plain())})) == ["Plain"]
    assert list(methods_of(Untyped(Plain()), "Plain")) == ["Plain.method"]


async def test_untyped_methods_are_a_choice() -> None:
    class Plain:
        def method(self, x):  # type: ignore[no-untyped-def]
            return x

    auth = graftwire.Anonymous()
    with pytest.raises(graftwire.InterfaceError, match=r"the parameter x of Plain\.method has no type"):
        async with graftwire.serve({"Plain": Plain()}, "memory:untyped", auth=auth):
            pytest.fail("it must not start")
    async with (
        graftwire.serve({"Plain": Plain()}, "memory:untyped", auth=auth, allow_untyped=True),
        graftwire.connect("memory:untyped") as client,
    ):
        assert await client.call("Plain.method", [1, "two"]) == [1, "two"]


async def test_properties_over_the_wire() -> None:
    async with (
        graftwire.serve({"Own": Own()}, "memory:properties", auth=graftwire.Anonymous(), allow_untyped=True),
        graftwire.connect("memory:properties") as client,
    ):
        assert await client.call("Own.annotated") == 1
        assert await client.call("Own.size") == 1
        for name in ("inherited", "imported", "bare", "_hidden", "Inner", "constant"):
            with pytest.raises(graftwire.UnknownTarget):
                await client.call(f"Own.{name}")
