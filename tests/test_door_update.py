"""Issue E.2, `update HOST|serial BUNDLE`: checked, sent, installed by the real rauc over files that
are slots, tried and kept or left; a line that is cut at any moment leaves a sound unit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import door_rig, file_unit, update_rig
from tests.door_rig import Door
from tests.file_unit import Releases
from tests.update_rig import Unit, bundled
from tests.waiting import until
from tools.door import incoming
from tools.technician import updating
from tools.technician.errors import FlashError
from tools.update import autoboot, keep, slots, state
from tools.update.bundle import digest
from tools.update.places import VARIABLE, Places

REASON = door_rig.missing() or update_rig.missing()
pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]
OLD, NEW = "1.0.0", "1.1.0"
PATIENCE_S = 300.0
GOOD = {"ok": True, "parts": {"reader": "ok", "psam": "ok"}, "office": "no receipt lies here"}
BAD = {"ok": False, "parts": {"reader": "ok", "psam": "PSAM_MISSING"}, "office": "-"}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return file_unit.releases(tmp_path_factory.mktemp("releases"), OLD, NEW)


class Machine:
    """A unit with its door: what its firmware, systemd and rauc would do is done here."""

    def __init__(self, folder: Path, of: Releases):
        folder.mkdir()
        self.unit: Unit = file_unit.make(folder / "unit", of, OLD)
        self.of = of
        self.door = Door(folder, {name: Path(path) for name, path in self.unit.places.items()})
        self.door.places["incoming"] = self.unit.data / "update" / "incoming"
        self.door.places["rauc_conf"] = self.unit.folder / "system.conf"
        # Whole as soon as it is there: the test looks at any moment.
        program = f"#!/bin/sh\necho $* >{folder}/asked\nmv {folder}/asked {folder}/reboot\n"
        self.door.programs.joinpath("reboot").write_text(program)
        self.door.programs.joinpath("reboot").chmod(0o755)
        self._restarted = folder / "reboot"
        self.places = Places(**{name: Path(path) for name, path in self.unit.places.items()})

    @contextlib.contextmanager
    def runs(self) -> Iterator[str]:
        with file_unit.rauc_service(self.unit) as variables:
            self.door.environment = variables
            with self.door.lan() as at:
                yield at

    def restarts(self, told: dict[str, Any], has_started: bool = True) -> threading.Thread:
        """When asked to try, it starts the other slot; there the self-test says `told`."""

        def play() -> None:
            ends = time.monotonic() + PATIENCE_S
            while not self._restarted.exists():  # all of an update comes before it
                assert time.monotonic() < ends, "nobody asked for a restart"
                time.sleep(0.02)
            assert self._restarted.read_text() == "0 tryboot\n"
            self.door.places["boot_id"].write_text("second\n")
            if has_started:
                self.unit.boots("B", NEW)
            keep.settle(
                self.places,
                lambda: told,
                lambda: slots.set_state(self.places, slots.current(self.places), "good"),
                lambda is_try: self.unit.boots("A", OLD),
                wait=lambda seconds: None,
                monotonic=iter(range(0, 10**6, 100)).__next__,
            )

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        return thread

    def update(self, at: str, *more: object, version: str = NEW) -> int:
        words = ("update", at, self.of.bundles[version], "--ca", self.of.keys.authority)
        return self.door.flash(*words, *more)

    def committed(self) -> str:
        return autoboot.committed(self.places.bootcfg)

    def is_sound(self) -> None:
        """What a plain start takes is what ran before."""
        assert self.committed() == "A"
        images = self.of.images[OLD]
        assert Path(self.unit.places["boot_a"]).read_bytes() == images["boot"].read_bytes()


@pytest.fixture
def machine(tmp_path: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(updating, "BETWEEN_S", 0.2)
    monkeypatch.setattr(updating, "BACK_S", PATIENCE_S)
    return Machine(tmp_path / "m", releases)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capsys.readouterr().out
    assert out.count("\n") == 1, out
    return json.loads(out)


def test_a_release_is_sent_installed_tried_and_kept(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine.runs() as at:
        size = machine.of.bundles[NEW].stat().st_size
        assert machine.update(at, "--json", "--dry-run") == 0
        assert told(capsys)["would_send"] == size
        thread = machine.restarts(GOOD)
        assert machine.update(at, "--json") == 0
        said = told(capsys)
        assert (said["kept"], said["version"], said["self_test"]) == (True, NEW, GOOD)
        thread.join()
        assert machine.committed() == "B"
        assert (machine.unit.data / "version-floor").read_text() == NEW
        assert machine.update(at, "--json") == 0  # once more: nothing is left to do
        assert told(capsys)["kept"] is True
        assert machine.update(at, "--json", version=OLD) == 2
        assert told(capsys)["error"]["number"] == 1418


def test_a_release_that_fails_its_self_test_is_left_and_the_technician_hears_why(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine.runs() as at:
        thread = machine.restarts(BAD)
        assert machine.update(at) == 1
        thread.join()
        caught = capsys.readouterr()
        assert "NOT  psam         PSAM_MISSING" in caught.out
        assert "1419" in caught.err
        assert "psam" in caught.err
        machine.is_sound()


def test_a_release_that_does_not_start_is_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine.runs() as at:
        thread = machine.restarts(GOOD, has_started=False)
        assert machine.update(at, "--json") == 1
        thread.join()
        error = told(capsys)["error"]
        assert (error["number"], error["detail"]) == (1419, "it did not start")


def test_a_line_cut_while_the_bundle_is_sent_goes_on_from_there(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = machine.of.bundles[NEW]
    size, sent = bundle.stat().st_size, list[int]()
    with machine.runs() as at:
        for cut in (size // 3, 2 * size // 3):
            _send_until(machine, at, bundle, cut)
            part = next(iter(machine.door.places["incoming"].iterdir()))
            until(lambda part=part, cut=cut: part.stat().st_size == cut)
            machine.is_sound()
        assert machine.update(at, "--json", "--dry-run") == 0
        sent.append(told(capsys)["would_send"])
        machine.restarts(GOOD)
        assert machine.update(at, "--json") == 0
        assert told(capsys)["kept"] is True
    assert sent == [size - 2 * size // 3]


def _send_until(machine: Machine, at: str, bundle: Path, cut: int) -> None:
    """A technician's line that ends when it has carried so many bytes of the bundle."""
    request = {"sha256": digest(bundle).hex(), "size": bundle.stat().st_size}
    command = machine.door.client(at, "receive")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as line:
        assert line.stdin is not None
        assert line.stdout is not None
        line.stdin.write(json.dumps(request).encode() + b"\n")
        line.stdin.flush()
        have = json.loads(line.stdout.readline())["say"]["have"]
        line.stdin.write(bundle.read_bytes()[have:cut])
        line.stdin.close()
        line.wait(60)


