"""What a transport knows about a link: facts, never decisions (spec/PROTOCOL.md, "Links")."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What TLS established.

    `version` and `cipher` as OpenSSL names them; `alpn` is the protocol agreed on; `verified`: the other
    end's certificate was checked against roots or a pin; `hostname_checked`: its name was checked too;
    `certificate`: the other end's certificate in DER, a fact and never an identity by itself; `server_side`:
    this end listened.
    """

    version: str
    cipher: str
    alpn: str | None
    verified: bool
    hostname_checked: bool
    certificate: bytes | None = field(repr=False)
    server_side: bool = False


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What is known about a link.

    `transport` is the scheme that made it; `local` and `peer` are addresses as text; `proxied` is the proxy's own
    address where `peer` came from a PROXY protocol header, or where this side goes through a proxy to `peer`;
    `origin` and `path` are what a WebSocket handshake said.
    """

    transport: str
    local: str
    peer: str
    tls: TlsFacts | None = None
    proxied: str | None = None
    origin: str | None = None
    path: str | None = None

    @property
    def confidential(self) -> bool:
        """Whether proofs may cross without both ends saying so by name: memory, Unix sockets, verified TLS.

        (Clause AUTH-10. A TLS link counts at the end that verified the other one; a listener, which is not
        shown a certificate in the usual case, counts its own TLS as such: its callers verify it.)
        """
        if self.transport in ("memory", "unix"):
            return True
        return self.tls is not None and (self.tls.verified or self.tls.server_side)
