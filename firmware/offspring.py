"""In development one command runs all processes: the card process keeps the other two alive.

On a device each is a systemd unit of its own (`--only card`, `--only uplink`, `--only host`).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from firmware.board import Board

log = logging.getLogger(__name__)

RESTART_S = 2.0
LONGEST_RESTART_S = 60.0
STOP_S = 5.0


class Child:
    """A process that is started again when it ends, later each time; it ends when this one does.

    Its standard input is a pipe that nobody writes to: it closes with this process.
    """

    def __init__(self, name: str, command: list[str], restart_s: float = RESTART_S):
        """name: in the log."""
        self._name = name
        self._command = command
        self._restart_s = restart_s
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"{name} keeper", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        wait_s = self._restart_s
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                ended = f"ended with {self._run()}"
            except OSError as error:
                ended = f"could not be started: {error}"
            if self._stopping.is_set():
                return
            if time.monotonic() - started > LONGEST_RESTART_S:
                wait_s = self._restart_s
            again = "the %s process %s; it is started again in %g s"
            log.warning(again, self._name, ended, wait_s)
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, LONGEST_RESTART_S)

    def _run(self) -> int:
        with subprocess.Popen(self._command, stdin=subprocess.PIPE) as process:
            self._process = process
            if self._stopping.is_set():  # stop() has not seen this one
                process.terminate()
            return process.wait()

    def stop(self) -> None:
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        self._thread.join(STOP_S)
        if self._thread.is_alive() and process is not None:
            process.kill()
            self._thread.join(STOP_S)


def start(board: Board, board_path: Path) -> list[Child]:
    """The uplink process and the host process, each where the board gives it something to do."""
    has_work = {"uplink": board.uplink.has_link, "host": board.host.has_listener}
    command = [sys.executable, "-m", "firmware", "--board", str(board_path)]
    return [
        Child(name, [*command, "--only", name, "--with-parent"])
        for name, has in has_work.items()
        if has
    ]


def when_orphaned(act: Callable[[], None]) -> None:
    """Do it when standard input closes: the parent is gone, by kill -9 too."""

    def watch() -> None:
        # Not through sys.stdin: its lock, held by this thread, would abort the interpreter's end.
        while os.read(0, 1024):
            pass
        act()

    threading.Thread(target=watch, name="parent", daemon=True).start()
