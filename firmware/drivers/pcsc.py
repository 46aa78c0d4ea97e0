"""`pcsc:<reader name or pattern>`: one slot of pcscd, over the shim.

A card that says nothing blocks SCardTransmit for ever, and with it every other call of the same
context.  So each context lives in a thread of its own (worker.py).  After a deadline the context is
abandoned, to be closed by its thread if it ever comes back, and the next call makes a new one; so
it does after pcscd was restarted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from firmware.drivers.smartcard import scard
from firmware.outcome import TransportError
from firmware.worker import Worker

# pcscd gives a card 10 s to answer a reset (libccid); the reader's other calls take ms.
POWER_ON_S = 12.0
CALL_S = 3.0
# pcscd looks for cards each 0.4 s: so long a fault may be a removal that it has not seen yet.
SETTLE_S = 0.6
# The watch of a reader asks again so often, also where nothing changed.
WATCH_S = 20.0
_REOPEN_S = 1.0

_REMOVED = (scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD)
_MUTE = (scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_W_UNPOWERED_CARD)
_GONE = scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE
_T0_OR_T1 = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1


def open_pcsc(pattern: str) -> PcscReader:
    """The one reader of that name or fnmatch pattern; raises TransportError with the names seen."""
    reader = PcscReader(pattern)
    reader.cards_in_reach()
    return reader


class PcscReader:
    """Implements channel.Reader; used by one thread at a time."""

    def __init__(self, pattern: str):
        self.name = pattern
        self._pattern = pattern
        self._slot: _Slot | None = None
        self._worker: Worker | None = None
        self._lost: Worker | None = None  # still inside a call to a silent card
        self._seen_state: int | None = None
        self._is_block = False
        self._closed = threading.Event()

    def when_changed(self, tell: Callable[[], None]) -> None:
        """Implements channel.Telling, by a context and a thread of its own."""
        name = f"watch:{self._pattern}"
        threading.Thread(target=self._watch, args=(tell,), name=name, daemon=True).start()

    def cards_in_reach(self) -> int:
        state = self._seen_state = self._call(_Slot.state, CALL_S)
        return int(bool(state & scard.SCARD_STATE_PRESENT))

    def wait_change(self, timeout_s: float) -> None:
        """A change since the last cards_in_reach() counts; one of power or use does not."""
        before = self._seen_state
        if before is None:
            before = self._call(_Slot.state, CALL_S)
        self._seen_state = self._call(
            lambda slot: slot.wait_change(before, timeout_s), timeout_s + CALL_S
        )

    def power_on(self) -> bytes:
        if self._lost is not None and not self._lost.has_ended(CALL_S):
            raise TransportError(
                f"the card in {self.name} still keeps its reader busy: take it out", "silent"
            )
        self._lost = None
        atr, protocol = self._call(_Slot.power_on, POWER_ON_S)
        self._is_block = protocol == scard.SCARD_PROTOCOL_T1 or _is_contactless(atr)
        return bytes(atr)

    def power_off(self) -> None:
        if self._slot is None:
            return
        try:
            self._call(_Slot.power_off, CALL_S)
        except TransportError:
            self._abandon()

    @property
    def is_block_protocol(self) -> bool:
        return self._is_block

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        answer: bytes = self._call(lambda slot: slot.transmit(command), deadline_s)
        return answer

    def close(self) -> None:
        self._closed.set()
        worker, self._slot, self._worker = self._worker, None, None
        if worker is not None:
            worker.end(CALL_S)

    def _watch(self, tell: Callable[[], None]) -> None:
        while not self._closed.is_set():
            slot = _Slot(self._pattern)
            try:
                slot.open()
                state = slot.state()
                tell()
                while not self._closed.is_set():
                    before, state = state, slot.wait_change(state, WATCH_S)
                    if _card_of(state) != _card_of(before):
                        tell()
            except TransportError:
                tell()  # whoever looks now learns why
            slot.close()
            self._closed.wait(_REOPEN_S)

    def _call(self, function: Callable[[_Slot], Any], deadline_s: float) -> Any:
        """Run function(slot) in the slot's thread, a new one if there is none."""
        if self._slot is None or self._worker is None:
            slot = self._slot = _Slot(self._pattern)
            self._worker = Worker(f"pcsc:{self._pattern}", slot.close)
            self._run(slot.open, CALL_S)
            self.name = slot.name
        slot = self._slot
        return self._run(lambda: function(slot), deadline_s)

    def _run(self, function: Callable[[], Any], deadline_s: float) -> Any:
        assert self._worker is not None
        try:
            return self._worker.call(function, deadline_s)
        except TimeoutError:
            self._lost = self._worker
            self._slot = self._worker = None
            raise TransportError(
                f"no answer in {self.name} within {deadline_s} s: take the card out and try again",
                "silent",
            ) from None
        except TransportError as error:
            if error.kind == "reader":
                self._abandon()
            raise

    def _abandon(self) -> None:
        if self._worker is not None:
            self._worker.end(CALL_S)
        self._slot = self._worker = None


