"""What a TLS failure means, in one sentence with the reason and the remedy.

OpenSSL tells failures apart by names meant for programmers; here each that a user can meet has words. A
failure that is none of them is said to be unknown rather than guessed at.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from graftwire.protocol.errors import TlsError

from .certificates import names

_SHOWN: Final = 3  # names of a certificate that a sentence lists

_NOT_TLS: Final = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "UNEXPECTED_MESSAGE",
    }
    | {"RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE", "UNKNOWN_PROTOCOL", "RECORD_TOO_SMALL", "BAD_LENGTH"}
)
_TOO_OLD: Final = frozenset(
    {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_SSL_VERSION", "VERSION_TOO_LOW"}
)
_WANTS_CERTIFICATE: Final = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "PEER_DID_NOT_RETURN_A_CERTIFICATE"}
)
_CERTIFICATE_REFUSED: Final = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
_NOTHING_SHARED: Final = frozenset(
    {"SSLV3_ALERT_HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "TLSV1_ALERT_INSUFFICIENT_SECURITY"}
)

# X509_V_ERR_… of OpenSSL, which ssl gives as verify_code.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = 18
_UNTRUSTED: Final = frozenset({2, 19, 20, 21, 27})
_REVOKED: Final = 23
_WRONG_NAME: Final = frozenset({62, 64})


def dialling(error: ssl.SSLError, where: str, host: str, first: bytes, certificate: bytes | None) -> TlsError:
    """Why the handshake with the server at `where`, which was to be `host`, failed.

    `first` are the first bytes that came from it, `certificate` what it showed, if it did (DER).
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(_unverified(error, f"the certificate of {where}", host, certificate))
    reason = error.reason or ""
    if _ended(error):
        return left(where)
    if first and first[0] not in (0x15, 0x16):
        if first.startswith(b"HTTP/"):
            return TlsError(f"there is an HTTP server without TLS at {where}; use ws, or another port")
        if first[0] == 0:
            return TlsError(f"there is a Graftwire server without TLS at {where}; use tcp, or another port")
        return TlsError(f"what answers at {where} does not speak TLS; check the port")
    if reason in _TOO_OLD:
        return TlsError(f"{where} and this side share no TLS version (1.2 or 1.3 here); update one of them")
    if reason in _WANTS_CERTIFICATE:
        return TlsError(f"{where} asks for a client certificate; pass one, with its key")
    if reason in _CERTIFICATE_REFUSED:
        return TlsError(
            f"{where} does not accept this side's certificate; "
            "use one that is valid and of an authority it trusts"
        )
    if reason in _NOTHING_SHARED:
        return TlsError(
            f"{where} refused the TLS handshake; "
            "it may ask for a client certificate, or share no cipher with this side"
        )
    if reason == "TLSV1_UNRECOGNIZED_NAME":
        return TlsError(f"{where} has no certificate for {host}; check the host name")
    if "no application protocol" in str(error):
        return no_framing(where)
    if reason in _NOT_TLS:
        return TlsError(f"what answers at {where} does not speak TLS; check the port")
    return TlsError(f"the TLS handshake with {where} failed for a reason that TLS does not tell; see its log")


def listening(error: ssl.SSLError, peer: str) -> TlsError:
    """Why the handshake with the client at `peer` failed: a sentence for the listener's log."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(_unverified(error, f"the certificate of the client {peer}", "", None))
    reason = error.reason or ""
    if _ended(error):
        return TlsError(f"the client {peer} left during the TLS handshake")
    if reason in _NOT_TLS:
        return TlsError(f"the client {peer} does not speak TLS; it may have taken the wrong port")
    if reason in _TOO_OLD:
        return TlsError(f"the client {peer} speaks no TLS version that is allowed here (1.2 and 1.3)")
    if reason in _WANTS_CERTIFICATE:
        return TlsError(f"the client {peer} showed no certificate, and one is required here")
    if reason in _CERTIFICATE_REFUSED:
        return TlsError(
            f"the client {peer} does not accept this server's certificate; "
            "it may not trust its authority, or know the server by another name"
        )
    if reason in _NOTHING_SHARED:
        return TlsError(f"the client {peer} shares no cipher with this server")
    return TlsError(f"the TLS handshake with the client {peer} failed for a reason that TLS does not tell")


def running(error: ssl.SSLError, peer: str) -> TlsError:
    """Why an established connection with `peer` ended in an abnormal way."""
    if _ended(error):
        return TlsError(
            f"the connection to {peer} ended without TLS's closing message; what was sent last may be missing"
        )
    reason = error.reason or ""
    if (
        reason in _WANTS_CERTIFICATE
    ):  # with TLS 1.3 a client's handshake is over before its certificate is looked at
        return TlsError(f"{peer} asks for a client certificate; pass one, with its key")
    if reason in _CERTIFICATE_REFUSED:
        return TlsError(
            f"{peer} does not accept this side's certificate; "
            "use one that is valid and of an authority it trusts"
        )
    return TlsError(f"what came over TLS from {peer} is damaged; connect again")


def left(where: str) -> TlsError:
    """The server closed or reset the connection before the handshake was over."""
    return TlsError(f"{where} closed the connection during the TLS handshake; check that it serves TLS there")


def no_framing(where: str) -> TlsError:
    """The server speaks TLS and did not agree on ALPN `graftwire/1` (clause LINK-3)."""
    return TlsError(
        f"{where} speaks TLS but not Graftwire; "
        "check the port, or set ALPN graftwire/1 where TLS ends before the server"
    )


def shown_certificate(ssl_object: ssl.SSLObject) -> bytes | None:
    """The certificate (DER) that the other end showed, also where its verification failed.

    None if it showed none, or where this Python can't tell: it has this as a public method from 3.13 on.
    """
    for holder in (ssl_object, getattr(ssl_object, "_sslobj", None)):
        method: Any = getattr(holder, "get_unverified_chain", None)
        if method is not None:
            chain: list[Any] = method() or []
            for leaf in chain:
                return leaf if isinstance(leaf, bytes) else ssl.PEM_cert_to_DER_cert(leaf.public_bytes())
    return None


def _ended(error: ssl.SSLError) -> bool:
    # OpenSSL reports the same end in three ways, by version and by where in the handshake it came.
    return isinstance(error, ssl.SSLEOFError | ssl.SSLSyscallError | ssl.SSLZeroReturnError)


def _unverified(error: ssl.SSLCertVerificationError, whose: str, host: str, certificate: bytes | None) -> str:
    code: int = getattr(error, "verify_code", 0)
    if code in _WRONG_NAME:
        return (
            f"{whose} is for {_listed(certificate)}, not for {host}; check the host name, or the certificate"
        )
    if code == _EXPIRED:
        return f"{whose} has expired; it has to be renewed"
    if code == _NOT_YET_VALID:
        return f"{whose} is not valid yet; check the clocks of both machines"
    if code == _SELF_SIGNED:
        return f"{whose} is self-signed; pass it as the CA, or pin it, if it is the right one"
    if code in _UNTRUSTED:
        return (
            f"{whose} comes from an authority that is not trusted here; pass the authority's root as the CA"
        )
    if code == _REVOKED:
        return f"{whose} was revoked; it has to be replaced"
    told: str = getattr(error, "verify_message", "") or "no reason given"
    return f"{whose} can't be verified ({told}); it has to be replaced"


def _listed(certificate: bytes | None) -> str:
    try:
        found = names(certificate) if certificate is not None else []
    except ValueError:
        found = []
    if not found:
        return "another name"
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
