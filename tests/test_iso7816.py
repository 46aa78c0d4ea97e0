"""Issue 6.2: a contact slot on a bare UART, against a card on a pty that misbehaves."""

import time
from dataclasses import replace

import pytest

from firmware.apdu import CommandApdu
from firmware.channel import Reader, open_channel
from firmware.drivers import contact, registry
from firmware.drivers.iso7816 import Iso7816Reader, open_iso7816
from firmware.outcome import TransportError
from simulator.contact import ContactCard, ContactFaults
from simulator.contact_atr import Nature
from tests.contact_rig import QUICK_T1, READ, SELECT, SILENCE_S, EchoChip, wired
from tests.waiting import SOON_S

READ_256 = bytes.fromhex("00B2010400")

NATURES = {
    "T=0": (Nature(), False, 9600),
    "T=0, TA1 18": (Nature(ta1=0x18), False, 115_200),
    "T=0, TA1 13, N 2": (Nature(ta1=0x13, tc1=2), False, 38_400),
    "T=0, inverse": (Nature(is_inverse=True), False, 9600),
    "T=0, inverse, TA1 18": (Nature(ta1=0x18, is_inverse=True), False, 115_200),
    "T=0, N 255": (Nature(tc1=255), False, 9600),
    "T=0, TA1 reserved": (Nature(ta1=0x77), False, 9600),
    "T=0 of T=0 and T=1": (Nature(ta1=0x18, second=1), False, 115_200),
    "T=0, specific at once": (Nature(ta1=0x18, ta2=0x80), False, 115_200),
    "T=1, LRC": (Nature(protocol=1), True, 9600),
    "T=1, CRC, TA1 18": (Nature(protocol=1, ta1=0x18, crc=True), True, 115_200),
    "T=1, IFSC 1": (Nature(protocol=1, ta1=0x18, ifsc=1), True, 115_200),
}


@pytest.mark.parametrize("name", NATURES)
def test_each_kind_of_card_is_spoken_to_in_its_own_way(name):
    nature, is_block, baud = NATURES[name]
    chip = EchoChip()
    with wired(chip, nature) as (card, reader):
        assert reader.power_on() == nature.answer(bytes.fromhex("0081544C0086840807230005C0"))
        assert reader.is_block_protocol is is_block
        assert card.baud == baud
        assert reader.exchange(READ, SOON_S) == bytes(range(16)) + b"\x90\x00"
        assert reader.exchange(SELECT, SOON_S) == b"\x90\x00"
        assert reader.exchange(READ_256, SOON_S) == bytes(range(256)) + b"\x90\x00"
        assert chip.executed == [READ, SELECT, READ_256]
        assert (chip.starts, card.resets) == (1, 1)


def test_the_sample_psam_is_known_by_its_answer():
    with wired(EchoChip()) as (_, reader):
        assert reader.power_on().hex().upper() == "3B6D00000081544C0086840807230005C0"


@pytest.mark.parametrize("has_echo", [True, False])
def test_a_line_with_or_without_echo(has_echo):
    chip = EchoChip()
    options = "" if has_echo else "?echo=off"
    for nature in (Nature(ta1=0x18), Nature(protocol=1, ta1=0x18)):
        with wired(chip, nature, options=options, has_echo=has_echo) as (_, reader):
            reader.power_on()
            assert reader.exchange(SELECT, SOON_S) == b"\x90\x00"


def test_a_line_that_does_not_bring_back_what_is_sent_is_said():
    """The card's first answer is taken for the echo, or nothing comes at all."""
    for command in (READ, SELECT):
        with wired(EchoChip(), has_echo=False, latency_s=SILENCE_S) as (_, reader):
            reader.power_on()
            with pytest.raises(TransportError, match="join RX and TX"):
                reader.exchange(command, SOON_S)


# -- resets --------------------------------------------------------------------------------------

BAD_ANSWERS = {
    "nothing": {"atr": 0},
    "half of it": {"atr": 5},
    "neither 3B nor 3F": {"atr_instead": b"\x3e\x00"},
    "TCK with T=0 alone": {"atr_instead": b"\x3b\x01\x41\x40"},
    "T=1, TCK wrong": {"atr_instead": b"\x3b\x80\x01\x80"},
    "T=2 alone": {"atr_instead": b"\x3b\x80\x02\x82"},
    "no end": {"atr_instead": b"\x3b" + b"\xff" * 200},
}


