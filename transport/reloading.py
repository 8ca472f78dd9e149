"""A TLS context that is made again when the files that it came from change."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from graftwire.protocol.errors import TlsError

Signature = tuple[object, ...]

_READ: Final = frozenset(
    {
        "cert_store_stats",
        "check_hostname",
        "get_ca_certs",
        "get_ciphers",
        "hostname_checks_common_name",
        "keylog_filename",
        "maximum_version",
        "minimum_version",
        "num_tickets",
        "options",
        "post_handshake_auth",
        "security_level",
        "session_stats",
        "verify_flags",
        "verify_mode",
    }
)
_CALLED: Final = frozenset(
    {
        "load_cert_chain",
        "load_default_certs",
        "load_dh_params",
        "load_verify_locations",
        "set_alpn_protocols",
        "set_ciphers",
        "set_default_verify_paths",
        "set_ecdh_curve",
        "set_servername_callback",
    }
)

_logger = logging.getLogger("graftwire.transport")


class ReloadingContext(ssl.SSLContext):
    """An `ssl.SSLContext` whose handshakes use one that `build` made, made anew when `files` change.

    Files are looked at (not read) at each handshake: time, size, inode; of a folder, those of what is in it.
    `build` raises TlsError for files that can't be used. At the start that reaches the caller; later it is a
    warning in the log, once for each change, and the context before stays in force. What is set on this
    object (options, ALPN, …) is set on every context that follows. `pins` are SHA-256 digests, one of which
    the other end must show: the transports of this package check them.
    """

    pins: frozenset[bytes]
    _build: Callable[[], ssl.SSLContext]
    _files: tuple[Path, ...]
    _changes: list[tuple[str, Callable[[ssl.SSLContext], object]]]
    _seen: Signature
    _current: ssl.SSLContext

    def __new__(
        cls,
        build: Callable[[], ssl.SSLContext],
        files: tuple[Path, ...] = (),
        pins: frozenset[bytes] = frozenset(),
        *,
        server: bool = False,
    ) -> Self:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        self.pins = pins
        self._build = build
        self._files = files
        self._changes = []
        self._seen = _signature(files)  # before reading: what changes meanwhile is read again
        self._current = build()
        return self

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """As in `ssl.SSLContext`, with what the files hold now."""
        return self._fresh().wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """As in `ssl.SSLContext`, with what the files hold now."""
        return self._fresh().wrap_socket(*args, **options)

    def __getattribute__(self, name: str) -> Any:
        if name in _READ:
            return getattr(self._current, name)
        if name in _CALLED:
            return partial(self._call, name)
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "pins" or name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self._change(name, lambda on: setattr(on, name, value))

    def _call(self, name: str, *args: object, **options: object) -> None:
        self._change(name, lambda on: getattr(on, name)(*args, **options))

    def _change(self, name: str, change: Callable[[ssl.SSLContext], object]) -> None:
        change(self._current)  # first: what is refused is not kept
        if name == "set_alpn_protocols":  # set at each handshake, so that the list must not grow
            self._changes = [one for one in self._changes if one[0] != name]
        self._changes.append((name, change))

    def _fresh(self) -> ssl.SSLContext:
        signature = _signature(self._files)
        if signature != self._seen:
            self._seen = signature
            try:
                context = self._build()
                for _, change in self._changes:
                    change(context)
            except (TlsError, ssl.SSLError, OSError) as error:
                _logger.warning(
                    "changed TLS files were not taken over, those read before stay in force: %s", error
                )
            else:
                self._current = context
                _logger.info("TLS files were read again: %s", ", ".join(str(file) for file in self._files))
        return self._current


def _signature(files: tuple[Path, ...]) -> Signature:
    return tuple(_look(file) for file in files)


def _look(path: Path) -> Signature | None:
    try:
        found = os.stat(path)
        looks = (found.st_mtime_ns, found.st_size, found.st_ino)
        if not os.path.isdir(path):
            return looks
        with os.scandir(path) as entries:
            return (
                *looks,
                *((one.name, _look(Path(one.path))) for one in sorted(entries, key=lambda e: e.name)),
            )
    except OSError:
        return None
