"""`pn532:<device>`: contactless cards through an NXP PN532, on a serial line (HSU) or on I2C.

The chip speaks ISO 14443-4 itself: blocks, waiting time extensions and their repetition are its
own affair.  This driver polls, keeps one card active, carries APDUs and finds out who left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from firmware.drivers import ats, pn532
from firmware.drivers.pn532_link import Chip, Link, open_link
from firmware.outcome import ProtocolError, TransportError

# A card loses its memory within 5 ms without the field and may need 5 ms in it (ISO 14443-3 6.2.1)
FIELD_S = 0.006
RELIST_S = 1.0  # a card that lies there is listed anew so often: a second one may have joined it
POLL_S = 0.1
MAX_ANSWER = 65_538  # an extended answer; a card that sends more is broken

# AFI 0: every card of type B (UM0701-02 7.3.5)
_POLL_DATA = {pn532.TYPE_A: b"", pn532.TYPE_B: b"\x00"}
_MOST_CARDS = 2
_RANDOM_UID = 0x08  # first byte (ISO 14443-3 6.5.4)
# What the chip is set to before its first use (UM0701-02 7.2.10, 7.2.9, 7.3.1)
_SETTINGS = (
    (pn532.SAM_CONFIGURATION, bytes((0x01, 0x00, 0x00))),  # no SAM chip behind it, no IRQ
    (pn532.SET_PARAMETERS, b"\x14"),  # RATS and ATR_RES by itself; no NAD, no DID
    (pn532.RF_CONFIGURATION, bytes.fromhex("02000B0A")),  # time-outs: 102 ms, 51 ms
    (pn532.RF_CONFIGURATION, bytes.fromhex("05FF0101")),  # one more try to activate a card
)
_FIELD_OFF, _FIELD_ON = b"\x01\x00", b"\x01\x01"


def open_pn532(device: str) -> Pn532Reader:
    """device: "/dev/ttyAMA0", "/dev/i2c-1".  It is opened at its first use."""
    return Pn532Reader(device, lambda: open_link(device))


class Pn532Reader:
    """Implements channel.Reader; used by one thread."""

    def __init__(self, name: str, connect: Callable[[], Link]):
        self.name = name
        self._connect = connect
        self._chip: Chip | None = None
        self._listed: list[pn532.Target] = []
        self._listed_at = 0.0
        self._is_empty = False  # the last poll found nobody, so nobody needs a reset
        self._active: pn532.Target | None = None

    # -- what is in the field ------------------------------------------------------------------

    def cards_in_reach(self) -> int:
        """Cards of type A and B, with -4 or without.

        A card that was exchanged for another one between two looks is told as none, once.
        """
        if self._listed and self._is_still_there():
            return len(self._listed)
        before = self._listed
        self._list()
        if len(before) == len(self._listed) == 1 and _differ(before[0], self._listed[0]):
            self._listed = []
        return len(self._listed)

    def wait_change(self, timeout_s: float) -> None:
        """Looks each POLL_S until the count is another, or the time is over."""
        ends = time.monotonic() + timeout_s
        before = len(self._listed)
        while (left_s := ends - time.monotonic()) > 0:
            time.sleep(min(POLL_S, left_s))
            if self.cards_in_reach() != before:
                return

    def _is_still_there(self) -> bool:
        """Asked of one active card without disturbing it, until it is time to list anew."""
        is_due = self._active is None and time.monotonic() >= self._listed_at + RELIST_S
        one = self._listed[0]
        if is_due or len(self._listed) != 1 or one.ats is None:
            return False
        return self._call(pn532.DIAGNOSE, pn532.PRESENCE_TEST)[:1] == b"\x00"

    def _list(self) -> None:
        """Who answers, after a cold reset of everything that was listed before.

        Type B is asked first: a chip that holds a card of type A would forget it.
        """
        self._active = None
        is_empty, self._is_empty = self._is_empty, False
        if not is_empty:
            self._reset_field()
        of_b, of_a = self._poll(pn532.TYPE_B), self._poll(pn532.TYPE_A)
        if of_b and not of_a:
            self._reset_field()
            of_b = self._poll(pn532.TYPE_B)
        self._listed, self._listed_at = of_b + of_a, time.monotonic()
        self._is_empty = not self._listed

    def _reset_field(self) -> None:
        self._call(pn532.RF_CONFIGURATION, _FIELD_OFF)
        time.sleep(FIELD_S)
        self._call(pn532.RF_CONFIGURATION, _FIELD_ON)
        time.sleep(FIELD_S)

    def _poll(self, kind: int) -> list[pn532.Target]:
        data = bytes((_MOST_CARDS, kind)) + _POLL_DATA[kind]
        answer = self._call(pn532.IN_LIST_PASSIVE_TARGET, data)
        try:
            return pn532.targets(kind, answer)
        except ValueError as error:
            raise self._broken(f"the PN532 at {self.name}: {error}") from None

    # -- one card ------------------------------------------------------------------------------

    def power_on(self) -> bytes:
        """The ATS; of type B the ATR that PC/SC makes for it.

        Raises ProtocolError for a card without ISO 14443-4.
        """
        self._list()
        if not self._listed:
            raise TransportError(f"no card in the field of {self.name}", "removed")
        if len(self._listed) > 1:
            raise TransportError(f"{len(self._listed)} cards in the field of {self.name}", "reader")
        (target,) = self._listed
        if not target.speaks_14443_4:
            raise ProtocolError(f"the card in the field of {self.name} has no ISO 14443-4")
        if target.ats is None:
            answer = ats.pcsc_atr_of_b(target.atqb, target.attrib)
        else:
            answer = target.ats
            time.sleep(ats.parse(answer).guard_s)
        self._active = target
        return answer

    def power_off(self) -> None:
        """The card is deselected and stays in the field, which is switched off at the next look."""
        active, self._active = self._active, None
        if active is None or self._chip is None:
            return
        with contextlib.suppress(TransportError):  # the chip is opened anew at its next use
            self._call(pn532.IN_RELEASE, b"\x00")

    @property
    def is_block_protocol(self) -> bool:
        return True

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        """A command longer than one frame is chained, and so is its answer (UM0701-02 7.3.8)."""
        if self._active is None:
            raise TransportError(f"the card at {self.name} has no power", "removed")
        ends = time.monotonic() + deadline_s
        rest = command
        while len(rest) > pn532.MAX_DATA:
            self._exchange(rest[: pn532.MAX_DATA], pn532.MORE, ends)
            rest = rest[pn532.MAX_DATA :]
        status, answer = self._exchange(rest, 0, ends)
        whole = answer
        while pn532.has_more(status):
            status, answer = self._exchange(b"", 0, ends)
            whole += answer
            if len(whole) > MAX_ANSWER:
                self._active = None
                raise ProtocolError("an answer longer than any card's")
        return whole

    def close(self) -> None:
        if self._chip is not None:
            self._chip.close()
        self._chip, self._active, self._listed, self._is_empty = None, None, [], False

    def _exchange(self, data: bytes, more: int, ends: float) -> tuple[int, bytes]:
        """One InDataExchange: (status, data); its error is told as what became of the card."""
        assert self._active is not None
        left_s = ends - time.monotonic()
        if left_s <= 0:
            self.close()
            raise TransportError(f"{self.name}: the command's time is over", "silent")
        sent = bytes((self._active.number | more,)) + data
        answer = self._call(pn532.IN_DATA_EXCHANGE, sent, left_s, once=True)
        if not answer:
            raise self._broken(f"the PN532 at {self.name} gave no status")
        error = pn532.error_of(answer[0])
        if error is None:
            return answer[0], answer[1:]
        kind, words = error
        self._active = None
        what = f"{self.name}: {words} ({answer[0] & 0x3F:02X})"
        if kind == "reader":
            raise self._broken(what)
        if kind == "silent" and self._has_left():
            kind = "removed"
        raise TransportError(what, kind)

    def _has_left(self) -> bool:
        """Whether the field is empty now; the conversation is over either way."""
        try:
            self._list()
        except TransportError:
            return False
        return not self._listed

    # -- the chip ------------------------------------------------------------------------------

    def _call(
        self, code: int, data: bytes, deadline_s: float | None = None, *, once: bool = False
    ) -> bytes:
        """After a fault the chip is opened anew at its next use."""
        try:
            chip = self._chip or self._open()
            if deadline_s is None:
                return chip.call(code, data)
            return chip.call(code, data, deadline_s, once=once)
        except TransportError:
            self.close()
            raise

    def _open(self) -> Chip:
        chip = self._chip = Chip(self._connect())
        chip.wake()
        # The first command may be eaten by the wake-up; it is harmless and repeated.
        chip.call(*_SETTINGS[0])
        version = chip.call(pn532.GET_FIRMWARE_VERSION)
        if len(version) != 4 or version[0] != pn532.IC_PN532:
            raise TransportError(f"what answers at {self.name} is no PN532: check the device")
        for code, data in _SETTINGS[1:]:
            chip.call(code, data)
        return chip

    def _broken(self, what: str) -> TransportError:
        self.close()
        return TransportError(what, "reader")


def _differ(before: pn532.Target, now: pn532.Target) -> bool:
    """Certainly another card.  A UID of 4 bytes from 08 on is random, and so is a PUPI."""
    is_fixed = now.kind == pn532.TYPE_A and (
        len(now.identifier) != 4 or now.identifier[0] != _RANDOM_UID
    )
    return before.kind != now.kind or (is_fixed and before.identifier != now.identifier)
