"""The encrypting pad on a pseudo-terminal: both formats, faults of the line, no digit on it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers import epp, epp_frame, padkey
from firmware.drivers.epp import EncryptingPad
from firmware.drivers.epp_frame import Body, Frames, encode
from firmware.drivers.pad import Pad
from firmware.drivers.pinblock import BlockCipher
from firmware.drivers.uart import open_uart
from firmware.psam import cipher
from firmware.secret import Key, Pin
from simulator.epp_device import KEYS, EppDevice
from simulator.holder import Holder
from tests.waiting import SOON_S, until

PIN = "80642793"
MASTERS = {
    "format 3": (3, bytes.fromhex("9c1f0377a2d85be4613a90cc2e7748d1")),
    "format 4": (4, bytes.fromhex("9c1f0377a2d85be4613a90cc2e7748d1")),
    "format 4, 256 bits": (4, bytes.fromhex("9c1f0377a2d85be4613a90cc2e7748d1" * 2)[:31] + b"\x07"),
}
KEY_FRAME = 8  # bytes on the line for one key in the clear
CIPHERS = {
    3: BlockCipher(8, cipher.des_encrypt, cipher.des_decrypt),
    4: BlockCipher(16, cipher.aes_encrypt, cipher.aes_decrypt),
}


class Bench:
    def __init__(self, form: int = 4, key: bytes = MASTERS["format 4"][1]):
        self.holder = Holder()
        self.device = EppDevice(self.holder, key, form)
        self.form = form
        self.keys = self.opened(key)
        self.pad = Pad(self.keys)

    def opened(self, key: bytes, form: int | None = None) -> EncryptingPad:
        form = form or self.form
        return EncryptingPad(
            lambda: open_uart(self.device.path, 115200), Key(key), form, CIPHERS[form], SOON_S
        )

    def read(self, timeout_s: float = SOON_S, **how: Any) -> Any:
        return self.pad.read_pin(timeout_s, how.pop("cancelled", lambda: False), **how)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.device.close()


@pytest.mark.parametrize("name", MASTERS)
def test_a_pin_comes_back_as_it_was_typed_and_never_in_the_clear(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    form, key = MASTERS[name]
    bench = Bench(form, key)
    try:
        with caplog.at_level(logging.DEBUG):
            for pin in (PIN, "1234", "135792468", "123456789012"):
                bench.holder.type_pin(pin)
                assert bench.read() == Pin.from_digits(pin)
        line = bytes(bench.device.sent + bench.device.received)
        for pin in (PIN, "123456789012"):
            packed = bytes.fromhex(pin)
            assert pin.encode() not in line
            assert packed not in line
        assert key not in line
        assert PIN not in caplog.text + repr(vars(bench.keys)) + repr(vars(bench.pad))
        assert key.hex() not in repr(vars(bench.keys))
    finally:
        bench.device.close()


def test_two_entries_of_one_pin_share_no_bytes(bench: Bench) -> None:
    blocks = []
    for _ in range(2):
        bench.holder.type_pin(PIN)
        before = len(bench.device.sent)
        bench.read()
        blocks.append([b.data for b in Frames().feed(bytes(bench.device.sent[before:]))][-1])
    assert len(blocks[0]) == len(blocks[1]) == 16
    assert blocks[0] != blocks[1]


def test_the_stars_and_the_time_are_told(bench: Bench) -> None:
    threading.Timer(0.3, bench.holder.type_pin, [PIN]).start()
    seen: list[tuple[int, float]] = []
    bench.read(typed=lambda stars, left: seen.append((stars, left)))
    assert seen[0][0] == 0
    assert seen[0][1] > SOON_S / 2
    assert [stars for stars, _ in seen][-1] == len(PIN)


def test_it_ends_by_the_pad_the_host_and_the_time(bench: Bench) -> None:
    bench.holder.cancel()
    assert bench.read().name == "PIN_CANCELLED"
    clerk = threading.Event()
    threading.Timer(0.2, clerk.set).start()
    assert bench.read(cancelled=clerk.is_set).name == "PIN_CANCELLED"
    assert bench.device.is_idle, "it takes no more digits"
    assert bench.read(timeout_s=1.0).name == "PIN_NOT_ENTERED"
    bench.holder.type_pin(PIN)
    assert bench.read() == Pin.from_digits(PIN), "the pad is free again"


def test_a_pin_too_short_costs_no_try(bench: Bench) -> None:
    bench.holder.type_pin("123")
    assert bench.read().name == "PIN_NOT_ENTERED"


def test_a_pad_with_another_key_is_refused_before_anybody_types(bench: Bench) -> None:
    bench.holder.type_pin(PIN)
    pad = Pad(bench.opened(bytes(range(16))))
    assert pad.read_pin(5, lambda: False).name == "PIN_PAD_REFUSED"
    assert bench.holder.times_asked == 0
    asked = [each.code for each in Frames().feed(bytes(bench.device.received))]
    assert asked == [epp_frame.BEGIN], "no entry is begun with a pad that is not ours"


def test_a_damaged_block_is_no_pin(bench: Bench) -> None:
    bench.device.bad_block = True
    bench.holder.type_pin(PIN)
    assert bench.read().name == "PIN_PAD_REFUSED"


def test_an_entry_that_the_unit_did_not_sign_is_refused_by_the_pad(bench: Bench) -> None:
    keys = bench.keys
    key = keys._agree_on_key()
    assert keys._ask(epp_frame.ABORT, b"", epp_frame.ABORTED)
    asked = bytes((1, 12, 0, 30, 0, 5)) + b"1234567890123456" + bytes(8)
    with pytest.raises(OSError, match="refuses"):
        keys._ask(epp_frame.ENTER, asked, epp_frame.ENTERING)
    key.wipe()


def test_what_the_pad_says_of_itself(bench: Bench) -> None:
    assert bench.pad.look() == "an encrypting pad, PIN blocks of format 4"
    bench.keys._close()
    with pytest.raises(OSError, match="format 4, not 3"):
        bench.opened(bytes(range(16)), 3).look()


def test_a_mute_pad_is_missing_in_time_and_comes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.device.is_mute = True
    with monkeypatch.context() as hurried:
        hurried.setattr(epp, "ANSWER_S", 0.1)
        assert bench.read().name == "PIN_PAD_MISSING"
        with pytest.raises(OSError, match="does not answer"):
            bench.pad.key(0.1, lambda: False)
    bench.device.is_mute = False
    bench.holder.type_pin(PIN)
    assert bench.read() == Pin.from_digits(PIN)


def test_no_device_is_a_missing_pad() -> None:
    keys = EncryptingPad(
        lambda: open_uart("/dev/none-such", 115200), Key(bytes(16)), 4, CIPHERS[4], 5
    )
    assert Pad(keys).read_pin(1, lambda: False).name == "PIN_PAD_MISSING"


def test_noise_and_frames_nobody_asked_for_change_nothing(bench: Bench) -> None:
    strange = encode(Body(epp_frame.PIN, 77, bytes(16))) + encode(Body(epp_frame.ENDED, 78, b"\1"))
    bench.device.send_raw(os.urandom(500) + strange)
    threading.Timer(0.3, bench.device.send_raw, [b"\x02\x00" + os.urandom(40) + strange]).start()
    threading.Timer(0.6, bench.holder.type_pin, [PIN]).start()
    assert bench.read() == Pin.from_digits(PIN)


class Babbler:
    """A line whose other end says what hypothesis wants, on a clock that only reading moves."""

    def __init__(self, says: list[bytes]):
        self.says = list(says)
        self.now = 0.0

    def read(self, maximum: int, timeout_s: float) -> bytes:
        assert 0 <= timeout_s <= 1.0
        self.now += 0.05
        return self.says.pop(0)[:maximum] if self.says else b""

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


answers = st.builds(
    lambda code, sequence, data: encode(Body(code, sequence, data)),
    st.sampled_from([0x81, 0x82, 0x83, 0x84, 0x85, 0x91, 0x92, 0x93, 0x95, 0xFF]),
    st.integers(1, 4),
    st.one_of(st.binary(max_size=20), st.sampled_from([b"\1", b"\2", bytes(16)])),
)


def begun() -> list[bytes]:
    """Right answers to BEGIN and ENTER, where every random number is zero."""
    key = padkey.entry_key(CIPHERS[4], bytes(range(16)), bytes(8), bytes(8))
    check = padkey.check_value(CIPHERS[4], key, b"pad" + bytes(16))
    return [encode(Body(0x82, 1, bytes(8) + check)), encode(Body(0x83, 2))]


@given(
    st.lists(st.one_of(answers, st.binary(max_size=30)), max_size=60),
    st.sampled_from(["keys", "entry", "in the entry"]),
)
def test_whatever_a_pad_says_it_ends_in_time_with_an_outcome(says: list[bytes], part: str) -> None:
    line = Babbler(begun() + says if part == "in the entry" else says)
    pad = Pad(
        EncryptingPad(
            lambda: line, Key(bytes(range(16))), 4, CIPHERS[4], 5, bytes, lambda: line.now
        )
    )
    if part == "keys":
        try:
            found = pad.key(2.0, lambda: False)
        except OSError:
            found = None
        assert found is None or found in KEYS
    else:
        found = pad.read_pin(5.0, lambda: False)
        assert isinstance(found, Pin) or found.number in (204, 205, 206, 211)
        if part == "in the entry" and not says:
            assert found.name == "PIN_PAD_MISSING", "it was begun, and then nothing came"
    assert line.now < 5 + epp._LATE_S + 3 * epp.TRIES * epp.ANSWER_S


# -- keys in the clear -----------------------------------------------------------------------------


def test_keys_are_told_while_somebody_asks_and_not_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epp, "_STALE_S", SOON_S)
    bench.holder.press(*KEYS)
    told = [bench.pad.key(SOON_S, lambda: False) for _ in KEYS]
    assert told == KEYS
    assert bench.pad.key(0.05, lambda: False) is None
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    assert bench.pad.key(SOON_S, stop.is_set) is None
    assert time.monotonic() - began < SOON_S / 2


def test_keys_pressed_while_nobody_asked_are_dropped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epp, "_STALE_S", 0.2)
    assert bench.pad.key(0.05, lambda: False) is None
    told = len(bench.device.sent)
    bench.holder.press("1", "2")
    until(lambda: len(bench.device.sent) >= told + 2 * KEY_FRAME)
    time.sleep(0.4)
    assert bench.pad.key(0.1, lambda: False) is None


# -- frames ----------------------------------------------------------------------------------------

bodies = st.builds(
    Body, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=epp_frame.MAX_DATA)
)


@given(st.lists(bodies, max_size=5), st.integers(1, 40))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[Body], cut: int) -> None:
    line = b"".join(map(encode, sent))
    frames = Frames()
    found = []
    for at in range(0, len(line), cut):
        found += frames.feed(line[at : at + cut])
    assert found == sent


@given(st.lists(st.binary(max_size=200), max_size=10), bodies)
def test_after_any_noise_a_frame_is_found_and_nothing_grows(noise: list[bytes], body: Body) -> None:
    frames = Frames()
    for each in noise:
        frames.feed(each)
        assert len(frames._buffer) <= 3 + 2 + epp_frame.MAX_DATA + 2
    found = frames.feed(bytes(70) + encode(body))
    assert found[-1:] == [body]


def test_a_frame_byte_for_byte() -> None:
    """The example of docs/hardware.md."""
    assert encode(Body(epp_frame.LISTEN, 7, b"\x0a")).hex(" ") == "02 00 03 05 07 0a 59 fd"
    with pytest.raises(ValueError, match="64 bytes"):
        encode(Body(1, 1, bytes(65)))
