"""Attempts to prove an identity, occasions to send a proof, and an issuer's HTTPS server."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from graftwire.gateway.security.plugins import Attempt, Occasion
from graftwire.protocol.connection import Role
from graftwire.transport.contexts import client_context
from graftwire.transport.facts import LinkFacts

FACTS = LinkFacts("memory", "memory:main", "memory:main")


def no_hellos() -> tuple[bytes, bytes]:
    return b"", b""


def attempt(scheme: str, proof: bytes) -> Attempt:
    return Attempt(scheme, proof, FACTS, Role.INITIATOR, no_hellos)


OCCASION = Occasion("memory:main", FACTS, Role.INITIATOR, no_hellos)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Publisher:
    """A real HTTPS server; `status`, `body` and `headers` are what it answers, `gate` holds answers back."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.gate = threading.Event()
        self.gate.set()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.requests.append((self.path, dict(self.headers)))
                publisher.gate.wait(30)
                self.send_response(publisher.status)
                for name, value in publisher.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(publisher.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that left

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def trusting(ca_file: Path) -> ssl.SSLContext:
    """A context for fetching that trusts the authority of the tests."""
    return client_context(ca=ca_file)


@pytest.fixture
def publisher(authority: trustme.CA) -> Iterator[Publisher]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    made = Publisher(context)
    yield made
    made.close()


@pytest.fixture
def plain_publisher() -> Iterator[Publisher]:
    made = Publisher(None)
    yield made
    made.close()
