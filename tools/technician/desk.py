"""What a person at the desk sees and is asked; a log keeps the same."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from tools.technician.errors import FlashError
from tools.technician.progress import Progress


class Desk:
    """is_json: one JSON object on `out` and nothing else there.  state: folder of this computer's
    notes."""

    def __init__(self, is_json: bool, out: TextIO, errors: TextIO, log: TextIO, state: Path):
        self.is_json, self.state = is_json, state
        self._out, self._errors, self._log = out, errors, log
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """One line of the log, with its time."""
        with self._lock, contextlib.suppress(OSError):  # a full disk ends no act
            for line in plain(text).split("\n"):
                self._log.write(f"{stamp()} {line}\n")
            self._log.flush()

    def say(self, text: str) -> None:
        """For people; --json keeps silent."""
        self.note(text)
        if not self.is_json:
            print(plain(text), file=self._out, flush=True)

    def result(self, value: dict[str, object]) -> None:
        if self.is_json:
            print(json.dumps(value, ensure_ascii=False, sort_keys=True), file=self._out, flush=True)

    def failed(self, error: FlashError) -> None:
        self.note(error.lines())
        if self.is_json:
            self.result({"error": error.told()})
        else:
            print(plain(error.lines()), file=self._errors, flush=True)

    def progress(self, name: str = "", stop: threading.Event | None = None) -> Progress:
        """Drawn on the error stream; nowhere with --json.  stop: of one among several."""
        return Progress(None if self.is_json else self._errors, name=name, stop=stop)

    def confirms(self, question: str, wanted: str, given: str | None) -> bool:
        """Whether `given` (--confirm), or what is typed, is `wanted`."""
        if given is None:
            if self.is_json:
                return False
            print(plain(question), file=self._out, flush=True)
            given = sys.stdin.readline().strip()
        self.note(f"confirmed with {given!r}, wanted {wanted!r}")
        return sorted(given.split()) == sorted(wanted.split()) and bool(wanted)


def plain(text: str) -> str:
    """Without characters that would steer a terminal: cards and units choose words shown here."""
    return "".join(
        each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text
    )


def stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
