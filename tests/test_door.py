"""Issue E.2: a technician reaches a running unit over the LAN or a serial line; nobody else does,
and he gets acts, no shell.  A real sshd with the unit's own configuration."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import door_rig, update_rig
from tests.door_rig import Door
from tests.test_daemon import Stand
from tests.waiting import until
from tools.door import line
from tools.technician import ident
from tools.technician.line import knock
from tools.update import autoboot

REASON = door_rig.missing() or update_rig.missing()
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Of a unit that runs release 1.0.0 from slot A."""
    places = {
        "bootcfg": update_rig.fat(
            tmp_path / "p1", update_rig.BOOT_BYTES, {"autoboot.txt": autoboot.text("A")}
        ),
        "state": tmp_path / "update",
        "floor": tmp_path / "version-floor",
        "release": tmp_path / "release.json",
        "booted_from": tmp_path / "partition",
        "board": tmp_path / "etc" / "board.toml",
    }
    (tmp_path / "partition").write_bytes((2).to_bytes(4, "big"))
    (tmp_path / "release.json").write_text(update_rig.release_json("1.0.0"))
    return Door(tmp_path, places)


@pytest.fixture
def stand(door: Door) -> Iterator[Stand]:
    """The daemon of that unit, with its simulated card and PSAM."""
    (door.folder / "unit-1").mkdir()
    made = Stand(door.folder / "unit-1")
    (door.etc / "board.toml").symlink_to(made.board)
    yield made
    made.end()


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    out = capsys.readouterr().out
    assert out.count("\n") == 1, out
    return json.loads(out)


def number_of(capsys: pytest.CaptureFixture[str]) -> int:
    return told(capsys)["error"]["number"]


