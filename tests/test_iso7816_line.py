"""Issue 6.2: a bare UART as a line: damaged characters, cards that come and go, a device too."""

import os
import pty
import termios
import time

import pytest

from firmware.drivers import contact
from firmware.drivers.characters import Marks
from firmware.drivers.iso7816 import open_iso7816
from firmware.drivers.lines import ModemLines
from firmware.drivers.uart import Uart, open_uart
from firmware.outcome import TransportError
from simulator.contact import ContactCard
from simulator.contact_atr import Nature
from tests.contact_rig import QUICK_T1, READ, SELECT, SILENCE_S, EchoChip, wired
from tests.waiting import SOON_S

# -- damaged characters: a pty has no parity, so its marks are put in here ------------------------


def spoil(monkeypatch, *, after):
    """The reading after so many shows a damaged character, once; readings left until then."""
    left = [after]
    real = Marks.taken_off

    def taken_off(self, raw):
        found, is_damaged = real(self, raw)
        left[0] -= 1
        return found, is_damaged or left[0] == -1

    monkeypatch.setattr(Marks, "taken_off", taken_off)
    return left


def test_marks_of_damaged_characters_are_taken_off_however_they_are_cut():
    """termios(3), PARMRK: FF 00 X is a bad X, FF FF is FF."""
    raw = bytes.fromhex("01FFFF02FF0003FF00FFFFFF00")
    assert Marks().taken_off(raw) == (bytes.fromhex("01FF0203FFFF00"), True)
    for cut in range(1, len(raw)):
        marks = Marks()
        first, second = marks.taken_off(raw[:cut]), marks.taken_off(raw[cut:])
        assert first[0] + second[0] == bytes.fromhex("01FF0203FFFF00")
        assert first[1] or second[1]
    assert Marks().taken_off(b"\xff\xff\xff\xff") == (b"\xff\xff", False)


@pytest.mark.parametrize("after", range(1, 4))
def test_t0_a_damaged_character_resets_the_card_once_and_sends_nothing_again(monkeypatch, after):
    chip = EchoChip()
    with wired(chip, Nature(ta1=0x18)) as (card, reader):
        reader.power_on()
        card.faults.character_s = 0.01  # so that each is read alone
        spoil(monkeypatch, after=after)
        with pytest.raises(TransportError, match="parity") as caught:
            reader.exchange(READ, SOON_S)
        assert caught.value.kind == "silent"
        card.faults.character_s = 0.0
        assert (card.resets, card.line.is_on) == (2, True)
        assert chip.executed in ([], [READ])
        assert reader.exchange(SELECT, SOON_S) == b"\x90\x00"
        assert chip.executed[-1] == SELECT
        assert chip.executed.count(READ) <= 1


def test_t1_a_damaged_character_is_a_damaged_block(monkeypatch):
    chip = EchoChip()
    with wired(chip, QUICK_T1, latency_s=SILENCE_S) as (card, reader):
        reader.power_on()
        card.faults.character_s = 0.002  # so that echo and answer are read apart
        left = spoil(monkeypatch, after=3)
        assert reader.exchange(READ, SOON_S) == bytes(range(16)) + b"\x90\x00"
        assert left[0] < 0
        assert (chip.executed, card.resets) == ([READ], 1)


def test_a_damaged_answer_to_reset_gets_a_warm_reset(monkeypatch):
    with wired(EchoChip()) as (card, reader):
        card.faults.character_s = 0.002
        spoil(monkeypatch, after=4)
        reader.power_on()
        assert card.resets == 2


def test_an_answer_to_reset_that_comes_at_once_is_checked_too(monkeypatch):
    """A USB adapter hands on TS and what follows together; only TS may come before its parity."""
    with wired(EchoChip()) as (card, reader):
        spoil(monkeypatch, after=1)
        reader.power_on()
        assert card.resets == 2


def test_a_pps_keeps_the_guard_time_of_tc1(monkeypatch):
    """ISO 7816-3 8.3: N stands from the answer to reset on."""
    sent = []
    real = contact.Characters.send

    def send(self, data, guard_etu=0):
        sent.append((data[:1], guard_etu))
        real(self, data, guard_etu)

    monkeypatch.setattr(contact.Characters, "send", send)
    with wired(EchoChip(), Nature(ta1=0x13, tc1=2)) as (_, reader):
        reader.power_on()
    assert sent == [(b"\xff", 2)]


def test_the_line_is_set_to_two_stop_bits_and_parity_of_the_convention():
    """A pty takes no parity but keeps which one was meant."""
    for nature, is_odd in ((Nature(), False), (Nature(is_inverse=True), True)):
        with wired(EchoChip(), nature) as (card, reader):
            reader.power_on()
            iflag, _, cflag, *_ = termios.tcgetattr(card.line.master)
            assert bool(cflag & termios.PARODD) is is_odd
            assert cflag & termios.CSTOPB
            assert iflag & termios.PARMRK
            assert iflag & termios.INPCK


# -- cards that come and go -----------------------------------------------------------------------


