"""HTML out of functions: everything that is not `Html` is escaped, so nothing that a target says becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final

from ..visible import printable

_EMPTY: Final = frozenset({"br", "col", "input", "meta"})
_CODE: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\([^)]*\)")
_TOKEN: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]


def text(value: str) -> Html:
    """A text of anyone's, escaped; what does something to whatever shows it stands as an escape."""
    lines = (printable(each) for each in value.split("\n"))
    return Html(escape("\n".join(lines), quote=False))


def join(*children: Child) -> Html:
    """Children one behind the other; None is nothing."""
    parts: list[str] = []
    for child in children:
        match child:
            case None:
                continue
            case Html():
                parts.append(child)
            case str():
                parts.append(text(child))
            case int():
                parts.append(f"{child:,}")
            case _:
                parts.append(join(*child))
    return Html("".join(parts))


def tag(element: str, /, *children: Child, **attributes: str | bool | int | None) -> Html:
    """An element. An attribute that is None or False is left out; `class_` is class, `_` in a name is a hyphen."""
    written: list[str] = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        shown = key.rstrip("_").replace("_", "-")
        written.append(f" {shown}" if value is True else f' {shown}="{escape(printable(str(value)))}"')
    start = f"<{element}{''.join(written)}>"
    return Html(start if element in _EMPTY else f"{start}{join(*children)}</{element}>")


def anchor(kind: str, *words: str) -> str:
    """The id of a place in the page: of its kind and words, with nothing in it that an address would have to escape."""
    return "-".join([kind, *(_TOKEN.sub("_", each) for each in words)])


def prose(markdown: str) -> Html:
    """A paragraph of the standard: code, bold and italics become elements, links their text."""
    parts: list[Child] = []
    at = 0
    for found in _CODE.finditer(markdown):
        code, strong, emphasis, link = found.groups()
        parts.append(markdown[at : found.start()])
        if code is not None:
            parts.append(tag("code", code))
        elif strong is not None:
            parts.append(tag("strong", strong))
        elif emphasis is not None:
            parts.append(tag("em", emphasis))
        else:
            parts.append(link)
        at = found.end()
    return join(parts, markdown[at:])


def table(caption: Child, heads: Iterable[Child], body: Iterable[Html], **attributes: str | None) -> Html:
    """A table with a caption and a head for each column, in a box that scrolls by itself where it is too wide."""
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", (tag("th", each, scope="col") for each in heads))),
            tag("tbody", body),
            **attributes,
        ),
        class_="scroll",
        tabindex="0",
        role="group",
        aria_label=re.sub(r"<[^>]+>", "", join(caption)),
    )
