"""Issue 6, bad input: a slot whose card says anything: no crash, no hang past the deadline, no
growth (the machines alone: tests/test_atr.py, test_pps.py, test_t0.py, test_t1_card.py)."""

import os
import pty
import random
import select
import threading
import time
import tracemalloc
import tty

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.drivers import characters, contact
from firmware.drivers.iso7816 import open_iso7816
from firmware.outcome import TransportError
from simulator.contact_atr import Nature
from tests.waiting import SOON_S

DEADLINE_S = 0.3
GOOD = [Nature().answer(b"x" * 13), Nature(ta1=0x18).answer(b""), Nature(protocol=1).answer(b"")]


class Babbler:
    """Something on the line that is no card: after each reset it says `said[0]`, and one more
    piece after each thing it hears; None says without end."""

    def __init__(self, said):
        self._said = list(said)
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._slave = slave
        os.set_blocking(self._master, False)
        self.device = os.ttyname(slave)
        self._released = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self._thread.join(SOON_S)
        os.close(self._master)
        os.close(self._slave)

    def has_card(self):
        return True

    def power(self, on):
        pass

    def reset(self, asserted):
        if not asserted:
            self._released.set()

    def _talk(self):
        noise = random.Random(1)
        is_endless = False
        while not self._ended:
            heard, _, _ = select.select([self._master], [], [], 0.001)
            if heard:
                os.read(self._master, 4096)
            if heard or self._released.is_set():
                self._released.clear()
                piece = self._said.pop(0) if self._said else b""
                is_endless = is_endless or piece is None
                self._write(piece or b"")
            if is_endless:
                self._write(noise.randbytes(1000))

    def _write(self, data):
        try:
            os.write(self._master, data)
        except BlockingIOError:
            time.sleep(0.001)


def talk(said):
    """Power on and two commands; everything ends in time, and in nothing but TransportError."""
    with Babbler(said) as peer:
        reader = open_iso7816(peer.device + "?echo=off", peer)
        kind = "silent"
        began = time.monotonic()
        try:
            reader.power_on()
            for _ in range(2):
                answer = reader.exchange(bytes.fromhex("00B2010410"), DEADLINE_S)
                assert 2 <= len(answer) <= 258
        except TransportError as error:
            kind = error.kind
        finally:
            reader.close()
        assert kind == "silent"
        assert time.monotonic() - began < SOON_S


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(contact, "_NEXT_ETU", 20)
    monkeypatch.setattr(contact, "LATENCY_S", 0.01)
    monkeypatch.setattr(contact, "_ANNOUNCE_S", 0.3)
    monkeypatch.setattr(characters, "LATENCY_S", 0.01)


PIECES = st.lists(
    st.sampled_from([*GOOD, b"\xb2", b"\x60", b"\x90\x00", b"\x00\xe1\x01\xfe\x1e"])
    | st.binary(max_size=60)
    | st.none(),
    max_size=6,
)


def test_a_card_that_says_anything_ends_in_time(hurried):
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(st.sampled_from(GOOD), PIECES)
    def run(answer, pieces):
        talk([answer, *pieces])

    run()


def test_a_reset_answered_by_anything_ends_in_time(hurried):
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(PIECES)
    def run(pieces):
        talk(pieces)

    run()


@pytest.mark.parametrize("said", [[None], [GOOD[0], None], [GOOD[2], None]],
                         ids=["answer to reset", "T=0", "T=1"])  # fmt: skip
def test_a_flood_fills_no_memory(hurried, said):
    talk(said)  # what is imported and kept once
    tracemalloc.start()
    try:
        talk(said)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
