"""A link that pushes: what is due, what failed, what is refused; over a collector of the test's."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.uplink import backoff
from firmware.uplink.push import (
    AGAIN_S,
    LOOK_S,
    Barred,
    BatchRefused,
    DownFile,
    Pusher,
    Unreachable,
    parse_offered,
)
from firmware.uplink.spool import Spool
from tests.waiting import SOON_S


class Office:
    """Answers with b"receipt N", or raises what the test planned for the next calls."""

    def __init__(self):
        self.sent, self.plan, self.files, self.fetched, self.closed = [], [], [], [], 0

    def send(self, batch, content):
        self.sent.append(batch.number)
        assert batch.digest == hashlib.sha256(content).digest()
        self._next()
        return b"receipt %d" % batch.number

    def offered(self):
        self._next()
        return self.files

    def fetch(self, file, spool):
        self.fetched.append(file.what)
        spool.put_down(file.what, b"x" * file.size)

    def close(self):
        self.closed += 1

    def _next(self):
        error = self.plan.pop(0) if self.plan else None
        if error is not None:
            raise error


class Case:
    def __init__(self, folder, batches=2):
        self.folder, self.office, self.now = folder, Office(), 0.0
        self.spool = Spool(folder)
        for number in range(1, batches + 1):
            self.seal(number)
        self.pusher = Pusher(
            "test", self.spool, self.office, 300, monotonic=lambda: self.now, draw=lambda: 0.5
        )

    def seal(self, number):
        (self.folder / "out" / f"{number:08d}.batch").write_bytes(b"batch %d" % number)

    def step(self):
        return self.pusher.step(threading.Event())

    def receipts(self):
        return [each.read_bytes() for each in sorted((self.folder / "up").glob("*.receipt"))]


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def test_what_is_out_goes_up_in_order_and_once(case):
    assert case.step() == LOOK_S
    assert case.office.sent == [1, 2]
    assert case.receipts() == [b"receipt 1", b"receipt 2"]
    case.step()
    assert case.office.sent == [1, 2]


def test_a_batch_that_stays_out_is_sent_again_later_and_later(case):
    """Its receipt may have been lost, or refused by the card process."""
    case.step()
    times = []
    while case.now < 3 * 3600:
        case.now += 10
        before = len(case.office.sent)
        case.step()
        if len(case.office.sent) > before:
            times.append(case.now)
    gaps = [b - a for a, b in zip([0, *times], times, strict=False)]
    assert gaps[0] == pytest.approx(AGAIN_S * 0.75, abs=10)
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(3600 * 0.75, abs=10)
    (case.folder / "out" / "00000001.batch").unlink()
    case.now += 3600
    case.step()
    assert case.office.sent[-1] == 2
    assert case.office.sent[-2] == 2 or case.office.sent.count(1) < case.office.sent.count(2)


def test_failures_wait_longer_and_a_success_begins_anew(case):
    """Full jitter with a draw of one half: half the limit."""
    case.office.plan = [Unreachable("no route")] * 4
    assert [case.step() for _ in range(4)] == [0.5, 1, 2, 4]
    assert case.receipts() == []
    assert case.step() == LOOK_S
    case.seal(3)
    case.office.plan = [OSError("disk")]
    assert case.step() == 0.5
    assert case.office.closed == 6


def test_the_office_may_ask_for_patience(case):
    case.office.plan = [Unreachable("busy", 20.0)]
    assert case.step() == 20.5
    case.office.plan = [Unreachable("busy", 1e9)]
    assert case.step() == 3601


def test_a_refused_batch_holds_up_no_other(case, caplog):
    case.office.plan = [BatchRefused("802 not sound")]
    assert case.step() == LOOK_S
    assert case.receipts() == [b"receipt 2"]
    assert "batch 1 is refused: 802 not sound" in caplog.text


def test_a_unit_that_is_not_served_asks_seldom(case, caplog):
    """It still asks for files: the stop that concerns it is one of them."""
    case.office.plan = [Barred("808 revoked"), None, Barred("808 revoked")]
    case.office.files = [DownFile("unitstop", 4, bytes(32))]
    assert case.step() == case.step() == backoff.CAP_S * 0.75
    assert caplog.text.count("808 revoked") == 1
    assert case.office.sent == [1, 1]
    assert case.office.fetched == ["unitstop"]
    case.now = 1000
    case.office.plan = [Barred("801 unknown")] * 2
    assert case.step() == backoff.CAP_S * 0.75


def test_an_odd_receipt_is_none(case, caplog):
    case.office.send = lambda batch, content: bytes(100_000)
    assert case.step() == LOOK_S
    assert case.receipts() == []
    assert "batch 2 is refused" in caplog.text


def test_signed_files_are_fetched_when_they_are_new(case):
    content = b"x" * 5
    case.office.files = [
        DownFile("stoplist", 5, hashlib.sha256(content).digest()),
        DownFile("../odd", 5, bytes(32)),
        DownFile("operators", 7, bytes(32)),
    ]
    case.step()
    assert case.office.fetched == ["stoplist", "operators"]
    assert (case.folder / "down" / "stoplist.cose").read_bytes() == content
    case.now = 299
    case.step()
    assert case.office.fetched == ["stoplist", "operators", "operators"]
    case.step()
    assert len(case.office.fetched) == 3


def test_a_stop_ends_a_long_wait(case):
    case.office.plan = [Barred("x")] * 9
    stop = threading.Event()
    thread = threading.Thread(target=case.pusher.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(SOON_S)
    assert not thread.is_alive()


# -- the list of files ---------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
almost = st.fixed_dictionaries(
    {
        "what": json_values,
        "size": json_values | st.just(5),
        "sha256": json_values | st.just("0" * 64),
    }
)


@given(st.binary(max_size=100) | st.builds(lambda v: json.dumps(v).encode(), json_values))
def test_any_bytes_are_a_list_or_refused(raw):
    with contextlib.suppress(ValueError):
        assert all(isinstance(each, DownFile) for each in parse_offered(raw))


@given(st.lists(almost, max_size=70))
def test_a_list_has_bounds(files):
    """At most 64 files, each of 1 byte to MAX_DOWN, under a whole digest."""
    try:
        found = parse_offered(json.dumps({"files": files}).encode())
    except ValueError:
        return
    assert len(found) == len(files) <= 64
    assert all(0 < each.size <= 16 << 20 and len(each.digest) == 32 for each in found)


def test_a_list_as_the_office_writes_it():
    raw = {"files": [{"what": "stoplist", "number": 7, "size": 5, "sha256": "ab" * 32, "later": 1}]}
    assert parse_offered(json.dumps(raw).encode()) == [DownFile("stoplist", 5, b"\xab" * 32)]
    for wrong in (b"[" * 100_000, b"{}", b'{"files": {}}'):
        with pytest.raises(ValueError, match="no "):
            parse_offered(wrong)
