"""`graftwire call`: one call, its result as JSON, and every failure in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from graftwire import (
    Client,
    ConnectOptions,
    CredentialError,
    DeadlineExceeded,
    Error,
    LinkError,
    Retry,
    SessionError,
    Stream,
    Unavailable,
)
from graftwire.protocol import frames
from graftwire.transport.background import background_tasks
from graftwire.transport.calls import PLAIN
from graftwire.transport.url import Url

from .arguments import by_name, check_target, items, open_for_reading, positional
from .call_errors import explain, not_reached, what_answered
from .dialling import Watcher, connect
from .failure import Exit, Failure, of_library
from .jsonvalues import plain
from .options import dialling_context, through, url
from .output import json_line, room
from .running import run
from .trust import credential as credential_provider

_LOOKED_AT: Final = 16  # bytes of what the other side says first


@dataclass(frozen=True, slots=True)
class Request:
    """What is called, as the command line has it; `items` names the file of the caller's stream, if it has one."""

    url: str
    target: str
    arguments: list[str]
    named: list[str]
    items: str | None
    stream: bool

    @property
    def shape(self) -> int:
        """The shape of the call (clause CALL-2)."""
        return (frames.SERVER_STREAM if self.stream else 0) | (
            0 if self.items is None else frames.CLIENT_STREAM
        )


def call(
    request: Request,
    *,
    deadline: float | None,
    retry: int,
    credential: str | None,
    plain_proofs: bool,
    proxy: str | None,
    proxy_login: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
) -> None:
    """Make the call of `request` and print what it gives. Raises Failure."""
    where = url(request.url, dial=True)
    check_target(request.target)
    args, kwargs = positional(request.arguments), by_name(request.named)
    options = through(ConnectOptions(tls=dialling_context(ca, cert, key)), proxy, proxy_login)
    proof = credential_provider(credential, certificate=cert is not None)
    # before anything is dialled, so that a mistake is noticed first
    descriptor = None if request.items is None else open_for_reading(request.items)
    one = _Call(
        request,
        where,
        partial(
            connect,
            where,
            options,
            retry=Retry(attempts=retry) if retry else None,
            credential=proof,
            plain_proofs=plain_proofs,
        ),
        deadline,
        args,
        kwargs,
        descriptor,
        proved=proof is not None,
    )
    run(one.make)


class _Call:
    """One call on its way, and what is known about it when it fails."""

    def __init__(
        self,
        request: Request,
        url: Url,
        connect: Callable[[Watcher], AbstractAsyncContextManager[Client]],
        deadline: float | None,
        args: list[object],
        kwargs: dict[str, object],
        items: int | None,
        *,
        proved: bool,
    ) -> None:
        self._request = request
        self._url = url
        self._connect = connect
        self._deadline = deadline
        self._args = args
        self._kwargs = kwargs
        self._items = items
        self._proved = proved
        self._connected = False
        self._first = b""
        self._silent = True

    async def make(self) -> None:
        """Connect, call and print within the deadline; then leave in order. Raises Failure."""
        due = math.inf if self._deadline is None else trio.current_time() + self._deadline
        calling = trio.CancelScope()
        with trio.CancelScope(deadline=due) as dialling:
            try:
                async with self._connect(self._look) as client:
                    self._connected = True
                    dialling.deadline, calling.deadline = math.inf, due
                    with calling:
                        await self._call(client)
            except Error as error:
                raise self._failure(error) from None
        if dialling.cancelled_caught or calling.cancelled_caught:
            raise self._too_late()

    def _look(self, came: bool, data: bytes) -> None:
        if came:
            self._silent = False  # the orderly end is a word, too
            self._first += data[: _LOOKED_AT - len(self._first)]

    async def _call(self, client: Client) -> None:
        request = self._request
        if request.shape == frames.UNARY:
            json_line(plain(await client.call(request.target, *self._args, **self._kwargs)))
            return
        opened = client.open_with(PLAIN, request.shape, request.target, tuple(self._args), self._kwargs)
        async with opened as stream:
            if self._items is None:
                await self._print_items(stream)
            else:
                await self._exchange(stream, self._items)
            result = await stream.result()
        if request.shape == frames.CLIENT_STREAM:
            json_line(plain(result))

    async def _print_items(self, stream: Stream) -> None:
        """Print the other side's items; where it sends none, wait for the end of the call."""
        async for item in stream:
            await room()
            json_line(plain(item))

    async def _exchange(self, stream: Stream, descriptor: int) -> None:
        """Send items from a file while those of the other side are printed, until the call is over."""
        unusable: list[Failure] = []

        async def send(scope: trio.CancelScope) -> None:
            try:
                async with aclosing(items(descriptor)) as values:
                    async for item in values:
                        await stream.send(item)
                await stream.end()
            except Unavailable:
                pass  # the end of the call says why
            except Failure as failure:
                unusable.append(failure)
                scope.cancel()
            except Error as error:
                unusable.append(self._failure(error))
                scope.cancel()

        async with background_tasks() as tasks:
            with trio.CancelScope() as scope:
                tasks.start_soon(send, scope)
                await self._print_items(stream)
        if unusable:
            raise unusable[0]

    def _failure(self, error: Error) -> Failure:
        if isinstance(error, CredentialError):
            return of_library(error)
        if not self._connected:
            if isinstance(error, SessionError | LinkError) and self._first:
                return what_answered(self._url, self._first, error)
            # where the link broke, or several attempts were made, the error has its cause
            return not_reached(self._url, error, silent=self._silent and error.__cause__ is None)
        return self._explain(error)

    def _too_late(self) -> Failure:
        if not self._connected:
            return Failure(
                f"{self._url} was not reached within the deadline of {self._deadline:g} s",
                Exit.DEADLINE,
                kind="deadline-exceeded",
            )
        return self._explain(DeadlineExceeded())

    def _explain(self, error: Error) -> Failure:
        target, url = self._request.target, self._url
        return explain(error, target, self._deadline, self._kwargs, url=url, proved=self._proved)
