"""Issue E.1 and E.2: the door behind its socket and inside its unit's walls, under a real systemd:
sshd logs in, the act runs, and what a technician does not need is not there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests import door_rig, systemd_rig, update_rig
from tests.door_rig import ROOT, Door
from tests.ports import free_port
from tests.systemd_rig import SystemdRig
from tools.update import autoboot

REASON = door_rig.missing() or update_rig.missing() or systemd_rig.missing()
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]
LEFT_OUT = (
    "ProtectSystem", "ReadWritePaths", "ProtectHome", "ProtectHostname", "ProtectControlGroups",
    "ProtectKernel", "PrivateTmp", "PrivateMounts", "PrivateNetwork", "RuntimeDirectory", "Device",
    "IPAddressDeny", "RequiresMountsFor", "After", "Wants",
)  # fmt: skip
"""What wants the places of a unit, or a systemd that is the machine's own."""


def test_the_door_opens_inside_its_walls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    door, port = _door(tmp_path), free_port()
    (tmp_path / "systemd").mkdir()
    systemd = SystemdRig(tmp_path / "systemd")
    try:
        systemd.write("door@.service", _unit(door))
        listens = f"[Socket]\nListenStream=127.0.0.1:{port}\nAccept=yes\n"
        systemd.write("door.socket", listens)
        assert systemd.control("start", "door.socket").returncode == 0
        assert door.flash("info", f"127.0.0.1:{port}", "--json") == 0
        assert json.loads(capsys.readouterr().out)["version"] == "1.0.0"
        assert door.flash("info", f"127.0.0.1:{port}", key=door.stranger) == 2
    finally:
        systemd.stop()


def _door(folder: Path) -> Door:
    files = {"autoboot.txt": autoboot.text("A")}
    places = {
        "bootcfg": update_rig.fat(folder / "p1", update_rig.BOOT_BYTES, files),
        "release": folder / "release.json",
        "state": folder / "update",
        "floor": folder / "version-floor",
    }
    places["release"].write_text(update_rig.release_json("1.0.0"))
    return Door(folder, places)


def _unit(door: Door) -> str:
    """The unit's file with this test's sshd, its walls of system calls and rights as they are."""
    text = (ROOT / "tools" / "door" / "units" / "sscterm-door@.service").read_text()
    lines = [each for each in text.splitlines() if not each.startswith(LEFT_OUT)]
    assert any(each.startswith("SystemCallFilter=@system-service") for each in lines)
    assert any(each.startswith("CapabilityBoundingSet=CAP_") for each in lines)
    command = f"ExecStart=-{shlex.join([*door.sshd(), '-i', '-e'])}"
    text = re.sub("ExecStart=.*", lambda _: command, "\n".join(lines))
    return text.replace("StandardError=journal", f"StandardError=append:{door.folder}/err") + "\n"
