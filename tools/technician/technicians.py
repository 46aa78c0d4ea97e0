"""The keys that open a unit's door, as sshd takes them: public keys, one in a line."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from tools.technician.errors import FlashError

FILE = "technicians"
KINDS = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
MAX_KEYS = 64
MAX_FILE = 16_384  # bytes of a .pub


def collect(files: list[Path]) -> dict[str, bytes]:
    """{FILE: its bytes} of the public keys in these files.  Raises FlashError 1421."""
    lines: list[str] = []
    for file in files:
        try:
            with file.open("rb") as handle:
                text = handle.read(MAX_FILE + 1).decode("ascii")
        except OSError as error:
            raise FlashError(1421, f"{file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise FlashError(1421, f"{file} is no public key") from None
        if len(text) > MAX_FILE:
            raise FlashError(1421, f"{file} is too large")
        lines += [_line(each, file) for each in text.splitlines() if each.strip()]
    if len(lines) > MAX_KEYS:
        raise FlashError(1421, f"{len(lines)} keys, at most {MAX_KEYS}")
    return {FILE: "".join(f"{each}\n" for each in lines).encode()} if lines else {}


def line(name: str | None) -> dict[str, bytes]:
    """The file by which a unit waits for technicians at a serial line.  Raises FlashError 1422."""
    if name is None:
        return {}
    if not re.fullmatch(r"tty[A-Z]{1,8}[0-9]{1,3}", name):
        raise FlashError(1422, f"--door-line {name[:40]}: a name as ttyAMA0")
    return {f"door-line.{name}": b"\n"}


def _line(text: str, file: Path) -> str:
    """Restricted, whatever sshd's own configuration says; no options of its own are taken."""
    kind, _, rest = text.strip().partition(" ")
    encoded, _, comment = rest.partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    length = int.from_bytes(raw[:4], "big")
    if kind not in KINDS or raw[4 : 4 + length] != kind.encode():
        raise FlashError(1421, f"{file}: one of {', '.join(KINDS)} is wanted")
    if not comment.isprintable():
        raise FlashError(1421, f"{file}: the comment")
    return f"restrict {kind} {encoded} {comment}".rstrip()
