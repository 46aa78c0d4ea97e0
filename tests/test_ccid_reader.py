"""Issue D2: the CCID driver against a reader on a pty that does well, and one that does not.

Whatever the reader does, an exchange ends within its deadline with an answer or a TransportError,
and the next one works as soon as the reader does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.drivers import ccid, ccid_reader
from firmware.drivers.ccid_reader import LOOK_S, open_ccid
from firmware.outcome import ProtocolError, TransportError
from tests.ccid_rig import (
    GET_CHALLENGE,
    POWER_OFF,
    POWER_ON,
    STATUS,
    XFR,
    Bench,
    bench,
    fault_of,
)
from tests.waiting import SOON_S

DEADLINE_S = 0.25


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def works(line: Bench) -> bool:
    """A power-up and one exchange, its answer 8 random bytes."""
    line.reader.power_on()
    answer = line.reader.exchange(GET_CHALLENGE, SOON_S)
    return len(answer) == 10 and answer[8:] == b"\x90\x00"


# --- the ordinary


def test_d2_a_card_is_seen_powered_asked_and_let_go(line: Bench) -> None:
    assert line.reader.cards_in_reach() == 1
    assert line.reader.power_on()[:4] == b"\x3b\x6d\x00\x00"
    assert not line.reader.is_block_protocol
    assert works(line)
    line.reader.power_off()
    assert fault_of(line.reader.exchange, GET_CHALLENGE, SOON_S)[0] == "removed"


def test_d2_the_rate_stays_where_the_card_names_none(line: Bench) -> None:
    line.reader.power_on()
    assert line.device.slots[0].parameters == (0, bytes.fromhex("1100000A00"))
    assert line.device.slots[0].pps is None


def test_d2_an_empty_slot_is_no_fault_but_no_card(line: Bench) -> None:
    line.world.slot("user").remove()
    assert line.reader.cards_in_reach() == 0
    assert fault_of(line.reader.power_on)[0] == "removed"


def test_d2_two_slots_of_one_line_serve_at_once(line: Bench) -> None:
    psam = line.world.region.issue_psam(terminal_number="510100000001")
    line.world.insert("psam", psam.label)
    other = line.other()
    other.power_on()
    line.reader.power_on()
    wrong: list[object] = []

    def ask(reader: object) -> None:
        for _ in range(50):
            answer = reader.exchange(GET_CHALLENGE, SOON_S)  # type: ignore[attr-defined]
            if len(answer) != 10:
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(each,)) for each in (line.reader, other)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SOON_S)
    assert not wrong
    assert line.world.slot("psam").counters.exchanges == 50


def test_d2_a_card_without_5_v_is_tried_at_3_v(line: Bench) -> None:
    line.device.slots[0].least_volts = ccid.VOLTS_3
    assert works(line)
    asked = [each[7] for each in line.device.messages if each[0] == POWER_ON]
    assert asked == [ccid.VOLTS_5, ccid.VOLTS_3]


def test_d2_an_answer_of_256_bytes_and_sw_comes_through(line: Bench) -> None:
    line.reader.power_on()
    slot = line.world.slot("user")
    slot.exchange = lambda command: bytes(range(256)) + b"\x90\x00"  # type: ignore[method-assign]
    assert (
        line.reader.exchange(bytes.fromhex("00B2010400"), SOON_S) == bytes(range(256)) + b"\x90\x00"
    )


# --- rate and protocol


def fast(atr: bytes) -> bytes:
    """The same with TA1 = 18, as a quick PSAM has."""
    return b"\x3b\x7d\x18" + atr[2:]


@pytest.mark.parametrize(("model", "asks"), [("", 0x18), ("?sec1210", None)])
def test_d2_a_quick_card_is_taken_to_its_rate(tmp_path: Path, model: str, asks: int | None) -> None:
    """GemPC leaves the PPS to the terminal, SEC1210 runs it when it is told the rate."""
    with bench(tmp_path, model, rewrite_atr=fast) as line:
        assert works(line)
        assert line.device.slots[0].parameters == (0, bytes.fromhex("1800000A00"))
        assert line.device.slots[0].pps == asks


@pytest.mark.parametrize("model", ["", "?sec1210"])
def test_d2_a_card_that_does_not_follow_stays_at_its_first_rate(tmp_path: Path, model: str) -> None:
    with bench(tmp_path, model, rewrite_atr=fast) as line:
        line.device.slots[0].refuses_rates = True
        assert works(line)
        assert line.device.slots[0].parameters == (0, bytes.fromhex("1100000A00"))
        assert [each[0] for each in line.device.messages].count(POWER_ON) == 2


def test_d2_an_answer_to_reset_that_breaks_the_standard_is_refused(tmp_path: Path) -> None:
    with (
        bench(tmp_path, rewrite_atr=lambda atr: b"\x3a" + atr[1:]) as line,
        pytest.raises(ProtocolError, match="TS"),
    ):
        line.reader.power_on()


def test_d2_a_reader_of_the_apdu_level_gets_the_whole_apdu(tmp_path: Path) -> None:
    with bench(tmp_path, "?apdu", is_apdu=True) as line:
        line.reader.power_on()
        assert line.reader.is_block_protocol
        assert line.reader.exchange(GET_CHALLENGE, SOON_S)[8:] == b"\x90\x00"


# --- the reader misbehaves

ANSWERED = ["nak", "bad_lrc", "old_answer", "more_time", "garbage", "cut", "huge"]
SILENT = ["foreign_slot", "more_time_for_ever", "mute", "mute_after", "flood", "unknown_kind"]


@pytest.mark.parametrize("way", ANSWERED)
@pytest.mark.parametrize("kind", [XFR, STATUS, POWER_ON])
def test_d2_an_answer_is_found_behind(line: Bench, way: str, kind: int) -> None:
    line.reader.power_on()
    line.device.misbehave(way, kind)
    assert line.reader.cards_in_reach() == 1
    assert works(line)
    assert not any(each.times for each in line.device.trouble)


@pytest.mark.parametrize("way", SILENT)
def test_d2_a_reader_that_gives_no_answer_is_silent_in_time(line: Bench, way: str) -> None:
    line.reader.power_on()
    line.device.misbehave(way, XFR)
    kind, took_s = fault_of(line.reader.exchange, GET_CHALLENGE, DEADLINE_S)
    assert kind == "silent"
    assert DEADLINE_S * 0.9 <= took_s < SOON_S / 2
    line.device.behave()
    assert works(line)


@pytest.mark.parametrize("way", ["nak", "bad_lrc"])
def test_d2_a_storm_of_damage_ends(line: Bench, way: str) -> None:
    line.reader.power_on()
    line.device.misbehave(way, times=1000)
    kind, took_s = fault_of(line.reader.exchange, GET_CHALLENGE, SOON_S)
    assert kind == "reader"
    assert took_s < SOON_S / 2
    assert len(line.device.messages) < 20
    line.device.behave()
    assert works(line)


def test_d2_a_mute_reader_is_missing_and_returns(
    line: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.device.misbehave("mute", times=1000)
    with monkeypatch.context() as hurried:
        hurried.setattr(ccid_reader, "STATUS_S", DEADLINE_S)
        kind, took_s = fault_of(line.reader.cards_in_reach)
        assert kind == "reader"
        assert took_s < SOON_S / 2
        assert fault_of(line.reader.wait_change, SOON_S)[0] == "reader"
    line.device.behave()
    assert line.reader.cards_in_reach() == 1
    assert works(line)


def test_d2_a_busy_slot_is_waited_for_at_power_up(line: Bench) -> None:
    line.device.misbehave("busy", POWER_ON, times=3)
    assert works(line)


def test_d2_a_late_answer_is_not_taken_for_the_next_one(line: Bench) -> None:
    """The card was slow: its answer to the first command comes while the second one runs."""
    line.reader.power_on()
    slot = line.world.slot("user")
    slot.hold(0x84)
    assert fault_of(line.reader.exchange, GET_CHALLENGE, 0.1)[0] == "silent"
    slot.release()
    assert line.reader.exchange(bytes.fromhex("00A4000002EF05"), SOON_S)[-2:] != b"\x90\x00"


@pytest.mark.parametrize("command", ["B02C010000", "B02A010000", "8072000000"])
@pytest.mark.parametrize("way", ["nak", "nak_after", "bad_lrc", "mute_after", "cut"])
def test_d2_a_command_that_moves_money_goes_out_once(line: Bench, command: str, way: str) -> None:
    line.reader.power_on()
    line.device.misbehave(way, XFR)
    sent = bytes.fromhex(command)
    kinds = []
    try:
        line.reader.exchange(sent, DEADLINE_S)
    except TransportError as fault:
        kinds.append(fault.kind)
    assert kinds in ([], ["silent"])
    assert line.world.slot("user").counters.exchanges <= 1
    assert sum(each[10:] == sent for each in line.device.messages) <= 1
    assert works(line)


# --- removal


def test_d2_a_card_pulled_in_the_middle_is_removed(line: Bench) -> None:
    line.reader.power_on()
    line.world.slot("user").remove()
    assert fault_of(line.reader.exchange, GET_CHALLENGE, SOON_S)[0] == "removed"
    assert line.reader.cards_in_reach() == 0
    line.put_back()
    assert works(line)


def test_d2_a_card_whose_removal_the_reader_sees_too_late_is_removed_not_mute(line: Bench) -> None:
    line.reader.power_on()
    line.device.misbehave("pulled", XFR)
    assert fault_of(line.reader.exchange, GET_CHALLENGE, SOON_S)[0] == "removed"


def test_d2_a_card_exchanged_without_power_is_a_change_because_the_reader_says_so(
    line: Bench,
) -> None:
    """Present before, present after, never powered: no look at the slot could tell."""
    line.reader.cards_in_reach()
    slot = line.world.slot("user")

    def exchange() -> None:
        slot.remove()
        time.sleep(0.03)
        line.put_back()

    timer = threading.Timer(LOOK_S / 10, exchange)
    timer.start()
    began = time.monotonic()
    line.reader.wait_change(SOON_S)
    assert time.monotonic() - began < SOON_S / 2
    timer.join()


@pytest.mark.parametrize("notifies", [True, False], ids=["told", "found"])
def test_d2_a_card_that_comes_or_goes_ends_the_wait(tmp_path: Path, notifies: bool) -> None:
    with bench(tmp_path, notifies=notifies) as line:
        slot = line.world.slot("user")
        for act, expected in [(slot.remove, 0), (line.put_back, 1)]:
            line.reader.cards_in_reach()
            timer = threading.Timer(0.2, act)
            began = time.monotonic()
            timer.start()
            line.reader.wait_change(SOON_S)
            assert 0.15 < time.monotonic() - began < SOON_S / 2
            timer.join()
            assert line.reader.cards_in_reach() == expected


def test_d2_a_wait_without_a_change_ends_with_its_time(line: Bench) -> None:
    line.reader.cards_in_reach()
    began = time.monotonic()
    line.reader.wait_change(0.3)
    assert 0.25 < time.monotonic() - began < SOON_S / 2


def test_d2_a_card_exchanged_between_two_looks_is_a_change(tmp_path: Path) -> None:
    with bench(tmp_path, notifies=False) as line:
        line.reader.cards_in_reach()
        line.reader.power_on()
        line.world.slot("user").remove()
        line.put_back()
        began = time.monotonic()
        line.reader.wait_change(SOON_S)
        assert time.monotonic() - began < SOON_S / 2


def test_d2_a_reader_pulled_off_and_put_back_recovers(line: Bench) -> None:
    line.reader.power_on()
    line.device.unplug()
    assert fault_of(line.reader.exchange, GET_CHALLENGE, SOON_S)[0] == "reader"
    assert fault_of(line.reader.cards_in_reach)[0] == "reader"
    assert fault_of(line.reader.power_on)[0] == "reader"
    line.device.plug_in()
    assert line.reader.cards_in_reach() == 1
    assert works(line)


def test_d2_a_reader_that_was_away_took_the_cards_power(line: Bench) -> None:
    """The other slot found the line gone and opened it again: our card lost its power too."""
    line.reader.power_on()
    line.device.unplug()
    line.device.plug_in()
    fault_of(line.other().cards_in_reach)
    line.other().cards_in_reach()
    assert fault_of(line.reader.exchange, GET_CHALLENGE, SOON_S)[0] == "reader"
    assert works(line)


# --- addresses


def test_d2_a_device_that_is_not_there_is_a_fault_at_use_and_not_at_start(tmp_path: Path) -> None:
    reader = open_ccid(f"{tmp_path}/none")
    for _ in range(2):
        with pytest.raises(TransportError, match=r"none.*board\.toml"):
            reader.cards_in_reach()


def test_d2_a_slot_that_the_reader_has_not_is_named(line: Bench) -> None:
    with pytest.raises(TransportError, match=r"no such slot.*board\.toml"):
        line.other(3).cards_in_reach()


@pytest.mark.parametrize("address", ["", "#0", "/dev/ttyS1#4", "/dev/ttyS1#", "/dev/ttyS1?other"])
def test_d2_an_address_that_is_none_says_how_it_is_written(address: str) -> None:
    with pytest.raises(ValueError, match=r"ccid:/dev/ttyAMA0#1\?sec1210"):
        open_ccid(address)


@pytest.mark.parametrize(
    ("address", "slot", "model"),
    [
        ("/dev/ttyS1", 0, "gempc"),
        ("/dev/ttyS1#1", 1, "gempc"),
        ("/dev/ttyS1?sec1210", 0, "sec1210"),
        ("/dev/serial/by-id/usb-X_Y-if00#2?apdu", 2, "apdu"),
    ],
)
def test_d2_an_address_names_device_slot_and_model(address: str, slot: int, model: str) -> None:
    from firmware.drivers.ccid_reader import MODELS

    reader = open_ccid(address)
    assert reader._slot == slot
    assert reader._model is MODELS[model]
    assert reader._wire is open_ccid(address)._wire


def test_d2_a_slot_that_is_busy_is_powered_off_all_the_same(line: Bench) -> None:
    """An abandoned command keeps it busy for a while; the card must not stay powered after it."""
    line.reader.power_on()
    line.device.misbehave("busy", POWER_OFF, times=2)
    line.reader.power_off()
    assert line.device.slots[0].state() == ccid.ICC_INACTIVE


def test_d2_a_slot_that_stays_busy_keeps_nobody(
    line: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.reader.power_on()
    line.device.misbehave("busy", POWER_OFF, times=100_000)
    with monkeypatch.context() as hurried:
        hurried.setattr(ccid_reader, "STATUS_S", DEADLINE_S)
        began = time.monotonic()
        line.reader.power_off()
    assert time.monotonic() - began < SOON_S / 2


def test_d2_a_card_whose_answer_to_reset_is_refused_has_no_power(tmp_path: Path) -> None:
    """EMV Level 1: a card that cannot be used is deactivated."""
    with bench(tmp_path, rewrite_atr=lambda atr: atr + b"\x00") as line:
        with pytest.raises(ProtocolError):
            line.reader.power_on()
        assert line.device.slots[0].state() == ccid.ICC_INACTIVE
