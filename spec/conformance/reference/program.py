"""The reference target as a program: reads the opening, and is what it says."""

from __future__ import annotations

import logging
import sys

import msgspec
import trio

from ..launch import PROTOCOL, Opening, Ready
from .acceptor import accept
from .initiator import Initiator
from .lines import Lines


def main() -> int:
    """Run until standard input ends; returns the exit code: 0, or 2 where the opening can't be understood."""
    return trio.run(_main)


def _log(canary: str) -> None:
    """Log to standard error, every line with its context; and a canary is planted in that.

    What the library logs is of interest when a case fails; the runner keeps the last of it.
    """

    def add_context(record: logging.LogRecord) -> bool:
        record.context = canary
        return True

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(add_context)
    logging.basicConfig(
        handlers=[handler],
        level=logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s (%(context)s)",
    )


async def _main() -> int:
    lines = Lines()
    text = await lines.next()
    if text is None:
        print(
            "graftwire: the reference target reads its opening from standard input; run it with",
            file=sys.stderr,
        )
        print("graftwire: graftwire conform -- graftwire reference", file=sys.stderr)
        return 2
    try:
        opening = msgspec.json.decode(text, type=Opening)
    except msgspec.MsgspecError:
        print("graftwire: the first line is no opening of the launch protocol", file=sys.stderr)
        return 2
    if opening.protocol != PROTOCOL:
        await lines.say(Ready(unable=f"this target speaks {PROTOCOL}"))
        return 0
    _log(opening.canaries.get("log", ""))
    if opening.role == "acceptor":
        await accept(opening, lines)
    else:
        await Initiator(opening, lines).run()
    return 0
