"""autoboot.txt: which boot partition the Raspberry Pi's firmware starts.  One sector, in place.

The file has exactly 512 bytes in one cluster, made when the card was written.  It is changed by one
O_DIRECT|O_SYNC write of that sector on the partition's device: no mount, no FAT and no directory
entry is touched, so a power cut leaves the old text or the new one (temporary file and rename on
FAT are several sectors, in any order: a cut can leave neither).
Raspberry Pi documentation, "autoboot.txt": at most 512 bytes; `[tryboot]` holds for the one start
that was asked for with `reboot "0 tryboot"`.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path

from tools.image.layout import SECTOR, SLOTS, Layout

PARTITIONS = {slot: Layout().boot_of(slot).number for slot in SLOTS}
NAME, CMDLINE = b"AUTOBOOTTXT", b"CMDLINE TXT"
_SLOT = b"rauc.slot="
Change = Callable[[bytes, int], bytes | None]
"""(the first sector, the file's size) -> what it shall be; None: not of the expected shape."""
_DIRECTORY_ENTRY = 32
_MOST_ENTRIES = 4096
_LABEL, _FOLDER = 0x08, 0x10


class AutobootError(Exception):
    """The partition holds no autoboot.txt of the expected shape: nothing was written."""


def other(slot: str) -> str:
    return "B" if slot == "A" else "A"


def text(slot: str) -> bytes:
    """The sector that starts `slot`, and the other one where a try is asked for."""
    words = (
        f"[all]\ntryboot_a_b=1\nboot_partition={PARTITIONS[slot]}\n"
        f"[tryboot]\nboot_partition={PARTITIONS[other(slot)]}\n"
    )
    return words.encode("ascii").ljust(SECTOR, b"\n")


def committed(device: Path) -> str:
    """ "A" or "B": what a plain start takes.  Raises AutobootError, OSError."""
    handle = os.open(device, os.O_RDONLY)
    try:
        offset, _ = _find(handle, NAME)
        raw = os.pread(handle, SECTOR, offset)
    finally:
        os.close(handle)
    section = "all"
    for line in raw.decode("ascii", "replace").split("\n"):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == "all" and line.startswith("boot_partition="):
            for slot, number in PARTITIONS.items():
                if line == f"boot_partition={number}":
                    return slot
    raise AutobootError(f"autoboot.txt on {device} names neither boot partition")


def commit(device: Path, slot: str) -> None:
    """From now on a plain start takes `slot`.  Raises AutobootError, OSError."""
    _overwrite(device, NAME, lambda sector, size: text(slot) if size == SECTOR else None)


def name_slot(boot: Path, slot: str) -> None:
    """Let cmdline.txt of that boot partition say `rauc.slot=` of the slot it lies in.

    A bundle has one boot image for both slots; the letter is changed in place, one sector.
    Raises AutobootError, OSError.
    """

    def named(sector: bytes, size: int) -> bytes | None:
        if size > SECTOR or sector.count(_SLOT) != 1:
            return None
        at = sector.index(_SLOT) + len(_SLOT)
        return sector[:at] + slot.encode("ascii") + sector[at + 1 :]

    _overwrite(boot, CMDLINE, named)


def _overwrite(device: Path, name: bytes, change: Change) -> None:
    """The first sector of that file, by one write.  Raises AutobootError, OSError."""
    handle = os.open(device, os.O_RDWR | os.O_SYNC | os.O_DIRECT)
    try:
        offset, size = _find(handle, name)
        words = change(_read(handle, offset, SECTOR), size)
        if words is None or len(words) != SECTOR:
            raise AutobootError(f"{name.decode()} on {device}: {size} bytes of another shape")
        with mmap.mmap(-1, mmap.PAGESIZE) as page:  # aligned, as O_DIRECT wants it
            page[:SECTOR] = words
            with memoryview(page) as whole, whole[:SECTOR] as sector:
                if os.pwrite(handle, sector, offset) != SECTOR:
                    raise OSError(f"{device}: a short write")
        os.fsync(handle)
    finally:
        os.close(handle)


def _find(handle: int, name: bytes) -> tuple[int, int]:
    """Where the file begins on the device, and its size; bytes.

    FAT12 and FAT16 (Microsoft FAT specification 3 and 6).
    """
    boot = _read(handle, 0, SECTOR)
    size, per_cluster, reserved, fats, entries = struct.unpack_from("<HBHBH", boot, 11)
    (per_fat,) = struct.unpack_from("<H", boot, 22)
    if boot[510:] != b"\x55\xaa" or size != SECTOR or not per_cluster or not per_fat:
        raise AutobootError("no FAT12 or FAT16 with sectors of 512 bytes")
    if not 0 < entries <= _MOST_ENTRIES:
        raise AutobootError("a root directory of an unlikely size")
    root = (reserved + fats * per_fat) * SECTOR
    length = -(-entries * _DIRECTORY_ENTRY // SECTOR) * SECTOR
    directory = _read(handle, root, length)
    for at in range(0, length, _DIRECTORY_ENTRY):
        entry = directory[at : at + _DIRECTORY_ENTRY]
        if entry[0] == 0:
            break
        if entry[:11] != name or entry[11] & (_LABEL | _FOLDER):
            continue
        cluster, bytes_long = struct.unpack_from("<HI", entry, 26)
        if cluster < 2:
            raise AutobootError(f"{name.decode()} is empty")
        return root + length + (cluster - 2) * per_cluster * SECTOR, bytes_long
    raise AutobootError(f"no {name.decode()} in the root directory")


def _read(handle: int, offset: int, length: int) -> bytes:
    """By way of an aligned page, for the handle may be O_DIRECT.  Raises AutobootError, OSError."""
    room = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
    with mmap.mmap(-1, room) as page, memoryview(page) as whole, whole[:length] as part:
        if os.preadv(handle, [part], offset) != length:
            raise AutobootError("the partition is shorter than its FAT says")
        return bytes(part)
