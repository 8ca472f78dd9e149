"""The certificates of a run: an authority of its own, what targets and the runner show, and what they must refuse.

They are made anew for each run, in its directory, and are worth nothing anywhere else.
"""

from __future__ import annotations

import base64
import ssl
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from .errors import HarnessError

_VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True)
class Certificates:
    """The files, PEM all of them. `shown` are pairs of certificate and key by the names of `Connect.certificate`.

    `secrets` are the numbers of private keys that a target is given, by name.
    """

    authority: Path
    shown: dict[str, Path]
    secrets: dict[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    _contexts: dict[tuple[object, ...], ssl.SSLContext] = field(
        default_factory=dict[tuple[object, ...], ssl.SSLContext], repr=False, compare=False
    )

    @property
    def certificate(self) -> Path:
        """What an acceptor under test shows; the key is beside it."""
        return self.shown["server"]

    @property
    def key(self) -> Path:
        """The key of `certificate`."""
        return self.shown["server"].with_suffix(".key")

    def context(
        self,
        *,
        server: bool,
        alpn: tuple[str, ...],
        versions: tuple[str, str],
        certificate: str | None,
        authority: Path | None = None,
    ) -> ssl.SSLContext:
        """A TLS context for the runner, made once for each choice. `authority` None: that of the run."""
        choice = (server, alpn, versions, certificate, authority)
        if choice not in self._contexts:
            self._contexts[choice] = self._make(*choice)
        return self._contexts[choice]

    def _make(
        self,
        server: bool,
        alpn: tuple[str, ...],
        versions: tuple[str, str],
        certificate: str | None,
        authority: Path | None,
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        old = versions[0] in ("1.0", "1.1")
        if old:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL would not even offer these versions
        with warnings.catch_warnings():  # an old version is deprecated: that is why it has to be refused
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = _VERSIONS[versions[0]], _VERSIONS[versions[1]]
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if server and certificate is None:
            certificate = "server"
        if certificate is not None:
            path = self.shown[certificate]
            context.load_cert_chain(path, path.with_suffix(".key"))
        if not server:
            context.load_verify_locations(self.authority if authority is None else authority)
        return context


def make(directory: Path, canaries: Mapping[str, str] = {}) -> Certificates:
    """Make all of them in `directory`. Raises HarnessError where the package trustme is not installed.

    `canaries`: "key-file" is written into the file of each key, "client-certificate" into the name in that one.
    """
    try:
        import trustme
    except ImportError:
        raise HarnessError(
            'the certificates of a run need the package trustme; run: pip install "graftwire[conformance]"'
        ) from None
    directory.mkdir(parents=True, exist_ok=True)
    authority, other = trustme.CA(), trustme.CA()
    names = ("localhost", "127.0.0.1", "::1")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    made = {
        "server": authority.issue_cert(*names),
        "client": authority.issue_cert(
            "client@conformance.test", organization_unit_name=canaries.get("client-certificate")
        ),
        "other-name": authority.issue_cert("elsewhere.example"),
        "other-authority": other.issue_cert(*names),
        "expired": authority.issue_cert(
            *names, not_before=yesterday - timedelta(days=9), not_after=yesterday
        ),
    }
    shown: dict[str, Path] = {}
    comment = canaries.get("key-file", "")
    for name, each in made.items():
        shown[name] = directory / f"{name}.pem"
        key = f"{comment}\n".encode() if comment else b""
        (directory / f"{name}.key").write_bytes(key + each.private_key_pem.bytes())
        shown[name].write_bytes(b"".join(blob.bytes() for blob in each.cert_chain_pems))
        (directory / f"{name}.key").chmod(0o600)
    path = directory / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return Certificates(path, shown, {"private key": _number(made["server"].private_key_pem.bytes())})


def _number(pem: bytes) -> bytes:
    """The secret number of a key of the curve P-256: what stands behind the version of an ECPrivateKey (RFC 5915)."""
    lines = [each for each in pem.splitlines() if each and not each.startswith(b"-----")]
    before, version, behind = base64.b64decode(b"".join(lines)).partition(b"\x02\x01\x01\x04\x20")
    if not version or len(before) > 40 or len(behind) < 32:
        raise HarnessError("the package trustme makes keys of another kind than this suite knows")
    return behind[:32]
