"""A page in a real Chromium, driven over its debugging protocol: loaded, asked, resized, printed."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

PATIENCE = 60  # seconds; only a run that hangs gets near it
_LARGEST = 2**28  # bytes of one answer: a PDF is one
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--no-proxy-server", "--remote-debugging-port=0")  # fmt: skip


class Page:
    """One page. `complaints` are what its console, or the browser about it, had to say; `requests` what it loaded."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something; its answer."""
        number = next(self._numbers)
        await self._socket.send_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(await self._socket.get_message())
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._hear(told)

    def _hear(self, told: dict[str, Any]) -> None:
        match told["method"], told["params"]:
            case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                self.complaints.append(str(details))
            case "Runtime.consoleAPICalled", {"type": "error" | "warning" | "assert"} as said:
                self.complaints.append(str(said["args"]))
            case "Log.entryAdded", {"entry": entry}:
                self.complaints.append(str(entry))
            case "Network.requestWillBeSent", {"request": request}:
                self.requests.append(request["url"])

    async def load(self, url: str) -> None:
        """Go to a URL, and wait until all of the page is there."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.ask(f"{domain}.enable")
        await self.ask("Page.navigate", url=url)
        while await self.value("document.readyState") != "complete":
            await trio.sleep(0.02)

    async def value(self, expression: str) -> Any:
        """The value of an expression in the page, waited for where it is a promise."""
        told = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def resize(self, width: int, height: int = 900) -> None:
        """Give it a window of this size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.ask("Emulation.setDeviceMetricsOverride", **size)

    async def like(self, **features: str) -> None:
        """Let its style sheet believe in these media features, `_` for a hyphen; `medium` is the medium itself."""
        medium = features.pop("medium", "")
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        await self.ask("Emulation.setEmulatedMedia", media=medium, features=listed)

    async def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])

    async def pdf(self) -> bytes:
        """The page on paper."""
        return base64.b64decode((await self.ask("Page.printToPDF", preferCSSPageSize=True))["data"])


@asynccontextmanager
async def browser(profile: Path) -> AsyncGenerator[Page]:
    """An empty page in a Chromium of its own, for as long as the block runs."""
    command = ["chromium", *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, check=False, capture_stdout=True, capture_stderr=True)
        process = await nursery.start(start)
        with trio.fail_after(PATIENCE):
            address = await _address(profile / "DevToolsActivePort")
            port = address.splitlines()[0]
            async with open_websocket_url(f"ws://127.0.0.1:{port}{address.splitlines()[1]}") as control:
                found = await _target(control)
            url = f"ws://127.0.0.1:{port}/devtools/page/{found}"
            async with open_websocket_url(url, max_message_size=_LARGEST) as socket:
                yield Page(socket)
        process.terminate()


async def _address(file: Path) -> str:
    """Where the browser takes orders, as it says when it is ready: a port, and a path behind it."""
    path = trio.Path(file)
    while not await path.exists() or "\n" not in await path.read_text(encoding="ascii"):
        await trio.sleep(0.05)
    return await path.read_text(encoding="ascii")


async def _target(control: WebSocketConnection) -> str:
    page = Page(control)
    while True:
        targets = (await page.ask("Target.getTargets"))["targetInfos"]
        for each in targets:
            if each["type"] == "page":
                return str(each["targetId"])
        await trio.sleep(0.05)
