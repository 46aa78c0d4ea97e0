"""Issue "The technician", item 2: `write`, read back, and again after a pulled cable."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import flash_rig
from tests.flash_rig import Release
from tools.image.layout import SMALL
from tools.technician import copying, readback, wiping, writing
from tools.technician.causes import error_number
from tools.technician.errors import FlashError
from tools.technician.holding import held
from tools.technician.progress import Progress, line
from tools.technician.writing import Written

pytestmark = pytest.mark.skipif(flash_rig.NO_IMAGE is not None, reason=str(flash_rig.NO_IMAGE))
loops = pytest.mark.skipif(flash_rig.NO_LOOP is not None, reason=str(flash_rig.NO_LOOP))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


def yes(*_: object) -> bool:
    return True


def write(made: Release, target: Path, confirm=yes) -> Written:
    image = made.load()
    with held(str(target), image.block_map.image_size) as card:
        return writing.write(image, card, confirm, Progress(None))


def wipe(target: Path, confirm=yes) -> None:
    with held(str(target)) as card:
        wiping.wipe(card, confirm, Progress(None))


def failed(made: Release, target: Path) -> int:
    with pytest.raises(FlashError) as caught:
        write(made, target)
    return caught.value.number


def holds(made: Release, target: Path) -> bool:
    """Whether every mapped byte is there, read in the plainest way."""
    with made.image.open("rb") as wanted, target.open("rb") as found:
        for each in made.load().block_map.ranges:
            wanted.seek(each.offset)
            found.seek(each.offset)
            if wanted.read(each.length) != found.read(each.length):
                return False
    return True


def test_a_file_holds_the_image_and_was_read_past_the_cache(made: Release, tmp_path: Path) -> None:
    done = write(made, tmp_path / "card.img")
    assert (tmp_path / "card.img").read_bytes() == made.image.read_bytes()
    assert done.written == done.verified == made.load().block_map.mapped
    assert done.read_by in ("direct", "dropped")
    assert set(done.took) == {"write", "verify"}


def test_a_compressed_image_is_written_as_the_raw_one(made: Release, tmp_path: Path) -> None:
    packed = made.copied(tmp_path / "copy").compressed()
    write(packed, tmp_path / "card.img")
    assert (tmp_path / "card.img").read_bytes() == made.image.read_bytes()


def test_nothing_is_written_without_a_yes(made: Release, tmp_path: Path) -> None:
    with pytest.raises(FlashError) as caught:
        write(made, tmp_path / "card.img", lambda _: False)
    assert caught.value.number == 1108
    assert not (tmp_path / "card.img").exists()


def test_a_flipped_byte_on_the_card_is_found(made: Release, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    write(made, card)
    last = made.load().block_map.ranges[-1]
    for at in (0, last.offset, last.offset + last.length - 1):
        raw = bytearray(card.read_bytes())
        raw[at] ^= 1
        card.write_bytes(raw)
        with pytest.raises(FlashError) as caught:
            writing.verified(str(card), made.load(), Progress(None))
        assert caught.value.number == 1204
        raw[at] ^= 1
        card.write_bytes(raw)
    writing.verified(str(card), made.load(), Progress(None))


@loops
def test_a_card_is_written_whatever_it_held(made: Release, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"\xa5" * (80 << 20))
    with flash_rig.disk(tmp_path / "disk", 0) as card:
        done = write(made, card)
        assert done.written == made.load().block_map.mapped
        assert done.read_by == "direct"
        assert holds(made, card)
        for name in ("system_a", "data"):
            wanted, found = (inode_tables(each, name, tmp_path) for each in (made.image, card))
            assert wanted == found


def inode_tables(disk: Path, partition: str, folder: Path) -> list[bytes]:
    """Read ahead by the kernel, and behind verity: zeros must be zeros there."""
    part = SMALL.partition(partition)
    with disk.open("rb") as file:
        file.seek(part.start)
        raw = file.read(part.size)
    (folder / partition).write_bytes(raw)
    told = subprocess.run(
        ["dumpe2fs", folder / partition], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    places = re.findall(r"Inode table at (\d+)-(\d+)", told)
    assert places
    return [raw[int(first) * 4096 : (int(last) + 1) * 4096] for first, last in places]


@loops
@pytest.mark.parametrize("is_compressed", [False, True], ids=["raw", "zst"])
def test_after_a_pulled_cable_only_what_is_missing_is_written(
    made: Release, tmp_path: Path, is_compressed: bool
) -> None:
    """The first half of the ranges arrived, and one grain of the rest."""
    source = made.copied(tmp_path / "copy").compressed() if is_compressed else made
    image = source.load()
    ranges = image.block_map.ranges
    half = ranges[: len(ranges) // 2]
    assert half
    with flash_rig.disk(tmp_path / "disk", image.block_map.image_size) as card:
        copying.copy(source.image, image.block_map.reduced(half), str(card), lambda _: None)
        before = flash_rig.bytes_written(card)
        done = write(source, card)
        rest = image.block_map.mapped - sum(each.length for each in half)
        assert 0 < done.written <= rest
        assert flash_rig.bytes_written(card) - before <= done.written + 65536
        assert holds(made, card)
        again = flash_rig.bytes_written(card)
        assert write(source, card).written == 0
        assert flash_rig.bytes_written(card) == again


@loops
def test_one_grain_that_is_wrong_is_all_that_is_written_again(
    made: Release, tmp_path: Path
) -> None:
    image = made.load()
    largest = max(image.block_map.ranges, key=lambda each: each.length)
    assert largest.length > readback.GRAIN
    with flash_rig.disk(tmp_path / "disk", image.block_map.image_size) as card:
        write(made, card)
        with card.open("r+b") as file:
            file.seek(largest.offset + readback.GRAIN + 5)
            file.write(b"\x55\xaa\x55")
        assert write(made, card).written == min(readback.GRAIN, largest.length - readback.GRAIN)
        assert holds(made, card)


@loops
def test_a_damaged_image_is_found_before_a_begun_card_is_written_on(
    made: Release, tmp_path: Path
) -> None:
    copy = made.copied(tmp_path / "copy")
    image = copy.load()
    with flash_rig.disk(tmp_path / "disk", image.block_map.image_size) as card:
        first = image.block_map.ranges[:1]
        copying.copy(copy.image, image.block_map.reduced(first), str(card), lambda _: None)
        before = flash_rig.bytes_written(card)
        with copy.image.open("r+b") as file:
            file.seek(image.block_map.ranges[-1].offset)
            file.write(b"\xff\xfe")
        assert failed(copy, card) == 1007
        assert flash_rig.bytes_written(card) == before


@loops
def test_a_card_that_breaks_while_it_is_written(made: Release, tmp_path: Path) -> None:
    """Behind the disk is a file system with room for a part of it."""
    place = flash_rig.mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=2m")
    with place as small, flash_rig.disk(small / "disk", 80 << 20) as card:
        assert failed(made, card) == 1203


@loops
def test_a_full_file_system_is_named(made: Release, tmp_path: Path) -> None:
    with flash_rig.mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=2m") as small:
        assert failed(made, small / "card.img") == 1202


@loops
def test_a_card_that_another_program_uses_is_refused(made: Release, tmp_path: Path) -> None:
    with flash_rig.disk(tmp_path / "disk", 80 << 20) as card:
        held = os.open(card, os.O_RDONLY | os.O_EXCL)
        try:
            assert failed(made, card) == 1110
        finally:
            os.close(held)


def test_a_card_that_is_gone_is_told_so(made: Release, tmp_path: Path) -> None:
    """The name vanishes while bmaptool runs, as that of a pulled card does."""

    class Pulled(Progress):
        def begin(self, phase: str, total: int) -> None:
            if phase == "verify":
                (tmp_path / "card.img").unlink()
            super().begin(phase, total)

    with pytest.raises(FlashError) as caught, held(str(tmp_path / "card.img")) as card:
        writing.write(made.load(), card, yes, Pulled(None))
    assert caught.value.number == 1201
    assert copying._why("bmaptool: ERROR: Input/output error", str(tmp_path / "x")).number == 1201


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (errno.EIO, 1203), (errno.ENXIO, 1201), (errno.ENOMEDIUM, 1201), (errno.ENOSPC, 1202),
        (errno.EROFS, 1106), (errno.EBUSY, 1110), (errno.EACCES, 1109),
    ],
)  # fmt: skip
def test_each_fault_of_a_disk_has_its_number(tmp_path: Path, code: int, number: int) -> None:
    assert error_number(code, str(tmp_path)) == number


@loops
def test_a_wiped_card_holds_zeros_and_a_file_is_not_wiped(tmp_path: Path) -> None:
    size = wiping.STEP + (3 << 20)
    (tmp_path / "disk").write_bytes(b"\xa5" * size)
    with flash_rig.disk(tmp_path / "disk", 0) as card:
        with pytest.raises(FlashError) as caught:
            wipe(card, lambda _: False)
        assert caught.value.number == 1108
        assert card.read_bytes()[:9] == b"\xa5" * 9
        wipe(card)
        assert card.read_bytes() == bytes(size)
    with pytest.raises(FlashError) as caught:
        wipe(tmp_path / "disk")
    assert caught.value.number == 1107


def test_progress_says_phase_percent_rate_and_time_left() -> None:
    assert line("write", 30_000_000, 100_000_000, 2.0) == (
        "写入 writing  30 %    15.0 MB/s  剩余 left 5 s"
    )
    assert line("verify", 0, 100, 0.0) == "校验 verifying   0 %     0.0 MB/s  剩余 left -"


def test_the_reader_goes_past_the_cache(made: Release, tmp_path: Path) -> None:
    """A direct read leaves no page of the file in the cache."""
    card = tmp_path / "card.img"
    write(made, card)
    with card.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    readback.differing(str(card), made.load().block_map.ranges, lambda _: None)
    done = subprocess.run(
        ["fincore", "-nbo", "RES", card], capture_output=True, text=True, timeout=60
    )
    with readback.Uncached(str(card)) as there:
        if there.how == "direct":
            assert int(done.stdout) == 0
