"""A file comes down in chunks of any order, doubled, overlapping, with restarts of the unit."""

from __future__ import annotations

import hashlib
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.uplink.descent import Descent
from firmware.uplink.frame import MAX_AHEAD
from firmware.uplink.spool import OutOfBounds, Spool

CONTENT = random.Random(5).randbytes(1000)
DIGEST = hashlib.sha256(CONTENT).digest()
SPANS = st.tuples(st.integers(0, 1000), st.integers(0, 300)).map(
    lambda each: (each[0], min(1000, each[0] + each[1]))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(SPANS, st.just("restart")), max_size=30))
def test_what_is_held_is_what_came_without_a_hole(steps):
    with tempfile.TemporaryDirectory() as name:
        data_dir = Path(name)
        descent = Descent(Spool(data_dir))
        disk, memory = 0, set()
        for step in steps:
            if step == "restart":
                descent, memory = Descent(Spool(data_dir)), set()
                continue
            start, end = step
            held, is_kept = descent.take("stoplist", 1000, DIGEST, start, CONTENT[start:end])
            memory |= set(range(start, end))
            while disk in memory:
                disk += 1
            assert held == disk
            assert is_kept or start == end, "all of it fits"
        for start in range(disk, 1000, 100):
            descent.take("stoplist", 1000, DIGEST, start, CONTENT[start : start + 100])
        assert (data_dir / "down" / "stoplist.cose").read_bytes() == CONTENT
        assert descent.take("stoplist", 1000, DIGEST, 0, CONTENT[:9]) == (1000, True)


def test_what_waits_in_memory_is_bounded(tmp_path):
    descent = Descent(Spool(tmp_path))
    size, chunk = 1 << 20, bytes(4096)
    kept = [
        descent.take("stoplist", size, DIGEST, start, chunk)[1]
        for start in range(4096, size - 4096, 4096)
    ]
    assert kept.count(True) == MAX_AHEAD // 4096
    assert kept == sorted(kept, reverse=True)


def test_a_chunk_behind_its_file_is_refused(tmp_path):
    with pytest.raises(OutOfBounds):
        Descent(Spool(tmp_path)).take("stoplist", 10, DIGEST, 8, bytes(3))


def test_another_file_forgets_what_waits(tmp_path):
    descent = Descent(Spool(tmp_path))
    descent.take("stoplist", 1000, DIGEST, 500, CONTENT[500:])
    descent.take("stoplist", 1000, bytes(32), 0, bytes(10))
    held, _ = descent.take("stoplist", 1000, DIGEST, 0, CONTENT[:500])
    assert held == 500
