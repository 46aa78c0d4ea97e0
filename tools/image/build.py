"""`make image`: the .deb, the root, the disk image, its block map and its SBOM in build/image/.

    python -m tools.image.build [--root-tar FILE] [--key KEY --certificate CERTIFICATE]

Needs root (mmdebstrap, and owners of files) and the Debian packages that mkroot.sh and
tools/install_test_packages.sh name.  --root-tar takes a root that was made before.  Without --key
the image is not signed, and flash.py refuses it: a release key is not kept where builds run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from tools.image import deb, disk, release, sbom
from tools.image.deb import VERSION
from tools.image.layout import Layout

HERE = Path(__file__).resolve().parent
OUT = HERE.parents[1] / "build" / "image"
PI_CONFIG = b"""# Read by the board's own firmware, before Linux.
arm_64bit=1
kernel=vmlinuz
initramfs initrd.img followkernel
enable_uart=1
disable_overscan=1
dtparam=i2c_arm=on
dtparam=spi=on
dtparam=watchdog=on
"""
CONSOLE = "console=serial0,115200 console=tty1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.image.build", description=__doc__)
    parser.add_argument("--root-tar", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--certificate", type=Path)
    arguments = parser.parse_args()
    epoch, clock = deb.source_epoch(), _Clock()
    OUT.mkdir(parents=True, exist_ok=True)
    package = OUT / f"sscterm_{VERSION}_arm64.deb"
    tar = arguments.root_tar
    if tar is None:
        deb.build(package, deb.wheels(OUT / "wheels"), epoch)
        clock.say("package", package)
        tar = OUT / "root.tar"
        disk.run(HERE / "mkroot.sh", tar, package, epoch=epoch)
        clock.say("root", tar)
    image = OUT / f"sscterm-{VERSION}.img"
    root = OUT / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    disk.run("tar", "-xpf", tar, "--numeric-owner", "--xattrs", "-C", root)
    source = source_of(root, epoch)
    try:
        release.build(image, Layout(), source, slot_b_is_empty=True)
        clock.say("image", image)
        digest = release.sha256(image)
        image.with_name(image.name + ".sbom.json").write_text(sbom.text(root, VERSION, digest))
    finally:
        shutil.rmtree(root)
    if arguments.key is not None:
        release.sign(image, source, arguments.key, arguments.certificate)
    clock.say(f"sha256 {digest}", image)


def source_of(root: Path, epoch: int) -> release.Source:
    """What a release is made of, from an unpacked root; its /boot is moved out of it."""
    boot: dict[str, Path | bytes] = {"config.txt": PI_CONFIG}
    kept = root.with_name("boot")
    shutil.rmtree(kept, ignore_errors=True)
    (root / "boot").rename(kept)
    (root / "boot").mkdir()
    firmware = kept / "firmware"
    for path in sorted(firmware.iterdir()):
        if path.suffix in (".dtb", ".dat", ".elf") or path.name == "bootcode.bin":
            boot[path.name] = path
    (boot["vmlinuz"],) = kept.glob("vmlinuz-*")
    (boot["initrd.img"],) = kept.glob("initrd.img-*")
    bootcode = firmware / "bootcode.bin"
    return release.Source(VERSION, root, boot, bootcode.read_bytes(), epoch, kernel_words=CONSOLE)


class _Clock:
    def __init__(self) -> None:
        self._at = time.monotonic()

    def say(self, what: str, path: Path) -> None:
        """What was made, how large it is and how much of that it takes, and how long it took."""
        now = time.monotonic()
        size, used = path.stat().st_size, path.stat().st_blocks * 512
        print(
            f"image: {what}: {path.name} {size / 1e6:.1f} MB ({used / 1e6:.1f} on the disk), "
            f"{now - self._at:.0f} s",
            flush=True,
        )
        self._at = now


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("image: needs root, for mmdebstrap and the owners of files")
    main()