@pytest.fixture
def hurried(monkeypatch):
    """The long waits of 8.1 and 10.2 cut short; the machine may still be slow."""
    monkeypatch.setattr(contact, "_NEXT_ETU", 1000)


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_gets_a_warm_reset_and_then_no_power(name, hurried):
    """SPEC-P8: cold reset, one warm reset, power down."""
    chip = EchoChip()
    with wired(chip, latency_s=SILENCE_S) as (card, reader):
        for key, value in BAD_ANSWERS[name].items():
            setattr(card.faults, key, value)
        with pytest.raises(TransportError, match="cannot be used") as caught:
            reader.power_on()
        assert caught.value.kind == "silent"
        assert (card.resets, card.line.is_on) == (2, False)
        with pytest.raises(TransportError, match="no power"):
            reader.exchange(READ, 1)
        if name != "T=2 alone":
            card.faults.atr_resets = 3  # the next cold reset's answer is bad too
            reader.power_on()
            assert card.resets == 4
            assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"


@pytest.mark.parametrize(
    ("pps", "resets", "baud"),
    [("silent", 2, 9600), ("other", 2, 9600), ("bad_pck", 2, 9600), ("without", 1, 9600),
     ("", 1, 115_200)],
)  # fmt: skip
def test_a_card_that_does_not_take_the_pps_speaks_as_it_began(pps, resets, baud, hurried):
    """9.3: without PPS1 372/1 stays; a wrong answer or none needs a reset."""
    with wired(EchoChip(), Nature(ta1=0x18), latency_s=SILENCE_S) as (card, reader):
        card.faults.pps = pps
        reader.power_on()
        assert (card.resets, card.baud) == (resets, baud)
        assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"


def test_a_slow_uart_asks_for_less():
    with wired(EchoChip(), Nature(ta1=0x18), options="?fastest=38400") as (card, reader):
        reader.power_on()
        assert card.baud == 38_400
        assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"


# -- T=0 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [{"nulls": 40}, {"one_by_one": True}, {"nulls": 3, "one_by_one": True},
              {"character_s": 0.003}]
)  # fmt: skip
def test_t0_ways_that_are_allowed(fault):
    chip = EchoChip()
    with wired(chip, Nature(ta1=0x18)) as (card, reader):
        reader.power_on()
        card.faults = replace(card.faults, **fault)
        assert reader.exchange(READ, SOON_S) == bytes(range(16)) + b"\x90\x00"
        assert reader.exchange(SELECT, SOON_S) == b"\x90\x00"
        assert chip.executed == [READ, SELECT]


@pytest.mark.parametrize(
    ("fault", "executed"),
    [({"nulls": -1}, 1), ({"procedure": 0x11}, 0), ({"cut": 4}, 1), ({"silent": True}, 0),
     ({"garbage": b"\x11\x22" * 40}, 1), ({"garbage": b"\xa4" * 5}, 1)],
    ids=["NULL without end", "procedure byte", "cut short", "silent", "garbage", "surplus"],
)  # fmt: skip
def test_t0_faults_end_within_the_deadline_and_nothing_is_sent_twice(fault, executed):
    chip = EchoChip()
    with wired(chip, Nature(ta1=0x18)) as (card, reader):
        reader.power_on()
        card.faults = replace(card.faults, **fault)
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            reader.exchange(SELECT if "garbage" in fault else READ, 0.5)
        assert time.monotonic() - began < SOON_S / 2
        assert caught.value.kind == "silent"
        assert len(chip.executed) == executed
        assert not card.line.is_on
        card.faults = ContactFaults()
        reader.power_on()
        assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"


def test_what_t_0_cannot_carry_is_a_fault_of_the_program_and_said():
    with wired(EchoChip()) as (_, reader):
        reader.power_on()
        with pytest.raises(TransportError, match="P3"):
            reader.exchange(b"\x00\xa4\x04\x00", 1)


# -- T=1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["wrong_edc", "lost", "cut", "doubled", "garbage", "deaf", "wtx"])
def test_t1_faults_are_mended_and_the_command_executed_once(fault):
    chip = EchoChip()
    with wired(chip, QUICK_T1, latency_s=SILENCE_S) as (card, reader):
        reader.power_on()
        setattr(card.faults.blocks, fault, 1)
        assert reader.exchange(READ, SOON_S) == bytes(range(16)) + b"\x90\x00"
        assert reader.exchange(SELECT + bytes(30), SOON_S) == b"\x90\x00"
        assert chip.executed == [READ, SELECT + bytes(30)]


