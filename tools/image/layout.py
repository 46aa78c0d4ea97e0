"""A unit's boards and the partitions of its SD card: one table for building, flashing and updating.

A unit has this file too: its updates look here.

MBR, for the boot ROM of a Pi 3 reads no other; p4 is the extended partition that holds p5 to p7.
Slots are addressed by number on the disk with `disk_signature` (PARTUUID), never by label or file
system UUID: A and B are copies of each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MIB = 1 << 20
SECTOR = 512

FAT_TYPE, LINUX_TYPE = 0x0C, 0x83
EXTENDED_NUMBER = 4

COMPATIBLE = "sscterm-rpi"
DEVICE_TREES = {
    "pi3": ("raspberrypi,3-model-b", "raspberrypi,3-model-b-plus", "raspberrypi,3-model-a-plus"),
    "pi4": ("raspberrypi,4-model-b", "raspberrypi,400"),
    "cm4": ("raspberrypi,4-compute-module",),
    "zero2w": ("raspberrypi,model-zero-2-w",),
}
"""Board -> its names in /proc/device-tree/compatible (Linux 6.1, arch/arm64/boot/dts/broadcom)."""
BOARDS = tuple(DEVICE_TREES)
SLOTS = ("A", "B")


@dataclass(frozen=True)
class Partition:
    """number: of the partition on the disk.  start, size: bytes.  type: byte of the MBR."""

    name: str
    number: int
    start: int
    size: int
    type: int


@dataclass(frozen=True)
class Layout:
    """Sizes in bytes, multiples of `align`; system holds the file system and its hash tree."""

    boot_config: int = 16 * MIB
    boot: int = 96 * MIB
    system: int = 768 * MIB
    data: int = 512 * MIB
    align: int = 4 * MIB
    disk_signature: int = 0x55C70001

    def partitions(self) -> tuple[Partition, ...]:
        """In the order of the disk.  A logical partition follows one `align` with its own table."""
        return tuple(self._placed())

    def _placed(self) -> Iterator[Partition]:
        end = self.align
        for name, number, size, kind in (
            ("bootcfg", 1, self.boot_config, FAT_TYPE),
            ("boot_a", 2, self.boot, FAT_TYPE),
            ("boot_b", 3, self.boot, FAT_TYPE),
            ("system_a", 5, self.system, LINUX_TYPE),
            ("system_b", 6, self.system, LINUX_TYPE),
            ("data", 7, self.data, LINUX_TYPE),
        ):
            start = end + (self.align if number > EXTENDED_NUMBER else 0)
            yield Partition(name, number, start, size, kind)
            end = start + size

    def partition(self, name: str) -> Partition:
        """The one of that name; raises KeyError."""
        return {each.name: each for each in self.partitions()}[name]

    def boot_of(self, slot: str) -> Partition:
        """slot: "A" or "B"."""
        return self.partition(f"boot_{slot.lower()}")

    def system_of(self, slot: str) -> Partition:
        return self.partition(f"system_{slot.lower()}")

    @property
    def size(self) -> int:
        """Of the whole disk, bytes."""
        last = self.partitions()[-1]
        return last.start + last.size

    def partuuid(self, name: str) -> str:
        """As the kernel writes it: `55c70001-05`."""
        return f"{self.disk_signature:08x}-{self.partition(name).number:02d}"

    def hash_offset(self) -> int:
        """Where in a system partition the verity hash tree begins, after the file system.

        A tree of SHA-256 over blocks of 4096 bytes takes 1/128 of what it covers and less than
        1/127 with its upper levels; 1/100, on whole MiB, leaves room.
        """
        return self.system - max(MIB, -(-self.system // 100 // MIB) * MIB)


SMALL = Layout(boot_config=4 * MIB, boot=8 * MIB, system=16 * MIB, data=16 * MIB, align=MIB)
"""The same shape for tests: made in a second."""


def genimage_config(layout: Layout, files: dict[str, str], output: str) -> str:
    """For genimage(1): files (partition name -> file in its input folder) become the disk `output`.

    The files are whole already: genimage puts them in their places and writes the table.
    """
    parts = "".join(
        f"  partition {each.name} {{\n"
        f"    partition-type = {each.type:#04x}\n"
        f"    bootable = {'true' if each.number == 1 else 'false'}\n"
        f'    image = "{files[each.name]}"\n'
        f"    size = {each.size}\n"
        "  }\n"
        for each in layout.partitions()
    )
    return (
        f"image {output} {{\n"
        "  hdimage {\n"
        '    partition-table-type = "mbr"\n'
        f"    align = {layout.align}\n"
        f"    extended-partition = {EXTENDED_NUMBER}\n"
        f"    disk-signature = {layout.disk_signature:#010x}\n"
        "  }\n"
        f"{parts}"
        "}\n"
    )
