"""The board's own firmware, played: what a Raspberry Pi does before Linux, over the image's file.

It reads autoboot.txt on p1, goes on with the partition that this names ([tryboot] where the flag is
set, which holds for one start), reads config.txt there, and loads kernel, initrd and command line.
A real board knows more of these files; only what the image uses is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.machine import initrd
from tools.image.disk import ImageError, run
from tools.image.layout import MIB, Layout

MORE_WORDS = " console=ttyAMA0 systemd.watchdog_sec=180"
"""For console.log; and an emulated board on a busy machine needs more than the 15 s within which a
real one must show that it lives (test_watchdog.py sets them again)."""


@dataclass(frozen=True)
class Loaded:
    """slot: "A" or "B"; kernel, initrd: files; words: the kernel's command line."""

    slot: str
    kernel: Path
    initrd: Path
    words: str


def load(disk: Path, folder: Path, tryboot: bool = False) -> Loaded:
    """disk: raw or qcow2, of no running machine.  folder: for what is read.

    Raises ImageError: such a disk does not start.
    """
    first = partition(disk, "bootcfg", folder)
    number = boot_partition(_file(first, "autoboot.txt").decode(), tryboot)
    slot = {2: "A", 3: "B"}.get(number)
    if slot is None:
        raise ImageError(f"autoboot.txt names partition {number}")
    boot = partition(disk, f"boot_{slot.lower()}", folder)
    config = _file(boot, "config.txt").decode().split("\n")
    names = dict(line.split("=") for line in config if line.startswith("kernel="))
    names |= dict(line.split(maxsplit=1) for line in config if line.startswith("initramfs "))
    kernel, ramdisk = folder / "kernel", folder / "initrd"
    kernel.write_bytes(_file(boot, names["kernel"]))
    ramdisk.write_bytes(initrd.with_agent(_file(boot, names["initramfs"].split()[0])))
    words = _file(boot, "cmdline.txt").decode().strip() + MORE_WORDS
    for each in (first, boot):
        each.unlink()
    return Loaded(slot, kernel, ramdisk, words)


def boot_partition(autoboot: str, tryboot: bool) -> int:
    """The number that autoboot.txt names: of [all], or of [tryboot] when the flag is set."""
    section, found = "all", {}
    for line in autoboot.split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("boot_partition="):
            found[section] = int(line.partition("=")[2])
    return found["tryboot"] if tryboot and "tryboot" in found else found["all"]


def partition(disk: Path, name: str, folder: Path) -> Path:
    """Its bytes as a file."""
    part, out = Layout().partition(name), folder / f"{name}.fat"
    form = "qcow2" if disk.suffix == ".qcow2" else "raw"
    run(
        "qemu-img", "dd", "-f", form, "-O", "raw", f"bs={MIB}", f"skip={part.start // MIB}",
        f"count={(part.start + part.size) // MIB}", f"if={disk}", f"of={out}",
    )  # fmt: skip
    return out


def _file(partition: Path, name: str) -> bytes:
    copy = partition.with_name(f"{partition.name}.{name}")
    run("mcopy", "-n", "-i", partition, f"::{name}", copy)
    data = copy.read_bytes()
    copy.unlink()
    return data
