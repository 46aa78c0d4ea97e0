"""What is on a card or in an image file: its partitions, its slots' versions, who it is.

Nothing is mounted: sfdisk names the partitions, mtools and debugfs read and write inside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tools.image.layout import SECTOR, Layout
from tools.technician import device, programs
from tools.technician.errors import FlashError
from tools.technician.names import DROP

NUMBERS = {each.name: each.number for each in Layout().partitions()}
ENROLMENT = "/sscterm/enrolment.cose"  # on the data partition


@dataclass(frozen=True)
class Card:
    """path: of a disk or an image file.  starts: name of a partition -> its first byte."""

    path: str
    starts: dict[str, int]

    def inside(self, partition: str) -> str:
        """The name by which mtools know a FAT partition."""
        return f"{self.path}@@{self.starts[partition]}"

    def text(self, partition: str, name: str) -> str | None:
        """A small text file of a FAT partition; None when it is not there."""
        done = programs.run("mtype", "-i", self.inside(partition), f"::{name}")
        return None if done.returncode else done.stdout.decode(errors="replace")

    def data_file(self, path: str) -> bytes | None:
        """A file of the data partition, as it is on the disk; None when it is not there.

        debugfs opens it read-only, as a catalogue: the journal of the file system is not replayed.
        """
        place = f"{self.path}?offset={self.starts['data']}"
        done = programs.run("debugfs", "-R", f"cat {path}", place)
        is_missing = done.stdout == b"" or b"File not found" in done.stderr
        return None if done.returncode or is_missing else done.stdout

    def take_drop(self) -> bytes | None:
        """The identity that waits on the card; None when there is none."""
        done = programs.run("mtype", "-i", self.inside("bootcfg"), f"::{DROP}")
        return None if done.returncode else done.stdout

    def put_drop(self, raw: bytes) -> None:
        """Raises FlashError 1202, 1302.  Another identity that waits there is replaced."""
        done = programs.run(
            "mcopy", "-D", "o", "-i", self.inside("bootcfg"), "-", f"::{DROP}", sent=raw
        )
        if done.returncode:
            full = b"full" in done.stderr.lower() or b"space" in done.stderr.lower()
            raise FlashError(1202 if full else 1302, programs.said(done))


def open_card(path: str) -> Card:
    """Raises FlashError 1111 where there is no system of ours, 1101 where there is nothing."""
    device.readable(path)
    done = programs.run("sfdisk", "--json", path)
    if done.returncode:
        raise FlashError(1111, programs.said(done))
    try:
        found = json.loads(done.stdout)["partitiontable"]
        starts = {
            _number(each["node"], path): int(each["start"]) * SECTOR for each in found["partitions"]
        }
    except (ValueError, KeyError, TypeError):
        raise FlashError(1111, "sfdisk names no partitions") from None
    missing = [name for name, number in NUMBERS.items() if number not in starts]
    if missing:
        raise FlashError(1111, f"no partition for {', '.join(missing)}")
    card = Card(path, {name: starts[number] for name, number in NUMBERS.items()})
    if card.text("bootcfg", "autoboot.txt") is None:
        raise FlashError(1111, "no autoboot.txt")
    return card


def _number(node: str, path: str) -> int:
    """/dev/sdb1, /dev/mmcblk0p1, sd.img1 -> 1; raises ValueError."""
    rest = node.removeprefix(path).removeprefix("p")
    return int(rest)


def describe(path: str) -> dict[str, object]:
    """What the card says of itself, for `info`."""
    card = open_card(path)
    autoboot = card.text("bootcfg", "autoboot.txt") or ""
    drop = card.take_drop()
    return {
        "path": path,
        "boots": "B" if "boot_partition=3" in autoboot.partition("[tryboot]")[0] else "A",
        "slots": {slot: _slot(card, f"boot_{slot.lower()}") for slot in ("A", "B")},
        "identity_waits": drop is not None,
        "is_provisioned": card.data_file("/etc/board.toml") is not None,
        "has_enrolment": card.data_file(ENROLMENT) is not None,
    }


def _slot(card: Card, partition: str) -> dict[str, str] | None:
    """version, roothash ... of slot.txt; None for a slot that holds nothing yet."""
    text = card.text(partition, "slot.txt")
    if text is None:
        return None
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
