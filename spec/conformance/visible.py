"""Texts of a target in a form that does nothing to whatever shows them."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text in one line that does nothing to whatever shows it: what is not printable is written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )
