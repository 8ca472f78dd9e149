"""TLS contexts for the usual cases. Any `ssl.SSLContext` will do in their place.

All of these speak TLS 1.3, and 1.2 at the least; without compression, early data or renegotiation. The ones
made from files read them again when they change, at the next handshake: sessions in place go on, and a file
that is broken leaves what was read before in force and says so to the logger `graftwire.transport`.
"""

from __future__ import annotations

import base64
import binascii
import functools
import os
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import certifi

from graftwire.protocol.errors import TlsError

from .certificates import validity
from .reloading import ReloadingContext

File = str | os.PathLike[str]
Authorities = File | bytes
Password = str | bytes | Callable[[], str | bytes]

_DIGEST: Final = 32


def client_context(
    *,
    ca: Authorities | None = None,
    system: bool = False,
    certificate: File | None = None,
    key: File | None = None,
    password: Password | None = None,
    pins: Iterable[bytes | str] = (),
) -> ssl.SSLContext:
    """A context for dialling: checks the other end's certificate and host name.

    `ca`: the roots to trust, a PEM file, a folder of PEM files, or the bytes themselves (PEM or DER); None is
    the public roots of certifi. `system` trusts the roots of the operating system instead (needs the package
    truststore). `certificate` and `key` (PEM files; no `key`: it is in the same file) are shown where the
    other end asks for them. With `pins` (see `pin`) the other end must show one of them as well. Raises
    TlsError.
    """
    if ca is not None and system:
        raise TlsError("ca and system exclude each other; choose the roots of one of them")
    if certificate is None and key is not None:
        raise TlsError("a key without its certificate can't be used; pass certificate as well")

    def build() -> ssl.SSLContext:
        context = _system_context() if system else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _harden(context)
        if not system:
            _load_authorities(context, certifi.where() if ca is None else ca)
        if certificate is not None:
            _load_certificate(context, certificate, key, password)
        return context

    return ReloadingContext(build, _files(ca, certificate, key), frozenset(pin(one) for one in pins))


def server_context(
    certificate: File,
    key: File | None = None,
    *,
    password: Password | None = None,
    client_ca: Authorities | None = None,
    require_client_certificate: bool = True,
) -> ssl.SSLContext:
    """A context for listening, with a certificate (PEM file, with its intermediates) and its key.

    No `key`: it is in the same file. With `client_ca` (as `ca` of `client_context`) clients must show a
    certificate of those authorities; with `require_client_certificate=False` they may. A certificate is a
    fact of the link, and an identity only where a plugin makes it one. Raises TlsError.
    """

    def build() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context)
        _load_certificate(context, certificate, key, password)
        if client_ca is not None:
            _load_authorities(context, client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if require_client_certificate else ssl.CERT_OPTIONAL
        return context

    return ReloadingContext(build, _files(client_ca, certificate, key), server=True)


def pinned(
    *pins: bytes | str,
    certificate: File | None = None,
    key: File | None = None,
    password: Password | None = None,
) -> ssl.SSLContext:
    """A context for dialling that trusts exactly the certificates or public keys in `pins` (see `pin`).

    Roots, host names and dates are not looked at: the pin says who it is. The context is of use only with
    this package, which checks the pins. Raises TlsError.
    """
    wanted = frozenset(pin(one) for one in pins)
    if not wanted:
        raise TlsError("no pin was given; pass at least one")

    def build() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _harden(context)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            _load_certificate(context, certificate, key, password)
        return context

    return ReloadingContext(build, _files(None, certificate, key), wanted)


@functools.cache
def default_client_context() -> ssl.SSLContext:
    """The context of a client that was told nothing else: public roots, host names checked. Made once."""
    return client_context()


def pin(value: bytes | str) -> bytes:
    """A pin as 32 bytes: the SHA-256 digest of a certificate or of a public key.

    Takes the bytes, 64 hex digits (colons allowed), or `sha256/` and base64 as curl writes it. Raises
    TlsError.
    """
    if isinstance(value, str):
        encoded = value.removeprefix("sha256/")
        try:
            if encoded != value:
                value = base64.b64decode(encoded, validate=True)
            else:
                value = bytes.fromhex(value.replace(":", ""))
        except (ValueError, binascii.Error):
            value = b""
    if len(value) != _DIGEST:
        raise TlsError("a pin is a SHA-256 digest: 32 bytes, 64 hex digits, or sha256/ followed by base64")
    return value


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _system_context() -> ssl.SSLContext:
    try:
        import truststore
    except ImportError:
        raise TlsError(
            "the roots of the operating system need the package truststore; install graftwire[system-trust]"
        ) from None
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _files(authorities: Authorities | None, *others: File | None) -> tuple[Path, ...]:
    first = () if authorities is None or isinstance(authorities, bytes) else (Path(authorities),)
    return first + tuple(Path(file) for file in others if file is not None)


def _load_authorities(context: ssl.SSLContext, authorities: Authorities) -> None:
    if isinstance(authorities, bytes):
        data, told = authorities, "the CA certificates that were passed"
    else:
        path = Path(authorities)
        told = f"the CA certificates in {path}"
        if path.is_dir():
            data = b"\n".join(_read(file, told) for file in sorted(path.iterdir()) if file.is_file())
        else:
            data = _read(path, told)
    try:
        context.load_verify_locations(cadata=data.decode("ascii") if b"-----BEGIN" in data else data)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(
            f"{told} can't be used: there is no certificate in PEM or DER; check the file"
        ) from error


def _load_certificate(
    context: ssl.SSLContext, certificate: File, key: File | None, password: Password | None
) -> None:
    certificate_path = Path(certificate)
    key_path = certificate_path if key is None else Path(key)
    _check_dates(_read(certificate_path, f"the certificate {certificate_path}"), certificate_path)
    _read(key_path, f"the key {key_path}")  # OpenSSL would not say which of the two files it could not read
    asked = False

    def ask() -> str | bytes:
        nonlocal asked
        asked = True
        # Without this, OpenSSL would ask at the terminal and stop the process until somebody answers.
        return "" if password is None else password() if callable(password) else password

    try:
        context.load_cert_chain(certificate_path, key_path, ask)
    except ssl.SSLError as error:
        raise TlsError(_refused(error, certificate_path, key_path, asked, password is not None)) from error


def _refused(error: ssl.SSLError, certificate: Path, key: Path, asked: bool, has_password: bool) -> str:
    if asked and not has_password:
        return f"the key {key} is encrypted; pass its password"
    if asked:
        return f"the password does not open the key {key}; check it"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key {key} does not belong to the certificate {certificate}; use the pair made together"
    return f"the certificate {certificate} and the key {key} can't be used; both must be whole, and PEM"


def _check_dates(pem: bytes, path: Path) -> None:
    """Refuse a certificate of ours that every client would refuse."""
    try:
        text = pem.decode("ascii", "replace")
        start = text.index("-----BEGIN CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(text[start : text.index("-----END CERTIFICATE-----", start) + 25])
        _, until = validity(der)
    except (ValueError, IndexError) as error:
        raise TlsError(f"there is no certificate in PEM in {path}; check the file") from error
    if until.timestamp() < time.time():
        raise TlsError(f"the certificate {path} expired on {until:%Y-%m-%d}; renew it")


def _read(path: Path, told: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise TlsError(f"{told} can't be read: there is no such file; check the path") from None
    except OSError as error:
        raise TlsError(
            f"{told} can't be read: {os.strerror(error.errno or 0)}; check the file and its mode"
        ) from error
