"""A unit's disk in small, release keys, and the real rauc over them (plain bundles, own D-Bus)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.powercut import system
from tools.image.layout import BOARDS, COMPATIBLE
from tools.update import autoboot, bundle, system_conf
from tools.update.places import VARIABLE

MIB = 1 << 20
BOOT_BYTES, EXT4_BYTES = MIB, MIB
SYSTEM_BYTES = EXT4_BYTES + 64 * 1024  # the tree of hashes behind the file system
DATA_BYTES = 4 * MIB
SALT = "00" * 32
PROGRAMS = ("rauc", "mksquashfs", "mcopy", "veritysetup", "openssl", "dbus-daemon", "mkfs.vfat")
TESTED_S = 60
CMDLINE = b"quiet rauc.slot=A ssc.disk=55c70001 ro\n"


def missing() -> str | None:
    """What keeps rauc's tests from running here; None when nothing does."""
    if os.geteuid() != 0:
        return "rauc mounts its bundle: needs root"
    for program in PROGRAMS:
        if shutil.which(program, path=system.path()) is None:
            return f"{program} is not installed: run tools/install_test_packages.sh"
    return system.missing()


def run(*command: str | Path, **how: str) -> str:
    """Its output; raises AssertionError with its words when it fails."""
    ended = subprocess.run(
        command,
        env={**os.environ, "PATH": system.path(), **how},
        capture_output=True,
        text=True,
        timeout=TESTED_S,
        check=False,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


# -- keys ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Keys:
    authority: Path
    certificate: Path
    key: Path


def keys(folder: Path, name: str = "release") -> Keys:
    """A CA and a code signing leaf, P-256."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / f"{name}.{part}.pem" for part in ("ca", "cert", "key", "cakey")]
    authority, certificate, key, authority_key = made
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(
        *("openssl", "req", "-x509", *curve, "-days", "3650", "-keyout", authority_key),
        *("-out", authority, "-subj", f"/CN={name} CA, test only"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    run(
        *("openssl", "req", "-x509", *curve, "-days", "3650", "-keyout", key, "-out", certificate),
        *("-CA", authority, "-CAkey", authority_key, "-subj", f"/CN={name}, test only"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "keyUsage=critical,digitalSignature"),
        *("-addext", "extendedKeyUsage=codeSigning"),
    )
    return Keys(authority, certificate, key)


# -- images --------------------------------------------------------------------------------------


def fat(file: Path, size: int, files: dict[str, bytes]) -> Path:
    """A FAT of that size with those files in its root."""
    file.write_bytes(bytes(size))
    run("mkfs.vfat", "-i", "5353c701", file)
    for name, words in files.items():
        source = file.with_suffix(".file")
        source.write_bytes(words)
        run("mcopy", "-o", "-i", file, source, f"::{name}")
    return file


def slot_images(folder: Path, version: str) -> dict[str, Path]:
    """boot.img names version and root hash; system.img is an ext4 with its tree of hashes."""
    folder.mkdir(parents=True)
    ext4, root = folder / "system.img", folder / "root"
    root.mkdir()
    (root / "release.json").write_text(release_json(version))
    (root / "filling").write_bytes(os.urandom(300_000))
    ext4.write_bytes(bytes(EXT4_BYTES))
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-b", "4096", "-d", root, ext4)
    with ext4.open("r+b") as file:
        file.truncate(SYSTEM_BYTES)
    said = run(
        *("veritysetup", "format", ext4, ext4, f"--hash-offset={EXT4_BYTES}", f"--salt={SALT}"),
        *(f"--data-blocks={EXT4_BYTES // 4096}", "--uuid=5353c701-0000-4000-8000-000000000001"),
    )
    (root_hash,) = [line.split()[-1] for line in said.splitlines() if "Root hash" in line]
    slot = f"version={version}\nroot_hash={root_hash}\n".encode()
    boot = fat(
        folder / "boot.img",
        BOOT_BYTES,
        {"slot.txt": slot, "kernel": os.urandom(200_000), "cmdline.txt": CMDLINE},
    )
    return {"boot": boot, "system": ext4}


def release_json(
    version: str, compatible: str = COMPATIBLE, boards: tuple[str, ...] = BOARDS
) -> str:
    return json.dumps({"compatible": compatible, "version": version, "boards": boards})


# -- the disk ------------------------------------------------------------------------------------

PARTITIONS = {  # of the project's layout: name -> (offset, size), in bytes
    "bootcfg": (MIB, BOOT_BYTES),
    "boot.0": (2 * MIB, BOOT_BYTES),
    "boot.1": (3 * MIB, BOOT_BYTES),
    "system.0": (5 * MIB, SYSTEM_BYTES),
    "system.1": (7 * MIB, SYSTEM_BYTES),
    "data": (9 * MIB, DATA_BYTES),
}
DISK_BYTES = 13 * MIB


def disk(folder: Path, images: dict[str, Path]) -> Path:
    """A card with the same release in both slots, and A committed."""
    file = folder / "disk.img"
    with file.open("wb") as handle:
        handle.truncate(DISK_BYTES)
    files = {"autoboot.txt": autoboot.text("A"), "config.txt": b"", "bootcode.bin": b"\0" * 700}
    bootcfg = fat(folder / "bootcfg.img", BOOT_BYTES, files)
    data = folder / "data.img"
    data.write_bytes(bytes(DATA_BYTES))
    run("mkfs.ext4", "-q", "-F", "-b", "1024", "-J", "size=1", data)
    parts = {"bootcfg": bootcfg, "data": data}
    for number in ("0", "1"):
        parts |= {f"boot.{number}": images["boot"], f"system.{number}": images["system"]}
    parts["boot.1"] = folder / "boot_b.img"
    shutil.copy(images["boot"], parts["boot.1"])
    autoboot.name_slot(parts["boot.1"], "B")
    with file.open("r+b") as handle:
        handle.seek(510)
        handle.write(b"\x55\xaa")
        for name, image in parts.items():
            offset, size = PARTITIONS[name]
            assert image.stat().st_size <= size
            handle.seek(offset)
            handle.write(image.read_bytes())
    return file


# -- the unit ------------------------------------------------------------------------------------


class Unit:
    """What runs as root on a unit, over devices or files of a test.

    devices: "bootcfg", "boot.0" ... -> device or file.  data: the data partition's folder.
    """

    def __init__(self, folder: Path, devices: dict[str, Path], data: Path, authority: Path):
        self.folder, self.data, self.devices = folder, data, devices
        folder.mkdir(parents=True, exist_ok=True)
        self.places = {
            "bootcfg": str(devices["bootcfg"]),
            "boot_a": str(devices["boot.0"]),
            "boot_b": str(devices["boot.1"]),
            "state": str(data / "update"),
            "floor": str(data / "version-floor"),
            "release": str(folder / "release.json"),
            "booted_from": str(folder / "partition"),
            "cmdline": str(folder / "cmdline"),
            "machine": str(folder / "compatible"),
        }
        self._places = folder / "places.json"
        self._places.write_text(json.dumps(self.places))
        self._conf = folder / "system.conf"
        slots = {name: device for name, device in devices.items() if "." in name}
        handlers = Path(system_conf.__file__).parent / "handlers"
        (folder / "mnt").mkdir(exist_ok=True)
        self._conf.write_text(
            system_conf.text(
                slots,
                formats="plain",
                handlers=handlers,
                keyring=authority,
                data=data / "rauc",
                mounts=folder / "mnt",
            )
        )
        self.environment = {VARIABLE: str(self._places)}

    def boots(self, slot: str, version: str) -> None:
        (self.folder / "partition").write_bytes(struct.pack(">I", autoboot.PARTITIONS[slot]))
        (self.folder / "release.json").write_text(release_json(version))
        self._slot = slot

    def of_board(self, names: bytes) -> None:
        """names: of its device tree, each with a NUL behind it; none until then."""
        (self.folder / "compatible").write_bytes(names)

    def rauc(self, *command: str | Path) -> tuple[int, str]:
        """One command to a rauc service of its own: exit status, and what both said."""
        bus = self.folder / "bus"
        bus.unlink(missing_ok=True)
        config = self.folder / "bus.conf"
        config.write_text(_BUS.format(socket=bus))
        environment = {
            **os.environ,
            **self.environment,
            "PATH": system.path(),
            "DBUS_STARTER_BUS_TYPE": "session",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        }
        log = self.folder / "rauc.log"
        with log.open("wb") as said:
            started = [
                subprocess.Popen(each, env=environment, stdout=said, stderr=said)
                for each in (
                    ["dbus-daemon", f"--config-file={config}", "--nofork"],
                    ["sh", "-c", _SERVICE, "sh", bus, self._conf, self._slot],
                )
            ]
            try:
                self._wait_for(environment)
                ended = subprocess.run(
                    ["rauc", f"--conf={self._conf}", *command],
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=TESTED_S,
                    check=False,
                )
            finally:
                for each in reversed(started):
                    each.send_signal(signal.SIGTERM)
                    each.wait(TESTED_S)
        return ended.returncode, ended.stdout + ended.stderr + log.read_text()

    @staticmethod
    def _wait_for(environment: dict[str, str]) -> None:
        """Until the service has its name on the bus."""
        until = time.monotonic() + TESTED_S
        asks = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus"]
        asks += ["/", "org.freedesktop.DBus.NameHasOwner", "string:de.pengutronix.rauc"]
        while True:
            ended = subprocess.run(
                asks, env=environment, capture_output=True, timeout=TESTED_S, check=False
            )
            if b"boolean true" in ended.stdout:
                return
            assert time.monotonic() < until, "rauc's service did not come up"
            time.sleep(0.02)

    def install(self, file: Path) -> tuple[int, str]:
        return self.rauc("install", file)

    def mark_good(self) -> tuple[int, str]:
        return self.rauc("status", "mark-good")


_BUS = """<busconfig><type>session</type><listen>unix:path={socket}</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""
_SERVICE = """
i=0; while [ ! -S "$1" ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i + 1)); done
exec rauc --conf="$2" --override-boot-slot="$3" service
"""


def bundled(
    folder: Path, images: dict[str, Path], version: str, signed_by: Keys, **how: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{version}.raucb"
    bundle.make(
        images,
        version,
        target,
        certificate=signed_by.certificate,
        key=str(signed_by.key),
        authority=signed_by.authority,
        form="plain",
        **how,
    )
    return target
