"""A browser makes a call: what its WebSocket can do, and nothing more, is enough.

The frames are put together here; the page opens the WebSocket, writes them, and reports what it was answered.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from graftwire.protocol import frames, values
from graftwire.protocol.limits import Limits

from .conftest import PATIENCE, Open

pytestmark = pytest.mark.external("chromium")

PAGE = """<!doctype html><title>A call</title><script>
const report = (what) => fetch("/report", {method: "POST", body: JSON.stringify(what)});
const received = [];
const socket = new WebSocket(URL, "graftwire.1");
socket.binaryType = "arraybuffer";
socket.onopen = () => { for (const frame of FRAMES) socket.send(Uint8Array.from(frame)); };
socket.onmessage = (event) => {
    received.push(...new Uint8Array(event.data));
    if (received.length >= ENOUGH) socket.close();
};
socket.onclose = (event) => report({
    received, code: event.code, clean: event.wasClean,
    protocol: socket.protocol, extensions: socket.extensions,
});
</script>"""


class Site:
    """A web server with one page, which also takes the page's report."""

    def __init__(self) -> None:
        self.page = b""
        self.reported = threading.Event()
        self.report: dict[str, Any] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the names that http.server wants
                self.answer(site.page if self.path == "/" else b"")

            def do_POST(self) -> None:
                site.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(b"")
                site.reported.set()

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


async def visit(
    site: Site, profile: Path, url: str, *, enough: int, options: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Let Chromium open the page, which calls the gateway at `url`; gives the page's report."""
    call = values.encode_arguments((20, 22), {})
    opening = [
        frames.encode(frames.Hello((1,), Limits())),
        frames.encode(frames.Call(1, frames.UNARY, "Adder.add", None, None, call)),
    ]
    page = PAGE.replace("URL", json.dumps(url)).replace("ENOUGH", json.dumps(enough))
    site.page = page.replace("FRAMES", json.dumps([list(frame) for frame in opening])).encode()
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--no-first-run", "--disable-background-networking", "--no-proxy-server",
               f"--user-data-dir={profile}", "--remote-debugging-port=0", *options, f"{site.origin}/"]  # fmt: skip
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            start = partial(trio.run_process, command, check=False, capture_stdout=True, capture_stderr=True)
            process = await nursery.start(start)
            await trio.to_thread.run_sync(site.reported.wait, PATIENCE, abandon_on_cancel=True)
            process.terminate()
    return site.report


def answered(received: list[int]) -> list[frames.Frame]:
    data, read = bytes(received), list[frames.Frame]()
    while data:
        size = 4 + int.from_bytes(data[:4])
        read.append(frames.decode(data[4:size]))
        data = data[size:]
    return read


RESULT = frames.encode(frames.Result(1, values.encode(42)))
ENOUGH = len(frames.encode(frames.Hello((1,), Limits()))) + len(RESULT)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_call_from_a_listed_origin(
    gateway: Open, site: Site, tmp_path: Path, certificate: tuple[Path, Path], scheme: str
) -> None:
    # Chromium does not know the test's authority; it is told which key to trust instead.
    key = x509.load_pem_x509_certificate(certificate[0].read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    trusted = f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"
    async with gateway(f"{scheme}://127.0.0.1:0/calls", origins=frozenset({site.origin})) as opened:
        report = await visit(site, tmp_path, opened.urls[0], enough=ENOUGH, options=(trusted,))
    assert (report["protocol"], report["extensions"]) == ("graftwire.1", "")
    hello, result = answered(report["received"])
    assert isinstance(hello, frames.Hello)
    assert result == frames.Result(1, values.encode(42))
    assert report["clean"]


async def test_an_origin_that_is_not_listed(gateway: Open, site: Site, tmp_path: Path) -> None:
    async with gateway("ws://127.0.0.1:0", origins=frozenset({"https://example.org"})) as opened:
        report = await visit(site, tmp_path, opened.urls[0], enough=math.inf)
    assert (report["received"], report["code"], report["protocol"]) == ([], 1006, "")
