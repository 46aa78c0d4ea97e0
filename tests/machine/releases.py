"""Releases for the update cases: the image's own, with another version and what a case breaks.

The system partition's file is copied and changed in place by debugfs, cut and hashed anew, and made
a signed verity bundle: seconds, where a build from packages takes minutes.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.image import disk
from tools.image.deb import HOME
from tools.image.signers import Signer
from tools.update import bundle, images

EPOCH = 1_767_225_600
VERSION_FILE = f"/{HOME}/firmware/__init__.py"
RELEASE_FILE = f"/{HOME}/release.json"


@dataclass(frozen=True)
class Release:
    """bundle: the signed file.  root_hash: of its system."""

    version: str
    bundle: Path
    root_hash: str


def make(
    image: Path, folder: Path, version: str, signer: Signer, broken: dict[str, bytes] | None = None
) -> Release:
    """A release of that version, from the partitions beside `image` (IMG.parts).

    broken: files that are other than the image's, by their whole path.  Raises ImageError,
    BundleError, OSError.
    """
    parts = Path(f"{image.resolve()}.parts")
    changed = folder / f"{version}.parts"
    shutil.rmtree(changed, ignore_errors=True)
    changed.mkdir(parents=True)
    system = changed / "system.ext4"
    disk.run("cp", "--sparse=always", parts / "system.ext4", system)
    replace(system, _versioned(system, version) | (broken or {}))
    shutil.copyfile(parts / "boot_a.vfat", changed / "boot_a.vfat")
    disk.put(changed / "boot_a.vfat", {"slot.txt": f"version={version}\n".encode()}, EPOCH)
    made = images.of_release(changed, folder, EPOCH)
    target = folder / f"{version}.raucb"
    bundle.make(
        made,
        version,
        target,
        certificate=signer.certificate,
        key=str(signer.key),
        authority=signer.authority,
        level=1,
    )
    slot = disk.run("mtype", "-i", made["boot"], "::slot.txt")
    for each in (*made.values(), *changed.iterdir()):
        each.unlink()
    return Release(version, target, re.findall(r"roothash=([0-9a-f]{64})", slot)[0])


def replace(system: Path, files: dict[str, bytes]) -> None:
    """Let the file system hold these instead of what is there; Python files lose what was compiled
    of them, for that is taken unchecked."""
    lines = []
    for at, (name, content) in enumerate(files.items()):
        source = system.with_name(f"new-{at}")
        source.write_bytes(content)
        place = Path(name)
        if place.suffix == ".py":
            lines.append(f"rm {place.parent}/__pycache__/{place.stem}.cpython-311.pyc")
        lines += [f"rm {name}", f"write {source} {name}", f"sif {name} mode 0100644"]
        lines += [f"sif {name} uid 0", f"sif {name} gid 0"]
    disk.run("debugfs", "-w", "-f", "-", system, text="\n".join(lines) + "\n", epoch=EPOCH)
    for at, (name, content) in enumerate(files.items()):
        read = system.with_name("read")
        disk.run("debugfs", "-R", f"dump {name} {read}", system)
        assert read.read_bytes() == content, f"{name}: debugfs did not write it"
        read.unlink()
        system.with_name(f"new-{at}").unlink()


def _versioned(system: Path, version: str) -> dict[str, bytes]:
    module = disk.run("debugfs", "-R", f"cat {VERSION_FILE}", system)
    release = json.loads(disk.run("debugfs", "-R", f"cat {RELEASE_FILE}", system))
    module, count = re.subn(r'(?m)^__version__ = ".+"$', f'__version__ = "{version}"', module)
    assert count == 1, "the firmware names no version"
    return {
        VERSION_FILE: module.encode(),
        RELEASE_FILE: json.dumps(release | {"version": version}).encode(),
    }
