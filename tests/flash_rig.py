"""A signed small image, made once for a module, and disks that are loop devices over files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import image_rig
from tools.image import release as maker
from tools.technician import release
from tools.technician.command import main
from tools.technician.release import Image

NO_IMAGE = image_rig.missing()
NO_LOOP = NO_IMAGE or (None if os.geteuid() == 0 else "loop devices need root")
SIDES = (".bmap", ".manifest", ".manifest.p7s")


@dataclass(frozen=True)
class Release:
    """image: sd.img with what vouches for it beside it.  key, certificate, ca: test only."""

    image: Path
    key: Path
    certificate: Path
    ca: Path

    def load(self, board: str | None = None) -> Image:
        return release.load(self.image, self.ca, board)

    def copied(self, folder: Path) -> Release:
        """Its own files, for a test that spoils them."""
        folder.mkdir(exist_ok=True)
        for end in ("", *SIDES):
            shutil.copy(f"{self.image}{end}", folder)
        return Release(folder / self.image.name, self.key, self.certificate, self.ca)

    def compressed(self) -> Release:
        subprocess.run(["zstd", "-q", "-k", str(self.image)], check=True, timeout=60)
        return Release(Path(f"{self.image}.zst"), self.key, self.certificate, self.ca)

    def side(self, end: str) -> Path:
        return Path(f"{self.image}{end}")

    def signed_again(self, **fields: object) -> None:
        """The manifest with other values, its signature good."""
        manifest = self.side(".manifest")
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | fields))
        self.sign(self.key, self.certificate)

    def sign(self, key: Path, certificate: Path) -> None:
        manifest = self.side(".manifest")
        subprocess.run(
            ["openssl", "cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER",
             "-in", manifest, "-signer", certificate, "-inkey", key, "-out", f"{manifest}.p7s"],
            check=True, timeout=60,
        )  # fmt: skip


def make(folder: Path, version: str = "1.0.0") -> Release:
    image = image_rig.image(folder, version)
    key, certificate, ca = image_rig.release_keys(folder)
    source = image_rig.source(folder / "again", version)
    maker.sign(image, source, key, certificate)
    return Release(image, key, certificate, ca)


@contextlib.contextmanager
def disk(backing: Path, size: int, read_only: bool = False) -> Iterator[Path]:
    """A loop device over `backing`, made of `size` bytes when it is not there."""
    if not backing.exists():
        with backing.open("wb") as file:
            file.truncate(size)
    options = ["--read-only"] if read_only else []
    made = subprocess.run(
        ["losetup", "--find", "--show", *options, backing],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    device = Path(made.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True, timeout=60)


@contextlib.contextmanager
def mounted(what: str, where: Path, *options: str) -> Iterator[Path]:
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, what, where], check=True, timeout=60)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True, timeout=60)


def bytes_written(device: Path) -> int:
    """Since the device is there, as the kernel counts them (sectors of 512 bytes)."""
    return int(Path("/sys/block", device.name, "stat").read_text().split()[6]) * 512


def flash(folder: Path, *words: object) -> int:
    """One run of flash.py with its notes and sheets in `folder`; the exit status."""
    act, *rest = (str(each) for each in words)
    options = ["--state", str(folder / "state")]
    if act in ("write", "batch") and "--sheets" not in rest:
        options += ["--sheets", str(folder / "sheets")]
    return main([act, *options, *rest])
