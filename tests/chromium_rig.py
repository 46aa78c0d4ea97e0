"""A headless Chromium of our own, spoken to over two pipes (DevTools protocol), no port, no driver.

It listens nowhere, keeps its profile in a temporary folder, and ends with the tests.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.waiting import SOON_S

DEADLINE_S = SOON_S
_POLL_S = 0.03
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--no-proxy-server", "--disable-background-networking", "--disable-sync",
    "--disable-extensions", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip


def program() -> str | None:
    return next((each for each in _PROGRAMS if shutil.which(each)), None)


def missing() -> str | None:
    """What keeps the rig from running here, and what to do; None when nothing does."""
    if program() is None:
        return "chromium is not installed: run tools/install_test_packages.sh"
    return None


class Browser:
    """Use in a `with`; `open` gives a page of its own each time."""

    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="ssc-chromium-")
        own_read, its_write = os.pipe()
        its_read, own_write = os.pipe()
        self._read, self._write = own_read, own_write
        options = [*_OPTIONS, f"--user-data-dir={self._profile}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # root has none; the pages are our own
        # Chromium reads from 3 and writes to 4.
        move = f'exec 3<&{its_read} 4>&{its_write}; exec "$0" "$@"'
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bash", "-c", move, str(program()), *options],
            pass_fds=(its_read, its_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its_read)
        os.close(its_write)
        self._number = 0
        self._waiting = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        self.send("Browser.getVersion")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str, width: int = 1200, height: int = 1000) -> Page:
        """The page once its view is there, its errors in `problems`."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for domain in ("Page", "Log", "Runtime"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        page.send("Page.navigate", url=url)
        page.wait("document.querySelector('main')?.dataset.ready")
        return page

    def send(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """What it answers; everything else it says meanwhile goes to `events`."""
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session is not None:
            asked["sessionId"] = session
        os.write(self._write, json.dumps(asked).encode() + b"\0")
        until = time.monotonic() + DEADLINE_S
        while True:
            said = self._next(until)
            if said.get("id") == self._number:
                assert "error" not in said, (method, said["error"])
                return dict(said["result"])
            self.events.append(said)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._read, 1 << 20)
            assert piece, "Chromium has ended: its sandbox needs user namespaces"
            self._waiting += piece
        line, _, self._waiting = self._waiting.partition(b"\0")
        return dict(json.loads(line))


class Page:
    def __init__(self, browser: Browser, target: str, session: str):
        self._browser = browser
        self._target = target
        self._session = session

    def send(self, method: str, **params: object) -> dict[str, Any]:
        return self._browser.send(method, self._session, **params)

    def close(self) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)

    def resize(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def value(self, script: str) -> Any:
        """Of a JavaScript expression, awaited, as JSON."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> Any:
        """Until the expression is true; its value."""
        until = time.monotonic() + DEADLINE_S
        while not (found := self.value(script)):
            assert time.monotonic() < until, f"never: {script}"
            time.sleep(_POLL_S)
        return found

    def text(self, selector: str) -> str:
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def table(self, at: int = 0) -> list[list[str]]:
        """The cells of the body of a table of the page."""
        script = (
            f"[...document.querySelectorAll('table')[{at}].tBodies[0].rows]"
            ".map(row => [...row.cells].map(cell => cell.innerText))"
        )
        return list(self.value(script))

    def press(self, key: str) -> None:
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=codes[key], **(text if kind == "keyDown" else {}),
            )  # fmt: skip

    @property
    def problems(self) -> list[str]:
        """Exceptions, and what the browser logged: blocked by the policy, not found."""
        found = []
        for each in self._browser.events:
            if each.get("sessionId") == self._session:
                if each["method"] == "Runtime.exceptionThrown":
                    found.append(str(each["params"]["exceptionDetails"]))
                elif each["method"] == "Log.entryAdded":
                    found.append(str(each["params"]["entry"]["text"]))
        return found

    def screenshot(self) -> bytes:
        """PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def pages(browser: Browser) -> Iterator[Callable[..., Page]]:
    """browser.open; in the end every page is closed, and none may have had a problem."""
    opened: list[Page] = []

    def open_page(url: str, **size: int) -> Page:
        opened.append(browser.open(url, **size))
        return opened[-1]

    yield open_page
    problems = [each for page in opened for each in page.problems]
    for page in opened:
        page.close()
    assert problems == []
