"""Frames on their way out, in the order in which they are to be written.

    what                              goes
    calls, terminals, items, …        in the order in which they were queued
    PING, PONG, GOAWAY, CREDIT        ahead of those (clause ORDER-1), but behind HELLO
    what is beyond the early limits   when the session opens (clause HELLO-8), in order; control frames may pass it

The early limits hold for an initiator from its first byte until the other side's HELLO, and on until ACCEPTED if its
second frame is an AUTH. An acceptor writes nothing before it has read HELLO.
"""

from __future__ import annotations

from .frametypes import Credit
from .framewriting import encode
from .limits import EARLY_FRAME, EARLY_TOTAL


class Outbox:
    """What waits to be written by one side.

    `queued`: bytes of the frames that may be written, control frames not counted; `hello`: this side's HELLO until
    it is taken; `terminals`: at least so many RESULTs and ERRORs were not taken yet.
    """

    __slots__ = (
        "_budget",
        "_closed",
        "_control",
        "_credits",
        "_opened",
        "_ordered",
        "_pong",
        "_queue",
        "_second_is_auth",
        "_silent",
        "_waiting",
        "hello",
        "queued",
        "terminals",
    )

    def __init__(self) -> None:
        self.queued = 0
        self.terminals = 0
        self.hello: bytes | None = None
        self._queue: list[bytes] = []
        self._control: list[bytes] = []
        self._credits: dict[int, int] = {}  # call id -> what is to be announced
        self._pong: bytes | None = None
        self._waiting: list[bytes] = []
        self._budget: int | None = 0  # bytes that may be written early; None: the session is open in full
        self._silent = True  # nothing (more) may be written before the other side's HELLO is read
        self._opened = self._closed = False
        self._ordered = (
            False  # a control frame stands or waits among the others: the next ones stay behind it
        )
        self._second_is_auth: bool | None = None  # None: the second frame was not queued yet

    def __bool__(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._queue or self._control or self._credits)

    # --- queueing -----------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        """Queue a frame behind the others."""
        if self._budget is None:
            self._queue.append(frame)
            self.queued += len(frame)
        else:
            self._write_early(frame)

    def write_control(self, frame: bytes) -> None:
        """Queue a frame that may go ahead of others."""
        if self._budget is not None:
            self._write_early(frame, control=True)
        elif self._ordered:
            self.write(frame)
        else:
            self._control.append(frame)

    def write_auth(self, frame: bytes) -> None:
        """Queue an AUTH that begins an exchange."""
        if self._budget is None:
            self.write(frame)
        else:
            self._write_early(frame, auth=True)

    def write_answer(self, frame: bytes) -> None:
        """Queue the AUTH that answers a CHALLENGE: it isn't counted, and passes what waits for the exchange to end."""
        if not self._closed:
            self._queue.append(frame)
            self.queued += len(frame)

    def write_pong(self, frame: bytes) -> bool:
        """Queue a PONG; False if the last one was not taken yet, so that its PING can't be answered."""
        if self._pong is not None:
            return False
        self._pong = frame
        self.write_control(frame)
        return True

    def credit(self, id: int, more: int) -> None:
        """Announce `more` bytes of credit; adds to what is announced with the next `take`.

        While the early limits hold, it has its place among the frames: it must not come behind its call's terminal.
        """
        self._count_second(is_auth=False)
        if self._budget is None:
            self._credits[id] = self._credits.get(id, 0) + more
        else:
            self._write_early(encode(Credit(id, more)), control=True)

    def _write_early(self, frame: bytes, *, auth: bool = False, control: bool = False) -> None:
        if self._closed:
            return
        self._count_second(auth)
        budget = self._budget
        stays_behind = self._waiting and (self._ordered or not control)
        self._ordered = self._ordered or control
        if budget is None:
            self.write(frame)
        elif stays_behind or self._silent or len(frame) > budget or len(frame) - 4 > EARLY_FRAME:
            self._waiting.append(frame)
        else:
            self._budget = budget - len(frame)
            self._queue.append(frame)
            self.queued += len(frame)

    def _count_second(self, is_auth: bool) -> None:
        """The second frame says how long the early limits hold."""
        if self._second_is_auth is None:
            self._second_is_auth = is_auth
            if self._opened and not is_auth:
                self._budget = None

    # --- the stages of a session --------------------------------------------------------------------------

    def dial(self, hello: bytes, *, pipelined: bool) -> None:
        """An initiator's start. `pipelined`: other frames may follow before the answer (clause HELLO-9)."""
        self.hello = hello
        self._queue.append(hello)
        self.queued = len(hello)
        self._budget = EARLY_TOTAL - len(hello)
        self._silent = not pipelined

    def answer(self, hello: bytes) -> None:
        """An acceptor's start: the other side's HELLO was read."""
        self.hello = hello
        self._waiting.insert(0, hello)
        self.lift()

    def opened(self) -> None:
        """The acceptor's HELLO was read."""
        self._opened = True
        self._silent = False
        if self._second_is_auth:
            waiting, self._waiting = self._waiting, []
            for frame in waiting:
                self._write_early(frame)
        elif self._second_is_auth is not None:
            self.lift()

    def lift(self) -> None:
        """The early limits hold no more."""
        self._budget = None
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self.write(frame)

    def close(self, *last: bytes) -> None:
        """Drop all but a HELLO that was not taken yet, put `last` behind it, and take nothing more."""
        self._queue = [*([self.hello] if last and self.hello is not None else []), *last]
        self.queued = sum(map(len, self._queue))
        self._control.clear()
        self._credits.clear()
        self._waiting.clear()
        self._pong = None
        self._budget = 0
        self._closed = True

    # --- writing ------------------------------------------------------------------------------------------

    def take(self, most: int) -> list[bytes]:
        """Whole frames to write now, control frames first, up to about `most` bytes (at least one frame)."""
        hello = self.hello
        if self.queued <= most:
            taken, self._queue = self._queue, []
            self.queued = 0
            if self._ordered:
                self._ordered = bool(self._waiting)
            if self.terminals:
                self.terminals = min(self.terminals, len(self._waiting))
        else:
            taken = self._take_some(most)
        hello, self.hello = self.hello, None
        if self._pong is not None and not self._is_in(self._pong, self._waiting):
            self._pong = None
        if not (self._control or self._credits):
            return taken
        control, self._control = self._control, []
        control += [encode(Credit(id, more)) for id, more in self._credits.items()]
        self._credits.clear()
        if hello is not None:  # nothing goes ahead of it (FRAME-7)
            return [taken[0], *control, *taken[1:]]
        return control + taken

    def _take_some(self, most: int) -> list[bytes]:
        size = count = 0
        for frame in self._queue:
            if count and size + len(frame) > most:
                break
            size += len(frame)
            count += 1
        taken = self._queue[:count]
        del self._queue[:count]
        self.queued -= size
        self.terminals = max(self.terminals - count, 0)
        return taken

    @staticmethod
    def _is_in(frame: bytes, frames: list[bytes]) -> bool:
        return any(one is frame for one in frames)
