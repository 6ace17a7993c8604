"""A headless Chromium, driven like a person: open, read, type, click, take a screenshot.

It uses Chromium's DevTools protocol over a web socket; screenshots go to the folder SCREENSHOTS_FOLDER for review.
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
MAX_BYTES = 64 * 1024 * 1024  # of one response: a screenshot


@dataclass
class Browser:
    """One page of a browser."""

    socket: ClientConnection
    screenshots: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command of the protocol and return its result; events are skipped."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            response = json.loads(self.socket.recv(timeout=60))
            if response.get("id") == number:
                assert "error" not in response, response
                result: dict[str, Any] = response["result"]
                return result

    def js(self, expression: str) -> Any:
        """Evaluate an expression on the page."""
        response = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in response, response
        return response["result"].get("value")

    def wait_for(self, condition: str, problem: str, seconds: float = 60) -> None:
        """Wait until a condition holds on the page."""
        deadline = monotonic() + seconds
        while not self.js(condition):
            assert monotonic() < deadline, f"{problem}; the page shows: {self.text()[:1500]}"
            sleep(0.1)

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self.send("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'", f"{url} does not load")

    def text(self) -> str:
        """Return the visible text."""
        return str(self.js("document.body ? document.body.innerText : ''"))

    def read(self, *texts: str) -> None:
        """Wait until all of these texts are visible."""
        for each in texts:
            self.wait_for(f"(document.body?.innerText || '').includes({json.dumps(each)})", f"`{each}` is not visible")

    def click(self, text: str, among: str = "button, a") -> None:
        """Click the element with exactly this text, once it is enabled."""
        every = f"[...document.querySelectorAll({json.dumps(among)})]"
        found = f"{every}.find(e => e.innerText.trim() === {json.dumps(text)} && !e.disabled)"
        self.wait_for(f"!!({found})", f"no enabled element `{text}`")
        self.js(f"({found}).click()")

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, name: str, width: int = 1600, height: int = 1200) -> Path:
        """Take a screenshot of the page at some size."""
        self.resize(width, height)
        sleep(1.5)  # the page adapts to its new size
        path = self.screenshots / f"{name}.png"
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
        return path


def screenshot_folder(folder: Path) -> Path:
    """Return the folder SCREENSHOTS_FOLDER, or the given one."""
    screenshots = Path(os.environ.get("SCREENSHOTS_FOLDER") or folder)
    screenshots.mkdir(parents=True, exist_ok=True)
    return screenshots


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Open a browser with its own profile in this folder."""
    screenshots = screenshot_folder(folder)
    profile = folder / "profile"
    command = ["chromium", *OPTIONS, f"--user-data-dir={profile}", "--window-size=1600,1200", "about:blank"]
    with (folder / "browser.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            port_file, deadline = profile / "DevToolsActivePort", monotonic() + 60
            while not (port_file.exists() and port_file.read_text().count("\n")):
                assert process.poll() is None, (folder / "browser.log").read_text()
                assert monotonic() < deadline, "chromium does not start"
                sleep(0.1)
            port = port_file.read_text().splitlines()[0]
            pages = httpx.get(f"http://127.0.0.1:{port}/json", timeout=30).json()
            (address,) = [each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page"]
            with connect(address, max_size=MAX_BYTES, open_timeout=30) as socket:
                yield Browser(socket, screenshots)
        finally:
            process.terminate()
