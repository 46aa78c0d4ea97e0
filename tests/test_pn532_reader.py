"""Issue 6.3: `pn532:` on a serial line and on I2C, before a chip that misbehaves on order.

The serial line is a real pty; the I2C bus is an object with smbus2's own messages, no real bus.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.drivers import pn532, pn532_link, pn532_reader
from firmware.drivers.i2c import I2cDevice, open_i2c
from firmware.drivers.pn532_link import I2cLink
from firmware.drivers.pn532_reader import Pn532Reader, open_pn532
from firmware.outcome import ProtocolError, TransportError
from simulator import pn532_device as chips
from simulator.pn532_device import Misdeed, Pn532
from simulator.pn532_lines import ADDRESS, I2cPn532, SerialPn532
from simulator.slot import SimulatedSlot

ATS = b"\x12\x78\x80\xa0\x02" + bytes(13)
READ = bytes.fromhex("00B0950004")
OK = b"\x90\x00"
EXCHANGE, LIST, RELEASE, DIAGNOSE, FIELD = 0x40, 0x4A, 0x52, 0x00, 0x32


class Tag:
    """A card of a few lines, whose every answer a test decides."""

    contactless = True
    version = 0

    def __init__(self, label: str = "tag", answer: bytes = OK, ats: bytes = ATS):
        self.label, self.answer, self.ats = label, answer, ats
        self.seen: list[bytes] = []

    def power_on(self) -> bytes:
        return self.ats

    def power_off(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        self.seen.append(command)
        return self.answer


class Bench:
    """A chip, its line, a reader, one tag; `line`: "hsu" or "i2c"."""

    def __init__(self, line: str, kind: str = "A", *, plain: bool = False):
        self.slot = SimulatedSlot("field")
        self.tag = Tag()
        self.chip = Pn532(self.slot, kind, plain=plain)
        self.serial: SerialPn532 | None = None
        if line == "hsu":
            self.serial = SerialPn532(self.chip)
            self.reader = open_pn532(self.serial.device)
        else:
            self.bus = I2cPn532(self.chip)
            self.reader = Pn532Reader(
                "/dev/i2c-1", lambda: I2cLink(I2cDevice(self.bus, ADDRESS, "/dev/i2c-1"))
            )

    def stop(self) -> None:
        self.reader.close()
        if self.serial is not None:
            self.serial.stop()

    def codes(self) -> list[int]:
        return [each[0] for each in self.chip.commands]


@pytest.fixture(params=["hsu", "i2c"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    made.stop()


@pytest.fixture
def hsu() -> Iterator[Bench]:
    made = Bench("hsu")
    made.slot.insert(made.tag)
    yield made
    made.stop()


def kind_of(function, *arguments) -> str:
    with pytest.raises(TransportError) as error:
        function(*arguments)
    return error.value.kind


def test_a_card_comes_is_activated_answers_and_leaves(bench: Bench) -> None:
    reader = bench.reader
    assert reader.cards_in_reach() == 0
    assert kind_of(reader.power_on) == "removed"
    bench.slot.insert(bench.tag)
    assert reader.cards_in_reach() == 1
    assert reader.power_on() == ATS
    assert reader.is_block_protocol
    bench.tag.answer = bytes(range(256)) + OK
    assert reader.exchange(READ, 1.0) == bench.tag.answer
    assert reader.cards_in_reach() == 1
    reader.power_off()
    assert kind_of(reader.exchange, READ, 1.0) == "removed"
    assert reader.cards_in_reach() == 1
    bench.slot.remove()
    assert reader.cards_in_reach() == 0


def test_each_power_on_is_a_cold_reset_of_the_field(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    for _ in range(2):
        hsu.chip.commands.clear()
        hsu.reader.power_on()
        assert hsu.chip.commands[:2] == [b"\x32\x01\x00", b"\x32\x01\x01"]


def test_the_chip_is_set_up_before_its_first_use(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    assert hsu.codes()[:5] == [0x14, 0x02, 0x12, 0x32, 0x32]
    assert hsu.chip.commands[4].hex() == "3205ff0101"  # few tries: a poll must end soon


def test_a_card_that_lies_there_is_asked_without_a_reset(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    hsu.chip.commands.clear()
    for _ in range(3):
        assert hsu.reader.cards_in_reach() == 1
    assert hsu.codes() == [DIAGNOSE] * 3


def test_a_second_card_that_joins_is_seen(hsu: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pn532_reader, "RELIST_S", 0.05)
    assert hsu.reader.cards_in_reach() == 1
    hsu.slot.insert(Tag("another"))
    time.sleep(0.06)
    assert hsu.reader.cards_in_reach() == 2
    with pytest.raises(TransportError, match="2 cards"):
        hsu.reader.power_on()
    assert hsu.tag.seen == []


def test_two_cards_lying_there_stay_two(hsu: Bench) -> None:
    hsu.slot.insert(Tag("another"))
    assert [hsu.reader.cards_in_reach() for _ in range(3)] == [2, 2, 2]


def test_a_card_exchanged_between_two_looks_is_seen_to_leave(hsu: Bench) -> None:
    assert hsu.reader.cards_in_reach() == 1
    hsu.slot.remove()
    hsu.slot.insert(Tag("another"))
    assert [hsu.reader.cards_in_reach() for _ in range(2)] == [0, 1]


def test_waiting_ends_with_a_change_or_its_time(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    start = time.monotonic()
    hsu.reader.wait_change(0.25)
    assert 0.2 < time.monotonic() - start < 2.0
    hsu.slot.remove()
    start = time.monotonic()
    hsu.reader.wait_change(5.0)
    assert time.monotonic() - start < 2.0


def test_a_command_and_an_answer_longer_than_a_frame_are_chained(bench: Bench) -> None:
    """7.3.8: the MI bit both ways; the card sees one command, the terminal one answer."""
    bench.slot.insert(bench.tag)
    bench.tag.answer = bytes(random.Random(1).randbytes(1000)) + OK
    bench.reader.power_on()
    command = random.Random(2).randbytes(600)
    bench.chip.commands.clear()
    assert bench.reader.exchange(command, 2.0) == bench.tag.answer
    assert bench.tag.seen == [command]
    assert [each[1] for each in bench.chip.commands] == [0x41, 0x41, 0x01, 0x01, 0x01, 0x01]


def test_a_card_without_14443_4_is_counted_and_refused() -> None:
    plain = Bench("hsu", plain=True)
    plain.slot.insert(plain.tag)
    try:
        assert plain.reader.cards_in_reach() == 1
        with pytest.raises(ProtocolError, match="14443-4"):
            plain.reader.power_on()
    finally:
        plain.stop()


def test_a_card_of_type_b_talks() -> None:
    b = Bench("i2c", "B")
    b.slot.insert(b.tag)
    assert b.reader.cards_in_reach() == 1
    assert b.reader.power_on().hex().startswith("3b888001")
    assert b.reader.exchange(READ, 1.0) == OK
    b.slot.remove()
    assert b.reader.cards_in_reach() == 0


@pytest.mark.parametrize("how", [chips.BAD_CHECKSUM, chips.HALF, chips.NOISE, chips.LOST_ACK])
@pytest.mark.parametrize("code", [EXCHANGE, LIST, FIELD])
def test_a_garbled_answer_is_fetched_again_and_no_command_is_repeated(
    hsu: Bench, how: str, code: int
) -> None:
    hsu.reader.cards_in_reach()
    hsu.chip.commands.clear()
    hsu.chip.misbehave(Misdeed(how, code))
    assert hsu.reader.power_on() == ATS
    assert hsu.reader.exchange(READ, 2.0) == OK
    assert hsu.tag.seen == [READ]
    assert hsu.codes() == [FIELD, FIELD, LIST, LIST, EXCHANGE]


def test_a_poll_that_was_not_heard_is_sent_again(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    hsu.chip.misbehave(Misdeed(chips.NO_ACK, LIST))
    assert hsu.reader.power_on() == ATS


@pytest.mark.parametrize(
    ("how", "kind"),
    [(chips.NO_ACK, "reader"), (chips.REFUSE, "reader"), (chips.NO_ANSWER, "silent")],
)
def test_a_command_to_the_card_is_never_sent_again(hsu: Bench, how: str, kind: str) -> None:
    """A DEBIT that the chip may have carried out must not be carried out twice."""
    hsu.reader.power_on()
    hsu.chip.misbehave(Misdeed(how, EXCHANGE))
    start = time.monotonic()
    assert kind_of(hsu.reader.exchange, READ, 0.3) == kind
    assert time.monotonic() - start < 1.0
    assert hsu.codes().count(EXCHANGE) == (1 if how == chips.NO_ANSWER else 0)
    assert kind_of(hsu.reader.exchange, READ, 0.3) == "removed"  # it has no power any more
    assert hsu.reader.power_on() == ATS  # and all is well again
    assert len(hsu.tag.seen) == (1 if how == chips.NO_ANSWER else 0)
    assert hsu.reader.exchange(READ, 1.0) == OK


@pytest.mark.parametrize("status", sorted(pn532.ERRORS))
def test_each_error_code_has_its_kind_and_the_reader_goes_on(hsu: Bench, status: int) -> None:
    hsu.reader.power_on()
    hsu.chip.misbehave(Misdeed(chips.STATUS, EXCHANGE, status=status))
    assert kind_of(hsu.reader.exchange, READ, 1.0) == pn532.ERRORS[status][0]
    assert hsu.reader.power_on() == ATS


def test_a_card_that_left_is_removed_and_one_that_is_mute_is_silent(bench: Bench) -> None:
    bench.slot.insert(bench.tag)
    bench.reader.power_on()
    bench.chip.misbehave(Misdeed(chips.LEAVE, EXCHANGE))
    assert kind_of(bench.reader.exchange, READ, 1.0) == "removed"
    bench.slot.insert(bench.tag)
    bench.reader.power_on()
    bench.chip.misbehave(Misdeed(chips.STATUS, EXCHANGE, status=0x01))
    assert kind_of(bench.reader.exchange, READ, 1.0) == "silent"


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
            hsu.reader.exchange(READ, 1.0)
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
    monkeypatch.setattr(pn532_link.Chip.call, "__defaults__", (b"", 0.2))
    hsu.chip.misbehave(Misdeed(how, code, status=0x10))
    start, kinds = time.monotonic(), set()
    for _ in range(2):
        try:
            hsu.reader.power_on()
            hsu.reader.exchange(READ, 0.5)
            hsu.reader.power_off()
        except TransportError as error:
            kinds.add(error.kind)
    assert kinds <= {"reader", "silent"}
    assert time.monotonic() - start < 3.0
    assert hsu.reader.power_on() == ATS
    assert hsu.reader.exchange(READ, 0.5) == OK


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


def test_a_line_without_a_chip_is_a_reader_fault(hsu: Bench) -> None:
    hsu.chip.take = lambda data: []  # type: ignore[method-assign]
    start = time.monotonic()
    with pytest.raises(TransportError, match="does not take a command"):
        hsu.reader.cards_in_reach()
    assert time.monotonic() - start < 1.0


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
        assert reader.exchange(READ, 1.0) == OK
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
        assert time.monotonic() - start < 3.0
        hsu.chip.take = good  # type: ignore[method-assign]