class Leaving(EchoChip):
    """Gone once it has got its second command."""

    def __init__(self):
        super().__init__()
        self.is_in = True

    def is_there(self):
        return self.is_in

    def transmit(self, command):
        answer = super().transmit(command)
        if len(self.executed) == 2:
            self.is_in = False
            return b""
        return answer


@pytest.mark.parametrize("nature", [Nature(), QUICK_T1], ids=["T=0", "T=1"])
def test_a_card_pulled_amid_a_command_is_removed_and_soon(nature):
    chip = Leaving()
    with wired(chip, nature) as (_, reader):
        assert reader.cards_in_reach() == 1
        reader.power_on()
        reader.exchange(READ, SOON_S)
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            reader.exchange(READ, SOON_S)
        assert caught.value.kind == "removed"
        assert time.monotonic() - began < SOON_S / 2
        assert reader.cards_in_reach() == 0
        for act in (reader.power_on, lambda: reader.exchange(READ, 1)):
            with pytest.raises(TransportError) as caught:
                act()
            assert caught.value.kind == "removed"


def test_a_change_ends_the_wait():
    chip = Leaving()
    with wired(chip) as (_, reader):
        assert reader.cards_in_reach() == 1
        chip.is_in = False  # before the wait: it counts
        began = time.monotonic()
        reader.wait_change(SOON_S)
        assert time.monotonic() - began < SOON_S / 2
        assert reader.cards_in_reach() == 0
        reader.wait_change(0.1)  # nothing changes: the time ends it


def test_where_nothing_tells_of_a_card_it_is_asked_by_a_reset(monkeypatch):
    monkeypatch.setattr(contact, "_NEXT_ETU", 1000)
    with wired(EchoChip(), latency_s=SILENCE_S) as (card, reader):
        card.is_blind = True
        assert reader.cards_in_reach() == 1
        assert not card.line.is_on
        reader.power_on()
        resets = card.resets
        assert reader.cards_in_reach() == 1
        assert card.resets == resets  # a powered card is not disturbed
        reader.power_off()
        card.faults.atr = 0
        assert reader.cards_in_reach() == 0
        began = time.monotonic()
        reader.wait_change(0.05)
        assert time.monotonic() - began < SOON_S / 2


class Modem:
    """RTS and DTR as they stand, and a DCD that is always low."""

    def __init__(self):
        self.rts = self.dtr = None

    def set_rts(self, active):
        self.rts = active

    def set_dtr(self, active):
        self.dtr = active

    def carrier(self):
        return False


@pytest.mark.parametrize("is_inverted", [False, True], ids=["phoenix", "smartmouse"])
def test_modem_lines_reset_and_feed_the_card(is_inverted):
    modem = Modem()
    lines = ModemLines(modem, is_inverted=is_inverted)
    lines.power(True)
    lines.reset(True)
    assert (modem.dtr, modem.rts) == (True, not is_inverted)
    lines.reset(False)
    lines.power(False)
    assert (modem.dtr, modem.rts) == (False, is_inverted)


@pytest.mark.parametrize(("modem", "rts"), [("phoenix", True), ("smartmouse", False)])
def test_a_slot_on_modem_lines_has_no_supply_until_a_card_is_powered(monkeypatch, modem, rts):
    """pyserial raises DTR and RTS when it opens: a card would be pushed into a live slot."""
    lines = {"dtr": True, "rts": True}
    monkeypatch.setattr(Uart, "set_dtr", lambda _, active: lines.update(dtr=active))
    monkeypatch.setattr(Uart, "set_rts", lambda _, active: lines.update(rts=active))
    monkeypatch.setattr(Uart, "carrier", lambda _: False)
    master, slave = pty.openpty()
    reader = open_iso7816(f"{os.ttyname(slave)}?modem={modem}&detect=dcd")
    assert reader.cards_in_reach() == 0
    assert lines == {"dtr": False, "rts": rts}
    reader.close()
    os.close(master)
    os.close(slave)


def test_dcd_tells_of_a_card_only_where_it_is_wired():
    """A UART without a wire there shows a level all the same: no PSAM would ever be in."""
    assert ModemLines(Modem()).has_card() is None
    assert ModemLines(Modem(), has_switch=True).has_card() is False


def test_a_pty_has_no_modem_lines_and_that_is_no_fault():
    with ContactCard(EchoChip()) as card:
        uart = open_uart(card.device, 9600, "E", 2)
        lines = ModemLines(uart, has_switch=True)
        lines.power(True)
        lines.reset(True)
        assert lines.has_card() is None
        uart.close()


def test_a_uart_that_is_unplugged_comes_back(tmp_path):
    """Devices open lazily: gone is a TransportError, again and again, until it is there."""
    link = tmp_path / "ttySLOT"
    reader = open_iso7816(str(link))
    for _ in range(2):
        with pytest.raises(TransportError) as caught:
            reader.cards_in_reach()
        assert caught.value.kind == "reader"
    for _ in range(2):
        with ContactCard(EchoChip()) as card:
            reader._given_lines = reader._lines = card
            link.symlink_to(card.device)
            reader.power_on()
            assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"
            link.unlink()
        with pytest.raises(TransportError) as caught:
            reader.exchange(READ, 2)
        assert caught.value.kind == "reader"
    reader.close()
