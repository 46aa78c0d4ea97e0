"""Partitions and the whole disk image from folders, with the tools of Debian, the same at each run.

Every file gets the time `epoch`; identifiers follow from what they identify.  Nothing here mounts a
file system or needs root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from tools.image.layout import MIB, SECTOR, Layout, genimage_config

NAMESPACE = uuid.UUID("6d6d1c2e-50cf-4a0e-9a67-0d5c7d3f5b55")
SALT = "5353435445524d" + "00" * 25
"""Of the verity tree.  A salt that is fixed lets two builds agree; it protects no secret."""

DEADLINE_S = 1800
MOST_CLUSTERS = 65_000


class ImageError(Exception):
    """A tool failed; the text is its name and what it said."""


@dataclass(frozen=True)
class System:
    """A system partition: its file, the root hash of its verity tree (64 hex characters)."""

    file: Path
    root_hash: str


def run(
    *argv: str | Path,
    epoch: int = 0,
    folder: Path | None = None,
    text: str = "",
    deadline_s: int = DEADLINE_S,
) -> str:
    """What the tool prints; ImageError when it fails, subprocess.TimeoutExpired."""
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": str(epoch),
        "E2FSPROGS_FAKE_TIME": str(epoch),
        # With "nodiscard" mke2fs writes the zeros of inode tables and journal and leaves no holes
        # for them: bmaptool skips holes, and a used card would show the kernel its old bytes there.
        "UNIX_IO_NOZEROOUT": "1",
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": "/dev/null",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
    }
    done = subprocess.run(
        [str(each) for each in argv],
        env=environment, cwd=folder, input=text, capture_output=True, text=True,
        timeout=deadline_s, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ImageError(f"{argv[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def identity(*names: object) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, "/".join(map(str, names)))


def fat(target: Path, size: int, label: str, files: dict[str, Path | bytes], epoch: int) -> None:
    """A FAT16 file system; files: name on it -> content.  Subfolders by "name/name", one deep."""
    empty(target, size)
    serial = identity(label).hex[:8]
    cluster = 1  # sectors; FAT16 counts from 4085 to 65524 clusters
    while size // SECTOR // cluster > MOST_CLUSTERS:
        cluster *= 2
    run(
        "mkfs.fat", "--invariant", "-F", "16", "-s", str(cluster), "-n", label, "-i", serial,
        target, epoch=epoch,
    )  # fmt: skip
    for folder in sorted({name.partition("/")[0] for name in files if "/" in name}):
        run("mmd", "-i", target, f"::{folder}", epoch=epoch)
    put(target, files, epoch)


def put(target: Path, files: dict[str, Path | bytes], epoch: int) -> None:
    """Write or overwrite those files of a FAT file system; their folders are there."""
    with _staged(target.with_suffix(".staged"), files, epoch) as staged:
        for name in sorted(files):
            run("mcopy", "-o", "-i", target, "-m", staged / name, f"::{name}", epoch=epoch)


class _staged:
    """The files in a folder, with the time that mcopy keeps."""

    def __init__(self, folder: Path, files: dict[str, Path | bytes], epoch: int):
        self._folder, self._files, self._epoch = folder, files, epoch

    def __enter__(self) -> Path:
        for name, content in self._files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
            os.utime(path, (self._epoch, self._epoch))
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)


def ext4(target: Path, size: int, label: str, root: Path | None, epoch: int) -> None:
    """An ext4 file system of `size` bytes with what is in the folder `root`.

    mke2fs keeps the times of the host's inodes, so they are set afterwards.
    """
    empty(target, size)
    fs_uuid = identity(label, "ext4")
    options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0"
    content = [] if root is None else ["-d", root]
    run(
        "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-L", label, "-U", fs_uuid,
        "-E", f"hash_seed={fs_uuid},{options}",
        *([] if root is None else ["-O", "^has_journal"]), *content, target,
        epoch=epoch,
    )  # fmt: skip
    _settle_times(target, epoch)


def _settle_times(target: Path, epoch: int) -> None:
    """The four times of every inode in use become `epoch`."""
    stats = run("dumpe2fs", "-h", target)
    inodes = int(re.findall(r"Inode count: +(\d+)", stats)[0])
    free = int(re.findall(r"Free inodes: +(\d+)", stats)[0])
    used = (each for each in range(1, inodes + 1) if each <= 2 or each >= 11)
    numbers = [each for _, each in zip(range(inodes - free), used, strict=False)]
    fields = ("atime", "ctime", "mtime", "crtime")
    extra = ("atime_extra", "ctime_extra", "mtime_extra", "crtime_extra")
    lines = [f"sif <{each}> {field} @{epoch}" for each in numbers for field in fields]
    lines += [f"sif <{each}> {field} 0" for each in numbers for field in extra]
    run("debugfs", "-w", "-f", "-", target, epoch=epoch, text="\n".join(lines) + "\n")


def verity(file: Path, offset: int, size: int) -> str:
    """Append the hash tree of the first `offset` bytes of `file`; the root hash, 64 hex characters.

    The file has `size` bytes after it.
    """
    os.truncate(file, size)
    told = run(
        "veritysetup", "format", f"--hash-offset={offset}", f"--data-blocks={offset // 4096}",
        f"--salt={SALT}", f"--uuid={identity(file.name, 'verity')}", file, file,
    )  # fmt: skip
    return re.findall(r"Root hash:\s+([0-9a-f]{64})", told)[0]


def empty(target: Path, size: int) -> None:
    """A file of so many zeros that takes no room."""
    target.unlink(missing_ok=True)
    with target.open("wb") as file:
        file.truncate(size)


def unused(target: Path, size: int) -> None:
    """A partition that holds nothing yet; on a used card, too, its first MiB becomes zero."""
    empty(target, size)
    with target.open("r+b") as file:
        file.write(bytes(min(MIB, size)))


def system(target: Path, layout: Layout, root: Path, epoch: int) -> System:
    """The system partition: the folder `root` as ext4, its hash tree behind it."""
    offset = layout.hash_offset()
    ext4(target, offset, "SYSTEM", root, epoch)
    return System(target, verity(target, offset, layout.system))


def kernel_line(layout: Layout, slot: str, root_hash: str, more: str = "") -> str:
    """cmdline.txt of the boot partition of that slot.

    It stands on the partition that the board's firmware chose, so slot and root hash are those of
    the slot that was booted; the initrd and RAUC read them from the running kernel.
    """
    words = [
        f"rauc.slot={slot}", f"ssc.disk={layout.disk_signature:08x}", f"ssc.roothash={root_hash}",
        f"ssc.hashoffset={layout.hash_offset()}", "root=/dev/mapper/system", "ro",
        "rootfstype=ext4", "panic=5", "net.ifnames=0", "quiet", *more.split(),
    ]  # fmt: skip
    return " ".join(words) + "\n"


def slot_text(version: str, root_hash: str, layout: Layout) -> str:
    """slot.txt: what a boot partition belongs to, the same in both slots."""
    return f"version={version}\nroothash={root_hash}\nhashoffset={layout.hash_offset()}\n"


def assemble(
    target: Path, layout: Layout, files: dict[str, Path], folder: Path, epoch: int
) -> None:
    """The disk image from its partitions' files, all in `folder`, which may be scratched in."""
    names = {name: str(path.relative_to(folder)) for name, path in files.items()}
    config = folder / "genimage.cfg"
    config.write_text(genimage_config(layout, names, target.name))
    scratch, no_root = folder / "genimage.tmp", folder / "genimage.root"
    shutil.rmtree(scratch, ignore_errors=True)
    no_root.mkdir(exist_ok=True)
    run(
        "genimage", "--config", config, "--inputpath", folder, "--outputpath", target.parent,
        "--tmppath", scratch, "--rootpath", no_root, epoch=epoch, folder=folder,
    )  # fmt: skip
    shutil.rmtree(scratch, ignore_errors=True)
    os.truncate(target, layout.size)
