"""The act `write`: check, ask, compare, write what is missing, read it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.technician import copying, readback, release
from tools.technician.device import Target
from tools.technician.errors import FlashError
from tools.technician.holding import Held
from tools.technician.progress import Progress
from tools.technician.release import Image

Confirm = Callable[[Target], bool]


@dataclass(frozen=True)
class Written:
    """What was done.  written, verified: bytes.  took: phase -> (bytes, seconds)."""

    target: Target
    version: str
    sha256: str
    signer: str
    written: int
    verified: int
    read_by: str  # "direct", "dropped" or "" (not read back)
    took: dict[str, tuple[int, float]] = field(default_factory=dict)

    def told(self) -> dict[str, object]:
        """For --json."""
        return asdict(self) | {"target": self.target.told()}


def write(
    image: Image, held: Held, confirm: Confirm, progress: Progress, verify: bool = True
) -> Written:
    """Raises FlashError; until `confirm` said yes not a byte was written."""
    target = held.target
    _refuse_the_image_itself(image, target)
    if not confirm(target):
        raise FlashError(1108, target.name)
    held.check(1112)
    block_map, mapped = image.map_text, image.block_map.mapped
    if not target.is_file and _has_begun(target.path, image):
        progress.begin("compare", mapped)
        missing = readback.missing(target.path, image, progress.at)
        progress.end()
        mapped = sum(each.length for each in missing)
        block_map = image.block_map.reduced(missing) if missing else b""
    if block_map:
        progress.begin("write", mapped)
        copying.copy(image.path, block_map, target.path, progress.at)
        held.check(1201)
        progress.end()
    read_by = verified(target.path, image, progress) if verify else ""
    held.check(1201)
    return Written(
        target, image.version, image.sha256, image.signer, mapped,
        image.block_map.mapped if verify else 0, read_by, dict(progress.took),
    )  # fmt: skip


def _refuse_the_image_itself(image: Image, target: Target) -> None:
    """Writing begins by emptying a file: the release would be gone."""
    ends = (*release.SIDES, release.SBOM)
    if target.is_file and Path(target.path).exists():
        for each in (image.path, *(release.beside(image.path, end) for end in ends)):
            if each.exists() and os.path.samefile(target.path, each):
                raise FlashError(1107, f"{target.path} is of the release itself")


def verified(path: str, image: Image, progress: Progress) -> str:
    """Read everything back; how it was read.  Raises FlashError 1204 and those of readback."""
    progress.begin("verify", image.block_map.mapped)
    wrong = readback.differing(path, image.block_map.ranges, progress.at)
    progress.end()
    if wrong:
        raise FlashError(1204, f"{path}: {len(wrong)} ranges, the first at byte {wrong[0].offset}")
    with readback.Uncached(path) as there:
        return there.how


def _has_begun(path: str, image: Image) -> bool:
    """Whether the image's first range is there: bmaptool writes in order, it comes first."""
    first = image.block_map.ranges[:1]
    return not readback.differing(path, first, lambda _: None)


# -- the newest version this computer wrote -------------------------------------------------------


def check_version(image: Image, state: Path, older_is_meant: bool) -> None:
    """Raises FlashError 1006 for a version below the newest that was written from here."""
    newest = _newest(state)
    older = newest and release.version_key(image.version) < release.version_key(newest)
    if older and not older_is_meant:
        raise FlashError(1006, f"{image.version}, newest {newest}")


def remember_version(image: Image, state: Path) -> None:
    newest = _newest(state)
    if newest and release.version_key(newest) >= release.version_key(image.version):
        return
    state.mkdir(parents=True, exist_ok=True)
    new = state / f"newest.{os.getpid()}"
    new.write_text(json.dumps({"version": image.version}) + "\n")
    new.replace(state / "newest.json")


def _newest(state: Path) -> str | None:
    """None when nothing was written yet, or the note cannot be read."""
    try:
        version = json.loads((state / "newest.json").read_text())["version"]
        release.version_key(version)
    except (OSError, ValueError, KeyError, TypeError, FlashError):
        return None
    return str(version)
