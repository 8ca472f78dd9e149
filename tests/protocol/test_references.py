from __future__ import annotations

import pytest

from graftwire.protocol import Exports, Imports, LocalProtocolError, ProtocolViolation, Role


@pytest.mark.parametrize(("role", "ids"), [(Role.INITIATOR, [1, 3, 5]), (Role.ACCEPTOR, [2, 4, 6])])
def test_every_sending_gets_a_fresh_id(role: Role, ids: list[int]) -> None:
    exports, thing = Exports(role), object()
    assert [exports.allocate(thing) for _ in range(2)] == ids[:2]
    exports.release(ids[0])
    exports.release(ids[1])
    assert exports.allocate(thing) == ids[2]
    assert exports.get(ids[2]) == (thing, None)
    assert len(exports) == 1


def test_ids_end_where_javascripts_integers_do() -> None:
    exports = Exports(Role.INITIATOR)
    exports._next = 2**53 - 1
    assert exports.allocate(1) == 2**53 - 1
    with pytest.raises(LocalProtocolError, match="REF-1"):
        exports.allocate(1)


@pytest.mark.parametrize("id", [1, 2, 3, 0, -1, 2**60])
def test_what_was_never_given_breaks_the_session(id: int) -> None:
    exports = Exports(Role.INITIATOR)
    with pytest.raises(ProtocolViolation, match="REF-3"):
        exports.get(id)
    with pytest.raises(ProtocolViolation, match="REF-2"):
        exports.release(id)


def test_what_was_released_is_gone() -> None:
    exports = Exports(Role.INITIATOR)
    id = exports.allocate("it")
    exports.release(id)
    with pytest.raises(ProtocolViolation, match="REF-3"):
        exports.get(id)
    with pytest.raises(ProtocolViolation, match="REF-2"):
        exports.release(id)


def test_a_reference_knows_whom_it_was_given_to() -> None:
    exports = Exports(Role.INITIATOR)
    id = exports.allocate("it", "ada")
    assert exports.get(id) == ("it", "ada")


def test_an_error_kills_what_its_call_carried() -> None:
    exports = Exports(Role.INITIATOR)
    first, second, third = (exports.allocate(n) for n in range(3))
    exports.release(first)
    exports.kill([first, second])
    with pytest.raises(ProtocolViolation, match="REF-2"):
        exports.release(second)
    assert exports.get(third) == (2, None)


def test_what_an_error_kills_outlives_the_calls_that_wait_for_an_auth() -> None:
    """Clauses AUTH-6, REF-4: they were sent before the ERROR, and are looked at after it."""
    exports = Exports(Role.INITIATOR)
    called, released, unused, other = (exports.allocate(n) for n in range(4))
    exports.kill([called, released, unused], held=True)
    assert exports.get(called) == (0, None)
    exports.release(released)
    exports.settle()
    for id in (called, released, unused):
        with pytest.raises(ProtocolViolation, match="REF-3"):
            exports.get(id)
    assert exports.get(other) == (3, None)
    exports.settle()
    assert len(exports) == 1


def test_a_session_that_ends_lets_go() -> None:
    exports, imports = Exports(Role.INITIATOR), Imports(Role.INITIATOR)
    exports.allocate("it")
    imports.received(2)
    exports.close()
    imports.close()
    assert (len(exports), len(imports)) == (0, 0)


@pytest.mark.parametrize(
    ("role", "good", "bad"), [(Role.INITIATOR, [4, 2, 2**53 - 2], [1, 3, 0]), (Role.ACCEPTOR, [3, 1], [2, 0])]
)
def test_what_comes_in_any_order_has_the_senders_parity(role: Role, good: list[int], bad: list[int]) -> None:
    imports = Imports(role)
    for id in good:
        imports.received(id)
    assert len(imports) == len(good)
    for id in [*good, *bad]:
        with pytest.raises(ProtocolViolation, match="REF-1"):
            imports.received(id)


def test_what_is_forgotten_is_released_once() -> None:
    imports = Imports(Role.INITIATOR)
    imports.received(2)
    assert imports.forget(2)
    assert not imports.forget(2)
    assert not imports.forget(4)
