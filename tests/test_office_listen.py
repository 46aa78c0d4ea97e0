"""Pushing: a unit announces, an office that listens fetches, one that polls passes it over; over
real pyserial (issue: "both ends polling or pushing")."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from typing import NamedTuple

import pytest

from firmware.drivers.uart import open_uart
from firmware.uplink import announce, frame, process
from firmware.uplink.frame import Message, encode_frame
from firmware.uplink.serial import SerialServer
from firmware.uplink.spool import Spool
from office import pull as pulling
from office.errors import LinkError
from office.line import SerialLink
from office.pull import pull_announced
from tests.faulty_line import FaultyLine
from tests.waiting import SOON_S


@contextmanager
def unit_at(device, data_dir):
    stop = threading.Event()
    server = SerialServer("unit-1", Spool(data_dir))
    thread = threading.Thread(
        target=process.serve_line,
        args=(server, lambda: open_uart(device, 115200), stop),
        daemon=True,
    )
    thread.start()
    yield server
    stop.set()
    thread.join(SOON_S)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("firmware.uplink.serial._READ_TIMEOUT_S", 0.02)
    monkeypatch.setattr(announce, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(announce, "QUIET_S", 0.2)


@pytest.fixture
def data_dir(tmp_path):
    Spool(tmp_path)
    return tmp_path


def put_batch(data_dir, number):
    beside = data_dir / "new"
    beside.write_bytes(b"batch" * 100)
    beside.rename(data_dir / "out" / f"{number:08d}.batch")


def test_an_announcement_is_heard(data_dir):
    with (
        FaultyLine() as line,
        closing(SerialLink(line.office)) as link,
        unit_at(line.unit, data_dir),
    ):
        assert link.listen(0.3) is None, "nothing waits"
        put_batch(data_dir, 9)
        assert link.listen(SOON_S) == ("unit-1", 9)


def test_an_office_that_polls_passes_it_over(data_dir):
    put_batch(data_dir, 9)
    with (
        FaultyLine() as line,
        closing(SerialLink(line.office)) as link,
        unit_at(line.unit, data_dir),
    ):
        assert link.listen(SOON_S) is not None
        for _ in range(5):
            time.sleep(0.3)  # announcements come between the questions
            assert link.hello().newest == 9
            offer = link.next_after(0)
            assert b"".join(link.read_all(9, 0, offer.size)) == b"batch" * 100


class Got(NamedTuple):
    unit: str


def test_a_listening_office_pulls_at_once_then_at_each_announcement(data_dir, monkeypatch):
    pulls = []

    def pull(folder, link, progress, *, unit):
        info = link.hello()
        pulls.append(info.newest)
        return Got(info.unit)

    monkeypatch.setattr(pulling, "pull", pull)
    with (
        FaultyLine() as line,
        closing(SerialLink(line.office)) as link,
        unit_at(line.unit, data_dir),
    ):
        each = pull_announced(None, link, None, seconds=SOON_S)
        assert next(each).unit == "unit-1"
        put_batch(data_dir, 9)
        started = time.monotonic()
        assert next(each).unit == "unit-1"
        assert time.monotonic() - started < SOON_S / 2
        (data_dir / "out" / "00000009.batch").unlink()
    assert pulls == [None, 9]


def test_a_listening_office_ends_with_its_time(data_dir, monkeypatch):
    monkeypatch.setattr(pulling, "pull", lambda *_, unit: Got("unit-1"))
    with (
        FaultyLine() as line,
        closing(SerialLink(line.office)) as link,
        unit_at(line.unit, data_dir),
    ):
        started = time.monotonic()
        assert len(list(pull_announced(None, link, None, seconds=0.5))) == 1
        assert 0.5 <= time.monotonic() - started < SOON_S / 2


def test_a_unit_that_is_off_is_waited_for(data_dir):
    with FaultyLine() as line, closing(SerialLink(line.office, timeout_s=0.02)) as link:
        assert list(pull_announced(None, link, None, seconds=0.2)) == []


def test_another_unit_ends_the_listening(data_dir):
    with (
        FaultyLine() as line,
        closing(SerialLink(line.office)) as link,
        unit_at(line.unit, data_dir),
    ):
        with pytest.raises(LinkError) as caught:
            list(pull_announced(None, link, None, unit="unit-2", seconds=3))
        assert caught.value.number == 705


def test_an_echo_dies_out(data_dir):
    """A line with a loop in it: what the unit says comes back to it and is not answered."""
    server = SerialServer("unit-1", Spool(data_dir))
    for kind in (frame.ANNOUNCE, frame.ANSWER + frame.HELLO, frame.ERROR, 1 << 40):
        assert list(server.replies(encode_frame(Message(kind, 7, ("unit-1", 3))))) == []
    (reply,) = server.replies(encode_frame(Message(99, 7)))
    assert list(server.replies(reply)) == []