def test_a_line_cut_while_rauc_writes_lets_it_end_and_nothing_is_sent_again(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with machine.runs() as at:
        with monkeypatch.context() as patch:
            patch.setattr(updating, "_install", _stop)
            assert machine.update(at, "--json") == 1
            assert told(capsys)["error"]["number"] == 1414
        request = {"sha256": digest(machine.of.bundles[NEW]).hex(), "version": NEW}
        command = machine.door.client(at, "install")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as line:
            assert line.stdin is not None
            assert line.stdout is not None
            line.stdin.write(json.dumps(request).encode() + b"\n")
            line.stdin.flush()
            assert "say" in json.loads(line.stdout.readline())
            line.kill()  # the cable is pulled while rauc is at work
        assert machine.committed() == "A"
        machine.restarts(GOOD)
        monkeypatch.setattr(updating, "_send", _never)
        assert machine.update(at, "--json") == 0  # waits for the end of that work
        assert told(capsys)["kept"] is True
        assert machine.committed() == "B"


def _stop(*_: object) -> None:
    raise FlashError(1414, "pulled")


def _never(*_: object) -> None:
    raise AssertionError("it was done already")


def test_a_bundle_that_is_not_to_be_trusted_is_refused_before_a_byte_is_sent(
    machine: Machine, releases: Releases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = releases.bundles[NEW]
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 2] ^= 1
    flipped, cut = tmp_path / "flipped.raucb", tmp_path / "cut.raucb"
    flipped.write_bytes(raw)
    cut.write_bytes(bundle.read_bytes()[:-1000])
    foreign = update_rig.keys(tmp_path / "foreign", "foreign")
    other = update_rig.bundled(
        tmp_path / "other", releases.images[NEW], NEW, releases.keys, compatible="toaster"
    )
    with machine.runs() as at:
        for file, ca, number in (
            (flipped, releases.keys.authority, 1416),
            (cut, releases.keys.authority, 1416),
            (bundle, foreign.authority, 1416),
            (other, releases.keys.authority, 1417),
            (tmp_path / "none", releases.keys.authority, 1423),
        ):
            assert machine.door.flash("update", at, file, "--ca", ca, "--json") == 2
            assert told(capsys)["error"]["number"] == number
    assert not machine.door.places["incoming"].exists()


def test_the_unit_itself_refuses_what_a_technician_would_force_on_it(
    machine: Machine, releases: Releases, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    state.replace(machine.places.floor, "9.0.0")
    monkeypatch.setattr(updating, "_check_version", lambda bundle, found: None)
    with machine.runs() as at:
        assert machine.update(at, "--json") == 2
        error = told(capsys)["error"]
        assert (error["number"], error["detail"]) == (
            1418, "1.1.0 is older than 9.0.0, which was kept here"
        )  # fmt: skip
        machine.is_sound()
        assert state.trial(machine.places) is None


def test_a_bundle_for_another_board_is_refused_with_both_names(
    machine: Machine, releases: Releases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.unit.of_board(b"raspberrypi,model-zero-2-w\0brcm,bcm2837\0")
    other = bundled(tmp_path / "b", releases.images[NEW], NEW, releases.keys, boards=("pi3", "pi4"))
    with machine.runs() as at:
        words = ("update", at, other, "--ca", releases.keys.authority, "--json")
        assert machine.door.flash(*words) == 2
        assert told(capsys)["error"]["number"] == 1424
        assert machine.door.flash("info", at, "--json") == 0
        why = told(capsys)["last_update"]["why"]
        assert why == "the bundle is for pi3 pi4, this board is zero2w"
        machine.is_sound()
        assert state.trial(machine.places) is None


def test_a_bundle_that_would_take_the_journals_room_is_refused(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine.runs() as at:
        asked = '{"sha256": "%s", "size": %d}\n' % ("0" * 64, incoming.MAX_BUNDLE + 1)
        assert _ask(machine, at, "receive", asked)["error"]["number"] == 1407
        for request in ('{"sha256": "../../etc/x", "size": 3}\n', '{"sha256": 1}\n', "{}\n"):
            assert _ask(machine, at, "receive", request)["error"]["number"] == 1404
        assert _ask(machine, at, "install", '{"sha256": "%s"}\n' % ("0" * 64))["error"] == {
            "number": 1410, "detail": "0" * 64,
        }  # fmt: skip
        assert _ask(machine, at, "try", "{}\n")["error"]["number"] == 1412


def _ask(machine: Machine, at: str, act: str, request: str) -> dict[str, Any]:
    said = subprocess.run(
        machine.door.client(at, act), input=request.encode(), capture_output=True, timeout=60
    )
    return json.loads(said.stdout)


def test_an_update_over_a_serial_line(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    with file_unit.rauc_service(machine.unit) as variables:
        machine.door.environment = variables
        with machine.door.serial() as (target, _):
            machine.restarts(GOOD)
            assert machine.update(target, "--json") == 0
    assert told(capsys)["kept"] is True
    assert machine.committed() == "B"


def test_what_a_start_left_is_removed_at_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    (folder / f"{'0' * 64}.part").write_bytes(b"half")
    at = tmp_path / "door.json"
    at.write_text(json.dumps({"incoming": str(folder), "etc": str(tmp_path)}))
    environment = {**os.environ, VARIABLE: str(at)}
    command = [sys.executable, "-m", "tools.door.prepare"]
    subprocess.run(command, check=True, timeout=60, env=environment)
    assert list(folder.iterdir()) == []
