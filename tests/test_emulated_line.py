"""The emulated line keeps its promises, or the figures of the serial link would mean nothing."""

from __future__ import annotations

import os
import random
import select
import threading
import time

import pytest

from tests.emulated_line import BYTES_PER_S, EmulatedLine, Noise
from tests.waiting import SOON_S


def carried(line: EmulatedLine, content: bytes) -> tuple[bytes, float]:
    """What arrives at the office of what the unit writes, and the seconds from first to last."""
    source, sink = (os.open(name, os.O_RDWR | os.O_NOCTTY) for name in (line.unit, line.office))
    writer = threading.Thread(target=write_all, args=(source, content), daemon=True)
    writer.start()
    came, first_s, last_s = b"", 0.0, 0.0
    while len(came) < len(content) and select.select([sink], [], [], SOON_S)[0]:
        came += os.read(sink, 4096)
        last_s = time.monotonic()
        first_s = first_s or last_s
    writer.join(SOON_S)
    os.close(source)
    os.close(sink)
    return came, last_s - first_s


def write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def test_it_is_as_fast_as_it_says_and_spoils_nothing():
    """Never faster than its rate by more than the credit of a tick; slower as the machine is."""
    content = random.Random(1).randbytes(BYTES_PER_S)
    with EmulatedLine() as line:
        came, seconds = carried(line, content)
    assert came == content
    assert 0.97 < seconds < SOON_S / 2


def test_both_ways_at_once():
    with EmulatedLine(rate=40_000) as line:
        ends = [os.open(name, os.O_RDWR | os.O_NOCTTY) for name in (line.unit, line.office)]
        for end in ends:
            threading.Thread(target=write_all, args=(end, bytes(20_000)), daemon=True).start()
        started = time.monotonic()
        left = dict.fromkeys(ends, 20_000)
        while any(left.values()) and time.monotonic() < started + SOON_S:
            for end in select.select([each for each in ends if left[each]], [], [], SOON_S)[0]:
                left[end] -= len(os.read(end, 4096))
        assert 0.48 < time.monotonic() - started < SOON_S / 2
        for end in ends:
            os.close(end)


@pytest.mark.parametrize("rate", [1e-2, 1e-3, 1e-5])
def test_bits_are_flipped_as_often_as_said(rate):
    """Within five standard deviations of what independent flips give, spread over all bits."""
    noise, bits = Noise(rate, seed=3), 8 * 2_000_000
    flipped = b"".join(noise.spoil(bytes(1000)) for _ in range(2000))
    count = sum(byte.bit_count() for byte in flipped)
    assert abs(count - rate * bits) < 5 * (rate * bits) ** 0.5
    halves = [sum(byte.bit_count() for byte in part) for part in (flipped[::2], flipped[1::2])]
    assert abs(halves[0] - halves[1]) < 5 * count**0.5


def test_no_bit_is_flipped_on_a_clean_line():
    assert Noise(0.0, seed=1).spoil(bytes(100_000)) == bytes(100_000)
