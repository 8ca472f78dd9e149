"""`python -m graftwire.cli`: the same as the command `graftwire`."""

from __future__ import annotations

import sys

from graftwire.cli import main

if __name__ == "__main__":
    sys.exit(main())
