"""Issue "The technician", item 3: finds a terminal on serial, USB or the LAN, and says what it is
before it touches it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.finding_rig import FarEnd, announced, listener, usb_tree
from tests.flash_rig import flash
from tests.waiting import until
from tools.door.announce import PROVISIONED, REFUSED, STATES, WAITING, Said
from tools.door.line import KNOCK
from tools.technician import finding, ident, lan, usb
from tools.technician.errors import FlashError
from tools.technician.finding import BOOT, LAN, SERIAL, SILENT, STORAGE, UNIT, UNKNOWN, Found
from tools.technician.ident import Ident
from tools.technician.place import Place

# Names of its own: others may test on this machine at the same time, and loopback is one network.
ID = f"pharmacy-{os.getpid()}"
SERIAL_NUMBER = f"1000{os.getpid():012x}"
SAID = Said("1.2.3", ID, PROVISIONED, SERIAL_NUMBER)
LINE = f"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10 {SAID.addendum()}".encode()
IDENT = Ident("1.2.3", ID, PROVISIONED)
LOOPBACK = ["127.0.0.1"]

GADGET = ({
    "idVendor": "1d6b", "idProduct": "0104", "bDeviceClass": "00",
    "manufacturer": "sscterm", "product": "sscterm 1.2.3 provisioned", "serial": ID,
}, {"1-1:1.0": ["02", "tty/ttyACM0"], "1-1:1.1": ["0a"]})  # fmt: skip
HUB = ({"idVendor": "1d6b", "idProduct": "0002", "bDeviceClass": "09"}, {"1-0:1.0": ["09"]})
CM4 = ({"idVendor": "0a5c", "idProduct": "2711", "bDeviceClass": "00",
        "manufacturer": "Broadcom", "product": "BCM2711 Boot"}, {"1-2:1.0": ["ff"]})  # fmt: skip
CARDS = ({"idVendor": "058f", "idProduct": "6366", "bDeviceClass": "00",
          "product": "Flash Card Reader"}, {"1-3:1.0": ["08", "host4/target4:0:0"]})  # fmt: skip
ADAPTER = ({"idVendor": "0403", "idProduct": "6001", "bDeviceClass": "00",
            "manufacturer": "FTDI", "product": "\x1b[31mFT232R"},
           {"1-4:1.0": ["ff", "ttyUSB0/tty/ttyUSB0"]})  # fmt: skip
MOUSE = ({"idVendor": "046d", "idProduct": "c077", "bDeviceClass": "00"}, {"1-5:1.0": ["03"]})


# -- the first line ------------------------------------------------------------------------------


@given(
    version=st.from_regex(r"\A[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}\Z"),
    unit=st.from_regex(r"\A[A-Za-z0-9-]{0,32}\Z"),
    state=st.sampled_from(STATES),
)
def test_every_line_a_unit_can_say_is_understood(version: str, unit: str, state: str) -> None:
    line = f"SSH-2.0-OpenSSH_9.2p1 {Said(version, unit, state).addendum()}".encode()
    assert ident.parse(line) == Ident(version, unit, state)


@pytest.mark.parametrize(
    "line",
    [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
        LINE + b" ",
        LINE.replace(b"-2.0-", b"-1.5-"),
        LINE.replace(b"/provisioned", b"/root"),
        LINE.replace(b"/prov", b"\x1b[2J/prov"),
        LINE.replace(b"pharmacy", b"p" * 33),
        LINE.replace(b"1.2.3", b"1.2"),
        LINE.replace(b"OpenSSH", b"O\xe4enSSH"),
    ],
    ids=("other", "end", "old", "state", "escape", "long", "version", "byte"),
)
def test_another_line_is_no_terminal(line: bytes) -> None:
    assert ident.parse(line) is None


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_whatever_comes_the_first_line_is_found_or_not_and_it_ends(pieces: list[bytes]) -> None:
    waiting = list(pieces)
    found = ident.first_line(lambda _: waiting.pop(0) if waiting else b"", time.monotonic() + 60)
    assert found is None or (found.startswith(b"SSH-") and b"\n" not in found)
    if found is not None:
        ident.parse(found)


@given(st.binary(max_size=50).filter(lambda each: b"SSH-" not in each), st.integers(1, 40))
def test_the_line_is_found_behind_noise_and_in_any_pieces(noise: bytes, size: int) -> None:
    raw = noise + b"\n" + LINE + b"\r\n\0\0"
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    found = ident.first_line(lambda _: pieces.pop(0) if pieces else b"", time.monotonic() + 60)
    assert found == LINE


def test_one_who_never_ends_a_line_is_left() -> None:
    calls = []

    def read(_: float) -> bytes:
        calls.append(1)
        return b"x" * 1024

    assert ident.first_line(read, time.monotonic() + 60) is None
    assert len(calls) == ident.MOST // 1024


# -- an address ----------------------------------------------------------------------------------


def test_an_address_is_asked_who_it_is() -> None:
    with listener(b"welcome\r\n" + LINE[:20], LINE[20:] + b"\r\n") as port:
        found = finding.on_address("127.0.0.1", port, 30)
        assert (found.what, found.said) == (UNIT, IDENT)
        assert found.place == Place(LAN, "127.0.0.1", port, ID)
    with listener(b"SSH-2.0-dropbear\r\n") as port:
        assert finding.on_address("127.0.0.1", port, 30).what == UNKNOWN


def test_an_address_that_does_not_answer_so_is_told() -> None:
    with listener() as port, pytest.raises(FlashError) as error:
        finding.on_address("127.0.0.1", port, 0.3)
    assert error.value.number == 1454
    with pytest.raises(FlashError) as error:  # nobody listens there any more
        finding.on_address("127.0.0.1", port, 30)
    assert error.value.number == 1454
    with listener(b"220 mail\r\n" * 2000) as port, pytest.raises(FlashError) as error:
        finding.on_address("127.0.0.1", port, 30)
    assert error.value.number == 1454


# -- a serial line -------------------------------------------------------------------------------


def test_a_serial_line_is_asked_and_left_as_it_was() -> None:
    with FarEnd(KNOCK, b"\xff\n" + LINE + b"\r\n") as far:
        before = termios.tcgetattr(far.theirs)
        found = finding.on_line(far.device, 115200, 30)
        assert (found.what, found.said) == (UNIT, IDENT)
        assert found.place == Place(SERIAL, far.device, 115200, ID)
        after = termios.tcgetattr(far.theirs)
        assert after[2] == before[2] & ~termios.HUPCL  # closing it drops no line
        assert (after[:2], after[3:]) == (before[:2], before[3:])
        again = finding.on_line(far.device, 9600, 30)
        assert again.said == IDENT
        until(lambda: far.heard == 2 * (KNOCK + ident.HELLO + ident.disconnect()))


def test_the_line_is_drained_of_what_another_end_says() -> None:
    with FarEnd(KNOCK, b"login: \r\nPassword: ") as far:
        assert finding.on_line(far.device, 115200, 0.3).what == SILENT
        assert far.heard in (b"", KNOCK)
    with FarEnd(KNOCK, b"SSH-2.0-other\r\n") as far:
        assert finding.on_line(far.device, 115200, 30).what == UNKNOWN


def test_a_line_in_use_or_gone_is_told() -> None:
    with FarEnd(KNOCK, LINE + b"\r\n") as far:
        fcntl.flock(far.theirs, fcntl.LOCK_EX)
        with pytest.raises(FlashError) as error:
            finding.on_line(far.device, 115200, 30)
        assert error.value.number == 1452
        fcntl.flock(far.theirs, fcntl.LOCK_UN)
        with pytest.raises(FlashError) as error:
            finding.on_line(far.device, 12345, 30)
        assert error.value.number == 1452
    for name in ("/dev/ttyNOTHING9", os.devnull, "/etc/hostname"):
        with pytest.raises(FlashError) as error:
            finding.on_line(name, 115200, 30)
        assert error.value.number == 1452


# -- USB -----------------------------------------------------------------------------------------


def test_usb_is_read_and_nothing_opened(tmp_path: Path) -> None:
    tree = usb_tree(tmp_path, {
        "usb1": HUB, "1-1": GADGET, "1-2": CM4, "1-3": CARDS, "1-4": ADAPTER, "1-5": MOUSE,
    })  # fmt: skip
    found = list(finding.on_usb(usb.devices(tree)))
    assert [(each.what, each.where) for each in found] == [
        (UNIT, "USB 1-1"), (BOOT, "USB 1-2"), (STORAGE, "USB 1-3"), (UNKNOWN, "/dev/ttyUSB0"),
    ]  # fmt: skip
    assert found[0].said == IDENT
    assert found[0].place == Place(SERIAL, "/dev/ttyACM0", 115200, ID)
    assert found[1].detail == "BCM2711 (Pi 4, CM4)"
    assert found[3].detail == "USB 1-4 0403:6001 FTDI ?[31mFT232R"


def test_a_unit_without_identity_is_named_by_its_board(tmp_path: Path) -> None:
    attributes, interfaces = GADGET
    new = attributes | {"product": "sscterm 1.2.3 waiting", "serial": SERIAL_NUMBER}
    tree = usb_tree(tmp_path, {"1-1": (new, interfaces)})
    (found,) = finding.on_usb(usb.devices(tree))
    assert found.said == Ident("1.2.3", "", WAITING)
    assert finding.locate(SERIAL_NUMBER, tree=tree).address == "/dev/ttyACM0"


@pytest.mark.parametrize(
    "change",
    [
        {"manufacturer": "Sscterm"},
        {"product": "sscterm 1.2.3"},
        {"product": "sscterm 1.2.3 root"},
        {"serial": "a b"},
        {"serial": ""},
    ],
)
def test_strings_that_are_not_a_terminal_s_are_unknown(tmp_path: Path, change: dict) -> None:
    attributes, interfaces = GADGET
    tree = usb_tree(tmp_path, {"1-1": (attributes | change, interfaces)})
    assert [each.what for each in finding.on_usb(usb.devices(tree))] == [UNKNOWN]


# -- the network ---------------------------------------------------------------------------------


def test_1456_a_computer_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr("zeroconf.Zeroconf", none)
    with pytest.raises(FlashError) as error:
        lan.answers(0.1)
    assert (error.value.number, error.value.detail) == (1456, "No such device")


def test_the_network_is_asked_and_each_says_what_it_is() -> None:
    number = f"2000{os.getpid():012x}"
    new = Said("1.2.4", "", WAITING, number)
    odd = Said("9", f"odd-{os.getpid()}", REFUSED)

    def answers() -> dict[str, Found]:
        return {each.serial or each.detail: each for each in finding.on_lan(3, interfaces=LOOPBACK)}

    with announced((SAID, 2222), (new, 22), (odd, 23)):
        expected = {SERIAL_NUMBER, number, f"mDNS sscterm-{odd.unit}"}
        found = until(lambda: all_of(expected, answers()))
    unit = found[SERIAL_NUMBER]
    assert (unit.what, unit.said) == (UNIT, IDENT)
    assert unit.place == Place(LAN, "127.0.0.1", 2222, ID)
    assert found[number].said == Ident("1.2.4", "", WAITING)
    assert found[f"mDNS sscterm-{odd.unit}"].what == UNKNOWN


def all_of(expected: set[str], found: dict[str, Found]) -> dict[str, Found]:
    return found if expected <= found.keys() else {}


# -- locate --------------------------------------------------------------------------------------


def test_what_a_technician_types_is_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = usb_tree(tmp_path, {"1-1": GADGET})
    on_lan = finding.on_lan
    monkeypatch.setattr(finding, "on_lan", lambda *given: on_lan(*given, interfaces=LOOPBACK))
    clinic = f"clinic-{os.getpid()}"
    with announced((Said("1.2.3", clinic, PROVISIONED), 2222)):
        until(lambda: [each for each in on_lan(5, clinic, LOOPBACK) if clinic in str(each)])
        for target, place in {
            "serial:/dev/null": Place(SERIAL, "/dev/null", 115200),
            "serial:/dev/null@9600": Place(SERIAL, "/dev/null", 9600),
            "usb": Place(SERIAL, "/dev/ttyACM0", 115200, ID),
            ID: Place(SERIAL, "/dev/ttyACM0", 115200, ID),
            clinic: Place(LAN, "127.0.0.1", 2222, clinic),
            "unit.example:2200": Place(LAN, "unit.example", 2200),
            "192.0.2.7": Place(LAN, "192.0.2.7", 22),
            "[2001:db8::1]:2200": Place(LAN, "[2001:db8::1]", 2200),
        }.items():
            assert finding.locate(target, 30, tree=tree) == place


def test_none_or_several_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def number(target: str, tree: Path) -> int:
        with pytest.raises(FlashError) as error:
            finding.locate(target, 0.1, tree=tree)
        return error.value.number

    attributes, _ = GADGET
    second = (attributes, {"1-2:1.0": ["02", "tty/ttyACM1"]})
    monkeypatch.setattr(finding, "on_lan", lambda *_: [])
    assert number("usb", tmp_path / "empty") == 1450
    tree = usb_tree(tmp_path / "tree", {"1-1": GADGET, "1-2": second})
    assert number("usb", tree) == 1451
    assert number(ID, tree) == 1451
    for target in (
        "",
        "a b",
        "serial:/dev/ttyNOTHING9",
        "host:0",
        "host:65536",
        "-o ProxyCommand=x",
        "host/x",
        "[::1",
    ):
        assert number(target, tree) == 1422


# -- the act -------------------------------------------------------------------------------------


def test_find_shows_one_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    tree = usb_tree(tmp_path / "sys", {"1-1": GADGET, "1-2": CM4, "1-4": ADAPTER})
    monkeypatch.setattr(finding.usb, "devices", lambda *_: _devices(tree))
    with FarEnd(KNOCK, LINE + b"\r\n") as far:
        names = ["/dev/ttyACM0", "/dev/ttyUSB0", far.device]
        monkeypatch.setattr(finding, "lines", lambda: names)
        assert flash(tmp_path, "find", "--usb", "--serial") == 0
        out = capsys.readouterr().out.splitlines()
        assert far.heard == b""  # not ours by its strings: not even opened
        assert sorted(out) == sorted([
            f"USB 1-1  终端 terminal {ID}  1.2.3  有身份 has its identity  "
            "serial:/dev/ttyACM0@115200",
            "USB 1-2  主板等待启动程序 a board in boot mode: sudo rpiboot, flash.py list  "
            "BCM2711 (Pi 4, CM4)",
            *(
                f"{name}  不是本终端 not known to be a terminal  "
                f"未询问 not asked: flash.py find serial:{name}"
                for name in names[1:]
            ),
        ])  # fmt: skip
        monkeypatch.setattr(finding, "lines", lambda: [far.device])
        assert flash(tmp_path, "find", "--serial", "--all-serial", "--json") == 0
        told = json.loads(capsys.readouterr().out)["found"]
        assert [each["what"] for each in told] == [UNIT, UNIT]
        assert told[1]["said"] == {"version": "1.2.3", "unit": ID, "state": PROVISIONED}
        assert flash(tmp_path, "find", f"serial:{far.device}", "--json") == 0
        (told,) = json.loads(capsys.readouterr().out)["found"]
        assert told["place"]["address"] == far.device


_devices = usb.devices


def test_find_on_the_network_shows_one_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def shown() -> list[str]:
        words = ("--lan", "--interface", "127.0.0.1", "--seconds", "3")
        assert flash(tmp_path, "find", *words) == 0
        return capsys.readouterr().out.splitlines()

    line = f"127.0.0.1:2222  终端 terminal {ID}  1.2.3  有身份 has its identity"
    with announced((SAID, 2222)):
        until(lambda: line in shown())


def test_find_goes_on_where_one_way_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zeroconf", None)
    monkeypatch.setattr(finding.usb, "devices", lambda *_: [])
    monkeypatch.setattr(finding, "lines", lambda: ["/dev/ttyNOTHING9"])
    assert flash(tmp_path, "find", "--json", "--all-serial") == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["what"] for each in told["found"]] == [UNKNOWN]
    assert [each["number"] for each in told["missed"]] == [1452, 1455]
    assert flash(tmp_path, "find", "serial:/etc/hostname", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["number"] == 1452


def test_a_dry_run_opens_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("asked")

    tree = usb_tree(tmp_path / "sys", {"1-1": GADGET})
    monkeypatch.setattr(finding.usb, "devices", lambda *_: _devices(tree))
    for name in ("on_lan", "on_line", "on_address", "lines"):
        monkeypatch.setattr(finding, name, never)
    assert flash(tmp_path, "find", "--dry-run", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["found"]) == 1
