"""Typed clients: an object with the methods of a class or a Protocol, each of which makes a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from graftwire.gateway.interface import Method
from graftwire.gateway.members import members_of
from graftwire.gateway.metadata.build import build
from graftwire.protocol import frames
from graftwire.transport.calls import CallOptions, Stream

if TYPE_CHECKING:
    from .client import Client

Interface = TypeVar("Interface")


def make_proxy(
    client: Client, interface: type[Interface], name: str, *, allow_untyped: bool = False
) -> Interface:
    """An object that calls `name.method` through `client` for each public method of `interface`.

    A property is called like a method without arguments. Raises InterfaceError if a method has a parameter or a result
    without a type (unless `allow_untyped`) or with one that can't cross the wire, or if there is no public method.
    """
    build(interface, name, allow_untyped=allow_untyped)
    stubs = {
        member.name: _stub(client, Method(f"{name}.{member.name}", member.function))
        for member in members_of(interface)
    }
    proxy: Any = type(f"{interface.__name__}Proxy", (_Proxy,), {"__slots__": tuple(stubs)})()
    for method_name, stub in stubs.items():
        object.__setattr__(proxy, method_name, stub)
    return proxy


class _Proxy:
    """The base of all proxies: nothing can be set on one, and its repr names its interface only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a proxy has no attributes to set, only methods to call")


def _stub(client: Client, method: Method) -> Callable[..., object]:
    plain = client.call_options
    options = CallOptions(
        credential=plain.credential,
        trace=plain.trace,
        result=method.result,
        raises=method.raises or plain.raises,
    )
    target, shape = method.name, method.shape

    if shape == frames.UNARY:

        def stub(*args: object, **kwargs: object) -> Awaitable[Any]:
            return client.call_with(options, target, args, kwargs)

        return stub

    def stream_stub(*args: object, **kwargs: object) -> AbstractAsyncContextManager[Stream]:
        return client.open_with(options, shape, target, args, kwargs)

    return stream_stub
