"""`python -m graftwire.conformance.reference`: the same as `graftwire reference`."""

from __future__ import annotations

import sys

from .program import main

sys.exit(main())
