"""The uplink process: serial line and HTTP at the same time, and a clean stop."""

import contextlib
import random
import threading
import time

import pytest

from firmware.drivers.uart import open_uart
from firmware.outcome import TransportError
from firmware.uplink import process
from firmware.uplink.spool import Spool
from office.fetch import fetch
from office.line import SerialLink
from office.web import HttpLink
from tests.board_parts import links
from tests.faulty_line import FaultyLine
from tests.ports import free_port
from tests.waiting import SOON_S, until

CONTENT = random.Random(3).randbytes(20_000)


@pytest.fixture
def running(tmp_path, monkeypatch):
    """start(open_uart, **parts of [uplink]); everything is stopped and joined at the end."""
    monkeypatch.setattr(process, "CLEAN_EVERY_S", 0.05)
    monkeypatch.setattr("firmware.uplink.serial._READ_TIMEOUT_S", 0.05)
    monkeypatch.setattr(process, "REOPEN_AFTER_S", 0.05)
    started = []
    Spool(tmp_path)
    (tmp_path / "out" / "00000001.batch").write_bytes(CONTENT)

    def start(uart, **parts):
        stop = threading.Event()
        args = ("unit-1", tmp_path, links(**parts), uart, stop)
        thread = threading.Thread(target=process.run, args=args, daemon=True)
        thread.start()
        started.append((stop, thread))

    yield start
    for stop, thread in started:
        stop.set()
        thread.join(SOON_S)
        assert not thread.is_alive()


def test_both_ways_serve_and_a_receipt_goes_after_its_batch(running, tmp_path):
    port = free_port()
    with FaultyLine() as line:
        running(lambda: open_uart(line.unit, 115200), http={"listen": f"127.0.0.1:{port}"})
        serial_link = SerialLink(line.office, timeout_s=2)
        http_link = HttpLink(f"http://127.0.0.1:{port}", attempts=50)
        for name, link in (("a", serial_link), ("b", http_link)):
            (tmp_path / name).mkdir()
            wait_for(link)
            got = fetch(link, link.next_after(0), tmp_path / name, lambda held, size: None)
            assert got == CONTENT
        serial_link.put_receipt(1, b"receipt")
        serial_link.hello()
        receipt = tmp_path / "up" / "00000001.receipt"
        time.sleep(0.15)
        assert receipt.exists()
        (tmp_path / "out" / "00000001.batch").unlink()
        until(lambda: not receipt.exists())
        serial_link.close()


def wait_for(link):
    def hello():
        with contextlib.suppress(Exception):
            return link.hello()
        return None

    return until(hello)


def test_a_line_that_is_gone_is_opened_again(running):
    """A USB serial cable pulled and put back: TransportError, then a new line."""
    with FaultyLine() as line:
        opened = []

        class Gone:
            def read(self, maximum, timeout_s):
                raise TransportError("the line failed")

            def close(self):
                opened.append("closed")

        def open_line():
            opened.append("open")
            if len(opened) == 1:
                raise TransportError("no such device")
            return Gone() if len(opened) < 4 else open_uart(line.unit, 115200)

        running(open_line)
        link = SerialLink(line.office, timeout_s=0.3)
        assert wait_for(link).unit == "unit-1"
        assert opened == ["open", "open", "closed", "open"]
        link.close()


def test_a_link_with_a_fault_of_its_own_begins_again(running, caplog):
    with FaultyLine() as line:
        opened = []

        def open_line():
            opened.append("open")
            if len(opened) < 3:
                raise ZeroDivisionError("invented")
            return open_uart(line.unit, 115200)

        running(open_line)
        link = SerialLink(line.office, timeout_s=0.3)
        assert wait_for(link).unit == "unit-1"
        faults = [each for each in caplog.messages if "a fault of its own" in each]
        assert len(faults) == 2
        link.close()


def test_a_stop_before_anything_began_is_a_clean_end(running, tmp_path):
    """As when the card process is killed while this one starts."""
    stop = threading.Event()
    stop.set()
    parts = links(http={"listen": f"127.0.0.1:{free_port()}"})
    thread = threading.Thread(
        target=process.run, args=("unit-1", tmp_path, parts, None, stop), daemon=True
    )
    thread.start()
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_another_address_than_loopback_does_not_start(tmp_path):
    with pytest.raises(ValueError, match="loopback"):
        process.run(
            "unit-1", tmp_path, links(http={"listen": "0.0.0.0:1"}), None, threading.Event()
        )
