"""An open serial line to a CCID reader, shared by all its slots: a command out, its answer in.

One command at a time is under way (SEC1210 and GemCore: bMaxCCIDBusySlots is 1).  An answer counts
by its slot and sequence number, so one that comes too late is dropped.  A message that was damaged
on the line is asked for again; that repeats the message, never what the card did.
"""

from __future__ import annotations

import threading
import time
from weakref import WeakValueDictionary

from firmware.drivers import ccid
from firmware.drivers.ccid_line import (
    ASK_AGAIN,
    AskedAgain,
    Damaged,
    Event,
    Message,
    SlotChange,
    Unframer,
    frame,
)
from firmware.drivers.uart import Uart, open_uart
from firmware.outcome import TransportError

BAUD = 115200
# Inside a message the reader leaves no gap; a loaded terminal may.
QUIET_S = 0.25
# So often one message may be damaged before the line counts as broken.
MAX_REPEATS = 3
_READ = 512
_MAX_SLOTS = 4  # one byte of a slot change

_wires: WeakValueDictionary[str, CcidWire] = WeakValueDictionary()
_wires_lock = threading.Lock()


def shared_wire(device: str) -> CcidWire:
    """The line to that device, the same for every slot on it; opened at its first command."""
    with _wires_lock:
        wire = _wires.get(device)
        if wire is None:
            wire = _wires[device] = CcidWire(device)
        return wire


class CcidWire:
    """Every method may be called from any thread.  openings: how often the line was opened; what a
    reader powered before has no power after."""

    def __init__(self, device: str):
        self.device = device
        self.openings = 0
        self._lock = threading.Lock()
        self._uart: Uart | None = None
        self._unframer = Unframer()
        self._events: list[Event] = []
        self._seq = 0
        self._users = 0
        self._changes = [0] * _MAX_SLOTS

    def changes(self, slot: int) -> int:
        """How often the reader said that the card of that slot came or went."""
        return self._changes[slot]

    def ask(
        self,
        kind: int,
        slot: int,
        deadline_s: float,
        detail: bytes = bytes(3),
        data: bytes = b"",
        may_repeat: bool = True,
    ) -> ccid.Answer:
        """The reader's answer, PROCESSED or FAILED.

        may_repeat: False for what must reach the card once at most; a reader that asks for it again
        is then not obeyed.  Raises TransportError: "silent" for a card command without an answer,
        "reader" for anything else.
        """
        end = time.monotonic() + deadline_s
        self._take(deadline_s)
        try:
            return self._ask(kind, slot, end, detail, data, may_repeat)
        except TransportError as fault:
            if fault.kind == "reader":
                self._drop()
            raise
        finally:
            self._lock.release()

    def listen(self, timeout_s: float) -> None:
        """Take what the reader says of its own accord; returns at a slot change or in time."""
        end = time.monotonic() + timeout_s
        self._take(timeout_s)
        try:
            while (event := self._next(end)) is not None:
                if isinstance(event, SlotChange):
                    return
        except TransportError:
            self._drop()
            raise
        finally:
            self._lock.release()

    def join(self) -> None:
        """One more slot uses the line."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """One slot less; the last one closes the line.  A later command opens it again."""
        with self._lock:
            self._users -= 1
            if self._users <= 0:
                self._drop()

    # --- the lock is held from here on

    def _ask(
        self, kind: int, slot: int, end: float, detail: bytes, data: bytes, may_repeat: bool
    ) -> ccid.Answer:
        self._forget_old()
        self._seq = (self._seq + 1) & 0xFF
        framed = frame(ccid.Command(kind, slot, self._seq, detail, data).to_bytes())
        uart = self._opened()
        uart.write(framed)
        repeats = 0
        while True:
            event = self._next(end)
            if event is None:
                raise self._no_answer(kind)
            if isinstance(event, Message):
                answer = self._answer_of(event.message, kind, slot)
                if answer is not None:
                    return answer
            elif isinstance(event, AskedAgain | Damaged):
                repeats += 1
                if repeats > MAX_REPEATS:
                    raise TransportError(
                        f"{self.device}: {repeats} damaged messages in a row; check the cable"
                    )
                if isinstance(event, Damaged):
                    uart.write(ASK_AGAIN)
                elif may_repeat:
                    uart.write(framed)
                else:
                    raise TransportError(f"{self.device} did not understand a command", "silent")

    def _answer_of(self, message: bytes, kind: int, slot: int) -> ccid.Answer | None:
        """None: an echo, an answer to something older, a time extension."""
        try:
            answer = ccid.parse_answer(message)
        except ValueError:
            return None
        if (answer.slot, answer.seq) != (slot, self._seq) or answer.outcome == ccid.MORE_TIME:
            return None
        if answer.kind == ccid.ANSWER_TO[kind] or answer.outcome == ccid.FAILED:
            return answer
        return None

    def _next(self, end: float) -> Event | None:
        """The next event; None when the time is over.  Slot changes are counted on the way."""
        while not self._events:
            left = end - time.monotonic()
            if left <= 0:
                return None
            wait = min(left, QUIET_S) if self._unframer.is_inside else left
            data = self._opened().read(_READ, wait)
            self._events = self._unframer.feed(data) if data else self._unframer.give_up()
        event = self._events.pop(0)
        if isinstance(event, SlotChange):
            for slot in range(_MAX_SLOTS):
                self._changes[slot] += event.changed(slot)
        return event

    def _forget_old(self) -> None:
        """What came since the last command: slot changes count, an old answer does not."""
        data = self._opened().read(_READ, 0)
        self._events += self._unframer.feed(data) if data else self._unframer.give_up()
        while self._events:
            self._next(0)

    def _opened(self) -> Uart:
        if self._uart is None:
            self._uart = open_uart(self.device, BAUD, stop_bits=2)
            self._unframer, self._events = Unframer(), []
            self.openings += 1
        return self._uart

    def _drop(self) -> None:
        uart, self._uart = self._uart, None
        if uart is not None:
            uart.close()

    def _no_answer(self, kind: int) -> TransportError:
        if kind == ccid.XFR_BLOCK:
            return TransportError(f"no answer through {self.device} in time", "silent")
        return TransportError(f"the reader on {self.device} does not answer: check its cable")

    def _take(self, timeout_s: float) -> None:
        if not self._lock.acquire(timeout=max(timeout_s, 0)):
            raise TransportError(f"{self.device} is busy with another slot", "silent")
