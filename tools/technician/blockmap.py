"""A block map (bmap 2.0): which blocks of an image hold something, the SHA-256 of each range."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree import ElementTree

MAX_RANGES = 1_000_000


class BlockMapError(ValueError):
    """Not a block map that we write by; says why."""


class Range(NamedTuple):
    """Bytes from `offset` on.  sha256: of the image's bytes, hexadecimal."""

    offset: int
    length: int
    sha256: str


@dataclass(frozen=True)
class BlockMap:
    """image_size, block_size: bytes.  ranges: in order, none touching what another covers."""

    image_size: int
    block_size: int
    ranges: tuple[Range, ...]

    @property
    def mapped(self) -> int:
        """Bytes that are written."""
        return sum(each.length for each in self.ranges)

    @classmethod
    def parse(cls, text: bytes) -> BlockMap:
        """Raises BlockMapError.  A document type is refused: it could name entities."""
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise BlockMapError("block map: a document type")
        try:
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError) as error:
            raise BlockMapError(f"block map: {error}") from None
        if root.tag != "bmap" or not re.fullmatch(r"2\.\d", root.get("version", "")):
            raise BlockMapError("block map: not version 2")
        if (root.findtext("ChecksumType") or "").strip() != "sha256":
            raise BlockMapError("block map: checksums are not SHA-256")
        size, block = _number(root, "ImageSize"), _number(root, "BlockSize")
        if not 512 <= block <= 1 << 22 or size <= 0:
            raise BlockMapError("block map: sizes")
        return cls(size, block, tuple(_ranges(root, size, block)))

    def reduced(self, ranges: Sequence[Range]) -> bytes:
        """The text of a map of `ranges` only, for bmaptool.  They begin at whole blocks."""
        block = self.block_size
        rows = [
            f'<Range chksum="{each.sha256}"> {each.offset // block}-'
            f"{(each.offset + each.length - 1) // block} </Range>"
            for each in ranges
        ]
        blocks = sum(-(-each.length // block) for each in ranges)
        zeros = "0" * 64
        text = "\n".join(
            (
                '<?xml version="1.0" ?>',
                '<bmap version="2.0">',
                f"<ImageSize> {self.image_size} </ImageSize>",
                f"<BlockSize> {block} </BlockSize>",
                f"<BlocksCount> {-(-self.image_size // block)} </BlocksCount>",
                f"<MappedBlocksCount> {blocks} </MappedBlocksCount>",
                "<ChecksumType> sha256 </ChecksumType>",
                f"<BmapFileChecksum> {zeros} </BmapFileChecksum>",
                "<BlockMap>",
                *rows,
                "</BlockMap>",
                "</bmap>",
                "",
            )
        )
        # The map's own checksum is taken with zeros in its place.
        return text.replace(zeros, hashlib.sha256(text.encode()).hexdigest(), 1).encode()


def _number(root: ElementTree.Element, name: str) -> int:
    text = (root.findtext(name) or "").strip()
    if not re.fullmatch(r"\d{1,15}", text):
        raise BlockMapError(f"block map: {name}")
    return int(text)


def _ranges(root: ElementTree.Element, size: int, block: int) -> list[Range]:
    found: list[Range] = []
    end = 0
    for each in root.iterfind("BlockMap/Range"):
        match = re.fullmatch(r"(\d{1,12})(?:-(\d{1,12}))?", (each.text or "").strip())
        digest = each.get("chksum", "")
        if match is None or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise BlockMapError("block map: a range without blocks or SHA-256")
        first, last = int(match[1]), int(match[2] or match[1])
        offset, stop = first * block, min((last + 1) * block, size)
        if offset < end or stop <= offset:
            raise BlockMapError("block map: ranges out of order")
        found.append(Range(offset, stop - offset, digest))
        end = stop
        if len(found) > MAX_RANGES:
            raise BlockMapError("block map: too many ranges")
    if not found:
        raise BlockMapError("block map: no range")
    return found
