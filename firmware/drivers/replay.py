"""`replay:<transcript>`: a reader that plays a recorded card back, byte for byte.

The lines are those of recorder.py.  A command that is not the recorded one is a ProtocolError that
names the line, so a changed byte in the firmware is found at once.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from firmware.drivers.recorder import HIDDEN
from firmware.drivers.smartcard.ATR import ATR
from firmware.outcome import ProtocolError, TransportError

_EVENTS = ("power_on", "removed", "silent")


def open_replay(path: str) -> ReplayReader:
    """Raises ValueError naming file and line when it is no transcript."""
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the transcript {path} cannot be read: {error}; correct its path"
        ) from None
    return ReplayReader(
        Path(path).name,
        [_parse(line, f"{path} line {at}") for at, line in enumerate(lines, 1)],
    )


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        raise ValueError(f"{where} is no JSON object: one object a line") from None
    try:
        if "t" in entry:
            if entry["t"] not in _EVENTS:
                raise ValueError
            if entry["t"] != "power_on":
                return {"t": entry["t"]}
            atr = bytes.fromhex(entry["atr"])
            return {"t": "power_on", "atr": atr, "block": entry.get("block", _offers_block(atr))}
        bytes.fromhex(entry["c"].replace(HIDDEN, "00"))
        return {"t": "exchange", "c": entry["c"].upper(), "r": bytes.fromhex(entry["r"])}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{where} is neither an exchange (c and r in hex) nor one of {', '.join(_EVENTS)}"
        ) from None


class ReplayReader:
    """Implements channel.Reader.  A card is in reach until the last line was played."""

    def __init__(self, name: str, lines: list[dict[str, Any]]):
        self.name = name
        self._lines = lines
        self._next = 0
        self._is_block = False
        self._closed = threading.Event()

    def cards_in_reach(self) -> int:
        return int(self._next < len(self._lines))

    def wait_change(self, timeout_s: float) -> None:
        """A `removed` line that comes next happens now; otherwise nothing ever changes."""
        if self._upcoming() == "removed":
            self._next += 1
        else:
            self._closed.wait(timeout_s)

    def power_on(self) -> bytes:
        line = self._take("power_on", "a reset")
        self._is_block = line["block"]
        atr: bytes = line["atr"]
        return atr

    def power_off(self) -> None:
        self._is_block = False

    @property
    def is_block_protocol(self) -> bool:
        return self._is_block

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        line = self._take("exchange", f"the command {command[:4].hex().upper()}")
        if not _matches(line["c"], command):
            # The header only: the data may be a PIN.
            raise ProtocolError(
                f"{self.name} line {self._next}: the transcript has {line['c'][:8]} with "
                f"{len(line['c']) // 2} bytes, the terminal sent other bytes: "
                f"{command[:4].hex().upper()} with {len(command)}"
            )
        answer: bytes = line["r"]
        return answer

    def close(self) -> None:
        self._closed.set()

    def _upcoming(self) -> str | None:
        return self._lines[self._next]["t"] if self._next < len(self._lines) else None

    def _take(self, wanted: str, said: str) -> dict[str, Any]:
        kind = self._upcoming()
        if kind is None:
            raise ProtocolError(f"{self.name} ends at line {self._next}, the terminal sent {said}")
        line = self._lines[self._next]
        self._next += 1
        if kind in ("removed", "silent"):
            raise TransportError(f"{self.name} line {self._next}: the card is {kind}", kind)
        if kind != wanted:
            raise ProtocolError(
                f"{self.name} line {self._next}: the transcript has {kind}, "
                f"the terminal sent {said}"
            )
        return line


def _matches(recorded: str, command: bytes) -> bool:
    """recorded: upper-case hex in which `**` stands for any byte."""
    sent = command.hex().upper()
    return len(recorded) == len(sent) and all(
        recorded[at : at + 2] in (HIDDEN, sent[at : at + 2]) for at in range(0, len(sent), 2)
    )


def _offers_block(atr: bytes) -> bool:
    """Whether T=1 is offered first, or the card is contactless (ISO 7816-3 8.2.3, PC/SC 3)."""
    if atr[:1] not in (b"\x3b", b"\x3f"):
        return False
    parsed = ATR(atr)
    return bool(parsed.isContactless() or parsed.getFirstProtocol() == 1)
