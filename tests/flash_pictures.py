"""The pictures of docs/flash.md: what a technician sees at each step.

    python -m tests.flash_pictures [NAME]...

Each act runs: on a small image of the real shape, a loop device as the card, a unit's own door with
its daemon behind a real sshd.  Prepared are the disks of `list` and what is plugged in at `find`.
A picture carries its text, so a test can say that it is stale without looking at it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

from firmware.journal.devicekey import DeviceKey
from firmware.journal.enrolment import make_enrolment
from tests import door_rig, file_unit, flash_rig, update_rig
from tests.chromium_rig import Browser
from tests.door_rig import Door
from tests.file_unit import Releases
from tests.finding_rig import announced, usb_tree
from tests.flash_screen import draw, picture, session
from tests.test_daemon import Stand
from tests.test_door_update import NEW, OLD, Machine
from tests.waiting import SOON_S, until
from tools.door.announce import PROVISIONED, WAITING, Said
from tools.image.layout import SMALL
from tools.technician import backup as backups
from tools.technician import card, device, finding, identity, updating, usb
from tools.technician.place import Place

ROOT = Path(__file__).resolve().parents[1]
CARD = 80 << 20  # bytes
UNIT = "pharmacy-7"
PARTS = {"reader": "ok", "psam": "ok", "journal": "ok", "batch": "ok", "uplink": "ok"}

Shot = Callable[[Path], str]


# -- the steps -----------------------------------------------------------------------------------


def list_(folder: Path) -> str:
    free = {
        "type": "disk", "rm": True, "ro": False, "hotplug": True, "tran": "usb",
        "model": "STORAGE DEVICE", "mountpoints": [None],
    }  # fmt: skip
    prepared = [
        free | {"name": "nvme0n1", "path": "/dev/nvme0n1", "size": 512_110_190_592, "rm": False,
                "hotplug": False, "tran": "nvme", "model": "SSD 512", "serial": "S4EVNX0N",
                "mountpoints": ["/"]},
        free | {"name": "sdb", "path": "/dev/sdb", "size": 31_914_983_424, "serial": "0000001206"},
        free | {"name": "sdc", "path": "/dev/sdc", "size": 31_914_983_424, "serial": "0000001207",
                "ro": True},
        free | {"name": "sdd", "path": "/dev/sdd", "size": 15_931_539_456, "serial": "AA00012",
                "mountpoints": ["/media/photos"]},
    ]  # fmt: skip
    with patch.object(device, "_lsblk", lambda: prepared):
        return session(folder, "list")


def write(folder: Path) -> str:
    release(folder)
    with flash_rig.disk(folder / "card", CARD) as sd:
        words = f"write sscterm.img {sd} --ca release-ca.crt --for pi4 --unit {UNIT}"
        return session(folder, words, f"{sd.name}\n")


def verify(folder: Path) -> str:
    release(folder)
    with written(folder) as sd:
        return session(folder, f"verify sscterm.img {sd} --ca release-ca.crt")


def wipe(folder: Path) -> str:
    release(folder)
    with written(folder) as sd:
        return session(folder, f"wipe {sd}", f"{sd.name}\n")


def batch(folder: Path) -> str:
    release(folder)
    with flash_rig.disk(folder / "one", CARD) as one, flash_rig.disk(folder / "two", CARD) as two:
        words = f"batch sscterm.img {one} {two} --ca release-ca.crt"
        shown = session(folder, words, f"{two.name} {one.name}\n")
    head, *rest = shown.split("\n")
    # Two cards at once draw on one line each; who ends first is chance.
    return "\n".join([head, *(line for line in rest if "MB/s" not in line)])


def provision(folder: Path) -> str:
    release(folder)
    (folder / "board.toml").write_bytes((ROOT / "board.toml").read_bytes())
    (folder / "office.pub").write_bytes(b"a public key, for the picture\n")
    door_rig.key(folder, "technician")
    with flash_rig.disk(folder / "sscterm.img", CARD) as sd:
        words = (
            f"provision {sd} --board board.toml --unit {UNIT} --region 990100 "
            "--terminal-number 990100000007 --site 锦江社区药房 --file office.pub "
            "--technician technician.pub"
        )
        return session(folder, words, f"{sd.name}\n")


def enrolment(folder: Path) -> str:
    release(folder)
    signer = DeviceKey(bytes(range(32)))
    made = make_enrolment(unit=UNIT, region="990100", time_ms=1, signer=signer)
    (folder / "request").write_bytes(made)
    put(folder / "sscterm.img", card.ENROLMENT, folder / "request")
    with flash_rig.disk(folder / "sscterm.img", CARD) as sd:
        return session(folder, f"enrolment {sd} --out {UNIT}.cose")


def find(folder: Path) -> str:
    tree = usb_tree(folder / "usb", {
        "1-1": (
            {"idVendor": "1d6b", "idProduct": "0104", "bDeviceClass": "00", "manufacturer":
             "sscterm", "product": "sscterm 1.2.3 waiting", "serial": "10000000abcdef12"},
            {"1-1:1.0": ["02", "tty/ttyACM0"]},
        ),
        "1-2": (
            {"idVendor": "0a5c", "idProduct": "2711", "bDeviceClass": "00"}, {"1-2:1.0": ["ff"]},
        ),
        "1-3": (
            {"idVendor": "058f", "idProduct": "6366", "bDeviceClass": "00",
             "product": "Flash Card Reader"}, {"1-3:1.0": ["08"]},
        ),
    })  # fmt: skip
    said = Said("1.2.3", f"pharmacy-{os.getpid()}", PROVISIONED)
    plugged = usb.devices(tree)
    asked = finding.on_lan

    def ours() -> list[finding.Found]:
        """Others may test on this machine: loopback is one network."""
        return [each for each in asked(3, said.unit, ["127.0.0.1"]) if said.unit in str(each)]

    with announced((said, 22), address="192.0.2.17"):
        answers = until(ours)
    assert plugged[0].ident is not None
    assert plugged[0].ident.state == WAITING
    with (
        patch.object(usb, "devices", lambda *_: plugged),
        patch.object(finding, "lines", lambda: ["/dev/ttyACM0", "/dev/ttyUSB0"]),
        patch.object(finding, "on_lan", lambda *_, **__: answers),
    ):
        return session(folder, "find").replace(said.unit, UNIT)


def selftest(folder: Path) -> str:
    (folder / "unit-1").mkdir()
    stand = Stand(folder / "unit-1")
    door = Door(folder, {"board": stand.board})
    try:
        with door.lan() as at:
            stand.start_simulator()
            stand.start_daemon()
            until(lambda: _works(door, at))
            return session(folder, f"selftest {UNIT}", run=at_desk(door, at))
    finally:
        stand.end()


def info(folder: Path) -> str:
    machine = unit_of(folder)
    machine.door.places["boot_id"].write_text("3f6c9d52-6a51-4a3e-9a7e-2f3f5c1f0b11\n")
    with machine.runs() as at:
        return session(folder, f"info {UNIT}", run=at_desk(machine.door, at))


def logs(folder: Path) -> str:
    """journald does not run here: a stand-in answers."""
    machine = unit_of(folder)
    program = machine.door.programs / "journalctl"
    program.write_text("#!/bin/sh\nhead -c 300000 /dev/zero\n")
    program.chmod(0o755)
    with machine.runs() as at:
        return session(folder, f"logs {UNIT} --out {UNIT}.log", run=at_desk(machine.door, at))


def backup(folder: Path) -> str:
    keeper(folder)
    (folder / "unit-1").mkdir()
    stand = Stand(folder / "unit-1")
    text = identity.set_key(stand.board.read_text(), "unit.id", f'"{UNIT}"')
    stand.board.write_text(text)
    door = Door(folder, {"board": stand.board})
    (door.etc / identity.BOARD).write_text(text)
    try:
        with door.lan() as at:
            stand.start_simulator()
            stand.start_daemon()
            until(lambda: _works(door, at))
            words = f"backup {UNIT} {UNIT}.backup --for keeper.crt --records stick"
            return session(folder, words, run=at_desk(door, at))
    finally:
        stand.end()


def restore(folder: Path) -> str:
    release(folder)
    keeper(folder)
    files = {identity.BOARD: named(folder / "board.toml").read_bytes(), "office.pub": b"a key\n"}
    saved = backups.Backup(UNIT, files)
    backups.write(saved, folder / "keeper.crt", folder / f"{UNIT}.backup")
    with flash_rig.disk(folder / "sscterm.img", CARD) as sd:
        words = f"restore {UNIT}.backup {sd} --unit {UNIT}b --open keeper.key"
        return session(folder, words, f"{sd.name}\n")


def update(folder: Path) -> str:
    return _updated(folder, {"ok": True, "parts": PARTS, "office": "no receipt lies here"}, 0)


def fallback(folder: Path) -> str:
    """Of a release in which the PSAM does not answer."""
    parts = PARTS | {"psam": "PSAM_MISSING"}
    return _updated(folder, {"ok": False, "parts": parts, "office": "no receipt lies here"}, 1)


def _updated(folder: Path, told: dict[str, object], ends: int) -> str:
    """told: what the self-test of the new release says."""
    machine = unit_of(folder)
    shutil.copyfile(machine.of.bundles[NEW], folder / f"sscterm-{NEW}.raucb")
    shutil.copyfile(machine.of.keys.authority, folder / "release-ca.crt")
    with machine.runs() as at, patch.object(updating, "BETWEEN_S", 0.2):
        thread = machine.restarts(told)
        words = f"update {UNIT} sscterm-{NEW}.raucb --ca release-ca.crt"
        shown = session(folder, words, run=at_desk(machine.door, at), ends=ends)
        thread.join(SOON_S)
    return shown


def _works(door: Door, at: str) -> bool:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return door.flash("selftest", at) == 0


# -- what they need ------------------------------------------------------------------------------


@functools.cache
def made(folder: Path) -> flash_rig.Release:
    return flash_rig.make(folder)


def release(folder: Path) -> None:
    """A signed release as it is handed out; made once for all pictures."""
    held = made(folder.parent)
    for end in ("", *flash_rig.SIDES):
        shutil.copyfile(held.side(end), folder / f"sscterm.img{end}")
    shutil.copyfile(held.ca, folder / "release-ca.crt")


@contextlib.contextmanager
def written(folder: Path) -> Iterator[Path]:
    """A card with that release."""
    shutil.copyfile(folder / "sscterm.img", folder / "card")
    with (folder / "card").open("r+b") as file:
        file.truncate(CARD)
    with flash_rig.disk(folder / "card", CARD) as sd:
        yield sd


def unit_of(folder: Path) -> Machine:
    made = Machine(folder / "unit", bundles(folder.parent / "bundles"))
    made.door.places["board"] = named(folder / "board.toml")
    return made


def keeper(folder: Path) -> None:
    """The certificate and the key of whoever keeps backups."""
    update_rig.run(
        *("openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "30"),
        *("-keyout", folder / "keeper.key", "-out", folder / "keeper.crt", "-subj", "/CN=keeper"),
    )


def named(board: Path) -> Path:
    """The unit's board.toml says who it is."""
    board.write_text(identity.set_key((ROOT / "board.toml").read_text(), "unit.id", f'"{UNIT}"'))
    return board


