"""What may be written: disks as lsblk tells of them, and files.  `judge` says why one may not."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.technician import programs
from tools.technician.causes import error_number
from tools.technician.errors import FlashError

COLUMNS = "NAME,MAJ:MIN,PATH,TYPE,SIZE,RM,RO,HOTPLUG,TRAN,MODEL,SERIAL,MOUNTPOINTS"
SYSTEM_PLACES = ("/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "[SWAP]")


@dataclass(frozen=True)
class Target:
    """A disk or a file.  size: bytes, 0 for a file, which grows.  why_not: a row of errors.ROWS."""

    path: str
    name: str  # what a person types to confirm it: its serial, without one its kernel name
    model: str
    size: int
    is_file: bool
    why_not: int | None = None
    detail: str = ""

    def told(self) -> dict[str, object]:
        """For --json."""
        return {
            "path": self.path,
            "serial": self.name,
            "model": self.model,
            "size": self.size,
            "is_file": self.is_file,
            "why_not": self.why_not,
            "detail": self.detail,
        }


def disks(needed: int = 0) -> list[Target]:
    """Every disk of this computer, judged.  needed: bytes that must fit."""
    found = [judge(each, _kind(each), needed) for each in _lsblk() if _is_disk(each)]
    return [
        replace(each, why_not=1110, detail=each.path)
        if each.why_not is None and _is_used(each.path)
        else each
        for each in found
    ]


def target(name: str, needed: int = 0, is_held: bool = False) -> Target:
    """The disk or file `name`; raises FlashError if it may not be written.

    is_held: this program itself has it open to be alone with it.
    """
    path = Path(name)
    try:
        about = path.stat()
    except FileNotFoundError:
        if path.resolve().is_relative_to("/dev") or not path.parent.is_dir():
            raise FlashError(1101, name) from None
        return Target(name, path.name, "", 0, is_file=True)
    except OSError as error:
        raise FlashError(1101, f"{name}: {error.strerror}") from None
    if stat.S_ISREG(about.st_mode):
        if loop := _loop_of(about):
            raise FlashError(1110, f"{name}: {loop}")
        return Target(name, path.name, "", 0, is_file=True)
    if not stat.S_ISBLK(about.st_mode):
        raise FlashError(1107, name)
    found = _judged(name, about.st_rdev, needed)
    if found.why_not is not None:
        raise FlashError(found.why_not, found.detail)
    if not is_held and _is_used(found.path):
        raise FlashError(1110, found.path)
    return found


def readable(name: str) -> None:
    """Raises FlashError 1101, 1109 ... where `name` cannot be read at all."""
    try:
        os.close(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        number = 1101 if error.errno == errno.ENOENT else error_number(error.errno, name)
        raise FlashError(number, f"{name}: {error.strerror}") from None


def _judged(name: str, number: int, needed: int) -> Target:
    """number: of the device.  Raises FlashError 1101, 1107 for what is no whole disk."""
    wanted = f"{os.major(number)}:{os.minor(number)}"
    for each in _lsblk():
        for inner in [each, *_below(each)]:
            if inner.get("maj:min") == wanted:
                if inner is not each or not _is_disk(each):
                    raise FlashError(1107, f"{name} is a {inner.get('type')}")
                return judge(each, _kind(each), needed)
    raise FlashError(1101, name)


def _is_used(path: str) -> bool:
    """Whether a file system, a volume or another program has it: not all of them lsblk tells of.

    One that may not be opened is judged by what comes later.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)  # another flash.py
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in (errno.EBUSY, errno.EWOULDBLOCK)
    finally:
        os.close(opened)
    return False


def _loop_of(about: os.stat_result) -> str:
    """The loop device behind which that file is; "" for none."""
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            other = Path(backing.read_text().rstrip("\n")).stat()
        except OSError:
            continue
        if os.path.samestat(about, other):
            return f"/dev/{backing.parents[1].name}"
    return ""


def judge(disk: dict[str, Any], kind: str = "", needed: int = 0) -> Target:
    """disk: as lsblk -J -b tells it.  kind: of an MMC device, "SD" or "MMC" (soldered on)."""
    size = int(disk.get("size") or 0)
    why_not, detail = _why_not(disk, kind, size, needed)
    return Target(
        str(disk["path"]),
        str(disk.get("serial") or disk["name"]).strip(),
        str(disk.get("model") or "").strip(),
        size,
        is_file=False,
        why_not=why_not,
        detail=detail,
    )


def _why_not(disk: dict[str, Any], kind: str, size: int, needed: int) -> tuple[int | None, str]:
    places = [place for each in [disk, *_below(disk)] for place in _places(each)]
    path = str(disk["path"])
    if any(place in SYSTEM_PLACES for place in places):
        return 1102, f"{path}: {', '.join(places)}"
    if places:
        return 1103, f"{path}: {', '.join(places)}"
    if not _is_removable(disk, kind):
        return 1104, path
    if disk.get("ro"):
        return 1106, path
    if size == 0:
        return 1101, f"{path}: no card in it"
    if size < needed:
        return 1105, f"{path}: {size} bytes, {needed} are needed"
    return None, ""


def _is_removable(disk: dict[str, Any], kind: str) -> bool:
    """USB and SD are; an eMMC (kind "MMC") is soldered on; a loop device is a file with a name."""
    if disk.get("type") == "loop":
        return True
    if kind == "MMC":
        return False
    return bool(disk.get("rm") or disk.get("hotplug") or disk.get("tran") in ("usb", "mmc"))


def _is_disk(disk: dict[str, Any]) -> bool:
    if disk.get("type") == "loop":
        return int(disk.get("size") or 0) > 0
    return disk.get("type") == "disk" and not str(disk["name"]).startswith(("zram", "ram", "nbd"))


def _places(each: dict[str, Any]) -> list[str]:
    return [str(place) for place in each.get("mountpoints") or [] if place]


def _below(disk: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Partitions, and what stands on them: encrypted, joined, mapped."""
    for each in disk.get("children") or []:
        yield each
        yield from _below(each)


def _kind(disk: dict[str, Any]) -> str:
    try:
        return Path("/sys/block", str(disk["name"]), "device/type").read_text().strip()
    except OSError:
        return ""


def _lsblk() -> list[dict[str, Any]]:
    done = programs.run("lsblk", "-J", "-b", "-o", COLUMNS)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["blockdevices"]
    except (ValueError, KeyError):
        raise FlashError(1203, f"lsblk: {programs.said(done)}") from None
    return found
