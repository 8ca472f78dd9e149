"""What a worker says of itself at its start: what it hosts, and which rules stand beside the code."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ..interface import Method, methods_of
from ..loading import check_it_can_be_made, find, made
from ..members import Untyped
from ..metadata.encode import decode
from ..metadata.share import Shared, share, shared
from ..security.roles import written_rules


class Description(NamedTuple):
    """What a worker hosts under one name.

    `shapes`: the shape of call that each method takes, by target; `rules`: the roles that `allow` wrote, by target.
    """

    shared: Shared
    shapes: dict[str, int]
    rules: dict[str, frozenset[str]]

    def plain(self) -> list[Any]:
        """It as a value of the wire."""
        return [
            self.shared.encoded,
            self.shapes,
            {target: set(roles) for target, roles in self.rules.items()},
        ]

    @classmethod
    def from_plain(cls, plain: object) -> Description:
        """The opposite of `plain`. Raises MetadataError, TypeError or ValueError for what a worker would not say."""
        encoded, shapes, rules = cast("Any", plain)
        return cls(
            shared(decode(encoded)),
            {str(target): int(shape) for target, shape in shapes.items()},
            {str(target): frozenset(roles) for target, roles in rules.items()},
        )


def load(what: str) -> object:
    """The object that `package.module:Class` or `package.module:object` names.

    Raises ConfigurationError or InterfaceError.
    """
    (found,) = find(what).values()
    check_it_can_be_made(found)
    return made(found)


def describe(name: str, hosted: object, *, allow_untyped: bool) -> tuple[Description, dict[str, Method]]:
    """What there is to say of an object that is hosted under `name`, and its methods. Raises InterfaceError."""
    given = Untyped(hosted) if allow_untyped else hosted
    shares = share({name: given})
    methods = methods_of(given, name)
    shapes = {target: method.shape for target, method in methods.items()}
    return Description(shares[name], shapes, dict(written_rules({name: given}))), methods
