"""A transcript: what passed between terminal and card, one JSON object a line.

    {"t": "power_on", "atr": "3B...", "block": true}    cold reset; block: T=1 or T=CL
    {"c": "00B0950414", "r": "...9000"}                 one exchange, SW included
    {"t": "removed"}    {"t": "silent"}                 no answer: the card left, or said nothing

Hex is upper case.  The bytes of a PIN are written `**`, one pair a byte, so a transcript can be
shown to anyone who may see the card's data.
"""

from __future__ import annotations

import json
from typing import TextIO

# VERIFY, PIN CHANGE/UNBLOCK, CHANGE PIN (SPEC-P5), whatever their class byte.
PIN_INS = (0x20, 0x24, 0x5E)
HIDDEN = "**"


def redact(command: bytes) -> str:
    """Hex of a command; the data of one that carries a PIN is hidden, its length is not."""
    if len(command) > 5 and command[1] in PIN_INS:
        return command[:5].hex().upper() + HIDDEN * (len(command) - 5)
    return command.hex().upper()


class Transcript:
    """Writes lines to a text file that the caller opened and closes.

    keep_secrets writes PINs as they are: for tests with invented cards only.
    """

    def __init__(self, file: TextIO, *, keep_secrets: bool = False):
        self._file = file
        self._hex = bytes.hex if keep_secrets else redact

    def power_on(self, atr: bytes, *, is_block_protocol: bool) -> None:
        self._write({"t": "power_on", "atr": atr.hex().upper(), "block": is_block_protocol})

    def recorder(self, command: bytes, answer: bytes) -> None:
        """One exchange, as the wire saw it; suits channel.Recorder."""
        self._write({"c": self._hex(command).upper(), "r": answer.hex().upper()})

    def lost(self, kind: str) -> None:
        """An exchange without an answer.  kind: "removed" or "silent", as in TransportError."""
        self._write({"t": kind})

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
