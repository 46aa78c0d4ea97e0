"""The page of an office under test: its server in this process, and one that changes answers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiohttp import web

from office.dashboard.pages import Dashboard, local
from tests.chromium_rig import Page
from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parents[1]
STEPS = ["form", "signature", "chain", "inclusion", "statement", "tree", "receipt"]


def play_demo(folder: Path) -> Path:
    """One morning of simulator/morning.py, kept in `folder`; its office's folder."""
    command = [sys.executable, "-m", "simulator.morning", "--keep", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "office"


def turned(text: str, at: int = -1) -> str:
    """Hex with one bit of one byte turned."""
    raw = bytearray.fromhex(text)
    raw[at] ^= 1
    return raw.hex()


def states(page: Page) -> dict[str, str]:
    """Step -> "true", "false" or "null", as the page shows them."""
    found = page.value(
        "[...document.querySelectorAll('#steps li')].map(e => [e.id.slice(5), e.dataset.ok,"
        " e.querySelector('.sign').innerText])"
    )
    assert [name for name, _, _ in found] == STEPS
    assert all(mark == {"true": "✓", "false": "✗", "null": "?"}[ok] for _, ok, mark in found)
    return {name: ok for name, ok, _ in found}


class Served:
    """The page of a folder on a free port of loopback; use in a `with`."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._started.wait(SOON_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        dashboard, app = Dashboard(self._folder), web.Application()
        dashboard.add_to(app, local)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()
        await dashboard.close()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON_S)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def json(self, path: str) -> Any:
        status, _, body = self.get(path)
        assert status == 200, body
        return json.loads(body)


Change = Callable[[dict[str, Any]], object]


class Between:
    """Hands on what the page asks, and changes the answers about records; use in a `with`."""

    def __init__(self, served: Served):
        self.change: Change = lambda answer: None
        rig = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = served.get(self.path)
                if "/records/" in self.path:
                    answer = json.loads(body)
                    rig.change(answer)
                    body = json.dumps(answer).encode()
                self.send_response(status)
                for name in ("Content-Type", "Content-Security-Policy"):
                    self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Between:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(SOON_S)
