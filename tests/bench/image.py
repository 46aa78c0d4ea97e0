"""`image.mb`, `bundle.mb`: what a technician writes to a card, and what an update carries.

Of the image that `make image` or `make test-image` left in build/image/; none is made here.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.bench.figure import Figure
from tools.image import build, release
from tools.image.deb import VERSION, source_epoch
from tools.image.disk import ImageError
from tools.image.signers import for_tests
from tools.update import bundle, images

IMAGE = build.OUT / f"sscterm-{VERSION}.img"
ROWS = ("image.mb", "bundle.mb")


def measure(folder: Path, image: Path = IMAGE) -> dict[str, Figure]:
    """folder: on a disk with room for two partitions."""
    if not release.bmap_of(image).exists():
        return {name: _absent(f"no {image.name}: make test-image first") for name in ROWS}
    rows = {"image.mb": written(image)}
    try:
        rows["bundle.mb"] = carried(image, folder)
    except (bundle.BundleError, ImageError, OSError) as error:
        rows["bundle.mb"] = _absent(str(error))
    return rows


def written(image: Path) -> Figure:
    """By its block map: the bytes that reach the card."""
    text = release.bmap_of(image).read_text()
    block, mapped = (
        int(re.findall(rf"<{name}> *(\d+) *</{name}>", text)[0])
        for name in ("BlockSize", "MappedBlocksCount")
    )
    note = "what is written to the card of a new unit (block map); reference: the whole image"
    return Figure(block * mapped / 1e6, "MB", image.stat().st_size / 1e6, note)


def carried(image: Path, folder: Path) -> Figure:
    """A bundle in the form that units take ("verity"), signed with keys made on the spot."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        signer = for_tests(place)
        parts = image.with_name(image.name + ".parts")
        slots = images.of_release(parts, place, source_epoch())
        told = bundle.make(
            slots, VERSION, place / "release.raucb", certificate=signer.certificate,
            key=str(signer.key), authority=signer.authority,
        )  # fmt: skip
        plain = sum(each.stat().st_size for each in slots.values())
    note = "a signed update of that image as it is sent; reference: what the unit writes of it"
    return Figure(told["size"] / 1e6, "MB", plain / 1e6, note)


def _absent(why: str) -> Figure:
    return Figure(None, "MB", None, f"not measured: {why}")
