"""What else may be found at a port: servers that are not Graftwire's, and ones that behave badly."""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def server(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """A TCP server on a free port of loopback, `handle` called with each connection in a thread; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        done = threading.Event()
        connections: list[socket.socket] = []

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                connection.settimeout(10)
                connections.append(connection)
                threading.Thread(target=_quietly, args=(handle, connection), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()
            for connection in connections:
                connection.close()


def _quietly(handle: Callable[[socket.socket], object], connection: socket.socket) -> None:
    with suppress(OSError):
        handle(connection)


def http(connection: socket.socket) -> None:
    """A web server that knows a bad request when it sees one, and nothing of WebSocket."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()


def silent(connection: socket.socket) -> None:
    """Takes whatever comes, and never says a word."""
    while connection.recv(4096):
        pass


def closing(connection: socket.socket) -> None:
    """Reads what came first, and hangs up in order."""
    connection.recv(4096)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(4096)
    connection.close()


def greeting(connection: socket.socket) -> None:
    """Speaks first, as mail servers do."""
    connection.sendall(b"220 mail.example ESMTP\r\n")
    silent(connection)


def relay(port: int, going: threading.Event, *, broken: bool) -> Callable[[socket.socket], None]:
    """Passes everything to another port and back until `going` is set; then it leaves, or breaks the connection."""

    def handle(connection: socket.socket) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as far,
            selectors.DefaultSelector() as selector,
        ):
            selector.register(connection, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, connection)
            while not going.is_set():
                for key, _ in selector.select(0.02):
                    source, target = (connection, far) if key.data is far else (far, connection)
                    target.sendall(source.recv(65_536))
        if broken:
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # close: a reset
        connection.close()

    return handle


def tls(cert: str, key: str) -> Callable[[socket.socket], None]:
    """A TLS server that speaks some other protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def handle(connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) == b"\x16":
            connection = context.wrap_socket(connection, server_side=True)
        else:
            connection.sendall(b"\x15\x03\x01\x00\x02\x02\x0a")  # the alert "unexpected message"
        silent(connection)

    return handle
