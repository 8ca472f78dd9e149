"""What a run has found, for people and for other programs: HTML, JUnit XML, JSON lines, a badge, plain text.

All of them are made from a `RunResult`, which nothing here changes. It holds no proof and no canary any more (secrecy.py
of the suite), so nothing here looks for one; what a user writes (a command, a list of known failures) can't hold one,
because they are made anew for each run.
"""

from __future__ import annotations

from .badge import badge
from .files import NAMES, Kind, Outputs, check, write
from .html import html
from .jsonlines import json_lines
from .junit import junit
from .plain import summary

__all__ = ["NAMES", "Kind", "Outputs", "badge", "check", "html", "json_lines", "junit", "summary", "write"]
