"""The image's own initrd with the agent behind it, in a second archive.

Formats: Linux, Documentation/driver-api/early-userspace/buffer-format.rst ("newc").
"""

from __future__ import annotations

import subprocess
from pathlib import Path

GUEST = Path(__file__).resolve().parent / "guest"
ORDER = "scripts/init-bottom/ORDER"
_HEADER = 110  # bytes: a magic of 6 and 13 numbers of 8 hex digits
_FILE, _PROGRAM = 0o100644, 0o100755


def with_agent(initrd: bytes) -> bytes:
    """initrd: zstd over a cpio archive, as the image's is.  Raises KeyError when it is another."""
    done = subprocess.run(
        ["zstd", "-dcq"], input=initrd, capture_output=True, timeout=120, check=True
    )
    order = content(done.stdout, ORDER) + b'/scripts/init-bottom/ssc-test "$@"\n'
    files = {
        ORDER: (_FILE, order),
        "scripts/init-bottom/ssc-test": (_PROGRAM, (GUEST / "init-bottom").read_bytes()),
        "ssc-test": (0o040755, b""),
        "ssc-test/agent.py": (_FILE, (GUEST / "agent.py").read_bytes()),
        "ssc-test/agent.service": (_FILE, (GUEST / "agent.service").read_bytes()),
    }
    return initrd + bytes(-len(initrd) % 4) + archive(files)


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """files: name -> (mode, content)."""
    made = bytearray()
    for inode, (name, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        made += b"070701" + "".join(f"{each:08x}" for each in fields).encode()
        made += name.encode() + b"\0"
        made += bytes(-len(made) % 4) + data
        made += bytes(-len(made) % 4)
    return bytes(made)


def content(archive: bytes, wanted: str) -> bytes:
    """Of one file; raises KeyError."""
    at = 0
    while archive[at : at + 6] == b"070701":
        numbers = [int(archive[at + 6 + 8 * each : at + 14 + 8 * each], 16) for each in range(13)]
        size, name_size = numbers[6], numbers[11]
        begin = at + _HEADER
        name = archive[begin : begin + name_size - 1].decode()
        begin += name_size
        begin += -begin % 4
        if name == wanted:
            return archive[begin : begin + size]
        at = begin + size + -(begin + size) % 4
    raise KeyError(wanted)
