"""Issue "The technician", item 3: a unit says what it is before anybody touches it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.door import announce, gadget
from tools.door.announce import PROVISIONED, REFUSED, WAITING, Places, Said
from tools.technician import ident

BOARD = (Path(__file__).resolve().parents[1] / "board.toml").read_text(encoding="utf-8")
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
RELEASE = '{"compatible": "sscterm-rpi", "version": "1.2.3"}'


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(
        board=tmp_path / "etc" / "board.toml",
        release=tmp_path / "release.json",
        serial=tmp_path / "serial-number",
        dnssd=tmp_path / "dnssd" / "sscterm.dnssd",
        addendum=tmp_path / "run" / "sshd.conf",
    )
    places.board.parent.mkdir()
    places.release.write_text(RELEASE)
    places.serial.write_bytes(b"10000000abcdef12\0")
    return places


def test_a_unit_names_itself_its_version_and_its_state(places: Places) -> None:
    assert announce.look(places) == Said("1.2.3", "", WAITING, "10000000abcdef12")
    places.board.write_text(BOARD)
    assert announce.look(places) == Said("1.2.3", "dev-0001", PROVISIONED, "10000000abcdef12")
    places.board.write_text(BOARD.replace("[psam]", "[spam]"))
    assert announce.look(places) == Said("1.2.3", "dev-0001", REFUSED, "10000000abcdef12")


@pytest.mark.parametrize(
    "board",
    [
        b"",
        b"\xff\xfe",
        b"unit = 3",
        b"[unit]\nid = 7",
        b'[unit]\nid = "a/b"',
        b'[unit]\nid = "a\\n[Service]"',
        b'[unit]\nid = "%H"',
        b'[unit]\nid = "' + b"a" * 33 + b'"',
        b"[[[",
    ],
)
def test_whatever_stands_in_board_toml_nothing_but_a_unit_id_is_said(
    places: Places, board: bytes
) -> None:
    places.board.write_bytes(board)
    said = announce.look(places)
    assert (said.version, said.unit, said.state) == ("1.2.3", "", REFUSED)


def test_what_cannot_be_read_is_unknown_and_nothing_fails(places: Places, tmp_path: Path) -> None:
    for text in ("", "{}", '{"compatible": "x", "version": "1.2.3 evil"}', "[]"):
        places.release.write_text(text)
        places.serial.write_bytes(b"\x1b[2J")
        assert announce.look(places) == Said("?", "", WAITING, "")
    places.board.mkdir()
    assert announce.look(places).state == REFUSED


def test_both_files_are_written_whole_and_again(places: Places) -> None:
    announce.write(announce.look(places), places)
    assert "sscterm/1.2.3//waiting" in places.addendum.read_text()
    assert "Name=sscterm-10000000abcdef12\n" in places.dnssd.read_text()
    places.board.write_text(BOARD)
    announce.write(announce.look(places), places)
    assert places.addendum.read_text() == "VersionAddendum sscterm/1.2.3/dev-0001/provisioned\n"
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(places.dnssd)
    assert dict(parsed["Service"]) == {
        "Name": "sscterm-dev-0001",
        "Type": "_sscterm._tcp",
        "Port": "22",
        "TxtText": "unit=dev-0001 version=1.2.3 state=provisioned serial=10000000abcdef12",
    }
    for path in (places.addendum, places.dnssd):
        assert path.stat().st_mode & 0o777 == 0o644
        assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(SSHD is None, reason="no sshd: run tools/install_test_packages.sh")
@pytest.mark.parametrize("unit", ["pharmacy-7", "-", ""])
def test_a_real_sshd_says_it_in_its_first_line(places: Places, tmp_path: Path, unit: str) -> None:
    said = Said("1.2.3", unit, PROVISIONED if unit else WAITING)
    announce.write(said, places)
    key, config = tmp_path / "key", tmp_path / "sshd_config"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=60
    )
    config.write_text(f"HostKey {key}\nInclude {places.addendum}\nUsePAM no\n")
    Path("/run/sshd").mkdir(exist_ok=True)
    done = subprocess.run(
        [str(SSHD), "-i", "-f", config],
        input=ident.HELLO + ident.disconnect(), capture_output=True, timeout=60,
    )  # fmt: skip
    line = done.stdout.split(b"\r\n")[0]
    assert ident.parse(line) == ("1.2.3", unit, said.state), line
    assert b"Received disconnect" in done.stderr or not done.stderr


def test_a_systemd_too_busy_to_answer_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = tmp_path / "systemctl"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(announce, "_DEADLINE_S", 0.2)
    announce.restart_resolved()
    assert "did not answer" in capsys.readouterr().out


def test_the_device_port_gets_the_unit_s_name(tmp_path: Path) -> None:
    (tmp_path / "sscterm").mkdir()
    for said, product, serial in (
        (
            Said("1.2.3", "", WAITING, "10000000abcdef12"),
            "sscterm 1.2.3 waiting",
            "10000000abcdef12",
        ),
        (Said("1.3.0", "pharmacy-7", PROVISIONED), "sscterm 1.3.0 provisioned", "pharmacy-7"),
    ):
        gadget.make(said, "fe980000.usb", tmp_path)
        made = tmp_path / "sscterm"
        assert (made / "UDC").read_text() == "fe980000.usb"
        strings = {each.name: each.read_text() for each in (made / "strings/0x409").iterdir()}
        assert strings == {"manufacturer": "sscterm", "product": product, "serialnumber": serial}
        assert (made / "configs/c.1/acm.GS0").resolve() == made / "functions/acm.GS0"
        assert (made / "idVendor").read_text() == "0x1d6b"


def test_a_bound_port_is_let_go_before_its_strings_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, str]] = []
    write_text = Path.write_text

    def noted(path: Path, text: str) -> int:
        written.append((path.name, text))
        return write_text(path, text)

    said = Said("1.2.3", "pharmacy-7", PROVISIONED)
    gadget.make(said, "dwc2", tmp_path)
    monkeypatch.setattr(Path, "write_text", noted)
    gadget.make(said, "dwc2", tmp_path)
    assert written[0] == ("UDC", "\n")
    assert written[-1] == ("UDC", "dwc2")
    assert ("serialnumber", "pharmacy-7") in written[1:-1]


def test_a_board_without_a_device_port_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(gadget, "PORTS", tmp_path / "udc")
    monkeypatch.setattr(gadget, "GADGETS", tmp_path)
    gadget.main()
    assert "no USB device port" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
