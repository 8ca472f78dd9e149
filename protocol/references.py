"""Objects and callables that stay where they are and travel as a number (clauses REF-1 to REF-6).

Every sending allocates a fresh id, so nothing is counted. A reference lives until RELEASE, until the ERROR that
kills it, or until the session ends:

    in Exports     get                    release               kill
    given          the object             gone                  gone
    gone, or       ProtocolViolation      ProtocolViolation     nothing
    never given    (REF-3)                (REF-2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from .core import Role
from .errors import LocalProtocolError, ProtocolViolation
from .limits import LARGEST_INTEGER


class _Given(msgspec.Struct):
    """An object that was given, and to whom."""

    value: object
    owner: object


class Exports:
    """What this side has given to the other side of one session; `role` is this side's.

    `let_go` is told of each object that is gone before the session ends.
    """

    def __init__(self, role: Role, let_go: Callable[[object], None] | None = None) -> None:
        self._next = 1 if role is Role.INITIATOR else 2
        self._let_go = let_go
        self._given: dict[int, _Given] = {}
        self._dying: list[int] = []  # what `settle` is to forget

    def __len__(self) -> int:
        return len(self._given)

    def allocate(self, value: object, identity: object = None) -> int:
        """A fresh id for `value`, the next in order; `identity` is whom it is given to (clause REF-6).

        Raises LocalProtocolError once a session has no ids left.
        """
        id = self._next
        if id > LARGEST_INTEGER:
            raise LocalProtocolError("REF-1", "this session has no reference ids left")
        self._next = id + 2
        self._given[id] = _Given(value, identity)
        return id

    def get(self, id: int) -> tuple[object, object]:
        """What the other side calls by `id`, and the identity that it was given to: no other one may (REF-6).

        Raises ProtocolViolation (REF-3) for what it does not hold.
        """
        given = self._given.get(id)
        if given is None:
            raise ProtocolViolation("REF-3", "a reference was called that the other side does not hold")
        return given.value, given.owner

    def release(self, id: int) -> None:
        """RELEASE came. Raises ProtocolViolation (REF-2) for what the other side does not hold."""
        given = self._given.pop(id, None)
        if given is None:
            raise ProtocolViolation("REF-2", "a reference was released that the other side does not hold")
        if self._let_go is not None:
            self._let_go(given.value)

    def kill(self, ids: Iterable[int], *, held: bool = False) -> None:
        """Clause REF-4: the call that carried these ids failed; those that were not released before are gone.

        `held`: calls and RELEASEs of the other side wait for the outcome of its AUTH (AUTH-6). They may have been sent
        before the ERROR that was read now, so what they may use lives on until `settle`.
        """
        if held:
            self._dying += ids
            return
        for id in ids:
            given = self._given.pop(id, None)
            if given is not None and self._let_go is not None:
                self._let_go(given.value)

    def settle(self) -> None:
        """The other side is accepted, and what waited for that has been looked at."""
        dying, self._dying = self._dying, []
        self.kill(dying)

    def close(self) -> None:
        """The session is over: let go of every object."""
        self._given.clear()
        self._dying.clear()


class Imports:
    """What this side was given by the other side of one session; `role` is this side's.

    Bodies are decoded in any order, so that ids do not arrive ascending. What was given back is forgotten, because
    the memory of it would grow for as long as the session lives: an id that comes again while it is held is refused.
    """

    def __init__(self, role: Role) -> None:
        self._parity = 0 if role is Role.INITIATOR else 1
        self._held: set[int] = set()

    def __len__(self) -> int:
        return len(self._held)

    def received(self, id: int) -> None:
        """A reference came. Raises ProtocolViolation (REF-1) for one that the other side can't have allocated now."""
        if id < 1 or id & 1 != self._parity:
            raise ProtocolViolation("REF-1", "a reference has an id that its sender does not give")
        if id in self._held:
            raise ProtocolViolation("REF-1", "a reference came under an id that is in use")
        self._held.add(id)

    def holds(self, id: int) -> bool:
        """Whether a reference was received and is not given back yet."""
        return id in self._held

    def forget(self, id: int) -> bool:
        """A reference is given back, or was killed; whether it was held until now, and so may be released once."""
        if id not in self._held:
            return False
        self._held.remove(id)
        return True

    def close(self) -> None:
        """The session is over: nothing is held any more."""
        self._held.clear()