@pytest.mark.parametrize("fault", ["wrong_edc", "lost", "garbage", "wtx"])
def test_t1_faults_without_an_end_end_and_the_slot_recovers(fault):
    chip = EchoChip()
    with wired(chip, QUICK_T1, latency_s=SILENCE_S) as (card, reader):
        reader.power_on()
        blocks = card.faults.blocks
        setattr(blocks, fault, -1)
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            reader.exchange(READ, 2.5)
        assert time.monotonic() - began < SOON_S / 2
        assert caught.value.kind == "silent"
        assert len(chip.executed) <= 1
        setattr(blocks, fault, 0)
        reader.power_on()
        assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"


def test_t1_after_resynchronisation_the_card_keeps_its_power():
    """The exchange has failed, its command is not sent again, the next one goes through."""
    chip = EchoChip()
    with wired(chip, QUICK_T1) as (card, reader):
        reader.power_on()
        card.faults.blocks.wrong_edc = 3
        with pytest.raises(TransportError) as caught:
            reader.exchange(READ, SOON_S)
        assert caught.value.kind == "silent"
        assert reader.exchange(SELECT, SOON_S) == b"\x90\x00"
        assert chip.executed == [READ, SELECT]
        assert card.resets == 1


def test_t1_a_card_that_gives_up_a_chain_keeps_its_power():
    chip = EchoChip()
    with wired(chip, QUICK_T1) as (card, reader):
        reader.power_on()
        card.faults.blocks.abort = 1
        with pytest.raises(TransportError, match="gave up"):
            reader.exchange(SELECT + bytes(30), SOON_S)
        assert reader.exchange(READ, SOON_S)[-2:] == b"\x90\x00"
        assert chip.executed == [READ]


# -- the address ----------------------------------------------------------------------------------


def test_the_address_says_how_the_slot_is_wired():
    reader = registry.open_reader(
        "iso7816:/dev/ttyAMA0?clock=4000000&echo=off&modem=smartmouse&detect=dcd"
    )
    assert isinstance(reader, Iso7816Reader)
    wiring = reader._wiring
    assert (wiring.device, wiring.clock_hz, wiring.has_echo) == ("/dev/ttyAMA0", 4_000_000, False)
    assert wiring.is_inverted
    assert wiring.has_switch
    assert reader._initial_baud == 10_753
    assert open_iso7816("/dev/x")._wiring.clock_hz == 3_571_200


@pytest.mark.parametrize(
    "rest", ["", "?echo=off", "/dev/x?echo=maybe", "/dev/x?speed=1", "/dev/x?clock=9000000",
             "/dev/x?clock=", "/dev/x?fastest=-1", "/dev/x?modem=usb", "/dev/x?detect=cts"]
)  # fmt: skip
def test_an_address_that_is_wrong_is_refused(rest):
    with pytest.raises(ValueError, match="iso7816"):
        open_iso7816(rest)


def test_t0_status_words_61_and_6c_are_for_the_channel_above():
    class Waiting(EchoChip):
        def transmit(self, command):
            self.executed.append(command)
            if command[1] == 0xC0:
                return b"\x01\x02\x90\x00" if command[4] == 2 else b"\x6c\x02"
            return b"\x61\x05"

    chip = Waiting()
    with wired(chip) as (_, reader):
        reader.power_on()
        assert reader.exchange(SELECT, SOON_S) == b"\x61\x05"
        channel = open_channel(reader, SOON_S)
        answer = channel.transmit(CommandApdu(0, 0xA4, 4, 0, b"\x11\x22"))
        assert (answer.data, answer.sw) == (b"\x01\x02", 0x9000)


def test_the_reader_has_the_shape_of_channel_reader():
    for name in (each for each in vars(Reader) if not each.startswith("_")):
        assert hasattr(Iso7816Reader, name) or name == "name"


def test_pins_of_the_header_are_the_lines_of_a_bare_slot():
    with ContactCard(None) as lines:
        assert registry.open_reader("iso7816:/dev/ttyAMA0", lines)._given_lines is lines
