"""In development one command runs all processes: the card process keeps the uplink process alive.

On a device each is a systemd unit of its own (`--only card`, `--only uplink`).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from firmware.board import Board

log = logging.getLogger(__name__)

RESTART_S = 2.0
STOP_S = 5.0


class Child:
    """The uplink process, started again when it dies; it ends when this process does."""

    def __init__(self, command: list[str]):
        self._command = command
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="uplink keeper", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
            code = self._process.wait()
            if not self._stopping.is_set():
                log.warning("the uplink process ended with %d; it is started again", code)
                self._stopping.wait(RESTART_S)

    def stop(self) -> None:
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(STOP_S)


def start_uplink(board: Board, board_path: Path) -> Child | None:
    """None when the board names no uplink."""
    if board.uplink.serial is None and board.uplink.http is None:
        return None
    command = [sys.executable, "-m", "firmware", "--board", str(board_path)]
    return Child([*command, "--only", "uplink", "--with-parent"])


def stop_when_orphaned(stop: threading.Event) -> None:
    """Set the event when standard input closes: the parent is gone, by kill -9 too."""

    def watch() -> None:
        # Not through sys.stdin: its lock, held by this thread, would abort the interpreter's end.
        while os.read(0, 1024):
            pass
        stop.set()

    threading.Thread(target=watch, name="parent", daemon=True).start()
