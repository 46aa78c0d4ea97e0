"""Writing a card image against bmaptool and dd alone, and reading it back against a plain loop."""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests import image_rig
from tests.bench.figure import Figure
from tools.technician import copying, programs, readback
from tools.technician.blockmap import BlockMap, Range

NAMES = ("flash.write_ratio_bmaptool", "flash.verify_ratio", "flash.write_ratio_dd")
_PIECE = 4 << 20


def measure(place: Path, megabytes: int, turns: int) -> dict[str, Figure]:
    """An image of so many MB, 69 per cent of it mapped, written `turns` times by each."""
    if reason := image_rig.missing():
        return {name: Figure(None, "times", None, reason) for name in NAMES}
    image, out = place / "card.img", place / "out.img"
    _make(image, megabytes)
    map_file = place / "card.bmap"
    subprocess.run(["bmaptool", "create", "-o", map_file, image], check=True, timeout=600)
    text = map_file.read_bytes()
    block_map = BlockMap.parse(text)
    bmaptool = [programs.path_of("bmaptool"), "copy", "--bmap", str(map_file), str(image), str(out)]
    dd = ["dd", f"if={image}", f"of={out}", "bs=4M", "conv=fsync"]

    def ours() -> None:
        copying.copy(image, text, str(out), lambda _: None)

    def verify() -> None:
        if readback.differing(str(out), block_map.ranges, lambda _: None):
            raise RuntimeError("what was written is not there")

    took = _alternating(
        {
            "ours": ours,
            "verify": verify,
            "plain": lambda: _plain(out, block_map.ranges),
            "dd": lambda: _run(dd),
            "bmaptool": lambda: _run(bmaptool),
        },
        turns,
    )
    about = (
        f"{megabytes} MB, {block_map.mapped * 100 // block_map.image_size} % mapped, {turns} turns"
    )
    pairs = (("ours", "bmaptool"), ("verify", "plain"), ("ours", "dd"))
    what = ("bmaptool copy alone", "O_DIRECT reads and SHA-256 in turn", "dd bs=4M conv=fsync")
    return {
        name: _ratio(took, pair, f"{about}; reference: {text}")
        for name, pair, text in zip(NAMES, pairs, what, strict=True)
    }


def _ratio(took: dict[str, list[float]], pair: tuple[str, str], note: str) -> Figure:
    ours, theirs = (took[each] for each in pair)
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}; {statistics.median(ours):.2f} s"
    return Figure(statistics.median(ratios), "times", 1.0, f"{note}; {spread}")


def _alternating(each: dict[str, Callable[[], None]], turns: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other in every turn."""
    took: dict[str, list[float]] = {name: [] for name in each}
    for _ in range(turns):
        for name, run in each.items():
            begun = time.monotonic()
            run()
            took[name].append(time.monotonic() - begun)
    return took


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=600)


def _plain(path: Path, ranges: tuple[Range, ...]) -> None:
    buffer = mmap.mmap(-1, _PIECE)
    opened = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        for each in ranges:
            digest = hashlib.sha256()
            for at in range(0, each.length, _PIECE):
                length = min(_PIECE, each.length - at)
                whole = memoryview(buffer)[: -(-length // 4096) * 4096]
                os.preadv(opened, [whole], each.offset + at)
                digest.update(whole[:length])
            if digest.hexdigest() != each.sha256:
                raise RuntimeError("what was written is not there")
    finally:
        os.close(opened)


def _make(image: Path, megabytes: int) -> None:
    """Bytes that no card compresses, in 16 stretches with holes between."""
    step = (megabytes << 20) // 16
    noise = random.Random(1).randbytes(1 << 20)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
        for part in range(16):
            file.seek(part * step)
            file.write((noise * (step * 69 // 100 // len(noise) + 1))[: step * 69 // 100])
