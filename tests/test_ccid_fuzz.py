"""Issue D, bad input: whatever comes out of a CCID reader, each call ends in its time.

The reader is a list of byte strings; the clock is a number that its silence moves on.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.drivers import ccid_card, ccid_reader, ccid_wire
from firmware.drivers.ccid_line import frame
from firmware.drivers.ccid_reader import MODELS, POWER_ON_S, STATUS_S, CcidReader
from firmware.drivers.ccid_wire import CcidWire
from firmware.outcome import ProtocolError, TransportError

DEADLINE_S = 2.0
ATR = bytes.fromhex("3B6D00000081544C0086840807230005C0")


class Line:
    """A uart and a clock.  Echoes slot and sequence number of the last command into bytes 5 and 6
    of what begins like an answer, so that some of it is taken."""

    def __init__(self, pieces: list[bytes]):
        self.pieces = pieces
        self.now = 0.0
        self.written = 0
        self.reads = 0
        self._seq = b"\0\0"

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def write(self, data: bytes) -> None:
        self.written += len(data)
        if len(data) > 8:
            self._seq = data[7:9]

    def read(self, maximum: int, timeout_s: float) -> bytes:
        self.reads += 1
        self.now += 0.0005
        if timeout_s <= 0:
            return b""
        if not self.pieces:
            self.now += timeout_s
            return b""
        piece = self.pieces.pop(0)
        if piece[:1] in (b"\x80", b"\x81", b"\x82") and len(piece) >= 10:
            piece = frame(piece[:5] + self._seq + piece[7:])
        return piece[:maximum]

    def close(self) -> None: ...


def answer(kind: int, status: int, error: int, last: int, data: bytes) -> bytes:
    length = len(data).to_bytes(4, "little")
    return bytes((kind, *length, 0, 0, status, error, last)) + data


ANSWERS = st.builds(
    answer,
    st.sampled_from([0x80, 0x81, 0x82]),
    st.sampled_from([0, 0, 0, 0x01, 0x02, 0x40, 0x42, 0x80, 0xC0]),
    st.sampled_from([0, 0xFE, 0xFB, 0xE0, 0x05, 0x77]),
    st.sampled_from([0, 0, 0, 1]),
    st.one_of(st.just(ATR), st.binary(max_size=261), st.just(b"\x00\x00\x00\x00")),
)
PIECES = st.lists(
    st.one_of(ANSWERS, st.binary(max_size=40), st.sampled_from([b"\x50\x03", b"\x03\x15\x16"])),
    max_size=30,
)


def at(line: Line, model: str, monkeypatch: pytest.MonkeyPatch) -> CcidReader:
    for module in (ccid_wire, ccid_reader, ccid_card):
        monkeypatch.setattr(module, "time", line)
    monkeypatch.setattr(ccid_wire, "open_uart", lambda *_, **__: line)
    return CcidReader(CcidWire("/dev/fuzz"), 0, MODELS[model])


def ends_in(line: Line, most_s: float, call: Any, *arguments: Any) -> Any:
    began = line.now
    try:
        return call(*arguments)
    except (TransportError, ProtocolError):
        return None
    finally:
        assert line.now - began <= most_s + 0.3


@settings(max_examples=150, deadline=None)
@given(pieces=PIECES, model=st.sampled_from(sorted(MODELS)))
def test_d_any_reader_is_answered_in_time(pieces: list[bytes], model: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        line = Line(list(pieces))
        reader = at(line, model, monkeypatch)
        count = ends_in(line, STATUS_S, reader.cards_in_reach)
        assert count in (None, 0, 1)
        both = 2 * (POWER_ON_S + STATUS_S)  # a rate refused: power up again
        ends_in(line, both + 3 * STATUS_S + 6, reader.power_on)
        for _ in range(3):
            ends_in(line, DEADLINE_S, reader.exchange, bytes.fromhex("0084000008"), DEADLINE_S)
        ends_in(line, DEADLINE_S + STATUS_S, reader.wait_change, DEADLINE_S)
        assert line.written < 20_000
        assert len(reader._wire._events) < 600


@settings(max_examples=60, deadline=None)
@given(piece=st.binary(min_size=1, max_size=300))
def test_d_a_reader_that_never_stops_talking_is_left_in_time(piece: bytes) -> None:
    class Endless(list):  # type: ignore[type-arg]
        def __bool__(self) -> bool:
            return True

        def pop(self, at: int) -> bytes:
            return piece

    with pytest.MonkeyPatch.context() as monkeypatch:
        line = Line(Endless())
        reader = at(line, "gempc", monkeypatch)
        ends_in(line, STATUS_S, reader.cards_in_reach)
        ends_in(line, DEADLINE_S + STATUS_S, reader.wait_change, DEADLINE_S)
        assert line.reads < 20_000
        assert len(reader._wire._unframer._held) <= 274
