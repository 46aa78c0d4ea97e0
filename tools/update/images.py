"""The two images of a bundle, from the partitions of a release's card (tools/image/release.py).

A partition has room for years; what an update carries, and a unit writes to its SD card, is only as
long as what is in it: the file system is cut behind its last block, its hash tree follows at once,
and the boot image names the new root hash and where the tree begins.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tools.image import disk

SPARE = 64
"""A file system that is cut keeps 1/64 and 4 MiB more than it holds: blocks move into it."""
BLOCK = 4096
_HASHES = BLOCK // 32
_WORDS = ("ssc.roothash=", "ssc.hashoffset=")


def of_release(parts: Path, folder: Path, epoch: int) -> dict[str, Path]:
    """parts: the folder with `system.ext4` and `boot_a.vfat`.  "boot" and "system", in `folder`.

    Raises ImageError, OSError.
    """
    system, boot = folder / "system.ext4", folder / "boot.vfat"
    disk.run("cp", "--sparse=always", parts / "system.ext4", system)
    offset = _cut(system, epoch)
    root_hash = disk.verity(system, offset, offset + tree_bytes(offset))
    shutil.copyfile(parts / "boot_a.vfat", boot)
    _name(boot, root_hash, offset, epoch)
    return {"boot": boot, "system": system}


def tree_bytes(covered: int) -> int:
    """What a dm-verity tree of SHA-256 over so many bytes takes, with its superblock."""
    blocks, total = covered // BLOCK, 1
    while blocks > 1:
        blocks = -(-blocks // _HASHES)
        total += blocks
    return total * BLOCK


def _cut(system: Path, epoch: int) -> int:
    """Cut the file system behind what it holds; its new length in bytes, that of the file too."""
    blocks, free = _counts(system)
    with system.open("r+b") as file:
        file.truncate(blocks * BLOCK)  # the old tree
    wanted = (blocks - free) + (blocks - free) // SPARE + (4 << 20) // BLOCK
    if wanted < blocks:
        disk.run("resize2fs", "-f", system, str(wanted), epoch=epoch)
    length = _counts(system)[0] * BLOCK
    if system.stat().st_size != length:
        raise disk.ImageError(f"{system}: the file is not as long as its file system")
    disk.run("e2fsck", "-f", "-n", system, epoch=epoch)
    return length


def _counts(system: Path) -> tuple[int, int]:
    """Blocks, and free blocks."""
    told = disk.run("dumpe2fs", "-h", system)
    blocks, free = (
        int(re.findall(rf"^{name}: +(\d+)$", told, re.MULTILINE)[0])
        for name in ("Block count", "Free blocks")
    )
    return blocks, free


def _name(boot: Path, root_hash: str, offset: int, epoch: int) -> None:
    """Let cmdline.txt and slot.txt of the boot image say this root hash and offset."""
    line = disk.run("mtype", "-i", boot, "::cmdline.txt")
    others = [word for word in line.split() if not word.startswith(_WORDS)]
    said = [f"ssc.roothash={root_hash}", f"ssc.hashoffset={offset}"]
    slot = disk.run("mtype", "-i", boot, "::slot.txt").split()
    version = [line for line in slot if line.startswith("version=")]
    files = {
        "cmdline.txt": " ".join([*others, *said]) + "\n",
        "slot.txt": "\n".join([*version, f"roothash={root_hash}", f"hashoffset={offset}"]) + "\n",
    }
    disk.put(boot, {name: words.encode() for name, words in files.items()}, epoch)
