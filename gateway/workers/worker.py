"""What a user writes to have a module run in worker processes of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from graftwire.protocol.errors import Error

_WHAT: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Worker:
    """A service for `serve` that runs in worker processes, and is never imported by the gateway's own.

    `what` is where the code is, as in `package.module:Class`: a class that can be made without arguments, or an object.
    `count` is how many processes share the calls. `memory` is how many bytes of memory each may take before it is ended
    and started again, None: any number. Times are in seconds: `start` for a process to import the code and say what it
    hosts; `hang` for an answer to a sign of life, and for a call to end after it was cancelled or its deadline has
    passed; `wait` is how long a call waits for a process while there is none, before it fails without having run;
    `stop` is what a process gets to end in, when the gateway ends.

    A process that ends, takes too much memory or hangs is started again, after a pause that doubles from 0.1 s to
    30 s, and is back at its start after a minute of health. Raises graftwire.Error for what makes no sense.
    """

    what: str
    count: int = 1
    memory: int | None = None
    start: float = 60.0
    hang: float = 10.0
    wait: float = 1.0
    stop: float = 2.0

    def __post_init__(self) -> None:
        if _WHAT.fullmatch(self.what) is None:
            raise Error('a worker runs a class or an object of a module, as in "package.module:Class"')
        if self.what.startswith("__main__:"):
            raise Error("a worker can't import the program that was started; put what it runs into a module")
        if self.count < 1:
            raise Error("a worker needs a count of at least 1 process")
        if self.memory is not None and self.memory < 1:
            raise Error("the memory of a worker is a number of bytes, at least 1; leave it out for no bound")
        for name in ("start", "hang", "wait", "stop"):
            if not getattr(self, name) > 0:
                raise Error(f"{name} of a worker is a number of seconds above 0")
