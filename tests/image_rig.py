"""Small images of the real shape, made on the spot, and release keys that are for tests only."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.image import release, signers
from tools.image.layout import SMALL, Layout
from tools.image.release import Source

EPOCH = 1_767_225_600
PROGRAMS = (
    "genimage",
    "mcopy",
    "mkfs.fat",
    "mke2fs",
    "veritysetup",
    "bmaptool",
    "sfdisk",
    "openssl",
)


def missing() -> str | None:
    """What keeps an image from being made here; None when nothing does."""
    path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    absent = [each for each in PROGRAMS if shutil.which(each, path=path) is None]
    return f"{', '.join(absent)}: run tools/install_test_packages.sh" if absent else None


def source(folder: Path, version: str = "1.0.0") -> Source:
    """A root of a few files, and boot files that stand for the real ones."""
    root = folder / f"root-{version}"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "version").write_text(version + "\n")
    (root / "program").write_bytes(bytes(range(256)) * 8000)
    (root / "etc" / "link").symlink_to("version")
    boot: dict[str, Path | bytes] = {
        "vmlinuz": f"kernel of {version}\n".encode() * 50_000,
        "initrd.img": b"initrd" * 1000,
        "config.txt": b"kernel=vmlinuz\ninitramfs initrd.img\n",
        "overlays/README": b"none\n",
    }
    return Source(version, root, boot, b"bootcode", EPOCH)


def image(folder: Path, version: str = "1.0.0", layout: Layout = SMALL) -> Path:
    """`sd.img` and its block map in the folder, unsigned."""
    target = folder / "sd.img"
    release.build(target, layout, source(folder, version))
    return target


def release_keys(folder: Path, name: str = "release") -> tuple[Path, Path, Path]:
    """(key, certificate, certificate of its CA): P-256, PEM; of no use outside the tests."""
    made = signers.for_tests(folder, name)
    return made.key, made.certificate, made.authority
