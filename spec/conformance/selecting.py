"""Which cases are played, on which links and in which roles; and what is known to fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from .case import Case
from .errors import HarnessError
from .launch import FEATURES, Implements
from .playing import Instance
from .roles import ALL_LINKS, Level, Link, Role

_LINE: Final = re.compile(r"(?P<name>\S+(?: +\S+)*?)\s+#\s*(?P<reason>\S.*)")


@dataclass(frozen=True)
class Selection:
    """What is asked for; empty means everything. `cases` are ids, or patterns with `*` of them."""

    roles: Sequence[Role] = (Role.ACCEPTOR, Role.INITIATOR)
    links: Sequence[Link] = ALL_LINKS
    cases: Sequence[str] = ()
    chapters: Sequence[str] = ()
    must_only: bool = False

    def of(self, cases: Iterable[Case]) -> list[Case]:
        """The cases that are chosen. Raises HarnessError for a name that chooses none."""
        everything = list(cases)
        for pattern in self.cases:
            if not any(fnmatchcase(each.id, pattern) for each in everything):
                raise HarnessError(f"there is no case {pattern}; graftwire conform --list shows them")
        for name in self.chapters:
            if not any(each.chapter == name for each in everything):
                known = ", ".join(dict.fromkeys(each.chapter for each in everything))
                raise HarnessError(f"there is no chapter {name}; there are {known}")
        return [
            each
            for each in everything
            if (not self.cases or any(fnmatchcase(each.id, pattern) for pattern in self.cases))
            and (not self.chapters or each.chapter in self.chapters)
            and (not self.must_only or each.level is Level.MUST)
        ]

    def instances(self, cases: Iterable[Case]) -> list[Instance]:
        """The chosen cases on each of their links, in each of their roles, that are chosen."""
        return [
            Instance(case, role, link)
            for case in self.of(cases)
            for role in case.roles
            if role in self.roles
            for link in self.links_of(case)
        ]

    def links_of(self, case: Case) -> list[Link]:
        """The chosen links that a case is played on: one, where it has nothing to do with the link."""
        links = [each for each in case.links if each in self.links]
        return links[:1] if case.once else links


def read_implements(path: Path) -> Implements:
    """The file that says what a target implements. Raises HarnessError."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Implements)
    except OSError as error:
        raise HarnessError(f"{path} can't be read: {(error.strerror or 'unknown').lower()}") from None
    except msgspec.MsgspecError:
        raise HarnessError(f'{path} is not what it has to be: {{"name": "…", "implements": ["…"]}}') from None
    unknown = sorted(set(found.implements) - FEATURES)
    if unknown:
        raise HarnessError(f"{path} names features that there are not: {', '.join(unknown)}")
    return found


@dataclass(frozen=True)
class KnownFailures:
    """The list of known failures: the reason of each, by a case's id, or by id, role and link.

    A line is `CASE [ROLE [LINK]] # reason`; empty lines, and lines that begin with #, say nothing.
    """

    reasons: Mapping[str, str] = field(default_factory=dict[str, str])

    def reason(self, instance: Instance) -> str | None:
        """Why this is known to fail; None: it is not."""
        case, role, link = instance.case.id, instance.role, instance.link
        return next(
            (
                self.reasons[name]
                for name in (f"{case} {role} {link}", f"{case} {role}", case)
                if name in self.reasons
            ),
            None,
        )

    def unknown(self, cases: Iterable[Case]) -> list[str]:
        """The lines that name no case, role or link that there is."""
        names: set[str] = set()
        for case in cases:
            names.add(case.id)
            for role in case.roles:
                names.add(f"{case.id} {role}")
                names |= {f"{case.id} {role} {link}" for link in case.links}
        return [each for each in self.reasons if each not in names]


def read_known_failures(path: Path) -> KnownFailures:
    """Read the list. Raises HarnessError, with the line, for what can't be understood."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path} can't be read: {(error.strerror or 'unknown').lower()}") from None
    except UnicodeDecodeError:
        raise HarnessError(f"{path} is no text in UTF-8") from None
    reasons: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise HarnessError(f"{path}, line {number}: write CASE [ROLE [LINK]] # reason")
        name = " ".join(found["name"].split())
        if name in reasons:
            raise HarnessError(f"{path}, line {number}: {name} stands there twice")
        reasons[name] = found["reason"]
    return KnownFailures(reasons)
