"""`iso7816:DEVICE[?OPTION=VALUE&...]`: a contact slot on a bare UART, without a reader's firmware.

    clock=3571200      Hz at the card's CLK; 372 clocks are one bit at the start
    fastest=115200     the highest rate that PPS may ask for
    echo=on            "off": the slot's hardware takes away what is sent
    modem=phoenix      where no pins are, RTS and DTR of the UART are RST and supply; "smartmouse":
                       RTS the other way round
    detect=dcd         ... and DCD is the card switch

A Linux UART cannot give or see the error signal of T=0 (ISO/IEC 7816-3:2006 7.3): a character with
wrong parity ends the exchange and resets the card once.  No command is ever sent a second time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import parse_qsl

from firmware.drivers import rates
from firmware.drivers.atr import Atr
from firmware.drivers.characters import Characters, DamagedCharacter
from firmware.drivers.contact import Contact, Silence
from firmware.drivers.lines import Lines, ModemLines
from firmware.drivers.uart import Uart, open_uart
from firmware.outcome import ProtocolError, TransportError

OFF_S = 0.03  # without supply before a cold reset
RESET_S = 0.01  # RST low: 400 clocks at least (6.2.2), 40,000 are enough for any card
_POLL_S = 0.05  # how often a line is looked at for a card
_UNKNOWN_POLL_S = 0.5  # ... and where nothing tells of it, the card is asked


@dataclass(frozen=True)
class Wiring:
    """What stands behind the device in its address."""

    device: str
    clock_hz: int = 3_571_200
    fastest: int = 115_200
    has_echo: bool = True
    is_inverted: bool = False
    has_switch: bool = False


def open_iso7816(rest: str, lines: Lines | None = None) -> Iso7816Reader:
    """lines: of the slot; None: the UART's own modem lines.  Raises ValueError for the options."""
    return Iso7816Reader(_wiring(rest), lines)


def _wiring(rest: str) -> Wiring:
    device, _, options = rest.partition("?")
    found = Wiring(device)
    for name, value in parse_qsl(options, keep_blank_values=True):
        if name in ("clock", "fastest") and value.isascii() and value.isdigit():
            field = {"clock": "clock_hz"}.get(name, name)
            found = _with(found, **{field: int(value)})
        elif name == "echo" and value in ("on", "off"):
            found = _with(found, has_echo=value == "on")
        elif name == "modem" and value in ("phoenix", "smartmouse"):
            found = _with(found, is_inverted=value == "smartmouse")
        elif (name, value) == ("detect", "dcd"):
            found = _with(found, has_switch=True)
        else:
            raise ValueError(
                f"iso7816: {name}={value} is no option; known are clock=HZ, fastest=BAUD, "
                "echo=on or off, modem=phoenix or smartmouse, detect=dcd. Correct the address"
            )
    if not device or not 1_000_000 <= found.clock_hz <= 5_000_000:
        raise ValueError(
            f"iso7816:{rest} needs a device and a clock of 1000000 to 5000000 Hz (class A)"
        )
    return found


def _with(wiring: Wiring, **changed: int) -> Wiring:
    return Wiring(**{**wiring.__dict__, **changed})


