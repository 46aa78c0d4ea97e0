"""An image and what vouches for it: IMG, IMG.bmap, IMG.manifest, IMG.manifest.p7s; IMG.sbom.json.

The manifest is signed (CMS, detached, by a leaf with the purpose codeSigning under the release CA);
it names the product, the boards, the version, the size and the SHA-256 of the raw image, of the
block map and of the SBOM, which need not be there.  The block map names the SHA-256 of each range,
so each byte that is written is vouched for, whether the image is raw or compressed.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.image.layout import BOARDS, COMPATIBLE
from tools.technician import programs
from tools.technician.blockmap import BlockMap, BlockMapError
from tools.technician.errors import FlashError
from tools.update.version import Version, parse

__all__ = ["BOARDS", "COMPATIBLE", "Image", "load", "version_key"]

FORMAT = 1
SIDES = (".bmap", ".manifest", ".manifest.p7s")
SBOM = ".sbom.json"
MAX_SMALL_FILE = 16 << 20  # bytes: of block map, manifest, signature

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Image:
    """A release that is what it says: signature, product and block map were checked."""

    path: Path
    version: str
    boards: tuple[str, ...]
    sha256: str
    block_map: BlockMap
    map_text: bytes
    signer: str
    has_sbom: bool
    """Its list of parts lies beside it, and is the one that was signed."""

    @property
    def is_compressed(self) -> bool:
        return self.path.suffix == ".zst"


def version_key(version: str) -> Version:
    """Orders versions, of the form that a unit takes.  Raises FlashError 1003."""
    try:
        return parse(version)
    except ValueError as error:
        raise FlashError(1003, str(error)) from None


def load(path: Path, ca: Path, board: str | None) -> Image:
    """Check all that can be without reading the image; raises FlashError 1001 to 1005, 1007."""
    raw_manifest = _small(beside(path, ".manifest"))
    signer = _check_signature(raw_manifest, _small(beside(path, ".manifest.p7s")), _small(ca))
    fields = _fields(raw_manifest)
    if fields["compatible"] != COMPATIBLE:
        raise FlashError(1005, f"product {fields['compatible']!r:.40}, not {COMPATIBLE}")
    if board is not None and board not in fields["boards"]:
        raise FlashError(1005, f"for {' '.join(fields['boards'])}, not {board}")
    map_text = _small(beside(path, ".bmap"))
    if hashlib.sha256(map_text).hexdigest() != fields["bmap_sha256"]:
        raise FlashError(1007, f"{beside(path, '.bmap').name} is not the one that was signed")
    try:
        block_map = BlockMap.parse(map_text)
    except BlockMapError as error:
        raise FlashError(1003, str(error)) from None
    if block_map.image_size != fields["size"]:
        raise FlashError(1003, "block map and manifest differ in size")
    _check_length(path, block_map.image_size)
    return Image(
        path,
        fields["version"],
        tuple(fields["boards"]),
        fields["sha256"],
        block_map,
        map_text,
        signer,
        _has_sbom(path, fields.get("sbom_sha256")),
    )


def _has_sbom(path: Path, sha256: str | None) -> bool:
    """sha256: hex, None for a release without one.  Raises FlashError 1007."""
    place = beside(path, SBOM)
    if sha256 is None or not place.exists():
        return False
    if hashlib.sha256(_small(place)).hexdigest() != sha256:
        raise FlashError(1007, f"{place.name} is not the one that was signed")
    return True


def beside(path: Path, suffix: str) -> Path:
    """suffix: of SIDES, or SBOM.  IMG.zst has them under its own name, or under the raw image's."""
    own = path.with_name(path.name + suffix)
    if path.suffix == ".zst" and not own.exists():
        return path.with_name(path.stem + suffix)
    return own


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SMALL_FILE + 1)
    except OSError as error:
        raise FlashError(1002, f"{path.name}: {error.strerror}") from None
    if len(raw) > MAX_SMALL_FILE:
        raise FlashError(1003, f"{path.name} is too large")
    return raw


def _fields(raw: bytes) -> dict:
    """The manifest's values, every one of the right kind; unknown ones are left alone."""
    try:
        fields = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise FlashError(1003, "not JSON") from None
    if not isinstance(fields, dict):
        raise FlashError(1003, "not an object")
    kinds = {"format": int, "compatible": str, "boards": list, "version": str, "size": int}
    for name, kind in kinds.items():
        if not isinstance(fields.get(name), kind) or isinstance(fields[name], bool):
            raise FlashError(1003, f"{name} is missing or of the wrong kind")
    if fields["format"] != FORMAT:
        raise FlashError(1003, f"format {fields['format']}, this program knows {FORMAT}")
    for name in ("sha256", "bmap_sha256", *(["sbom_sha256"] if "sbom_sha256" in fields else [])):
        if not isinstance(fields.get(name), str) or not _HASH.fullmatch(fields[name]):
            raise FlashError(1003, f"{name} is no SHA-256")
    if not fields["boards"] or not all(isinstance(each, str) for each in fields["boards"]):
        raise FlashError(1003, "boards")
    version_key(fields["version"])
    return fields


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON; a name that stands there twice raises ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _check_signature(manifest: bytes, signature: bytes, ca: bytes) -> str:
    """The subject of the leaf that signed; raises FlashError 1004.

    Checked are the bytes that were read, not what lies under their names by now.
    """
    form = "PEM" if signature.lstrip().startswith(b"-----BEGIN") else "DER"
    with tempfile.TemporaryDirectory() as folder:
        leaf = Path(folder, "leaf.pem")
        names = [Path(folder, name) for name in ("manifest", "signature", "ca")]
        for place, data in zip(names, (manifest, signature, ca), strict=True):
            place.write_bytes(data)
        said, signed, trusted = map(str, names)
        # "-purpose any": the purpose of a mail is asked otherwise; ours is asked for below.
        done = programs.run(
            "openssl", "cms", "-verify", "-binary", "-inform", form, "-in", signed,
            "-content", said, "-CAfile", trusted, "-no-CApath", "-no-CAstore",
            "-purpose", "any", "-signer", str(leaf), "-out", "/dev/null",
        )  # fmt: skip
        if done.returncode:
            raise FlashError(1004, programs.said(done))
        about = programs.run(
            "openssl", "x509", "-in", str(leaf), "-noout", "-subject", "-ext", "extendedKeyUsage"
        ).stdout.decode(errors="replace")
    subject, _, purposes = about.partition("\n")
    if "Code Signing" not in purposes:
        raise FlashError(1004, "the certificate is not for signing releases")
    return subject.removeprefix("subject=").strip()


def _check_length(path: Path, size: int) -> None:
    if (found := length(path)) != size:
        raise FlashError(1007, f"{path.name}: {found} bytes instead of {size}")


def length(path: Path) -> int:
    """Bytes of the raw image; a compressed one says it in its frame.  Raises FlashError."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FlashError(1002, f"{path.name}: {error.strerror}") from None
    if path.suffix != ".zst":
        return size
    done = programs.run("zstd", "-lv", str(path))
    match = re.search(rb"Decompressed Size:[^(]*\((\d+) B\)", done.stdout)
    if done.returncode or match is None:
        raise FlashError(1007, f"{path.name}: cut short, or no compressed image")
    return int(match[1])
