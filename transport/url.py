"""URLs of links: what is reached, and over which transport.

    tcp://host:port    tls://host:port    ws://host[:port][/path]    wss://host[:port][/path]
    unix:/path         memory:name

A host is a name, an IPv4 address, an IPv6 address in brackets, or, for listening, `*`: every address of this
machine, IPv4 and IPv6. User names, passwords, queries and fragments are refused, and no error ever repeats
them: credentials belong to the frames that declare them (spec/PROTOCOL.md, "Links").
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from graftwire.protocol.errors import Error

DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
PROXY_SCHEMES: Final = ("http", "socks5", "socks5h")
LARGEST_URL: Final = 2_048  # characters; a longer one is refused

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}")
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_PATH: Final = re.compile(r"/[\x21-\x7e]*")
_EXAMPLES: Final = {
    "tcp": "tcp://localhost:7400",
    "tls": "tls://localhost:7443",
    "ws": "ws://localhost:7480/",
    "wss": "wss://localhost:7483/",
    "unix": "unix:/run/graftwire.sock",
    "memory": "memory:main",
}


class UrlError(Error, ValueError):
    """A text is not a URL that Graftwire takes; one sentence that says why and shows the right form.

    The sentence repeats no more of the text than its scheme.
    """


@dataclass(frozen=True, slots=True)
class Url:
    """A URL, taken apart.

    `host` and `port` are "" and 0 for schemes without them (`unix`, `memory`); port 0, for listening, is any
    free one. `path` is the request path of ws and wss (at least `/`), the file of `unix`, the name of
    `memory`. `text` is the whole URL in its one normal form.
    """

    scheme: str
    host: str
    port: int
    path: str
    text: str

    def with_port(self, port: int) -> Url:
        """The same URL with `port` in place of its own: what a listener on port 0 really has."""
        return _assemble(self.scheme, self.host, port, self.path)

    def with_host(self, host: str) -> Url:
        """The same URL with `host`, an address without brackets, in place of its own."""
        return _assemble(self.scheme, host, self.port, self.path)

    def __str__(self) -> str:
        return self.text


def host_and_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(text: str) -> Url:
    """Take `text` apart; raises UrlError for anything that is not exactly a URL of a known transport."""
    scheme, rest = _checked(text, _EXAMPLES["tcp"])
    _check_known(scheme)
    if scheme == "memory":
        return _memory(rest)
    authority, path, slashes = _split(rest)
    if scheme == "unix":
        return _unix(authority, path, slashes)
    return _network(scheme, authority, path, slashes)


def parse_proxy(text: str) -> Url:
    """Take the URL of a proxy apart: http, socks5 (names are resolved here) or socks5h (there). Raises UrlError."""
    scheme, rest = _checked(text, "http://localhost:3128")
    if scheme not in PROXY_SCHEMES:
        raise UrlError("a proxy is named as http://host:port, socks5://host:port or socks5h://host:port")
    url = _network(scheme, *_split(rest))
    if url.port == 0 or url.host == "*":
        raise UrlError(f"a proxy has a host and a port of its own, as in {scheme}://localhost:3128")
    return url


def _checked(text: str, example: str) -> tuple[str, str]:
    """The scheme, and what follows its colon, of what holds nothing that no URL may hold."""
    if len(text) > LARGEST_URL:
        raise UrlError(f"this URL is longer than {LARGEST_URL:,} characters")
    if not text.isprintable() or " " in text:
        raise UrlError("a URL holds no spaces or control characters; take them out")
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    authority, _, slashes = _split(rest)
    # Before anything is said about the scheme: `user:password@host` reads as one, and would be repeated.
    if "@" in authority or (not slashes and "@" in rest and not rest.startswith("/")):
        raise UrlError(
            "a user name or password has no place in a URL; take it out, and authenticate with a plugin"
        )
    if "?" in rest:
        raise UrlError("a query (what follows `?`) has no place in a URL; take it out")
    if "#" in rest:
        raise UrlError("a fragment (what follows `#`) has no place in a URL; take it out")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise UrlError(f"a URL begins with its transport, as in {example}")
    return scheme, rest


def _split(rest: str) -> tuple[str, str, bool]:
    """Authority, path, and whether there were two slashes, of what follows the scheme."""
    if not rest.startswith("//"):
        return "", rest, False
    authority, slash, path = rest[2:].partition("/")
    return authority, slash + path, True


def _check_known(scheme: str) -> None:
    from .registry import schemes  # here, because the registry's built-in transports import this module

    known = schemes()
    if scheme in known:
        return
    near = difflib.get_close_matches(scheme, known, n=1, cutoff=0.5)
    told = f"did you mean {near[0]}?" if near else f"the known ones are {', '.join(known)}"
    # A word that is nothing like a scheme may be the start of something private: it is not repeated.
    named = f" {scheme}" if near else " of this URL"
    raise UrlError(f"there is no transport for the scheme{named}; {told}")


def _memory(rest: str) -> Url:
    if not _NAME.fullmatch(rest):
        raise UrlError(
            "the name of a memory URL has 1 to 64 letters, digits, `.`, `_` or `-`, as in "
            + _EXAMPLES["memory"]
        )
    return _assemble("memory", "", 0, rest)


def _unix(authority: str, path: str, slashes: bool) -> Url:
    if slashes and authority:
        raise UrlError(f"a unix URL names a file of this machine and no host, as in {_EXAMPLES['unix']}")
    if not path.startswith("/") or path.endswith("/"):
        raise UrlError(f"a unix URL holds the absolute path of a socket, as in {_EXAMPLES['unix']}")
    return _assemble("unix", "", 0, path)


def _network(scheme: str, authority: str, path: str, slashes: bool) -> Url:
    example = _EXAMPLES.get(scheme, f"{scheme}://localhost:{3128 if scheme in PROXY_SCHEMES else 7400}")
    if not slashes or not authority:
        raise UrlError(f"a {scheme} URL needs a host, as in {example}")
    host, port_text = _host(scheme, authority, example)
    if port_text is None:
        port = DEFAULT_PORTS.get(scheme)
        if port is None:
            raise UrlError(f"a {scheme} URL needs a port, as in {example}")
    else:
        port = int(port_text) if _PORT.fullmatch(port_text) else 65_536
        if port > 65_535:
            raise UrlError(f"the port of a URL is a number from 0 to 65535, as in {example}")
    if scheme in ("tcp", "tls", *PROXY_SCHEMES):
        if path not in ("", "/"):
            raise UrlError(f"a {scheme} URL ends after its port, as in {example}")
        path = ""
    else:
        path = path or "/"
        if not _PATH.fullmatch(path):
            raise UrlError("the path of a URL holds only printable ASCII; percent-encode the rest")
    return _assemble(scheme, host, port, path)


def _host(scheme: str, authority: str, example: str) -> tuple[str, str | None]:
    """The host without brackets and the text of the port, None if there is none."""
    if authority.startswith("["):
        inner, bracket, rest = authority[1:].partition("]")
        try:
            address = ipaddress.IPv6Address(inner)
        except ValueError:
            address = None
        if address is None or not bracket or (rest and not rest.startswith(":")):
            raise UrlError(f"what stands in brackets is not an IPv6 address, as in {scheme}://[::1]:7400")
        return str(address), rest[1:] if rest else None
    if authority.count(":") > 1:
        raise UrlError(f"an IPv6 address stands in brackets, as in {scheme}://[::1]:7400")
    host, colon, port = authority.partition(":")
    host = host.lower()
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or (host != "*" and not all(_LABEL.fullmatch(label) for label in labels)):
        raise UrlError(f"the host of this URL is neither a name nor an address, as in {example}")
    return host, port if colon else None


def _assemble(scheme: str, host: str, port: int, path: str) -> Url:
    text = f"{scheme}://{host_and_port(host, port)}{path}" if host else f"{scheme}:{path}"
    return Url(scheme, host, port, path, text)
