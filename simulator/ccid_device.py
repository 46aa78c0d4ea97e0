"""A CCID reader on a pseudo-terminal, as GemPC Twin and SEC1210 are on a serial line.

Slots of the simulated terminal stand behind it.  It speaks CCID 1.1 in frames of SYNC, ACK,
message, LRC; tells when cards come and go; exchanges TPDUs, or whole APDUs; and misbehaves on
order.
A pseudo-terminal has no rate and no modem lines.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware.outcome import TransportError
from simulator.ccid_slot import ABSENT, ACTIVE, CcidSlot
from simulator.slot import SimulatedSlot

_SYNC, _ACK, _NAK = 0x03, 0x06, 0x15
_NOTIFY = 0x50
_SET_PARAMETERS, _POWER_ON, _POWER_OFF, _STATUS = 0x61, 0x62, 0x63, 0x65
_ESCAPE, _GET_PARAMETERS, _XFR = 0x6B, 0x6C, 0x6F
_DATA, _SLOT_STATUS, _PARAMETERS, _ESCAPED = 0x80, 0x81, 0x82, 0x83
_MUTE, _HARDWARE, _NO_SLOT, _UNKNOWN = 0xFE, 0xFB, 0x05, 0x00
_TICK_S = 0.05

WAYS = (
    "nak",  # asks again, and does nothing
    "nak_after",  # does it, and lies that it did not understand
    "bad_lrc",  # the answer is damaged; right when asked for again
    "old_answer",  # an answer to the command before comes first
    "foreign_slot",  # the answer names another slot
    "more_time",  # three time extensions before the answer
    "more_time_for_ever",
    "garbage",  # noise before the answer
    "cut",  # the answer stops in the middle
    "huge",  # a length that no message has comes first
    "unknown_kind",  # the answer is a message no reader may send
    "busy",  # the slot is busy
    "pulled",  # the card leaves first, and the reader has not noticed when it answers
    "mute",  # does nothing
    "mute_after",  # does it, and says nothing
    "vanish",  # does it, and is unplugged
    "flood",  # notifications without an end, no answer
)


@dataclass
class Trouble:
    """The next `times` commands of that kind (None: any) whose INS is `ins` (None: any)."""

    way: str
    kind: int | None = None
    times: int = 1
    ins: int | None = None

    def is_due(self, message: bytes) -> bool:
        if self.times < 1 or self.kind not in (None, message[0]):
            return False
        return self.ins is None or message[11:12] == bytes((self.ins,))


class CcidDevice:
    """Use it in a `with`.  path: what a terminal opens, the same after plug_in().

    slots: behind it, slot 0 first.  is_apdu: it makes T=0 of APDUs itself.  echoes: it sends back
    what it is sent (GemPC Twin).  notifies: it tells when a card comes or goes.
    rewrite_atr: what the card's answer to reset becomes.
    """

    def __init__(
        self,
        path: Path,
        slots: list[SimulatedSlot],
        *,
        is_apdu: bool = False,
        echoes: bool = False,
        notifies: bool = True,
        rewrite_atr: Callable[[bytes], bytes] = bytes,
    ):
        self.path = path
        self.slots = [CcidSlot(each, is_apdu, rewrite_atr) for each in slots]
        self.messages: list[bytes] = []  # as they came and were understood
        self.trouble: list[Trouble] = []
        self._echoes = echoes
        self._notifies = notifies
        self._dice = random.Random(1)
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._writing = threading.Lock()
        self._master = -1
        self._last = b""

    def __enter__(self) -> CcidDevice:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def misbehave(
        self, way: str, kind: int | None = None, times: int = 1, ins: int | None = None
    ) -> None:
        if way not in WAYS:
            raise ValueError(f"no way {way!r}; there are {', '.join(WAYS)}")
        self.trouble.append(Trouble(way, kind, times, ins))

    def behave(self) -> None:
        self.trouble.clear()

    def plug_in(self) -> None:
        """The device appears, or appears again; its cards have no power."""
        self.unplug()
        self._master, slave = os.openpty()
        tty.setraw(slave)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self.path.symlink_to(os.ttyname(slave))
        self._stopping.clear()
        self._threads = [threading.Thread(target=self._serve, args=(slave,), daemon=True)]
        if self._notifies:
            self._threads.append(threading.Thread(target=self._notify, daemon=True))
        for each in self._threads:
            each.start()

    def unplug(self) -> None:
        """The device is gone; whoever has it open is told by the system."""
        self._stopping.set()
        for each in self._threads:
            each.join()
        for slot in self.slots:
            slot.power_off()

    # --- the line

    def _serve(self, slave: int) -> None:
        held = b""
        try:
            while not self._stopping.is_set():
                if not select.select([self._master], [], [], _TICK_S)[0]:
                    continue
                try:
                    held += os.read(self._master, 4096)
                except OSError:
                    return
                held = self._take(held)
        finally:
            with self._writing:
                os.close(self._master)
                self._master = -1
            os.close(slave)

    def _take(self, held: bytes) -> bytes:
        """Serves whole frames; what is left over."""
        while held:
            if held[0] != _SYNC:
                held = held[1:]
            elif held[:3] == bytes((_SYNC, _NAK, _SYNC ^ _NAK)):
                held = held[3:]
                self._write(self._spoilt(b"", self._last))
            elif len(held) < 7:
                break
            else:
                size = 2 + 10 + int.from_bytes(held[3:7], "little") + 1
                if held[1] != _ACK or size > 300:
                    held = held[1:]
                elif len(held) < size:
                    break
                else:
                    self._frame(held[:size])
                    held = held[size:]
        return held

    def _frame(self, framed: bytes) -> None:
        if self._echoes:
            self._write(framed)
        check = 0
        for byte in framed:
            check ^= byte
        message = framed[2:-1]
        if check or self._due(message, "nak"):
            self._write(bytes((_SYNC, _NAK, _SYNC ^ _NAK)))
            return
        self.messages.append(message)
        if self._due(message, "mute"):
            return
        if self._due(message, "busy"):
            answer = self._head(message, _DATA, 0x40, 0xE0)
        elif self._due(message, "pulled"):
            self.slots[message[5]].slot.remove()
            answer = self._head(message, _DATA, 0x40 | ACTIVE, _MUTE)
        else:
            answer = self._execute(message)
        before = self._last
        self._last = _framed(answer)
        if self._due(message, "vanish"):
            self._stopping.set()
        elif self._due(message, "nak_after"):
            self._write(bytes((_SYNC, _NAK, _SYNC ^ _NAK)))
        elif not self._due(message, "mute_after"):
            self._write(self._spoilt(message, self._last, before))

    def _spoilt(self, message: bytes, framed: bytes, before: bytes = b"") -> bytes:
        """The bytes that go out for an answer.  message: empty when it was asked for again."""
        answer = framed[2:-1]
        if message and self._due(message, "old_answer"):
            return before + framed
        if message and self._due(message, "foreign_slot"):
            return _framed(answer[:5] + bytes((answer[5] ^ 1,)) + answer[6:])
        if message and self._due(message, "garbage"):
            return self._dice.randbytes(60).replace(b"\x03", b"") + framed
        if message and self._due(message, "huge"):
            return bytes((_SYNC, _ACK, _DATA)) + b"\xff\xff\xff\x7f" + framed
        if message and self._due(message, "unknown_kind"):
            return _framed(b"\x99" + answer[1:])
        if message and self._due(message, "more_time"):
            return 3 * (_framed(self._head(message, _DATA, 0x80, 1)) + b"\x90") + framed
        if message and self._due(message, "more_time_for_ever"):
            self._go_on(_framed(self._head(message, _DATA, 0x80, 1)))
            return b""
        if message and self._due(message, "flood"):
            self._go_on(64 * bytes((_NOTIFY, 0x00)))
            return b""
        if self._due(message or b"\0", "bad_lrc"):
            return framed[:-1] + bytes((framed[-1] ^ 0x5A,))
        if self._due(message or b"\0", "cut"):
            return framed[: len(framed) // 2]
        return framed

    def _go_on(self, data: bytes) -> None:
        """Again and again, until the next command comes or two seconds are over."""
        ends = time.monotonic() + 2.0
        while time.monotonic() < ends and not self._stopping.is_set():
            if select.select([self._master], [], [], 0.01)[0]:
                return
            self._write(data)

    def _due(self, message: bytes, way: str) -> bool:
        for each in self.trouble:
            if each.way == way and (each.times > 0 if message == b"\0" else each.is_due(message)):
                each.times -= 1
                return True
        return False

    def _write(self, data: bytes) -> None:
        with self._writing, contextlib.suppress(OSError):
            while data and self._master >= 0:
                if not select.select([], [self._master], [], 1.0)[1]:
                    return  # nobody reads
                data = data[os.write(self._master, data) :]

    def _notify(self) -> None:
        """50 and two bits for each slot: present, changed."""
        seen = [each.slot.wait_beyond(-1, 0)[1] for each in self.slots]
        while not self._stopping.wait(0.01):
            states = 0
            for at, each in enumerate(self.slots):
                count, now = each.slot.wait_beyond(-1, 0)
                states |= (int(count > 0) | int(now != seen[at]) << 1) << 2 * at
                seen[at] = now
            if states & 0xAA:
                self._write(bytes((_NOTIFY, states)))

    # --- the reader

    def _execute(self, message: bytes) -> bytes:
        kind, number, data = message[0], message[5], message[10:]
        if number >= len(self.slots):
            return self._head(message, _SLOT_STATUS, 0x40 | ABSENT, _NO_SLOT)
        slot = self.slots[number]
        try:
            if kind == _STATUS:
                return self._head(message, _SLOT_STATUS, slot.state())
            if kind == _POWER_OFF:
                slot.power_off()
                return self._head(message, _SLOT_STATUS, slot.state())
            if kind == _POWER_ON:
                return self._head(message, _DATA, ACTIVE, data=slot.power_on(message[7]))
            if kind == _XFR:
                return self._head(message, _DATA, ACTIVE, data=slot.transfer(data))
            if kind == _SET_PARAMETERS and not slot.set_parameters(message[7], data):
                return self._head(message, _PARAMETERS, 0x40 | slot.state(), 10)
            if kind in (_SET_PARAMETERS, _GET_PARAMETERS):
                protocol, parameters = slot.parameters
                return self._head(message, _PARAMETERS, slot.state(), 0, protocol, parameters)
            if kind == _ESCAPE:
                return self._head(message, _ESCAPED, slot.state(), data=b"GemTwin-V2.00-SIM")
        except TransportError as fault:
            error = _HARDWARE if fault.kind == "reader" else _MUTE
            return self._head(message, _DATA, 0x40 | slot.state(), error)
        return self._head(message, _SLOT_STATUS, 0x40 | slot.state(), _UNKNOWN)

    def _head(
        self,
        message: bytes,
        kind: int,
        status: int,
        error: int = 0,
        last: int = 0,
        data: bytes = b"",
    ) -> bytes:
        length = len(data).to_bytes(4, "little")
        return bytes((kind, *length, message[5], message[6], status, error, last)) + data


def _framed(message: bytes) -> bytes:
    check = _SYNC ^ _ACK
    for byte in message:
        check ^= byte
    return bytes((_SYNC, _ACK)) + message + bytes((check,))