@functools.cache
def bundles(folder: Path) -> Releases:
    return file_unit.releases(folder, OLD, NEW)


def put(image: Path, path: str, source: Path) -> None:
    """A file of the unit onto the data partition, as its first start would leave it."""
    at = f"{image}?offset={SMALL.partition('data').start}"
    for command in (f"mkdir {Path(path).parent}", f"write {source} {path}"):
        subprocess.run(
            ["debugfs", "-w", "-R", command, at], check=True, capture_output=True, timeout=60
        )


def at_desk(door: Door, address: str) -> Callable[..., int]:
    """flash.py for one unit, which is found by its name."""

    def run(_: Path, *words: str) -> int:
        host, _, port = address.rpartition(":")
        place = Place(finding.LAN, host, int(port), UNIT)
        with patch.object(finding, "locate", lambda *_: place):
            return door.flash(*words)

    return run


SHOTS: dict[str, Shot] = {
    "list": list_,
    "write": write,
    "verify": verify,
    "batch": batch,
    "provision": provision,
    "find": find,
    "info": info,
    "selftest": selftest,
    "logs": logs,
    "enrolment": enrolment,
    "update": update,
    "fallback": fallback,
    "backup": backup,
    "restore": restore,
    "wipe": wipe,
}


def shot(name: str, folder: Path) -> str:
    """Its text, run in a new folder below."""
    place = folder / name
    place.mkdir()
    return SHOTS[name](place)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        for name in sys.argv[1:] or SHOTS:
            draw(browser, shot(name, Path(folder)), picture(name), Path(folder))


if __name__ == "__main__":
    main()
