"""`make image`: the .deb, the root, the disk image, its block map and its SBOM in build/image/.

    python -m tools.image.build [--key KEY --certificate CERTIFICATE --authority CA] [--new-base]

Needs root (mmdebstrap, and owners of files) and the Debian packages that
tools/install_test_packages.sh --image names.  The Debian part of the root is kept
(tools/image/base.sh); --new-base makes it anew.  A release key is not kept where builds run:
without --key the image is signed, and trusts updates signed, by keys made in build/image/ that say
"FOR TESTS ONLY"; a unit with such a release says so on its console.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from tools.image import deb, disk, release, sbom, signers, stamp, unitcheck
from tools.image import trees as device_trees
from tools.image.deb import VERSION
from tools.image.layout import Layout
from tools.image.signers import Signer

HERE = Path(__file__).resolve().parent
OUT = HERE.parents[1] / "build" / "image"
PI_CONFIG = b"""# Read by the board's own firmware, before Linux.
arm_64bit=1
# The device trees are the kernel's, by its names, and were changed when the image was made
# (tools/image/trees.py): dtparam and dtoverlay do nothing to them.
upstream_kernel=1
kernel=vmlinuz
initramfs initrd.img followkernel
enable_uart=1
disable_overscan=1
"""
BASE_S = 7200
"""For Debian's part: five minutes where nothing else runs, four times that on a busy machine."""
CONSOLE = "console=tty1"
"""Not the serial line: a reader, the office or a technician may be at it."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.image.build", description=__doc__)
    for name in ("key", "certificate", "authority"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--new-base", action="store_true")
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    files = (given.key, given.certificate, given.authority)
    if None in files and files != (None, None, None):
        parser.error("--key, --certificate and --authority belong together")
    signer = signers.for_tests(OUT) if None in files else Signer(*files)
    signer.check()
    make(OUT, signer, deb.source_epoch(), is_base_new=given.new_base)


def make(out: Path, signer: Signer, epoch: int, *, is_base_new: bool = False) -> Path:
    """The image; what belongs to it stands beside it in `out`.  Raises ImageError."""
    clock = _Clock()
    package = out / f"sscterm_{VERSION}_arm64.deb"
    deb.build(package, deb.wheels(out / "wheels"), epoch)
    clock.say("package", package)
    options = ["--new"] if is_base_new else []
    base = Path(disk.run(HERE / "base.sh", *options, deadline_s=BASE_S).strip())
    clock.say("Debian", base / "root.tar")
    image, root = out / f"sscterm-{VERSION}.img", out / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        unpack(base / "root.tar", root)
        disk.run(HERE / "finish.sh", root, package)
        stamp.stamp(root, Layout(), VERSION, signer.authority.read_bytes(), is_test=signer.is_test)
        unitcheck.check(root, deb.ENABLED)
        source = source_of(root, epoch)
        clock.say("root with it", package)
        release.build(image, Layout(), source, slot_b_is_empty=True)
        clock.say("image", image)
        digest = release.sha256(image)
        release.sbom_of(image).write_text(sbom.text(root, VERSION, digest))
    finally:
        shutil.rmtree(root)
    release.sign(image, source, signer.key, signer.certificate)
    clock.say(f"sha256 {digest}", image)
    return image


def unpack(tar: Path, root: Path) -> None:
    disk.run("tar", "-xpf", tar, "--numeric-owner", "--xattrs", "-C", root)


def source_of(root: Path, epoch: int) -> release.Source:
    """What a release is made of, from an unpacked root.

    What only the boot partition needs is moved out of the root, into the folder `boot` beside it.
    """
    kept = root.with_name("boot")
    shutil.rmtree(kept, ignore_errors=True)
    (root / "boot").rename(kept)
    (root / "boot").mkdir()
    (root / "usr/lib/raspi-firmware").rename(kept / "firmware")
    (trees,) = (root / "usr/lib").glob("linux-image-*")
    trees.rename(kept / "trees")
    boot: dict[str, Path | bytes] = {"config.txt": PI_CONFIG}
    for path in sorted((kept / "firmware").iterdir()):
        if path.suffix in (".dat", ".elf"):
            boot[path.name] = path
    for path in sorted((kept / "trees" / "broadcom").glob("*.dtb")):
        device_trees.settle(path)
        boot[path.name] = path
    (boot["vmlinuz"],) = kept.glob("vmlinuz-*")
    (boot["initrd.img"],) = kept.glob("initrd.img-*")
    for name in ("vmlinuz", "initrd.img"):  # the links to them
        (root / name).unlink(missing_ok=True)
        (root / f"{name}.old").unlink(missing_ok=True)
    bootcode = (kept / "firmware" / "bootcode.bin").read_bytes()
    boot["bootcode.bin"] = bootcode
    return release.Source(VERSION, root, boot, bootcode, epoch, kernel_words=CONSOLE)


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
