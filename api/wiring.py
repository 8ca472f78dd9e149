"""Where each interface is: what a program says, its environment and a file, in one order.

The file is TOML. Its table `connections` is read here and nothing else of it; relative paths begin at its folder:

    [connections]
    default = "tls://gateway.example.com:7443"
    Invoices = "memory:shop:Invoices"

    [connections.Stock]
    to = ["tls://a.example.com:7443", "tls://b.example.com:7443"]
    balance = "round-robin"
    ca = "ca.pem"
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar, cast

from graftwire.gateway.security import registry
from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.plugins import CredentialProvider
from graftwire.gateway.security.proxy_login import ProxyLogin
from graftwire.gateway.security.watched import File, read
from graftwire.gateway.tables import Table
from graftwire.protocol.errors import TlsError
from graftwire.transport.contexts import client_context, pinned
from graftwire.transport.link import ConnectOptions
from graftwire.transport.url import UrlError

from .connection import BALANCES, Balance, addresses
from .retry import Retry

VARIABLE: Final = "GRAFTWIRE_CONNECT"
SECTION: Final = "connections"
DEFAULT: Final = "default"
WHAT: Final = "the configuration file"
KEYS: Final = (
    "to",
    "balance",
    "credential",
    "plain-proofs",
    "ca",
    "pins",
    "certificate",
    "key",
    "server-hostname",
    "proxy",
    "proxy-login",
    "expect",
)

_OF_SOURCES: Final = frozenset({"bearer", "api-key"})  # what is configured as NAME:file:PATH
_OF_FILES: Final = frozenset({"hmac"})  # and as NAME:PATH
_PLACE: Final = re.compile(r"(memory|worker):([A-Za-z_][\w.]*:[A-Za-z_]\w*)?")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Wire:
    """Where an interface is, and how it is reached.

    `to` is a connection string or several addresses: a URL as `connect` takes it; `memory:module:Class`, code that runs
    in this very process, behind a gateway in memory; `memory:`, the same with the class that is opened. The other
    values are those of `connect`; with `expect`, what is opened is compared with what is hosted. Raises UrlError;
    ValueError for a `balance` that is none.
    """

    to: str | Sequence[str]
    balance: Balance = "first"
    options: ConnectOptions | None = None
    credential: CredentialProvider | None = None
    plain_proofs: bool = False
    retry: Retry | None = field(default_factory=Retry)
    expect: bool = False

    def __post_init__(self) -> None:
        if self.place is None:
            addresses(self.to, self.balance)

    @property
    def place(self) -> tuple[str, str] | None:
        """`memory` or `worker`, and the `module:Class` that runs there ("": what is opened); None for addresses."""
        found = _PLACE.fullmatch(self.to) if isinstance(self.to, str) else None
        return None if found is None else (found[1], found[2] or "")


class Wiring:
    """Which wire an interface has.

    What is said of it alone counts before what is said of all; of each, code before environment before file. One entry
    is taken as it is: nothing of another is mixed in, so that no credential goes to an address that it is not for.
    """

    def __init__(
        self,
        code: Mapping[str, Wire],
        environment: Mapping[str, str],
        file: Mapping[str, Wire],
    ) -> None:
        self._code = code
        self._environment = environment
        self._file = file
        self._of_variables: dict[str, Wire] = {}

    def of(self, name: str) -> Wire | None:
        """The wire of the interface that is hosted as `name`, None if nobody says. Raises UrlError."""
        return (
            self._code.get(name)
            or self._variable(variable(name))
            or self._file.get(name)
            or self._code.get(DEFAULT)
            or self._variable(VARIABLE)
            or self._file.get(DEFAULT)
        )

    def _variable(self, name: str) -> Wire | None:
        text = self._environment.get(name, "").split()
        if not text:
            return None
        if name not in self._of_variables:
            try:
                self._of_variables[name] = Wire(text[0] if len(text) == 1 else text)
            except UrlError as error:
                raise UrlError(f"the environment variable {name}: {error}") from None
        return self._of_variables[name]


def variable(name: str) -> str:
    """The variable of the environment for the interface that is hosted as `name`."""
    return f"{VARIABLE}_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"


def read_file(file: File) -> dict[str, Wire]:
    """The wires of the table `connections` of a file, none where there is no such table. Raises SecurityError."""
    top = Table.parse(file, read(file, WHAT, guarded=True))
    return from_table(top, os.path.dirname(os.path.abspath(file))) if SECTION in top.values else {}


def from_table(top: Table, folder: str) -> dict[str, Wire]:
    """The same, of the top level of a file that was read already; every relative path in it begins at `folder`."""
    table = top.table(SECTION)
    return {
        name: _wire(table.table(name), folder)
        if isinstance(value, dict)
        else _tried(table, name, partial(Wire, _addresses(table, name)))
        for name, value in table.values.items()
    }


def _addresses(table: Table, key: str) -> str | list[str]:
    value = table.value(key)
    if not isinstance(value, list):
        return table.text(key)
    table.texts(key)  # which says what is wrong with it, and loses the order
    return cast("list[str]", value)


def _wire(table: Table, folder: str) -> Wire:
    table.known(*KEYS)
    to = _addresses(table, "to")
    balance = table.text("balance") if "balance" in table.values else BALANCES[0]
    if balance not in BALANCES:
        raise table.wrong("balance", f"balance is one of {', '.join(BALANCES)}")
    credential = None
    if "credential" in table.values:
        text = _placed(table.text("credential"), folder)
        credential = _tried(table, "credential", partial(registry.credential, text))
    options = _options(table, folder)
    plain_proofs, expect = _flag(table, "plain-proofs"), _flag(table, "expect")
    return _tried(
        table,
        "to",
        lambda: Wire(
            to,
            cast("Balance", balance),
            options,
            credential,
            plain_proofs=plain_proofs,
            expect=expect,
        ),
    )


def _options(table: Table, folder: str) -> ConnectOptions:
    def path(key: str) -> str | None:
        return os.path.join(folder, table.text(key)) if key in table.values else None

    tls = None
    pins = sorted(table.texts("pins"))
    ca, certificate, key = path("ca"), path("certificate"), path("key")
    where = next((key for key in ("ca", "certificate", "key", "pins") if key in table.values), "ca")
    if key is not None and certificate is None:
        raise table.wrong("key", "key belongs to a certificate, and there is none; add certificate")
    if pins and ca is None:
        tls = _tried(table, where, lambda: pinned(*pins, certificate=certificate, key=key))
    elif pins or ca is not None or certificate is not None:
        tls = _tried(table, where, lambda: client_context(ca=ca, certificate=certificate, key=key, pins=pins))
    login = None
    if "proxy-login" in table.values:
        if "proxy" not in table.values:
            raise table.wrong("proxy-login", "proxy-login is for a proxy, and there is none; add proxy")
        source = _source(table.text("proxy-login"), folder)
        login = _tried(table, "proxy-login", partial(ProxyLogin.from_text, source))
    proxy = table.text("proxy") if "proxy" in table.values else None
    hostname = table.text("server-hostname") if "server-hostname" in table.values else None
    return _tried(
        table,
        "proxy",
        lambda: ConnectOptions(tls=tls, server_hostname=hostname, proxy=proxy, proxy_login=login),
    )


def _placed(text: str, folder: str) -> str:
    """The text of a credential; where it is one that comes along, the path in it begins at `folder`."""
    name, colon, rest = text.partition(":")
    if name in _OF_SOURCES:
        return name + colon + _source(rest, folder)
    return name + colon + os.path.join(folder, rest) if name in _OF_FILES and rest else text


def _source(text: str, folder: str) -> str:
    """`file:PATH`, with a path that begins at `folder`; anything else as it is, right or wrong."""
    kind, colon, path = text.partition(":")
    return kind + colon + os.path.join(folder, path) if kind == "file" and path else text


def _flag(table: Table, key: str) -> bool:
    value = table.values.get(key, False)
    if not isinstance(value, bool):
        raise table.wrong(key, f"{key} is true or false")
    return value


def _tried(table: Table, key: str, make: Callable[[], _Made]) -> _Made:
    """What `make` gives; what is wrong is said with the place of `key`."""
    try:
        return make()
    except (UrlError, TlsError, SecurityError) as error:
        raise table.wrong(key, f"{key}: {error}") from None
