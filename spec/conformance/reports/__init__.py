"""What a run has found, for people and for other programs: HTML, JUnit XML, JSON lines, a badge, plain text.

All of them are made from a `RunResult`, which nothing here changes, and none of them shows a proof or a canary: the
`Secrets` of the run are given, so that they can be told from everything else and be left out.
"""

from __future__ import annotations

from .badge import badge
from .files import NAMES, Kind, Outputs, check, write
from .html import html
from .jsonlines import json_lines
from .junit import junit
from .plain import summary

__all__ = ["NAMES", "Kind", "Outputs", "badge", "check", "html", "json_lines", "junit", "summary", "write"]
