"""Objects and callables that stay where they are, and handles on those of the other side (clauses REF-1 to REF-6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from graftwire.protocol import values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import ApplicationError
from graftwire.protocol.failures import error_from_wire
from graftwire.protocol.references import Exports, Imports

from .scanning import references_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from graftwire.protocol.errors import CallError
    from graftwire.protocol.frames import Error

    from .incoming import IncomingCall
    from .releasing import Releases
    from .session import Session

_TAG: Final = b"\xd9\xa4\x07"  # the head of the tag that marks a reference in a body


class ByReference:
    """Marks an object that is not to be copied: the other side gets a handle and calls its public methods."""

    __slots__ = ("target", "withdrawn")

    def __init__(self, target: object) -> None:
        self.target = target
        self.withdrawn = False

    def withdraw(self) -> None:
        """Take the object back: calls on handles that were made of this mark get UnknownTarget from now on.

        Calls that have come before go on. More than once is no error.
        """
        self.withdrawn = True


class Passed(ByReference):
    """Stands for an object of another session, to whose owner calls are passed on; `gone` is called once.

    Only for who keeps two sessions: a reference itself can't be forwarded (clause REF-6).
    """

    __slots__ = ("gone",)

    def __init__(self, remote: Remote, gone: Callable[[Passed], None]) -> None:
        super().__init__(remote)
        self.gone = gone

    @property
    def remote(self) -> Remote:
        """The handle of this side on the object."""
        assert isinstance(self.target, Remote)
        return self.target


class Remote(values.Reference):
    """A handle on an object or a callable of the other side.

    `await handle(…)` calls a callable, `await handle.call("method", …)` a method of an object. A handle that came
    with a call's arguments is released when that call ends, unless `keep` was called; others live until `release`,
    or the end of the session. Usable as `with handle:`, which releases it.
    """

    __slots__ = ("_call", "_released", "session")

    def __init__(self, session: Session, id: int, call: IncomingCall | None = None) -> None:
        self.id = id
        self.session = session
        self._call = call
        self._released = False

    async def __call__(self, *args: object, **kwargs: object) -> Any:
        """Call the callable that this stands for. Raises CallError."""
        return await self.call("", *args, **kwargs)

    async def call(self, method: str, /, *args: object, **kwargs: object) -> Any:
        """Call a public method of the object that this stands for. Raises CallError."""
        from .calls import call  # calls.py needs this module

        return await call(self.session, (self.id, method), args, kwargs)

    def keep(self) -> Remote:
        """Let this handle outlive the call that it came with; `release` is then up to you. Returns itself."""
        if self._call is not None:
            self._call.kept = (self._call.kept or set()) | {self.id}
        return self

    def release(self) -> None:
        """Tell the other side that this handle is no longer needed. Later uses of it are errors."""
        if not self._released:
            self._released = True
            self.session.references.give_back(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Remote {self.id}{' released' if self._released else ''}>"


class References:
    """Both tables of a session: what this side has given, and what it was given."""

    def __init__(self, session: Session, role: Role, releases: Releases) -> None:
        self._session = session
        self._releases = releases
        self._exports = Exports(role, _let_go)
        self._imports = Imports(role)
        self._given: list[int] | None = None
        self.peer: object = None  # who the other side is, as far as the receiver has found out

    # --- given by this side ------------------------------------------------------------------------------------------

    def give(self, value: object, owner: object = None) -> int:
        """The id under which `value` travels in the body that is being encoded. For `values.encode`.

        It works for `owner` alone (clause REF-6); None: for who the other side is now.

        Raises TypeError for what is neither a callable nor marked with ByReference: it can't be copied, and nobody
        said that it may be called from afar.
        """
        if isinstance(value, Remote):
            raise TypeError("a reference of the other side can't be passed on")
        if not (isinstance(value, ByReference) or callable(value)) or isinstance(value, type):
            raise TypeError("neither a value, nor a callable, nor marked with by_reference()")
        id = self._exports.allocate(value, self.peer if owner is None else owner)
        if self._given is None:
            self._given = []
        self._given.append(id)
        return id

    def taken(self) -> list[int] | None:
        """The ids given since the last time: those of the body that was just encoded."""
        given, self._given = self._given, None
        return given

    def kill(self, ids: Iterable[int], *, held: bool = False) -> None:
        """Clause REF-4: the call that carried these has failed, and never reached who would release them.

        `held`: calls that were sent before wait for an AUTH's outcome; then they are gone with `settle`.
        """
        self._exports.kill(ids, held=held)

    def settle(self) -> None:
        """The other side was accepted, and what waited for that has been handed on."""
        self._exports.settle()

    def unsent(self, body: bytes) -> None:
        """A body of this side is not sent after all, and so nobody will release what it was to give."""
        if _TAG in body:
            self._exports.kill(references_in(body))

    def close(self) -> None:
        """The session is over: let go of every object."""
        self._exports.close()
        self._imports.close()

    def released(self, id: int) -> None:
        """RELEASE came. Raises ProtocolViolation for an id that is not given now (REF-2)."""
        self._exports.release(id)

    def resolve(self, id: int) -> tuple[object, object]:
        """The object behind a reference that the other side calls, as it was given, and to whom.

        None in place of an object that was withdrawn: who may not call it does not learn that. Raises
        ProtocolViolation (REF-3).
        """
        value, owner = self._exports.get(id)
        return (None if isinstance(value, ByReference) and value.withdrawn else value), owner

    def holds(self, id: int) -> bool:
        """Whether this side may still call a reference that it was given."""
        return self._imports.holds(id)

    # --- given to this side ------------------------------------------------------------------------------------------

    def arrived(self, id: int) -> Remote:
        """A reference in a result, an item or an error. For `values.decode`."""
        self._imports.received(id)
        return Remote(self._session, id)

    def arrived_with(self, call: IncomingCall) -> Callable[[int], Remote]:
        """The same for the arguments and items of a call, at whose end they are released."""

        def arrived(id: int) -> Remote:
            self._imports.received(id)
            if call.received is None:
                call.received = []
            call.received.append(id)
            return Remote(self._session, id, call)

        return arrived

    def error(self, frame: Error) -> CallError:
        """The exception that an ERROR stands for, with handles on the references in it.

        Raises ProtocolViolation (REF-1).
        """
        found: list[int] = []

        def arrived(id: int) -> Remote:
            handle = self.arrived(id)
            found.append(id)
            return handle

        error = error_from_wire(frame.code, frame.body, arrived)
        if found and not isinstance(error, ApplicationError):
            self._give_back_all(found)  # it is not what its code wants, so nobody will see them
        return error

    def call_over(self, call: IncomingCall, failed: bool) -> None:
        """A served call has ended: what came with it goes back, unless it was kept. ERROR itself kills it (REF-4)."""
        if call.received is None:
            return
        if failed:
            for id in call.received:
                self._imports.forget(id)
        else:
            kept = call.kept or ()
            self._give_back_all([id for id in call.received if id not in kept])

    def give_back(self, id: int) -> None:
        """Release a reference once, however often this is asked for."""
        if self._imports.forget(id):
            self._releases.one(id)

    def _give_back_all(self, ids: list[int]) -> None:
        self._releases.all((id for id in ids if self._imports.forget(id)), 8 * len(ids))

    def release_all_in(self, body: bytes) -> None:
        """Clause REF-5: a result, an item or an error that nobody reads may hold references; they go back."""
        if _TAG in body:
            self._releases.all(self._unwanted(body), len(body))

    def release_read_in(self, body: bytes) -> None:
        """The same for a body that was read, and whose value nobody gets after all."""
        if _TAG in body:
            self._releases.all(
                (id for id in references_in(body) if not id or self._imports.forget(id)), len(body)
            )

    def _unwanted(self, body: bytes) -> Iterator[int]:
        for id in references_in(body):
            if id:
                self._imports.received(id)  # refuses what the other side can't give
                self._imports.forget(id)
            yield id


def _let_go(value: object) -> None:
    if isinstance(value, Passed):
        value.gone(value)