def test_a_unit_says_what_it_is_and_tests_itself_over_the_lan(
    door: Door, stand: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    with door.lan() as at:
        assert door.flash("info", at, "--json") == 0
        said = told(capsys)
        assert (said["unit"], said["version"], said["running"]) == ("DAEMON-1", "1.0.0", "A")
        assert (said["starts"], said["on_trial"], said["floor"]) == ("A", None, "1.0.0")
        assert (said["boot_id"], said["incoming"]) == ("first", [])
        assert door.flash("selftest", at, "--json") == 1
        answer = told(capsys)["error"]
        assert answer["number"] == 1415
        assert "reader" in answer["detail"]
        stand.start_simulator()
        stand.start_daemon()
        until(lambda: door.flash("selftest", at) == 0, lambda: capsys.readouterr().out)
        assert "ok   reader" in capsys.readouterr().out


def test_the_same_acts_over_a_serial_line_one_after_the_other(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    with door.serial() as (target, _):
        for _ in range(2):
            assert door.flash("info", target, "--json") == 0
            assert told(capsys)["version"] == "1.0.0"
        assert door.flash("info", target, "--json", key=door.stranger) == 2
        assert number_of(capsys) == 1402


def test_a_serial_line_full_of_noise_and_a_session_left_open_stop_nobody(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    with door.serial() as (target, device):
        other = line.open_line(str(device), 115200)
        os.write(other, os.urandom(2000) + line.KNOCK[:9] + b"SSH-2.0-nobody\r\n")
        assert door.flash("info", target, "--json") == 0
        assert told(capsys)["version"] == "1.0.0"
        assert knock(other, 60).startswith(b"SSH-2.0-OpenSSH")
        os.write(other, b"SSH-2.0-left\r\n" + os.urandom(300))  # nobody goes on with it
        os.close(other)
        assert door.flash("info", target, "--json") == 0
        assert told(capsys)["version"] == "1.0.0"


def test_the_ident_line_of_a_unit_is_asked_for_and_the_line_is_free_again(door: Door) -> None:
    with door.serial() as (_, device):
        for _ in range(2):
            assert ident.ask_line(str(device), 115200, 60) is None  # heard; it names no unit here


def test_a_knock_is_heard_however_it_is_torn() -> None:
    ear = line.Ear()
    data = b"noise" + line.KNOCK + b"\r\nSSCT" + line.KNOCK + b"rest\r\n"
    heard = [each for at in range(len(data)) for each in ear.hear(data[at : at + 1])]
    parts = b"".join(b"|" if each is None else each for each in heard)
    assert parts == b"noise|\r\nSSCT|rest"  # the end may still become a KNOCK
    assert ear.hear(b"x") == [b"\r\nx"]


def test_bytes_that_look_like_a_knock_s_beginning_are_not_kept(tmp_path: Path) -> None:
    """A packet of ssh may end in a carriage return, and its sender then waits for the answer."""
    ends = [tmp_path / "unit", tmp_path / "desk"]
    between = ["socat", *(f"pty,rawer,link={end}" for end in ends)]
    serves = [sys.executable, "-c", door_rig._SERVES, str(ends[0]), "cat"]
    with subprocess.Popen(between) as wire:
        until(lambda: all(end.exists() for end in ends))
        unit = subprocess.Popen(serves, cwd=door_rig.ROOT)
        try:
            desk = line.open_line(str(ends[1]), 115200)
            heard = bytearray()

            def hears() -> bytes:
                with contextlib.suppress(BlockingIOError):
                    heard.extend(os.read(desk, 4096))
                return bytes(heard)

            def is_there() -> bool:
                os.write(desk, line.KNOCK + b"a")
                return b"a" in hears()

            until(is_there, hears)
            del heard[:]
            for end in (b"packet\r", b"packet\r\n", b"packet\r\nSSC"):
                os.write(desk, end)
                until(lambda end=end: hears().endswith(end), hears)
            os.close(desk)
        finally:
            unit.terminate()
            unit.wait(60)
            wire.terminate()


def test_a_stranger_is_refused_and_leaves_no_act(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    with door.lan() as at:
        assert door.flash("info", at, "--json", key=door.stranger) == 2
        assert number_of(capsys) == 1402
        log = (door.folder / "sshd.log").read_text()
        assert "Starting session" not in log
        for way in ("password", "keyboard-interactive"):
            said = door.ssh(at, "-o", f"PreferredAuthentications={way}", "info")
            assert said.returncode == 255
            assert b"Permission denied (publickey)" in said.stderr


@pytest.mark.parametrize("asked", ["sh", "sh -c id", "info; id", "info id", "../info", "$(id)"])
def test_what_is_no_act_is_refused_and_no_shell_sees_it(door: Door, asked: str) -> None:
    with door.lan() as at:
        said = door.ssh(at, asked)
        assert said.returncode == 2
        assert json.loads(said.stdout)["error"]["number"] == 1404
        assert b"uid=" not in said.stdout + said.stderr


def test_no_terminal_no_forwarding_no_copy_no_environment(door: Door) -> None:
    with door.lan() as at:
        assert b"PTY allocation request failed" in door.ssh(at, "-tt", "info").stderr
        host, port = at.split(":")
        through = door.ssh(at, "-W", f"{host}:{port}", "info")  # sshd's own port, by way of it
        assert b"SSH-2.0" not in through.stdout
        assert b"stdio forwarding failed" in through.stderr
        back = door.ssh(at, "-o", "ExitOnForwardFailure=yes", "-R", f"{port}1:{at}", "info")
        assert back.returncode == 255
        copied = subprocess.run(
            ["sftp", "-F", "none", "-P", port, "-i", door.key, "-o", "BatchMode=yes",
             "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={door.folder}/hosts",
             f"root@{host}:/etc/shadow", door.folder / "shadow"],
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert copied.returncode != 0
        assert not (door.folder / "shadow").exists()
        said = door.ssh(at, "-o", "SetEnv=SSCTERM_PLACES=/tmp/x", "info")
        assert json.loads(said.stdout or b"{}").get("error", {}).get("number") != 1405


def test_a_unit_with_another_host_key_is_not_asked(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    """Remembered by the unit's id: it may have another address tomorrow."""
    door.addendum = "sscterm/1.0.0/pharmacy-7/provisioned"
    with door.lan() as at:
        assert door.flash("info", at) == 0
    with door.lan() as at:  # another port
        assert door.flash("info", at) == 0
        capsys.readouterr()
        known = door.folder / "desk" / "known_units"
        words = known.read_text().split()
        assert words[0] == "pharmacy-7"
        words[2] = (door.folder / "stranger.pub").read_text().split()[1]
        known.write_text(" ".join(words) + "\n")
        assert door.flash("info", at, "--json") == 2
        assert number_of(capsys) == 1403


def test_a_unit_that_is_not_there_is_told(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    with door.lan() as at:
        pass
    assert door.flash("selftest", at, "--json") == 2
    assert number_of(capsys) == 1401
    assert door.flash("logs", "serial:/dev/no-such-line", "--json") == 2
    assert number_of(capsys) == 1422


def test_the_log_comes_as_a_file(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    """journald does not run here: a stand-in answers, and keeps how it was asked."""
    program = door.programs / "journalctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{door.folder}/asked\nhead -c 300000 /dev/zero | tr "\\0" x\n'
    )
    program.chmod(0o755)
    out = door.folder / "unit.log"
    with door.lan() as at:
        assert door.flash("logs", at, "--out", out, "--dry-run") == 0
        assert not out.exists()
        assert door.flash("logs", at, "--out", out, "--lines", 70) == 0
        assert out.stat().st_size == 2 * 300_000 + len(b"\n-- kernel --\n")
        capsys.readouterr()
        assert door.flash("logs", at, "--out", out, "--lines", 10**6, "--json") == 2
        assert number_of(capsys) == 1404
    asked = (door.folder / "asked").read_text().splitlines()
    assert asked[0].split()[:3] == ["--no-pager", "--output=short-iso", "--lines=70"]
    assert "--unit sscterm-*" in asked[0]
    assert "--dmesg" in asked[1]
