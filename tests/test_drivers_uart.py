"""Issue 2.6: a serial line by real pyserial, on a pty pair (which has no modem lines)."""

import contextlib
import fcntl
import os
import termios
import threading
import time
import tty

import pytest
from serial.serialposix import TCGETS2

from firmware.drivers.uart import open_uart
from firmware.outcome import TransportError
from tests.waiting import SOON_S


@pytest.fixture
def pair():
    office, terminal = os.openpty()
    tty.setraw(terminal)
    uart = open_uart(os.ttyname(terminal), 115200)
    yield office, uart
    uart.close()
    for each in (office, terminal):
        with contextlib.suppress(OSError):
            os.close(each)


def test_bytes_go_both_ways_whatever_their_value(pair):
    office, uart = pair
    every = bytes(range(256))
    uart.write(every)
    came = b""
    while len(came) < len(every):
        came += os.read(office, 1000)
    assert came == every
    os.write(office, every)
    got = b""
    while len(got) < 256:
        part = uart.read(100, SOON_S)
        assert 0 < len(part) <= 100
        got += part
    assert got == every


def test_a_read_returns_what_there_is_before_its_time_is_over(pair):
    office, uart = pair
    threading.Timer(0.05, os.write, (office, b"abc")).start()
    start = time.monotonic()
    assert uart.read(4096, SOON_S)
    assert time.monotonic() - start < SOON_S / 2


def test_a_read_of_a_quiet_line_ends_with_its_time(pair):
    _, uart = pair
    start = time.monotonic()
    assert uart.read(10, 0.1) == b""
    assert 0.05 < time.monotonic() - start < SOON_S / 2
    assert uart.read(10, 0) == b""


def test_a_line_that_was_cut_is_a_transport_error(pair):
    office, uart = pair
    os.close(office)
    with pytest.raises(TransportError, match="check the cable"):
        uart.read(10, 0.2)
    with pytest.raises(TransportError, match="check the cable"):
        uart.write(b"x")


def test_a_closed_line_is_a_transport_error_and_closes_twice(pair):
    _, uart = pair
    uart.close()
    uart.close()
    with pytest.raises(TransportError):
        uart.read(1, 0.1)
    with pytest.raises(TransportError):
        uart.write(b"x")


def test_a_line_in_use_is_refused(pair):
    _, uart = pair
    with pytest.raises(TransportError, match="lock"):
        open_uart(uart.name, 115200)


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TransportError, match=r"ttyNONE.*board\.toml"):
        open_uart(str(tmp_path / "ttyNONE"), 115200)


def test_a_device_that_goes_while_it_is_opened_is_a_transport_error(pair, monkeypatch):
    def gone(*_):
        raise termios.error(5, "Input/output error")

    _, uart = pair
    uart.close()
    monkeypatch.setattr(termios, "tcsetattr", gone)
    with pytest.raises(TransportError, match=r"check the cable"):
        open_uart(uart.name, 115200)


def test_a_rate_that_the_device_cannot_do_is_a_transport_error(pair, monkeypatch):
    """A card's clock of 4 MHz is 10,753 baud."""
    ioctl = fcntl.ioctl

    def only_common_rates(number, request, *more):
        if request == TCGETS2:
            raise OSError(25, "Inappropriate ioctl for device")
        return ioctl(number, request, *more)

    _, uart = pair
    uart.close()
    monkeypatch.setattr(fcntl, "ioctl", only_common_rates)
    with pytest.raises(TransportError, match=r"10753"):
        open_uart(uart.name, 10753)


def test_a_line_that_takes_nothing_is_silent(pair, monkeypatch):
    _, uart = pair
    uart._line.write_timeout = 0.2
    with pytest.raises(TransportError) as error:
        uart.write(bytes(1_000_000))
    assert error.value.kind == "silent"


def test_rate_and_parity_change_on_an_open_line_and_a_pty_takes_no_parity(pair):
    _, uart = pair
    for baud, parity in ((9600, "E"), (9600, "O"), (38400, "O"), (115200, "N")):
        uart.configure(baud, parity)
        _, _, _, _, speed, _, _ = termios.tcgetattr(uart.fileno())
        assert speed == getattr(termios, f"B{baud}")


def test_a_line_that_is_gone_cannot_be_configured(pair):
    _, uart = pair
    uart.close()
    with pytest.raises(TransportError):
        uart.configure(9600, "E")
    with pytest.raises(TransportError):
        uart.fileno()
    assert uart.carrier() is None
