"""Issue E.1 and E.2: the door behind its socket and inside its unit's walls, under a real systemd:
sshd logs in, the act runs, and what a technician does not need is not there."""

from __future__ import annotations

import json
import re
import shlex
import sys
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


ANNOUNCES = """
from tools.door import announce
places = announce.Places({folder!r} / "none", {folder!r} / "none", {folder!r} / "none",
                         {folder!r} / "dnssd" / "x.dnssd", {folder!r} / "addendum")
announce.Places = lambda: places
announce.main()
"""
GADGET = """
from tools.door import gadget
gadget.make(gadget.look(gadget.Places()), "dummy", {folder!r})
"""
LOADS = """
import ctypes, errno, os
libc, here = ctypes.CDLL(None, use_errno=True), os.open("/dev/null", os.O_RDONLY)
number = {{"x86_64": 313, "aarch64": 273}}[os.uname().machine]  # finit_module
libc.syscall(number, here, b"", 0)
told = errno.errorcode[ctypes.get_errno()]
open({folder!r} / "loads", "w").write(told)
"""


@pytest.mark.parametrize(("name", "program"), [("announce", ANNOUNCES), ("gadget", GADGET)])
def test_what_a_unit_says_of_itself_it_says_inside_its_walls(
    name: str, program: str, tmp_path: Path
) -> None:
    """The calls and rights left to it are enough: files, systemctl, a kernel module."""
    (tmp_path / "systemd").mkdir()
    (tmp_path / "sscterm").mkdir()
    systemd = SystemdRig(tmp_path / "systemd")
    try:
        systemd.write("says.service", _says(name, program, tmp_path))
        started = systemd.control("start", "says.service")
        assert started.returncode == 0, (tmp_path / "err").read_text()
        assert systemd.show("says.service", "Result") == "success"
    finally:
        systemd.stop()
    if name == "announce":
        assert "sscterm/?//waiting" in (tmp_path / "addendum").read_text()
        assert (tmp_path / "dnssd").stat().st_mode & 0o777 == 0o755
    else:
        assert (tmp_path / "sscterm" / "UDC").read_text() == "dummy"
    # The filter's own error, where it is the filter that refuses; else the kernel's word.
    assert ((tmp_path / "loads").read_text() == "EUCLEAN") == (name == "announce")


def _says(name: str, program: str, folder: Path) -> str:
    text = (ROOT / "tools" / "door" / "units" / f"sscterm-{name}.service").read_text()
    text = text.partition("[Install]")[0]
    left_out = (*LEFT_OUT, "InaccessiblePaths", "ExecStart", "Before", "SystemCallErrorNumber")
    lines = [each for each in text.splitlines() if not each.startswith(left_out)]
    assert any(each.startswith("SystemCallFilter=@system-service") for each in lines)
    for part, words in (("program", program), ("loads", LOADS)):
        script = words.format(folder=folder).replace("PosixPath(", "__import__('pathlib').Path(")
        (folder / f"{part}.py").write_text(script)
        lines.append(f"ExecStart={sys.executable} -P {folder}/{part}.py")
    lines += ["ExecStart=systemctl --user show --property=Version", f"WorkingDirectory={ROOT}"]
    lines += [f"Environment=PYTHONPATH={ROOT}", "SystemCallErrorNumber=EUCLEAN"]
    return "\n".join([*lines, f"StandardError=append:{folder}/err"]) + "\n"


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
