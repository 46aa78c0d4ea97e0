"""What may be written: disks as lsblk tells of them, and files.  `judge` says why one may not."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.technician import programs
from tools.technician.errors import FlashError

COLUMNS = "NAME,KNAME,PATH,TYPE,SIZE,RM,RO,HOTPLUG,TRAN,MODEL,SERIAL,MOUNTPOINTS"
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
    return [judge(each, _kind(each), needed) for each in _lsblk() if _is_disk(each)]


def target(name: str, needed: int = 0) -> Target:
    """The disk or file `name`; raises FlashError if it may not be written."""
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.resolve().is_relative_to("/dev") or not path.parent.is_dir():
            raise FlashError(1101, name) from None
        return Target(name, path.name, "", 0, is_file=True)
    except OSError as error:
        raise FlashError(1101, f"{name}: {error.strerror}") from None
    if stat.S_ISREG(mode):
        return Target(name, path.name, "", 0, is_file=True)
    if not stat.S_ISBLK(mode):
        raise FlashError(1107, name)
    real = str(path.resolve())
    for each in _lsblk():
        for inner in [each, *_below(each)]:
            if inner.get("path") == real:
                if inner is not each or not _is_disk(each):
                    raise FlashError(1107, f"{name} is a {inner.get('type')}")
                found = judge(each, _kind(each), needed)
                if found.why_not is not None:
                    raise FlashError(found.why_not, found.detail)
                return found
    raise FlashError(1101, name)


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
