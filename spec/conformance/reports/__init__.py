"""What a run has found, for people and for other programs: HTML, JUnit XML, JSON lines, a badge, plain text.

All of them are made from a `RunResult`, which nothing here changes. It holds no proof and no canary (secrecy.py, one
folder up, has seen to it), so nothing here looks for one. What the user wrote, a command or the reason of a known
failure, can't hold one: they are made anew for each run.
"""

from __future__ import annotations

from .badge import badge
from .files import NAMES, Kind, Outputs, check, write
from .html import html
from .jsonlines import json_lines
from .junit import junit
from .plain import summary

__all__ = ["NAMES", "Kind", "Outputs", "badge", "check", "html", "json_lines", "junit", "summary", "write"]
