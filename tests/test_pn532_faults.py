"""Issue 6.3: `pn532:` before a chip, a line and cards that misbehave on order."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from firmware.drivers import pn532, pn532_link
from firmware.drivers.i2c import open_i2c
from firmware.drivers.pn532_reader import open_pn532
from firmware.outcome import TransportError
from simulator import pn532_device as chips
from simulator.pn532_device import Misdeed, Pn532
from simulator.pn532_lines import SerialPn532
from simulator.slot import SimulatedSlot
from tests.pn532_rig import (
    ATS,
    DIAGNOSE,
    EXCHANGE,
    FIELD,
    LIST,
    OK,
    READ,
    RELEASE,
    Bench,
    Tag,
    kind_of,
    on_a_line,
    on_hsu_with_its_tag,
    patient,
)
from tests.waiting import SOON_S

on_a_busy_machine = pytest.fixture(autouse=True)(patient)
bench = pytest.fixture(params=["hsu", "i2c"])(on_a_line)
hsu = pytest.fixture(on_hsu_with_its_tag)


@pytest.mark.parametrize("how", [chips.BAD_CHECKSUM, chips.HALF, chips.NOISE, chips.TWIN])
@pytest.mark.parametrize("code", [EXCHANGE, LIST, FIELD])
def test_a_garbled_answer_is_fetched_again_and_no_command_is_repeated(
    hsu: Bench, how: str, code: int
) -> None:
    hsu.reader.cards_in_reach()
    hsu.chip.commands.clear()
    hsu.chip.misbehave(Misdeed(how, code))
    assert hsu.reader.power_on() == ATS
    assert hsu.reader.exchange(READ, SOON_S) == OK
    assert hsu.tag.seen == [READ]
    assert hsu.codes() == [FIELD, FIELD, LIST, LIST, EXCHANGE]


@pytest.mark.parametrize("how", [chips.NO_ACK, chips.LOST_ACK])
def test_a_poll_that_was_not_taken_is_sent_again(
    hsu: Bench, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pn532_link, "ACK_S", 0.1)
    hsu.reader.cards_in_reach()
    hsu.chip.misbehave(Misdeed(how, LIST))
    assert hsu.reader.power_on() == ATS


def test_the_answer_before_never_answers_the_next_command(hsu: Bench) -> None:
    """Come twice, it would tell of the last command's success as of this one's."""
    hsu.reader.power_on()
    hsu.tag.answer = b"first" + OK
    assert hsu.reader.exchange(READ, SOON_S) == b"first" + OK
    hsu.tag.answer = b"second" + OK
    hsu.chip.misbehave(Misdeed(chips.TWIN, EXCHANGE))
    assert hsu.reader.exchange(READ, SOON_S) == b"second" + OK


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (chips.NO_ACK, "reader"),
        (chips.LOST_ACK, "reader"),
        (chips.REFUSE, "reader"),
        (chips.NO_ANSWER, "silent"),
    ],
)
def test_a_command_to_the_card_is_never_sent_again(hsu: Bench, how: str, kind: str) -> None:
    """A DEBIT that the chip may have carried out must not be carried out twice."""
    hsu.reader.power_on()
    hsu.chip.misbehave(Misdeed(how, EXCHANGE))
    assert kind_of(hsu.reader.exchange, READ, 0.3) == kind
    assert hsu.codes().count(EXCHANGE) == (how in (chips.NO_ANSWER, chips.LOST_ACK))
    assert kind_of(hsu.reader.exchange, READ, 0.3) == "removed"  # it has no power any more
    assert hsu.reader.power_on() == ATS  # and all is well again
    assert len(hsu.tag.seen) == (how in (chips.NO_ANSWER, chips.LOST_ACK))
    assert hsu.reader.exchange(READ, SOON_S) == OK


@pytest.mark.parametrize("status", sorted(pn532.ERRORS))
def test_each_error_code_has_its_kind_and_the_reader_goes_on(hsu: Bench, status: int) -> None:
    hsu.reader.power_on()
    hsu.chip.misbehave(Misdeed(chips.STATUS, EXCHANGE, status=status))
    assert kind_of(hsu.reader.exchange, READ, SOON_S) == pn532.ERRORS[status][0]
    assert hsu.reader.power_on() == ATS


def test_a_card_that_left_is_removed_and_one_that_is_mute_is_silent(bench: Bench) -> None:
    bench.slot.insert(bench.tag)
    bench.reader.power_on()
    bench.chip.misbehave(Misdeed(chips.LEAVE, EXCHANGE))
    assert kind_of(bench.reader.exchange, READ, SOON_S) == "removed"
    bench.slot.insert(bench.tag)
    bench.reader.power_on()
    bench.chip.misbehave(Misdeed(chips.STATUS, EXCHANGE, status=0x01))
    assert kind_of(bench.reader.exchange, READ, SOON_S) == "silent"


@pytest.mark.parametrize("code", [0x14, 0x02, 0x12, FIELD, LIST, EXCHANGE, RELEASE, DIAGNOSE])
def test_a_card_that_leaves_at_any_command_is_told_and_the_next_one_served(
    hsu: Bench, code: int
) -> None:
    hsu.chip.misbehave(Misdeed(chips.LEAVE, code))
    kinds = set()
    for _ in range(2):
        try:
            hsu.reader.cards_in_reach()
            hsu.reader.power_on()
            hsu.reader.cards_in_reach()
            hsu.reader.exchange(READ, SOON_S)
            hsu.reader.power_off()
        except TransportError as error:
            kinds.add(error.kind)
        if not hsu.slot.cards:
            hsu.slot.insert(hsu.tag)
    assert kinds <= {"removed"}
    hsu.reader.cards_in_reach()  # one that came in no time was seen to leave
    assert hsu.reader.power_on() == ATS


@pytest.mark.parametrize("how", [chips.NO_ANSWER, chips.REFUSE, chips.STATUS])
@pytest.mark.parametrize("code", [0x14, 0x02, FIELD, LIST, RELEASE])
def test_a_chip_that_fails_at_any_command_is_a_fault_in_time_and_recovers(
    hsu: Bench, how: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = pn532_link.Chip.call.__defaults__
    monkeypatch.setattr(pn532_link.Chip.call, "__defaults__", (b"", 0.2))
    hsu.chip.misbehave(Misdeed(how, code, status=0x10))
    kinds = set()
    for _ in range(2):
        try:
            hsu.reader.power_on()
            hsu.reader.exchange(READ, 0.5)
            hsu.reader.power_off()
        except TransportError as error:
            kinds.add(error.kind)
    assert kinds <= {"reader", "silent"}
    monkeypatch.setattr(pn532_link.Chip.call, "__defaults__", usual)
    assert hsu.reader.power_on() == ATS
    assert hsu.reader.exchange(READ, SOON_S) == OK


def test_a_chip_that_lost_its_power_is_set_up_again(hsu: Bench) -> None:
    hsu.reader.power_on()
    hsu.chip.sleep()
    assert kind_of(hsu.reader.exchange, READ, 0.2) == "reader"
    assert hsu.reader.power_on() == ATS


def test_a_device_that_is_not_there_is_told_again_and_again_and_recovers() -> None:
    reader = open_pn532("/dev/ttyNONE")
    for _ in range(2):
        with pytest.raises(TransportError, match=r"ttyNONE.*board\.toml"):
            reader.cards_in_reach()
    reader.power_off()
    with pytest.raises(TransportError, match="i2c_arm"):
        open_i2c("/dev/i2c-99", 0x24)


def test_a_line_without_a_chip_is_a_reader_fault(
    hsu: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pn532_link, "ACK_S", 0.1)
    hsu.chip.take = lambda data: []  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="does not take a command"):
        hsu.reader.cards_in_reach()


def test_a_cable_that_is_pulled_is_a_reader_fault(hsu: Bench) -> None:
    hsu.reader.power_on()
    assert hsu.serial is not None
    hsu.serial.stop()
    assert kind_of(hsu.reader.exchange, READ, 0.3) == "reader"
    hsu.serial = None


def test_a_chip_that_is_plugged_in_again_is_found_at_its_name(tmp_path: Path) -> None:
    """Issue 6.8: /dev/serial/by-id/... leads to another tty after a re-plug."""
    by_id = tmp_path / "usb-PN532"
    slot, tag = SimulatedSlot("field"), Tag()
    slot.insert(tag)
    reader = open_pn532(str(by_id))
    for _ in range(2):
        end = SerialPn532(Pn532(slot))
        by_id.symlink_to(end.device)
        assert reader.cards_in_reach() == 1
        assert reader.power_on() == ATS
        assert reader.exchange(READ, SOON_S) == OK
        end.stop()
        by_id.unlink()
        assert kind_of(reader.cards_in_reach) == "reader"
        assert kind_of(reader.cards_in_reach) == "reader"


def test_another_chip_is_refused_by_name(hsu: Bench) -> None:
    plain = hsu.chip._execute
    hsu.chip._execute = lambda code, data: (  # type: ignore[method-assign]
        b"\x07\x01\x06\x07" if code == 0x02 else plain(code, data)
    )
    with pytest.raises(TransportError, match="no PN532"):
        hsu.reader.cards_in_reach()


def test_no_error_shows_a_command(hsu: Bench) -> None:
    """M1: the PIN is in no exception."""
    pin = bytes.fromhex("0020000003123456")
    for how in (chips.NO_ANSWER, chips.NO_ACK, chips.STATUS, chips.LEAVE):
        hsu.slot.remove()
        hsu.slot.insert(hsu.tag)
        hsu.reader.power_on()
        hsu.chip.misbehave(Misdeed(how, EXCHANGE, status=0x10))
        with pytest.raises(TransportError) as error:
            hsu.reader.exchange(pin, 0.2)
        assert "123456" not in repr(error.value).replace(" ", "")


def test_any_line_of_noise_ends_in_time_and_the_reader_recovers(hsu: Bench) -> None:
    """Bad input: a chip whose every byte is chance, never past the deadline, never a crash."""
    dice = random.Random(532)
    good = hsu.chip.take
    pieces = [
        pn532.ACK,
        pn532.NACK,
        b"\x00\x00\xff",
        bytes.fromhex("D54B0101"),
        b"\xff\xff\x01\x09",
    ]

    def noise(data: bytes) -> list[bytes]:
        out = b""
        for _ in range(dice.randrange(6)):
            out += dice.choice([*pieces, dice.randbytes(dice.randrange(1, 40))])
        if dice.random() < 0.5:
            body = b"\xd5" + dice.choice([b"\x15", b"\x03", b"\x4b", b"\x41"]) + dice.randbytes(9)
            out += chips._wrap(body)
        return [out] if out else []

    for _ in range(25):
        hsu.reader.power_on()
        hsu.chip.take = noise  # type: ignore[method-assign]
        start = time.monotonic()
        try:
            answer = hsu.reader.exchange(READ, 0.1)
            assert len(answer) < 300
        except TransportError:
            pass
        assert time.monotonic() - start < SOON_S / 2
        hsu.chip.take = good  # type: ignore[method-assign]


class Damaged:
    """A link whose answers never come whole."""

    name = "damaged"

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_taken = False

    def wake(self) -> None: ...
    def drop_input(self) -> None: ...
    def close(self) -> None: ...

    def write(self, frame: bytes) -> None:
        self.written.append(frame)

    def read(self, timeout_s: float) -> bytes:
        time.sleep(0.002)
        if not self.is_taken:
            self.is_taken = True
            return pn532.ACK
        return chips._wrap(b"\xd5\x41\x00\x90\x00")[:-2] + b"\x55\x00"


def test_an_answer_that_never_comes_whole_is_asked_for_twice_again_and_no_more() -> None:
    link, start = Damaged(), time.monotonic()
    with pytest.raises(TransportError) as error:
        pn532_link.Chip(link).call(EXCHANGE, b"\x01" + READ, 0.3, once=True)
    assert error.value.kind == "silent"
    assert 0.3 <= time.monotonic() - start < SOON_S / 2
    assert [each == pn532.NACK for each in link.written] == [False, True, True, False]
    assert link.written[-1] == pn532.ACK, "and the chip is told to stop"
