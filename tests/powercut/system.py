"""mount(2), loop devices and a mount namespace of one's own, by ctypes and ioctl.

A process that called `leave_mounts` holds all its mounts in a namespace that ends with it, and its
loop devices let go of their file when they are no longer mounted: whatever kills the process,
nothing is left behind.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import time
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
MS_NOATIME, MS_REC, MS_PRIVATE = 0x400, 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG, SIGKILL = 1, 9

LOOP_MAJOR = 7
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LOOP_CLR_FD = 0x4C82, 0x4C0A, 0x4C01
LO_FLAGS_AUTOCLEAR = 4
_TRIES = 100

PROGRAMS = ("mkfs.ext4", "e2fsck")


def missing() -> str | None:
    """What keeps the rig from running here, and what to do; None when nothing does."""
    if os.geteuid() != 0:
        return "power cuts need root (loop devices and mounts)"
    for program in PROGRAMS:
        if shutil.which(program, path=path()) is None:
            return f"{program} is not installed: run tools/install_test_packages.sh"
    for device in ("/dev/fuse", "/dev/loop-control"):
        try:
            os.close(os.open(device, os.O_RDWR))
        except OSError as error:
            return f"{device}: {error.strerror}"
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, timeout=30, check=False)
    if probe.returncode:
        return "unshare -m is refused here: a container without CAP_SYS_ADMIN?"
    return None


def path() -> str:
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def run(*command: str | Path) -> int:
    """Its exit status; its words are only of interest when it is wrong, to who runs it by hand."""
    return subprocess.run(
        command, env={"PATH": path()}, capture_output=True, timeout=60, check=False
    ).returncode


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def leave_mounts() -> None:
    """From now on this process's mounts are its own."""
    _check(_LIBC.unshare(CLONE_NEWNS), "unshare")
    _check(_LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount / private")


def end_with_parent() -> None:
    """Should the tests be killed, this process ends too."""
    _check(_LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl")


def mount(source: str | Path, target: Path, kind: str, options: str = "") -> None:
    words = (os.fsencode(source), os.fsencode(target), kind.encode(), options.encode())
    _check(_LIBC.mount(words[0], words[1], words[2], MS_NOATIME, words[3]), f"mount {kind}")


def detach(target: Path) -> None:
    """Unmount it here, whoever else has it mounted elsewhere."""
    _check(_LIBC.umount2(os.fsencode(target), MNT_DETACH), f"detach {target}")


def unmount(target: Path) -> None:
    """Waits a moment for whoever still reads there."""
    for _ in range(_TRIES):
        if _LIBC.umount2(os.fsencode(target), 0) == 0:
            return
        if ctypes.get_errno() != errno.EBUSY:
            break
        time.sleep(0.02)
    _check(-1, f"umount {target}")


def attach(file: Path, nodes: Path, offset: int = 0, size: int = 0) -> tuple[int, Path]:
    """A loop device on the file: its descriptor and path; free again once closed and unmounted.

    nodes: a folder for device nodes, should /dev not have that one.  offset, size: the part of the
    file in bytes; size 0 is the rest.
    """
    backing = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_TRIES):
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            device = _node(number, nodes)
            loop = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            # struct loop_config: fd, block_size, loop_info64 (lo_offset at 24, lo_sizelimit at 32,
            # lo_flags at 52), reserved
            config = bytearray(304)
            struct.pack_into("<II", config, 0, backing, 512)
            struct.pack_into("<QQ", config, 8 + 24, offset, size)
            struct.pack_into("<I", config, 8 + 52, LO_FLAGS_AUTOCLEAR)
            try:
                fcntl.ioctl(loop, LOOP_CONFIGURE, bytes(config))
            except OSError as error:
                os.close(loop)
                if error.errno != errno.EBUSY:  # EBUSY: somebody else was quicker
                    raise
                time.sleep(0.01)
                continue
            return loop, device
    finally:
        os.close(control)
        os.close(backing)
    raise OSError(errno.EBUSY, "no free loop device")


def mount_image(file: Path, target: Path, nodes: Path, offset: int = 0, size: int = 0) -> None:
    """The ext4 in (that part of) the file, by a loop device that goes when it is unmounted."""
    loop, device = attach(file, nodes, offset, size)
    try:
        mount(device, target, "ext4")
    finally:
        os.close(loop)


def _node(number: int, nodes: Path) -> Path:
    device = Path(f"/dev/loop{number}")
    if device.exists():
        return device
    own = nodes / f"loop{number}"
    if not own.exists():
        os.mknod(own, stat.S_IFBLK | 0o600, os.makedev(LOOP_MAJOR, number))
    return own
