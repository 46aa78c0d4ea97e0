"""A release image from a root folder and boot files: partitions, disk, block map, signed manifest.

IMG                 the disk
IMG.bmap            which of its blocks hold something, with their SHA-256 (bmaptool)
IMG.sbom.json       what is in it (tools/image/sbom.py)
IMG.manifest        JSON: what it is and the SHA-256 of the three
IMG.manifest.p7s    CMS signature over IMG.manifest, detached, DER
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.image import disk
from tools.image.layout import BOARDS, COMPATIBLE, SLOTS, Layout
from tools.update import autoboot

FORMAT = 1


@dataclass(frozen=True)
class Source:
    """What a release is made of.

    root: folder of the system partition.  boot: name -> file of a boot partition (kernel, initrd,
    device trees, config.txt).  bootcode: of the first partition, for a Pi 3.
    """

    version: str
    root: Path
    boot: dict[str, Path | bytes]
    bootcode: bytes
    epoch: int
    boards: tuple[str, ...] = BOARDS
    kernel_words: str = ""


def build(image: Path, layout: Layout, source: Source, slot_b_is_empty: bool = False) -> None:
    """The disk image and its block map; its partitions stay in the folder IMG.parts.

    slot_b_is_empty: the second slot is left for the first update; the image has half the bytes.
    """
    folder = image.with_name(image.name + ".parts")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = disk.system(folder / "system.ext4", layout, source.root, source.epoch)
    files = {"system_a": made.file, "system_b": made.file}
    for slot in SLOTS:
        name = f"boot_{slot.lower()}"
        files[name] = folder / f"{name}.vfat"
        content = dict(source.boot) | {
            "cmdline.txt": disk.kernel_line(
                layout, slot, made.root_hash, source.kernel_words
            ).encode(),
            "slot.txt": disk.slot_text(source.version, made.root_hash, layout).encode(),
        }
        disk.fat(files[name], layout.boot, name.upper(), content, source.epoch)
    if slot_b_is_empty:
        for name, size in (("boot_b", layout.boot), ("system_b", layout.system)):
            files[name] = folder / f"{name}.empty"
            disk.unused(files[name], size)
    start = {"autoboot.txt": autoboot.text("A"), "config.txt": b"", "bootcode.bin": source.bootcode}
    files["bootcfg"] = folder / "bootcfg.vfat"
    disk.fat(files["bootcfg"], layout.boot_config, "BOOTCFG", start, source.epoch)
    files["data"] = folder / "data.ext4"
    disk.ext4(files["data"], layout.data, "DATA", None, source.epoch)
    disk.assemble(image, layout, files, folder, source.epoch)
    disk.run("bmaptool", "create", "-o", bmap_of(image), image)


def bmap_of(image: Path) -> Path:
    return image.with_name(image.name + ".bmap")


def sbom_of(image: Path) -> Path:
    return image.with_name(image.name + ".sbom.json")


def manifest_of(image: Path) -> Path:
    return image.with_name(image.name + ".manifest")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sign(image: Path, source: Source, key: Path, certificate: Path) -> None:
    """Write IMG.manifest and its signature; it names the SBOM that lies there.

    key, certificate: PEM, P-256, of a release signer.
    """
    manifest = manifest_of(image)
    content = {
        "format": FORMAT,
        "compatible": COMPATIBLE,
        "boards": list(source.boards),
        "version": source.version,
        "size": image.stat().st_size,
        "sha256": sha256(image),
        "bmap_sha256": sha256(bmap_of(image)),
    }
    if (parts := sbom_of(image)).exists():
        content["sbom_sha256"] = sha256(parts)
    manifest.write_text(json.dumps(content, indent=2) + "\n")
    disk.run(
        "openssl", "cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER", "-in", manifest,
        "-signer", certificate, "-inkey", key, "-out", manifest.with_name(manifest.name + ".p7s"),
    )  # fmt: skip