class Iso7816Reader:
    """Implements channel.Reader; used by one thread at a time."""

    def __init__(self, wiring: Wiring, lines: Lines | None = None):
        self.name = wiring.device
        self._wiring = wiring
        self._given_lines = lines
        self._lines: Lines | None = lines
        self._uart: Uart | None = None
        self._characters: Characters | None = None
        self._contact: Contact | None = None  # None: the card has no power
        self._protocol = 0
        self._seen: bool | None = None

    # -- presence --------------------------------------------------------------------------------

    def cards_in_reach(self) -> int:
        self._open()
        self._seen = self._has_card()
        if self._seen is not None:
            return int(self._seen)
        return int(self._contact is not None or self._answers())

    def wait_change(self, timeout_s: float) -> None:
        """Where nothing tells of a card, it returns early: cards_in_reach() finds out."""
        self._open()
        ends_s = time.monotonic() + timeout_s
        before = self._seen if self._seen is not None else self._has_card()
        if before is None:
            time.sleep(min(timeout_s, _UNKNOWN_POLL_S))
            return
        while self._has_card() == before:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, _POLL_S))

    def _has_card(self) -> bool | None:
        assert self._lines is not None
        return self._lines.has_card()

    def _answers(self) -> bool:
        """By a reset, for want of a switch."""
        try:
            self.power_on()
        except TransportError as error:
            if error.kind == "reader":
                raise
            return False
        self.power_off()
        return True

    def _watch(self) -> None:
        if self._has_card() is False:
            raise TransportError(f"the card left {self.name}", "removed")

    # -- power -----------------------------------------------------------------------------------

    def power_on(self) -> bytes:
        """Cold reset, one warm reset if its answer is no good, then none (SPEC-P8); PPS."""
        self._open()
        self.power_off()
        self._watch()
        contact = self._new_contact()
        try:
            atr = self._answer(contact)
            contact = self._started(contact, atr)
        except TransportError as error:
            self._fail(error)
            raise
        except _BROKEN as error:
            self.power_off()
            self._watch()
            raise TransportError(
                f"the card in {self.name} cannot be used: {error}", "silent"
            ) from None
        self._contact, self._protocol = contact, contact.protocol
        return atr.raw

    def _answer(self, contact: Contact) -> Atr:
        self._reset(is_cold=True)
        try:
            return contact.answer_to_reset()
        except _BROKEN:
            self._reset(is_cold=False)
            return contact.answer_to_reset()

    def _started(self, contact: Contact, atr: Atr) -> Contact:
        try:
            contact.start(atr, with_pps=True)
        except _BROKEN:
            # A card may refuse PPS by silence; after a reset it speaks as it began (9.3).
            contact = self._new_contact()
            self._reset(is_cold=False)
            contact.start(contact.answer_to_reset(), with_pps=False)
        return contact

    def _reset(self, *, is_cold: bool) -> None:
        """6.2.2 and 6.2.3: RST low, supply if it is off, clock (always there), RST high."""
        assert self._lines is not None
        assert self._characters is not None
        self._lines.reset(True)
        if is_cold:
            time.sleep(OFF_S)
            self._lines.power(True)
        self._characters.start(self._initial_baud)
        time.sleep(RESET_S)
        self._characters.discard()
        self._lines.reset(False)

    def power_off(self) -> None:
        """6.4: RST low, then the supply."""
        self._contact = None
        if self._lines is None:
            return
        try:
            self._lines.reset(True)
            self._lines.power(False)
        except TransportError:
            self._close_line()

    # -- exchanges -------------------------------------------------------------------------------

    @property
    def is_block_protocol(self) -> bool:
        return self._protocol == 1

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        if self._contact is None:
            has_left = self._lines is not None and self._has_card() is False
            raise TransportError(
                f"the card in {self.name} has no power", "removed" if has_left else "silent"
            )
        contact = self._contact
        try:
            return contact.exchange(command, deadline_s)
        except TransportError as error:
            self._fail(error)
            raise
        except DamagedCharacter as error:
            self._reset_once()
            self._watch()
            raise TransportError(f"{self.name}: {error}; the card was reset", "silent") from None
        except (ProtocolError, Silence) as error:
            if not contact.is_usable:
                self.power_off()
            self._watch()
            raise TransportError(f"{self.name}: {error}", "silent") from None

    def _reset_once(self) -> None:
        """What the card has half taken is gone with its memory; nothing is sent again."""
        self._contact = None
        contact = self._new_contact()
        try:
            self._reset(is_cold=False)
            self._contact = self._started(contact, contact.answer_to_reset())
        except (*_BROKEN, TransportError):
            self.power_off()

    def close(self) -> None:
        self.power_off()
        self._close_line()

    # -- the line --------------------------------------------------------------------------------

    @property
    def _initial_baud(self) -> int:
        return round(rates.baud(rates.DEFAULT, self._wiring.clock_hz))

    def _new_contact(self) -> Contact:
        assert self._characters is not None
        clock_hz = self._wiring.clock_hz
        steps = {round(clock_hz * d / 372) for d in rates.DI.values()}
        bauds = tuple(sorted(each for each in steps if each <= self._wiring.fastest))
        return Contact(self._characters, clock_hz, bauds, self._watch)

    def _open(self) -> None:
        """Now, if it is not open: a device that was not there may have come.  The slot is off at
        first, though a UART that is opened raises its modem lines.
        """
        if self._uart is not None:
            return
        wiring = self._wiring
        uart = open_uart(wiring.device, self._initial_baud, "E", 2)
        self._characters = Characters(uart, has_echo=wiring.has_echo)
        self._lines = self._given_lines or ModemLines(
            uart, is_inverted=wiring.is_inverted, has_switch=wiring.has_switch
        )
        self._uart = uart
        try:
            self._lines.reset(True)
            self._lines.power(False)
        except TransportError:
            self._close_line()
            raise

    def _fail(self, error: TransportError) -> None:
        self.power_off()
        if error.kind == "reader":
            self._close_line()

    def _close_line(self) -> None:
        uart, self._uart = self._uart, None
        self._characters = self._contact = None
        self._lines = self._given_lines
        if uart is not None:
            uart.close()


# What a card, not the line, does wrong.
_BROKEN = (ProtocolError, DamagedCharacter, Silence)
