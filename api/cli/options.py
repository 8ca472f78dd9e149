"""The values of options that are numbers, and files of certificates, each with a sentence of its own."""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from graftwire import ConnectOptions, ProxyLogin, SecurityError, TlsError, UrlError
from graftwire.transport.contexts import client_context, server_context
from graftwire.transport.url import Url, parse

from .failure import Failure

LONGEST: Final = 2_147_483.0  # seconds: what a call can say of its deadline (clause CTX-2)
SECURE: Final = frozenset({"tls", "wss"})

_HOST_AND_PORT: Final = re.compile(r"[^:/]+:[0-9]+")


def seconds(option: str, least: float = math.ulp(0.0)) -> Callable[[str], float]:
    """What reads the value of `option`, a time of at least `least` seconds; for typer's `parser`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= LONGEST:
            above = "0 or more" if least == 0 else "above 0"
            raise Failure(f"{option} takes seconds, {above}, as in {option} 2.5")
        return value

    return read


def count(option: str) -> Callable[[str], int]:
    """What reads the value of `option`, a number of times; for typer's `parser`."""

    def read(text: str) -> int:
        if not str(text).isdecimal() or len(str(text)) > 6:
            raise Failure(f"{option} takes a whole number, as in {option} 3")
        return int(text)

    return read


def url(text: str, option: str = "", *, dial: bool = False) -> Url:
    """A URL that another process can reach; `option` names where it came from, `dial` says what it is for."""
    before = f"{option}: " if option else ""
    try:
        parsed = parse(text)
    except UrlError as error:
        # a host and a port look like a scheme and what follows it
        bare = _HOST_AND_PORT.fullmatch(text)
        sentence = "a URL begins with its transport, as in tcp://localhost:7400" if bare else str(error)
        raise Failure(before + sentence, kind="url") from None
    if parsed.scheme == "memory":
        sentence = "a memory URL is for one process alone; use tcp, tls, unix, ws or wss"
        raise Failure(before + sentence, kind="url")
    if dial and parsed.host and parsed.port == 0:
        sentence = "port 0 is only for listening; give the port that the server has, as its line `listening URL` says"
        raise Failure(before + sentence, kind="url")
    return parsed


def dialling_context(ca: str | None, cert: str | None, key: str | None) -> ssl.SSLContext | None:
    """The TLS context for dialling; None where nothing was asked for, which is the default one."""
    _check_pair(cert, key)
    if ca is None and cert is None:
        return None
    try:
        return client_context(ca=ca, certificate=cert, key=key)
    except TlsError as error:
        raise Failure(str(error), kind="tls") from None


def through(options: ConnectOptions, proxy: str | None, login: str | None) -> ConnectOptions:
    """The same options, going out through a proxy where one is named; `login` says where its user and password are."""
    if proxy is None:
        if login is not None:
            raise Failure("--proxy-login is for a proxy, and there is none; add --proxy URL")
        return options
    try:
        source = None if login is None else ProxyLogin.from_text(login)
        return replace(options, proxy=proxy, proxy_login=source)
    except UrlError as error:
        raise Failure(f"--proxy: {error}", kind="url") from None
    except SecurityError as error:
        raise Failure(f"--proxy-login: {error}", kind="security") from None


def listening_context(
    urls: list[Url], cert: str | None, key: str | None, client_ca: str | None = None, *, detect: bool
) -> ssl.SSLContext | None:
    """The TLS context for listening at `urls`; None where none of them is secure."""
    _check_pair(cert, key)
    if client_ca is not None and cert is None:
        raise Failure("--client-ca is for TLS; add --cert FILE --key FILE", kind="tls")
    secure = [url for url in urls if url.scheme in SECURE]
    if cert is None:
        if secure:
            raise Failure(
                f"{secure[0]} needs a certificate and its key; add --cert FILE --key FILE", kind="tls"
            )
        return None
    if not secure and not detect:
        raise Failure(
            "no address that is listened at uses TLS, so --cert has no effect; use tls or wss", kind="tls"
        )
    try:
        return server_context(cert, key, client_ca=client_ca)
    except TlsError as error:
        raise Failure(str(error), kind="tls") from None


def _check_pair(cert: str | None, key: str | None) -> None:
    if cert is not None and key is None:
        raise Failure("--cert needs the certificate's key; add --key FILE", kind="tls")
    if key is not None and cert is None:
        raise Failure("--key needs the certificate that it belongs to; add --cert FILE", kind="tls")