class _Slot:
    """One context of pcscd, one reader in it, at most one card.  Every method may block."""

    def __init__(self, pattern: str):
        self._pattern = pattern
        self.name = pattern
        self._context: int | None = None
        self._card: int | None = None
        self._protocol = 0

    def open(self) -> None:
        try:
            code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        except OSError as error:
            raise TransportError(f"{error}: install libpcsclite1 and pcscd") from None
        if code == scard.SCARD_E_NO_SERVICE:
            raise TransportError("pcscd does not run: start it (systemctl start pcscd)")
        self._check(code, "open")
        self._context = context
        code, names = scard.SCardListReaders(context, [])
        if code != scard.SCARD_E_NO_READERS_AVAILABLE:
            self._check(code, "list readers")
        self.name = _the_one(self._pattern, names)

    def close(self) -> None:
        if self._card is not None:
            scard.SCardDisconnect(self._card, scard.SCARD_UNPOWER_CARD)
        if self._context is not None:
            scard.SCardReleaseContext(self._context)
        self._card = self._context = None

    def state(self) -> int:
        return self._status_change(scard.SCARD_STATE_UNAWARE, 0)

    def wait_change(self, before: int, timeout_s: float) -> int:
        """The state once its card is another than in `before`, or none, or the time is over."""
        end = time.monotonic() + timeout_s
        now = before
        while True:
            left_ms = int((end - time.monotonic()) * 1000)
            if left_ms <= 0:
                return now
            now = self._status_change(now, left_ms)
            if _card_of(now) != _card_of(before):
                return now

    def power_on(self) -> tuple[list[int], int]:
        """(ATR, protocol) after a cold reset."""
        self.power_off()
        code, self._card, _ = scard.SCardConnect(
            self._context, self.name, scard.SCARD_SHARE_EXCLUSIVE, _T0_OR_T1
        )
        if code != scard.SCARD_S_SUCCESS:
            self._card = None
        if code == scard.SCARD_E_SHARING_VIOLATION:
            raise TransportError(
                f"another program uses {self.name}: stop it, or board.toml is wrong"
            )
        self._check(code, "power on")
        # pcscd may have powered the card long ago, for another program: only this is a cold reset.
        protocols = scard.SCARD_PROTOCOL_T1 if _is_contactless(self._atr()) else _T0_OR_T1
        code, self._protocol = scard.SCardReconnect(
            self._card, scard.SCARD_SHARE_EXCLUSIVE, protocols, scard.SCARD_UNPOWER_CARD
        )
        self._check(code, "reset")
        return self._atr(), self._protocol

    def power_off(self) -> None:
        if self._card is not None:
            card, self._card = self._card, None
            scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)

    def transmit(self, command: bytes) -> bytes:
        if self._card is None:
            raise TransportError(f"the card in {self.name} has no power", "removed")
        code, answer = scard.SCardTransmit(self._card, self._protocol, command)
        if code == scard.SCARD_E_NOT_TRANSACTED:
            code = scard.SCARD_W_REMOVED_CARD if self._is_leaving() else _MUTE[0]
        elif code == scard.SCARD_S_SUCCESS and len(answer) < 2 and self._is_leaving():
            code = scard.SCARD_W_REMOVED_CARD  # some drivers call the cut-off answer a success
        self._check(code, "transmit")
        return bytes(answer)

    def _is_leaving(self) -> bool:
        """A card pulled a moment ago looks like one that failed: let pcscd look again."""
        now = self.state()
        if now & scard.SCARD_STATE_PRESENT:
            now = self.wait_change(now, SETTLE_S)
        return not now & scard.SCARD_STATE_PRESENT

    def _atr(self) -> list[int]:
        code, _, _, _, atr = scard.SCardStatus(self._card)
        self._check(code, "read the ATR")
        if len(atr) < 2:
            raise TransportError(f"the card in {self.name} gave no ATR", "silent")
        found: list[int] = atr
        return found

    def _status_change(self, known: int, timeout_ms: int) -> int:
        code, states = scard.SCardGetStatusChange(self._context, timeout_ms, [(self.name, known)])
        if code == scard.SCARD_E_TIMEOUT:
            return known
        self._check(code, "watch")
        state: int = states[0][1]
        if state & _GONE:
            raise TransportError(f"the reader {self.name} is gone: plug it in again")
        return state

    def _check(self, code: int, doing: str) -> None:
        if code == scard.SCARD_S_SUCCESS:
            return
        kind = "removed" if code in _REMOVED else "silent" if code in _MUTE else "reader"
        text = scard.SCardGetErrorMessage(code)
        raise TransportError(f"{self.name}: cannot {doing}: {text} (0x{code:08X})", kind)


def _is_contactless(atr: list[int]) -> bool:
    """3B 8n 80 01: the ATR that a reader makes up for T=CL (PC/SC 3, 3.1.3.2.3)."""
    return atr[0] == 0x3B and atr[1] & 0xF0 == 0x80 and atr[2:4] == [0x80, 0x01]


def _card_of(state: int) -> tuple[bool, int]:
    """Present or not, and pcscd's count of insertions and removals (high half of the state)."""
    return bool(state & scard.SCARD_STATE_PRESENT), state >> 16


def _the_one(pattern: str, names: list[str]) -> str:
    found = [name for name in names if name == pattern] or [
        name for name in names if fnmatchcase(name, pattern)
    ]
    if len(found) == 1:
        return found[0]
    seen = ", ".join(repr(name) for name in names) or "none"
    count = "no reader" if not found else f"{len(found)} readers"
    raise TransportError(
        f"{count} of pcscd match {pattern!r}; readers seen: {seen}. "
        "Plug the reader in, or correct the address in board.toml"
    )
