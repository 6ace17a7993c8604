"""A headless Chromium that is driven as a person would: open, read, type, click, take a picture.

Chromium's own protocol (CDP) over a web socket; pictures go to MILLPOND_SCREENSHOTS, for people to look at.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--remote-debugging-port=0",
]  # fmt: skip
MOST_BYTES = 64 * 1024 * 1024  # of one answer: a picture


@dataclass
class Browser:
    """One page of a browser."""

    socket: ClientConnection
    pictures: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer; events in between are passed over."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self.socket.recv(timeout=60))
            if told.get("id") == number:
                assert "error" not in told, told
                found: dict[str, Any] = told["result"]
                return found

    def js(self, expression: str) -> Any:
        """What an expression is worth on the page."""
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, condition: str, told: str, seconds: float = 60) -> None:
        """Look again and again until a condition holds on the page."""
        give_up = monotonic() + seconds
        while not self.js(condition):
            assert monotonic() < give_up, f"{told}; the page says: {self.text()[:1500]}"
            sleep(0.1)

    def open(self, url: str) -> None:
        """Go to a page and wait for it."""
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", f"{url} does not load")

    def text(self) -> str:
        """What a person can read."""
        return str(self.js("document.body ? document.body.innerText : ''"))

    def read(self, *texts: str) -> None:
        """Wait until all of these can be read."""
        for each in texts:
            self.until(f"(document.body?.innerText || '').includes({json.dumps(each)})", f"`{each}` does not show")

    def click(self, text: str, among: str = "button, a") -> None:
        """Click what says exactly this, once it can be clicked."""
        every = f"[...document.querySelectorAll({json.dumps(among)})]"
        found = f"{every}.find(e => e.innerText.trim() === {json.dumps(text)} && !e.disabled)"
        self.until(f"!!({found})", f"there is no `{text}` to click")
        self.js(f"({found}).click()")

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        self.ask("Input.insertText", text=text)

    def picture(self, name: str, width: int = 1600, height: int = 1200) -> Path:
        """Take a picture of the page at some size."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        sleep(1.5)  # the page follows its new size
        path = self.pictures / f"{name}.png"
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))
        return path


def pictures_in(folder: Path) -> Path:
    """Where pictures go: a folder that is kept, when one is named."""
    pictures = Path(os.environ.get("MILLPOND_SCREENSHOTS") or folder)
    pictures.mkdir(parents=True, exist_ok=True)
    return pictures


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in this folder."""
    pictures = pictures_in(folder)
    profile = folder / "profile"
    command = ["chromium", *OPTIONS, f"--user-data-dir={profile}", "--window-size=1600,1200", "about:blank"]
    with (folder / "browser.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            port_file, give_up = profile / "DevToolsActivePort", monotonic() + 60
            while not (port_file.exists() and port_file.read_text().count("\n")):
                assert process.poll() is None, (folder / "browser.log").read_text()
                assert monotonic() < give_up, "chromium does not answer"
                sleep(0.1)
            port = port_file.read_text().splitlines()[0]
            pages = httpx.get(f"http://127.0.0.1:{port}/json", timeout=30).json()
            (address,) = [each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page"]
            with connect(address, max_size=MOST_BYTES, open_timeout=30) as socket:
                yield Browser(socket, pictures)
        finally:
            process.terminate()
