"""Issue 5, bad input: the power cut at any write of an update always leaves a slot that starts."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import update_cuts, update_rig
from tests.powercut import system
from tests.powercut.disk import Entry, Write
from tests.powercut.replay import Cut, Medium, choose, said_before
from tests.update_cuts import Left, Unbootable
from tests.update_rig import PARTITIONS, Unit, bundled, slot_images
from tools.update import autoboot, version

REASON = update_rig.missing()
pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]
OLD, NEW, NEWER = "1.0.0", "1.1.0", "1.2.0"
CUTS = 220


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("card")

    signed_by = update_rig.keys(folder / "keys")
    images = {each: slot_images(folder / each, each) for each in (OLD, NEW, NEWER)}
    return SimpleNamespace(
        keys=signed_by,
        image=update_rig.disk(folder, images[OLD]).read_bytes(),
        bundles={
            each: bundled(folder / "out", images[each], each, signed_by) for each in (NEW, NEWER)
        },
    )


def two_updates(card: Any) -> Callable[[Unit, Callable[..., None]], None]:
    """From A to B and back to A, each kept; rauc does it all."""

    def act(unit: Unit, note: Callable[..., None]) -> None:
        unit.boots("A", OLD)
        for slot, release in (("B", NEW), ("A", NEWER)):
            status, said = unit.install(card.bundles[release])
            assert status == 0, said
            unit.boots(slot, release)
            status, said = unit.mark_good()
            assert status == 0, said
            note(kept=release, slot=slot)

    return act


def naive_commit(device: Path, made: Path, slot: str) -> None:
    """What a script would do: a new file renamed over the old one, and no sync."""
    made.write_bytes(autoboot.text(slot))
    for command in (
        ["mcopy", "-i", device, made, "::autoboot.tmp"],
        ["mdel", "-i", device, "::autoboot.txt"],
        ["mren", "-i", device, "::autoboot.tmp", "::autoboot.txt"],
    ):
        subprocess.run(command, check=True, timeout=60, stderr=subprocess.DEVNULL)
        write_back(device)


def write_back(device: Path) -> None:
    """As the kernel's flusher does by itself: dirty pages go out, and no flush follows."""
    wait_write_wait = 1 | 2 | 4
    libc = ctypes.CDLL(None, use_errno=True)
    with device.open("rb") as handle:
        length = ctypes.c_int64(update_rig.BOOT_BYTES)
        start = ctypes.c_int64(0)
        assert libc.sync_file_range(handle.fileno(), start, length, wait_write_wait) == 0


def offences(
    folder: Path,
    image: bytes,
    log: Sequence[Entry],
    cuts: Sequence[Cut],
    judged: Callable[[Left, list[dict[str, Any]]], str | None],
) -> list[str]:
    """Judged in a child with mounts of its own; one line for each cut that left no good slot."""
    told = folder / "offences"
    child = os.fork()
    if child == 0:
        try:
            system.end_with_parent()
            system.leave_mounts()
            medium, found = Medium(image, log), []
            after = folder / "after.img"
            for cut in cuts:
                medium.after(cut, after)
                try:
                    left = update_cuts.judge(after, folder)
                    wrong = judged(left, said_before(log, cut.at))
                except (Unbootable, OSError, ValueError) as error:
                    wrong = f"{type(error).__name__}: {error}"
                if wrong:
                    found.append(f"cut at {cut.at}: {wrong}")
            told.write_text("\n".join(found))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    return told.read_text().splitlines()


def lawful(left: Left, said: list[dict[str, Any]]) -> str | None:
    """What was promised holds, and the floor never stands above what starts."""
    kept = [each for each in said if "kept" in each]
    promised = kept[-1]["kept"] if kept else OLD
    starts = version.parse(left.version)
    if starts < version.parse(promised):
        return f"{left.version} starts, {promised} was kept"
    if kept and (left.floor is None or version.parse(left.floor) < version.parse(promised)):
        return f"the floor is {left.floor}, {promised} was kept"
    if left.floor is not None and version.parse(left.floor) > starts:
        return f"the floor is {left.floor}, {left.version} starts"
    return None


def chosen(log: Sequence[Entry], count: int) -> list[Cut]:
    """The superblock of the data partition is saved whole or not at all: ext4 counts on it."""
    first = set(in_partition(log, "data", 4096))
    return [
        cut._replace(torn={at: seed for at, seed in cut.torn.items() if at not in first})
        for cut in choose(log, count, random.Random(5))
    ]


def in_partition(log: Sequence[Entry], name: str, most: int = update_rig.DISK_BYTES) -> list[int]:
    """The writes that begin in its first so many bytes."""
    offset, size = PARTITIONS[name]
    size = min(size, most)
    return [
        at
        for at, entry in enumerate(log)
        if isinstance(entry, Write) and offset <= entry.offset < offset + size
    ]


def test_a_cut_at_any_write_of_an_update_leaves_a_slot_that_starts(
    card: Any, tmp_path: Path, record_property: Any
) -> None:
    log = update_cuts.record(tmp_path, card.image, two_updates(card), card.keys.authority)
    written = {name: in_partition(log, name) for name in PARTITIONS}
    assert all(written.values()), {name: len(found) for name, found in written.items()}
    for at in written["bootcfg"]:  # one sector, twice: once an update
        assert len(log[at].data) == 512
    assert len(written["bootcfg"]) == 2
    cuts = chosen(log, CUTS)
    around = [Cut(at + more, frozenset(), {}) for at in written["bootcfg"] for more in (0, 1, 2)]
    cuts = sorted([*cuts, *around], key=lambda cut: cut.at)
    assert len(cuts) >= 200
    record_property("counted", f"{len(cuts)} cuts, {len(log)} entries")
    assert offences(tmp_path, card.image, log, cuts, lawful) == []
    last = Cut(len(log), frozenset(), {})
    assert offences(tmp_path, card.image, log, [last], lambda left, _: str(left)) == [
        f"cut at {len(log)}: {Left('A', NEWER, NEWER)}"
    ]


def test_a_temporary_file_renamed_on_the_fat_does_not_survive_them(
    card: Any, tmp_path: Path
) -> None:
    def act(unit: Unit, note: Callable[..., None]) -> None:
        for slot in "BABABA":
            naive_commit(Path(unit.places["bootcfg"]), tmp_path / "autoboot", slot)

    log = update_cuts.record(tmp_path, card.image, act, card.keys.authority)
    cuts = chosen(log, 60)
    found = offences(tmp_path, card.image, log, cuts, lambda left, _: None)
    assert any("autoboot.txt" in each for each in found), found
