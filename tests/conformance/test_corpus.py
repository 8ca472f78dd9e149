"""The core under a fuzzer that begins with what the cases send: it judges everything, and never fails otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftwire.conformance.cases import CASES
from graftwire.conformance.corpus import LARGEST, corpus, write
from graftwire.conformance.errors import HarnessError
from graftwire.conformance.roles import Role
from graftwire.protocol import connection as core
from graftwire.protocol import events
from graftwire.protocol.connection import Connection

STREAMS = {name: data for name, data in corpus(CASES).items() if len(data) <= 4_096}
NAMES = sorted(STREAMS)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Role, bytes]:
    """A stream of a case with some bytes changed, left out, put in, or taken from another one; and who reads it."""
    name = draw(st.sampled_from(NAMES))
    data = bytearray(STREAMS[name])
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("change", "leave out", "put in", "take over", "once more"))):
            case "change" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "leave out":
                del data[at : at + draw(st.integers(1, 16))]
            case "put in":
                data[at:at] = draw(st.binary(min_size=1, max_size=9))
            case "take over":
                data[at:] = STREAMS[draw(st.sampled_from(NAMES))][at:]
            case _:
                data += data[at : at + 64]
    return Role(name.rpartition(".")[2]), bytes(data)


def judged(role: Role, data: bytes, sizes: list[int]) -> list[events.Event]:
    """What the core makes of a stream that comes in pieces of these sizes, over and over."""
    found, at, turn = list[events.Event](), 0, 0
    connection = Connection(core.Role[role.name])
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += connection.receive(data[at : at + size])
        connection.take()
        at, turn = at + size, turn + 1
    found += connection.receive_eof()
    connection.take()
    return found


@settings(max_examples=400, deadline=None)
@given(spoiled(), st.lists(st.integers(1, 4_096), min_size=1, max_size=4))
def test_the_core_judges_whatever_comes(what: tuple[Role, bytes], sizes: list[int]) -> None:
    """No exception leaves it, nothing comes behind a failure, and where the pieces end makes no difference."""
    role, data = what
    found = judged(role, data, sizes)
    failures = [each for each in found if isinstance(each, events.Failed)]
    assert len(failures) <= 1
    assert [str(each) for each in found] == [str(each) for each in judged(role, data, [len(data) or 1])]


def test_every_stream_is_there_once_and_none_is_large() -> None:
    found = corpus(CASES)
    assert len(found) > 1_000
    assert {name.rpartition(".")[2] for name in found} == set(Role)
    assert all(0 < len(data) <= LARGEST for data in found.values())
    for role in Role:
        own = [data for name, data in found.items() if name.endswith(f".{role}")]
        assert len(own) == len(set(own))


def test_it_is_written(tmp_path: Path) -> None:
    some = [each for each in CASES if each.chapter == "calls"]
    assert write(some, tmp_path / "new" / "corpus") == len(corpus(some))
    assert {each.name: each.read_bytes() for each in (tmp_path / "new" / "corpus").iterdir()} == corpus(some)


def test_where_it_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="the corpus was not written"):
        write(CASES, tmp_path / "file" / "corpus")
