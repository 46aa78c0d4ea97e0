"""A unit's identity: board.toml and the files it names, as one drop that first start takes.

The drop is CBOR {1: format, 2: SHA-256 of 3, 3: CBOR {file name: bytes}}.  A drop that was cut
short or damaged has another SHA-256: it is refused whole, and nothing of the unit is changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from firmware.board import BoardError, load
from firmware.journal import cose
from tools.technician.errors import FlashError
from tools.technician.names import BOARD

FORMAT = 1
MAX_FILE = 1 << 20  # bytes of one file
MAX_DROP = 4 << 20
MAX_FILES = 32
DATA_DIR = "/data/sscterm"
"""Where a unit keeps its journal, whatever the board.toml that one began with says."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def pack(files: dict[str, bytes]) -> bytes:
    """The drop.  Raises FlashError 1301."""
    _check_files(files)
    inner = cose.encode(files)
    raw = cose.encode({1: FORMAT, 2: hashlib.sha256(inner).digest(), 3: inner})
    if len(raw) > MAX_DROP:
        raise FlashError(1301, f"{len(raw)} bytes, at most {MAX_DROP}")
    return raw


def unpack(raw: bytes) -> dict[str, bytes]:
    """Raises FlashError 1301 for anything but a whole drop."""
    try:
        outer = cose.decode(raw, MAX_DROP)
        is_outer = isinstance(outer, dict) and set(outer) == {1, 2, 3} and outer[1] == FORMAT
        if not is_outer or not isinstance(outer[3], bytes):
            raise FlashError(1301, "not a drop of this format")
        if hashlib.sha256(outer[3]).digest() != outer[2]:
            raise FlashError(1301, "cut short or damaged")
        files = cose.decode(outer[3], MAX_DROP)
    except cose.CoseError as error:
        raise FlashError(1301, f"cut short or damaged: {error}") from None
    if not isinstance(files, dict):
        raise FlashError(1301, "no files")
    _check_files(files)
    return files


def _check_files(files: dict[str, bytes]) -> None:
    if BOARD not in files or len(files) > MAX_FILES:
        raise FlashError(1301, f"{BOARD} is missing, or more than {MAX_FILES} files")
    for name, data in files.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise FlashError(1301, f"file name {name!r:.80}")
        if not isinstance(data, bytes) or len(data) > MAX_FILE:
            raise FlashError(1301, f"{name} is too large")


def collect(board: Path, more: list[Path], settings: dict[str, str]) -> dict[str, bytes]:
    """board.toml with `settings` ("section.key" -> TOML value) in force, and the files `more`.

    It is read as the unit will read it; raises FlashError 1301 for what the unit would refuse.
    """
    try:
        files = {each.name: _bounded(each) for each in more}
        text = board.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FlashError(1301, str(error)) from None
    if len(files) != len(more) or BOARD in files:
        raise FlashError(1301, "two files of one name")
    for key, value in settings.items():
        text = set_key(text, key, value)
    files[BOARD] = text.encode()
    _check_files(files)
    check(files)
    return files


def _bounded(path: Path) -> bytes:
    """At most one byte more than is allowed."""
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def site_file(site: str) -> dict[str, bytes]:
    """site.txt, for whoever opens the unit; raises FlashError 1301."""
    if not 1 <= len(site) <= 64 or not site.isprintable():
        raise FlashError(1301, "--site: 1 to 64 printable characters")
    return {"site.txt": site.encode() + b"\n"}


def check(files: dict[str, bytes]) -> None:
    """Raises FlashError 1301 with what the unit's own parser says."""
    private(files)


def private(files: dict[str, bytes]) -> set[str]:
    """Names of the keys and PINs that board.toml names: the unit's own user alone may read them.

    Raises FlashError 1301 with what the unit's own parser says.
    """
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        try:
            board = load(Path(folder, BOARD))
        except (BoardError, OSError) as error:
            raise FlashError(1301, str(error).replace(f"{folder}{os.sep}", "")) from None
        pad, nats = board.pad, board.uplink.nats
        places = (pad and pad.key_file, board.signer.pin_file, nats and nats.credentials)
        return {name for name in files if Path(folder, name) in places}


def _memory() -> str | None:
    """A folder in memory, so that credentials leave nothing on a disk; None: there is none."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) else None


def set_key(text: str, key: str, value: str) -> str:
    """`text` of a TOML file with one key of one section set; comments and order stay.

    key: "section.key", the section may have dots.  value: as TOML writes it.
    """
    section, _, name = key.rpartition(".")
    lines = text.removesuffix("\n").split("\n")
    heads = [at for at, line in enumerate(lines) if line.split("#")[0].strip() == f"[{section}]"]
    if not heads:
        return "\n".join([*lines, "", f"[{section}]", f"{name} = {value}", ""])
    end = heads[0] + 1
    while end < len(lines) and not lines[end].lstrip().startswith("["):
        if re.match(rf"\s*{re.escape(name)}\s*=", lines[end]):
            lines[end] = f"{name} = {value}"
            return "\n".join([*lines, ""])
        end += 1
    return "\n".join([*lines[: heads[0] + 1], f"{name} = {value}", *lines[heads[0] + 1 :], ""])
