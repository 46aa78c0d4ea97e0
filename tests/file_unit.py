"""A unit whose slots are files, and a rauc service that stays for as long as a test wants it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import update_rig
from tests.powercut import system
from tests.update_rig import Keys, Unit, bundled, slot_images
from tools.update import autoboot


@dataclass(frozen=True)
class Releases:
    """version -> images, version -> bundle, all signed by one key."""

    keys: Keys
    images: dict[str, dict[str, Path]]
    bundles: dict[str, Path]


def releases(folder: Path, *versions: str) -> Releases:
    signed_by = update_rig.keys(folder / "keys")
    images = {each: slot_images(folder / each, each) for each in versions}
    made = {each: bundled(folder / "out", images[each], each, signed_by) for each in versions}
    return Releases(signed_by, images, made)


def make(folder: Path, of: Releases, version: str) -> Unit:
    """It runs that release from slot A."""
    devices = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, (_, size) in update_rig.PARTITIONS.items():
        devices[name] = folder / f"{name}.img"
        kind = name.split(".")[0]
        if kind in ("boot", "system"):
            shutil.copy(of.images[version][kind], devices[name])
        elif kind == "bootcfg":
            update_rig.fat(devices[name], size, {"autoboot.txt": autoboot.text("A")})
    (folder / "data").mkdir()
    made = Unit(folder / "unit", devices, folder / "data", of.keys.authority)
    made.boots("A", version)
    return made


@contextlib.contextmanager
def rauc_service(unit: Unit) -> Iterator[dict[str, str]]:
    """The environment in which `rauc install` finds it."""
    bus, config = unit.folder / "bus", unit.folder / "bus.conf"
    bus.unlink(missing_ok=True)
    config.write_text(update_rig._BUS.format(socket=bus))
    variables = {
        **unit.environment,
        "DBUS_STARTER_BUS_TYPE": "session",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
    }
    environment = {**os.environ, **variables, "PATH": system.path()}
    with (unit.folder / "rauc.log").open("wb") as log, contextlib.ExitStack() as ends:
        for command in (
            ["dbus-daemon", f"--config-file={config}", "--nofork"],
            ["sh", "-c", update_rig._SERVICE, "sh", str(bus), str(unit._conf), unit._slot],
        ):
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            ends.callback(_end, process)
        unit._wait_for(environment)
        ends.callback(_unmount, unit.folder / "mnt" / "bundle")
        yield variables


def _unmount(place: Path) -> None:
    """A test that ended in the middle of an installation."""
    if place.is_mount():
        subprocess.run(["umount", "--lazy", place], check=False, timeout=60)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(update_rig.TESTED_S)
