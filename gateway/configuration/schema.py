"""Every key of a configuration: where it stands, what it takes, and what else sets it.

The name of the environment variable is made from the place of the key: `client-ca` of `[gateway.tls]` is
GRAFTWIRE_GATEWAY_TLS_CLIENT_CA. docs/reference/configuration.md is held against this table by a test.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final, cast

from graftwire.protocol.limits import RANGES, Limits
from graftwire.transport.watch import Timing

from ..gateway import DRAIN
from ..host import THREADS
from ..security.guard import SECONDS
from ..workers.worker import Worker

PREFIX: Final = "GRAFTWIRE_"
WORKER: Final = "worker"
OF_WORKERS: Final = "modules.NAME, run in workers"
"""What keys are filed under that only such modules take."""

LONGEST: Final = 2_147_483.0  # seconds: what a call can say of its deadline (clause CTX-2)


class Kind(Enum):
    """What a key takes; the value is how the reference calls it."""

    SWITCH = "true or false"
    SECONDS = "seconds"
    COUNT = "a whole number"
    TEXT = "a text"
    TEXTS = "a list of texts"
    PATH = "a path"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `live`: a reload takes its change over; `most` and `least` bound a number."""

    section: str
    name: str
    kind: Kind
    default: object = None
    flag: str | None = None
    live: bool = True
    least: float = 0
    most: float = LONGEST
    choices: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The whole name, as in `gateway.tls.certificate`."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.path.replace(".", "_").replace("-", "_").upper()


def _limits() -> list[Key]:
    made = Limits()
    return [
        Key(
            "gateway.limits", name.replace("_", "-"), Kind.COUNT, getattr(made, name), None, True, least, most
        )
        for name, (least, most) in zip(made.__struct_fields__, RANGES, strict=True)
    ]


def _timing() -> list[Key]:
    made = Timing()
    return [
        Key(
            "gateway.timing",
            field.name,
            Kind.COUNT if field.name == "rate" else Kind.SECONDS,
            getattr(made, field.name),
            least=1 if field.name == "rate" else 0,
        )
        for field in fields(made)
    ]


def _workers() -> list[Key]:
    made = Worker("module:Class")
    return [
        Key(
            OF_WORKERS,
            field.name,
            Kind.COUNT if field.name in ("count", "memory") else Kind.SECONDS,
            getattr(made, field.name),
            least=1 if field.name in ("count", "memory") else 0.001,
            most=10_000 if field.name == "count" else 2**53 if field.name == "memory" else LONGEST,
        )
        for field in fields(made)
        if field.name != "what"
    ]


KEYS: Final[Mapping[str, Key]] = {
    key.path: key
    for key in (
        Key("gateway", "listen", Kind.TEXTS, (), "--listen"),
        Key("gateway", "workers", Kind.COUNT, 1, "--workers", live=False, least=1, most=1_024),
        Key("gateway", "drain", Kind.SECONDS, DRAIN, "--drain"),
        Key("gateway", "threads", Kind.COUNT, THREADS, least=1, most=100_000),
        Key("gateway", "plugin-seconds", Kind.SECONDS, SECONDS, least=0.001),
        Key("gateway", "allow-untyped", Kind.SWITCH, False, "--allow-untyped"),
        Key("gateway", "detect", Kind.SWITCH, False, "--detect"),
        Key("gateway", "max-connections", Kind.COUNT, 10_000, least=1, most=10_000_000),
        Key("gateway", "handshake-timeout", Kind.SECONDS, 10.0, least=0.001),
        Key("gateway.tls", "certificate", Kind.PATH, None, "--cert"),
        Key("gateway.tls", "key", Kind.PATH, None, "--key"),
        Key("gateway.tls", "client-ca", Kind.PATH, None, "--client-ca"),
        Key("gateway.websocket", "origins", Kind.TEXTS, (), "--origin"),
        Key("gateway.proxy-protocol", "sources", Kind.TEXTS, ()),
        *_limits(),
        *_timing(),
        Key("security", "auth", Kind.TEXTS, (), "--auth"),
        Key("security", "allow", Kind.TEXTS, (), "--allow"),
        Key("security", "plain-proofs", Kind.SWITCH, False, "--plain-proofs"),
        Key("security", "plain-anonymous", Kind.SWITCH, False),
        Key("audit", "sinks", Kind.TEXTS, (), "--audit"),
        Key("audit", "on-failure", Kind.TEXT, "refuse", "--audit-failure", choices=("refuse", "count")),
    )
}
"""All keys but those of modules, by their whole names, in the order of the reference."""

MODULE_KEYS: Final[Mapping[str, Key]] = {
    key.name: key
    for key in (
        Key("modules.NAME", "load", Kind.TEXT),
        Key("modules.NAME", "allow-untyped", Kind.SWITCH, False),
        Key("modules.NAME", "run", Kind.TEXT, "process", choices=("process", WORKER)),
        *_workers(),
    )
}
"""The keys of each table under `modules`."""

MODULES: Final = f"{PREFIX}MODULES"
"""The variable with what to host, in words as the arguments of `graftwire serve` have them."""

SECTIONS: Final = tuple(dict.fromkeys(key.section for key in KEYS.values()))


def from_words(text: str) -> list[str]:
    """The list of a variable: words, or a TOML array where one of them has a space in it. Raises ValueError."""
    if not text.lstrip().startswith("["):
        return text.split()
    found: object = tomllib.loads(f"it = {text}")["it"]
    if not isinstance(found, list) or not all(isinstance(one, str) for one in cast("list[object]", found)):
        raise ValueError("not a list of texts")
    return cast("list[str]", found)


def from_variable(key: Key, text: str) -> object:
    """The value of a key as an environment variable has it; what it may be is checked where every value is."""
    try:
        match key.kind:
            case Kind.SWITCH:
                return {"true": True, "false": False}.get(text, text)
            case Kind.SECONDS:
                return float(text)
            case Kind.COUNT:
                return int(text)
            case Kind.TEXTS:
                return from_words(text)
            case Kind.TEXT | Kind.PATH:
                return text
    except ValueError:
        return None


def checked(key: Key, value: object) -> object:
    """The value of a key as the program has it; ValueError with what it has to be, which never shows the value."""
    match key.kind:
        case Kind.SWITCH:
            if isinstance(value, bool):
                return value
        case Kind.SECONDS:
            if type(value) in (int, float) and key.least <= cast("float", value) <= key.most:
                return float(cast("float", value))
        case Kind.COUNT:
            if type(value) is int and key.least <= value <= key.most:
                return value
        case Kind.TEXT | Kind.PATH:
            text = value if isinstance(value, str) and value.isprintable() else ""
            if text and (not key.choices or text in key.choices):
                return text
        case Kind.TEXTS:
            if isinstance(value, list | tuple):
                texts = tuple(cast("list[object]", value))
                if all(isinstance(one, str) and one.isprintable() for one in texts):
                    return texts
    raise ValueError(_wanted(key))


def _wanted(key: Key) -> str:
    match key.kind:
        case Kind.SECONDS:
            above = "0 or more" if key.least == 0 else f"{key.least:g} or more"
            return f"has to be seconds, {above}, as in 2.5"
        case Kind.COUNT:
            return f"has to be a whole number from {key.least:g} to {int(key.most)}"
        case Kind.TEXT if key.choices:
            return f"is either {' or '.join(key.choices)}"
        case Kind.TEXTS:
            return 'has to be a list of texts, as in ["one", "two"]'
        case _:
            return f"has to be {key.kind.value}"
