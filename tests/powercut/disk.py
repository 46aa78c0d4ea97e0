"""A disk that remembers: one FUSE file system with two files, both logged in the order of arrival.

    disk   the blocks; a loop device stands on it
    notes  what a program writes here is outside the disk: JSON, one object a write

FUSE answers one request after the other and without a write-back cache, so a write that a program
knows to be done stands before the note it writes next, and a flush stands behind every write that
it promises.  The numbers are those of <linux/fuse.h>, protocol 7.31.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import stat
import struct
from pathlib import Path
from typing import Any, NamedTuple

from tests.powercut import system

MAX_WRITE = 1 << 20  # bytes

NO_ANSWER = {2, 36, 42}  # FORGET, INTERRUPT, BATCH_FORGET

IN_HEADER = struct.Struct("<IIQQIIIHH")
OUT_HEADER = struct.Struct("<IiQ")
READ_WRITE_IN = struct.Struct("<QQIIQII")
INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
ENTRY_OUT = struct.Struct("<QQQQII")
ATTRIBUTES_OUT = struct.Struct("<QII")
OPEN_OUT = struct.Struct("<QIi")

ASYNC_READ, BIG_WRITES, MAX_PAGES = 1 << 0, 1 << 5, 1 << 22
DIRECT_IO = 1 << 0
FOREVER = 1 << 30  # seconds for which the kernel may believe an attribute

ROOT, DISK, NOTES = 1, 2, 3
END = b"end"  # in notes: the log ends here
NAMES = {b"disk": DISK, b"notes": NOTES}


class Write(NamedTuple):
    """Bytes that reached the disk's cache.  offset: in bytes."""

    offset: int
    data: bytes


class Flush(NamedTuple):
    """Everything written before is on the medium."""


class Note(NamedTuple):
    """What the writing program said at this moment."""

    said: dict[str, Any]


Entry = Write | Flush | Note


class LoggedDisk:
    """Mounted at `folder` when made.  image: the first contents.

    The server is a process of its own, the only one that holds /dev/fuse: whoever of us is killed,
    in the middle of a mount(2) too, nobody waits for ever.
    """

    def __init__(self, folder: Path, image: bytes):
        self._folder = folder
        self._result = folder.with_name("recorded")
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        try:
            options = f"fd={fuse},rootmode={stat.S_IFDIR:o},user_id=0,group_id=0"
            system.mount("powercut", folder, "fuse", options)
            self._server = os.fork()
            if self._server == 0:
                _serve_and_exit(fuse, image, folder, self._result)
        finally:
            os.close(fuse)

    @property
    def disk(self) -> Path:
        return self._folder / "disk"

    @property
    def notes(self) -> Path:
        return self._folder / "notes"

    def end_log(self) -> None:
        """What comes now is no longer logged."""
        with open(self.notes, "wb", buffering=0) as notes:
            notes.write(END)

    def close(self) -> tuple[list[Entry], bytes]:
        """Unmount; the device on `disk` must be gone.  The log, and the disk at the log's end."""
        system.unmount(self._folder)
        os.waitpid(self._server, 0)
        log, left = pickle.loads(self._result.read_bytes())
        return log, left


def _serve_and_exit(fuse: int, image: bytes, folder: Path, result: Path) -> None:
    """In a namespace without the mounts it serves: they could wait for it while it ends."""
    status = 1
    try:
        system.end_with_parent()
        system.leave_mounts()
        system.detach(folder)
        server = _Server(fuse, image)
        server.serve()
        result.write_bytes(pickle.dumps((server.log, server.left)))
        status = 0
    finally:
        os._exit(status)


class _Server:
    """left: the contents when the log ended."""

    def __init__(self, fuse: int, image: bytes):
        self._fuse = fuse
        self._contents = bytearray(image)
        self.log: list[Entry] = []
        self.left = b""

    def serve(self) -> None:
        while True:
            try:
                request = os.read(self._fuse, MAX_WRITE + 4096)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return  # ENODEV: unmounted
            _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
            if opcode in NO_ANSWER:
                continue
            try:
                status, answer = 0, self._answer(opcode, node, request[IN_HEADER.size :])
            except OSError as error:
                status, answer = -(error.errno or errno.EIO), b""
            header = OUT_HEADER.pack(OUT_HEADER.size + len(answer), status, unique)
            with contextlib.suppress(FileNotFoundError):  # nobody waits for it any more
                os.write(self._fuse, header + answer)

    def _answer(self, opcode: int, node: int, payload: bytes) -> bytes:
        """Raises OSError with the number to answer."""
        match opcode:
            case 26:  # INIT
                flags = ASYNC_READ | BIG_WRITES | MAX_PAGES
                return INIT_OUT.pack(7, 31, 1 << 20, flags, 16, 12, MAX_WRITE, 1, 256, 0, 0)
            case 1:  # LOOKUP
                found = NAMES.get(payload.rstrip(b"\0"))
                if node != ROOT or found is None:
                    raise OSError(errno.ENOENT, "")
                return ENTRY_OUT.pack(found, 0, FOREVER, FOREVER, 0, 0) + self._attributes(found)
            case 3 | 4:  # GETATTR, SETATTR
                return ATTRIBUTES_OUT.pack(FOREVER, 0, 0) + self._attributes(node)
            case 14:  # OPEN
                return OPEN_OUT.pack(node, DIRECT_IO if node == NOTES else 0, 0)
            case 15:  # READ
                _, offset, size, *_ = READ_WRITE_IN.unpack_from(payload)
                return bytes(self._contents[offset : offset + size]) if node == DISK else b""
            case 16:  # WRITE
                _, offset, size, *_ = READ_WRITE_IN.unpack_from(payload)
                data = payload[READ_WRITE_IN.size : READ_WRITE_IN.size + size]
                self._write(node, offset, data)
                return struct.pack("<II", size, 0)
            case 20:  # FSYNC
                if node == DISK:
                    self._note(Flush())
                return b""
            case 18 | 38:  # RELEASE, DESTROY
                return b""
        raise OSError(errno.ENOSYS, "")

    def _write(self, node: int, offset: int, data: bytes) -> None:
        if node == NOTES and data == END:
            self.left = bytes(self._contents)
        elif node == NOTES:
            self._note(Note(json.loads(data)))
        elif offset + len(data) > len(self._contents):
            raise OSError(errno.ENOSPC, "")
        else:
            self._contents[offset : offset + len(data)] = data
            self._note(Write(offset, data))

    def _note(self, entry: Entry) -> None:
        if not self.left:
            self.log.append(entry)

    def _attributes(self, node: int) -> bytes:
        mode = stat.S_IFDIR | 0o700 if node == ROOT else stat.S_IFREG | 0o600
        size = len(self._contents) if node == DISK else 0
        return ATTRIBUTES.pack(node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
