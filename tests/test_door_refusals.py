"""Issue E.2: what a unit and the technician's side refuse, act by act, without a line between."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools.door import incoming, looking, moving, prepare, updating
from tools.door.errors import DoorError
from tools.door.talk import Talk, TalkError
from tools.technician import technicians
from tools.technician import updating as desk_updating
from tools.technician.errors import FlashError
from tools.update import state
from tools.update.places import Places

UNITS = Path(__file__).resolve().parents[1] / "tools" / "door" / "units"
MOST_EXPOSED = {"sscterm-door.service": 1.5, "sscterm-door-line@.service": 2.5}
BUNDLE = b"a bundle" * 1000
SHA256 = hashlib.sha256(BUNDLE).hexdigest()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    made = Places(
        etc=tmp_path,
        incoming=tmp_path / "incoming",
        installed=tmp_path / "installed.json",
        state=tmp_path / "update",
        board=tmp_path / "board.toml",
    )
    monkeypatch.setattr(incoming, "KEPT_FREE", 0)
    for module in (incoming, updating, looking):
        monkeypatch.setattr(module, "from_environment", lambda: made)
    return made


@pytest.fixture
def ends() -> Iterator[tuple[Talk, Talk]]:
    """(the unit's, the technician's)."""
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Talk(ours.fileno(), ours.fileno()), Talk(theirs.fileno(), theirs.fileno())


def number(function: Any, *arguments: Any) -> int:
    with pytest.raises((DoorError, FlashError)) as caught:
        function(*arguments)
    return caught.value.number


def test_1408_a_bundle_that_is_another_than_was_named(
    places: Places, ends: tuple[Talk, Talk]
) -> None:
    unit, desk = ends
    request = {"sha256": "0" * 64, "size": len(BUNDLE)}
    threading.Thread(target=desk.send, args=(BUNDLE,), daemon=True).start()
    assert number(incoming.receive, unit, request) == 1408
    assert list(places.incoming.iterdir()) == []


def test_1409_two_bundles_at_once(places: Places, ends: tuple[Talk, Talk]) -> None:
    with incoming.alone(places):
        assert number(incoming.receive, ends[0], {"sha256": SHA256, "size": 1}) == 1409
    desk = ends[1]
    threading.Thread(target=desk.send, args=(BUNDLE,), daemon=True).start()
    told = incoming.receive(ends[0], {"sha256": SHA256, "size": len(BUNDLE)})
    assert told == {"sha256": SHA256, "received": len(BUNDLE)}
    assert incoming.whole(places, SHA256).read_bytes() == BUNDLE


def test_1407_the_journals_room_is_not_given_away(
    places: Places, ends: tuple[Talk, Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "KEPT_FREE", 1 << 60)
    assert number(incoming.receive, ends[0], {"sha256": SHA256, "size": 1}) == 1407


@pytest.mark.parametrize(
    ("refused", "expected"),
    [("product", 1417), ("board", 1424), ("version", 1418), ("trial", 1411)],
)
def test_1411_what_rauc_did_not_install_and_why(
    refused: str, expected: int, places: Places, ends: tuple[Talk, Talk],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """RAUC tells that it failed; what our own handler refused stands in the result."""
    monkeypatch.setattr(updating.slots, "current", lambda places: "A")
    programs = places.etc / "bin"
    programs.mkdir()
    (programs / "rauc").write_text("#!/bin/sh\necho LastError: no space; exit 1\n")
    (programs / "rauc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    places.incoming.mkdir()
    incoming.whole(places, SHA256).write_bytes(BUNDLE)
    state.tell(places, {"kept": False, "refused": "board", "why": "of an earlier one"})
    with pytest.raises(DoorError) as caught:
        updating.install(ends[0], {"sha256": SHA256})
    assert (caught.value.number, caught.value.detail) == (1411, "LastError: no space")
    with pytest.raises(DoorError) as caught:
        updating.tell_why({"kept": False, "refused": refused, "why": "so it is"})
    assert (caught.value.number, caught.value.detail) == (expected, "so it is")


@pytest.mark.parametrize(
    "answer", [None, {"result": None}, {"error": {}}, {"result": {"parts": {"batch": "no key"}}}]
)
def test_1430_nothing_is_backed_up_that_could_not_be_sealed(
    answer: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "ask", lambda *_: answer)
    assert number(moving._seal, tmp_path / "sock", tmp_path) == 1430


def test_1413_a_terminal_that_is_busy_all_the_time_is_not_restarted(
    places: Places, ends: tuple[Talk, Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert number(updating.begin, ends[0], {}) == 1412
    state.set_trial(places, state.Trial("B"))
    busy = SimpleNamespace(returncode=2, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: busy)
    assert number(updating.begin, ends[0], {}) == 1413


def test_1406_a_self_test_that_says_nothing(
    places: Places, ends: tuple[Talk, Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    assert number(looking.selftest, ends[0], {}) == 1406


def test_1420_a_unit_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_updating, "BACK_S", 0.05)
    monkeypatch.setattr(desk_updating, "BETWEEN_S", 0.01)

    def silent(*_: object) -> dict[str, Any]:
        raise FlashError(1401, "no answer")

    unit, desk = SimpleNamespace(ask=silent), SimpleNamespace(say=lambda text: None)
    assert number(desk_updating._wait, unit, None, "first", False, desk) == 1420


def test_1421_only_public_keys_open_a_unit(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + " a@b"
    file.write_text(good + "\n")
    assert technicians.collect([file]) == {"technicians": f"restrict {good}\n".encode()}
    assert technicians.collect([]) == {}
    for text in (
        "-----BEGIN OPENSSH PRIVATE KEY-----", f'command="sh" {good}', "ssh-rsa AAAAB3NzaC1yc2E= x",
        good.replace("AAAAC3", "BBBBC3"), "ssh-ed25519", "钥匙", good + "\n" + "x" * 20_000,
        "\n".join([good] * 65),
    ):  # fmt: skip
        file.write_text(text)
        assert number(technicians.collect, [file]) == 1421
    assert number(technicians.collect, [tmp_path / "none"]) == 1421
    assert technicians.line("ttyAMA0") == {"door-line.ttyAMA0": b"\n"}
    assert number(technicians.line, "../ttyAMA0") == 1422


def test_a_line_that_board_toml_uses_is_no_technicians(tmp_path: Path) -> None:
    for name in ("ttyAMA0", "ttyUSB1", "ttyAMA10", "x;reboot"):
        (tmp_path / f"door-line.{name}").write_bytes(b"\n")
    (tmp_path / "board.toml").write_text('a = "iso7816:/dev/ttyAMA0?x"\n# b = "/dev/ttyUSB1"\n')
    assert prepare.lines(Places(etc=tmp_path)) == ["ttyAMA10", "ttyUSB1"]


def test_what_comes_over_the_line_is_bounded(ends: tuple[Talk, Talk]) -> None:
    unit, desk = ends
    for sent in (b"[1]\n", b"not json\n", b"[" * 3000 + b"\n"):
        desk.send(sent)
        with pytest.raises(TalkError):
            unit.line(5)
    with pytest.raises(TalkError, match="silent"):
        unit.line(0.01)
    threading.Thread(target=desk.send, args=(b"x" * 100_000,), daemon=True).start()
    with pytest.raises(TalkError, match="too long"):
        unit.line(30)


@pytest.mark.parametrize("name", MOST_EXPOSED)
def test_the_exposure_of_the_door_is_small(name: str) -> None:
    command = ("systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / name)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED[name]


def test_what_was_installed_is_known_and_nonsense_is_not(places: Places) -> None:
    assert updating.installed(places) is None
    for text in ("", "[]", "{"):
        places.installed.write_text(text)
        assert updating.installed(places) is None
    places.installed.write_text(json.dumps({"slot": "B"}))
    assert updating.installed(places) == {"slot": "B"}
