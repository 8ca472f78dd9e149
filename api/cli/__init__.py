"""The command line: `graftwire` and its commands.

It needs typer and rich, which come with the extra `graftwire[cli]`. The library itself never imports anything from
here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

NEEDED = frozenset({"rich", "typer"})  # what only the extra installs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with `arguments` (those of the process, if None) and return the exit code.

    Prints results to standard output and everything else to standard error. Never raises, never shows a traceback:
    the exit codes are listed in docs/reference/command-line.md.
    """
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in NEEDED:
            raise
        print(
            'graftwire: the command line is not installed; run: pip install "graftwire[cli]"', file=sys.stderr
        )
        return 2
    return run(sys.argv[1:] if arguments is None else arguments)
