"""sscterm_VERSION_arm64.deb: the firmware, its dependencies and its systemd units, byte for byte
the same at each build of one source.

    python -m tools.image.deb OUT.deb [WHEELS]

The dependencies are wheels for aarch64 and Python 3.11 (Debian 12's) whose hashes requirements.txt
and requirements-hardware.txt name; nothing is compiled.  WHEELS keeps what was fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tools.image.disk import ImageError, run

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
VERSION = re.findall(r'__version__ = "(.+)"', (ROOT / "firmware" / "__init__.py").read_text())[0]
REQUIREMENTS = ("requirements.txt", "requirements-hardware.txt")
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64")
NAMES = ("firststart", "identity", "names", "rows", "errors", "errors_door", "errors_find")
TECHNICIAN = tuple(f"tools/technician/{each}.py" for each in NAMES)
IMAGE = tuple(f"tools/image/{each}.py" for each in ("__init__", "devices", "first", "layout"))
PACKAGES = (
    "firmware", "simulator", "tools/update", "tools/door", *IMAGE, *TECHNICIAN,
)  # fmt: skip
"""The simulator too: a unit in training, or a machine that tests the image, has simulated parts.
board.toml refuses them where `profile` is "production"."""
UNITS = ("tools/image/units", "tools/update/units", "tools/door/units")
ENABLED = (
    "sscterm-first.service",
    "sscterm-announce.service",
    "sscterm-card.service",
    "sscterm-uplink.service",
    "sscterm-host.service",
    "sscterm-keep.service",
    "sscterm-fallback.service",
    "sscterm-fallback.timer",
    "sscterm-door.service",
    "sscterm-door.socket",
)
"""What is started by itself: by the units that its file names as WantedBy=."""
HOME, SYSTEM = "usr/lib/sscterm", "usr/lib/systemd/system"
NOT_SHIPPED = ("__pycache__",)
NOT_OURS = ("tests", "docs", "RPLCD_Tests", "lcdtests")
"""What some wheels leave beside their package."""

PYTHON = """#!/bin/sh
# Debian's Python with the packages of this folder and no others.
export PYTHONPATH=/usr/lib/sscterm PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -s "$@"
"""
SSCTERM = """#!/bin/sh
exec /usr/lib/sscterm/bin/python -m firmware.host.sscterm "$@"
"""
CONTROL = """Package: sscterm
Version: {version}
Architecture: arm64
Maintainer: sscterm
Depends: python3 (>= 3.11), python3 (<< 3.12), pcscd, libccid, systemd
Section: misc
Priority: optional
Installed-Size: {kib}
Description: open terminal firmware for the Chinese social security card
 Offline payments with a PSAM, a signed journal, batches to a back office.
"""
POSTINST = """#!/bin/sh
set -e
systemd-sysusers sscterm.conf
"""


def wheels(folder: Path) -> list[Path]:
    """The dependencies, fetched by hash unless they are there; in order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    (pip,) = (ROOT / "tools" / "bootstrap").glob("pip-*.whl")
    platforms = [word for each in PLATFORMS for word in ("--platform", each)]
    for name in REQUIREMENTS:
        run(
            sys.executable, pip / "pip", "download", "-q", "--no-input", "--no-deps",
            "--disable-pip-version-check", "--only-binary=:all:", "--require-hashes",
            "--python-version", "3.11", "--implementation", "cp", *platforms,
            "--dest", folder, "--find-links", folder, "-r", ROOT / name,
        )  # fmt: skip
    return sorted(each for each in folder.glob("*.whl") if not each.name.startswith("setuptools-"))


def build(target: Path, wheels: list[Path], epoch: int) -> None:
    """epoch: seconds since 1970, the time of every file."""
    if foreign := unpinned(wheels):
        raise ImageError(f"{', '.join(foreign)}: no requirements file names this file's hash")
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name, "tree")
        _fill(tree, wheels)
        _describe(tree)
        _settle(tree, epoch)
        run(
            "dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", tree, target,
            epoch=epoch,
        )  # fmt: skip


def _fill(tree: Path, wheels: list[Path]) -> None:
    home = tree / HOME
    home.mkdir(parents=True)
    for each in wheels:
        with zipfile.ZipFile(each) as archive:
            archive.extractall(home)
    for name in NOT_OURS:
        shutil.rmtree(home / name, ignore_errors=True)
    for each in home.glob("*.data"):  # scripts and headers: of no use to a unit
        for inner in each.glob("*lib"):
            shutil.copytree(inner, home, dirs_exist_ok=True)
        shutil.rmtree(each)
    for each in PACKAGES:
        source, place = ROOT / each, home / each
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
        else:
            shutil.copyfile(source, place)
    _entry_points(home)
    _program(home / "bin" / "python", PYTHON)
    _program(tree / "usr" / "bin" / "sscterm", SSCTERM)
    for source, place in _system_files():
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / place)
    for name in ENABLED:
        for target in targets(tree / SYSTEM / name):
            wants = tree / f"{SYSTEM}/{target}.wants"
            wants.mkdir(exist_ok=True)
            (wants / name).symlink_to(f"../{name}")


def targets(unit: Path) -> list[str]:
    """The units of its WantedBy= lines; ImageError when it names none."""
    found = re.findall(r"(?m)^WantedBy=(.+)$", unit.read_text())
    if not found:
        raise ImageError(f"{unit.name} is enabled, and no WantedBy= says by whom")
    return " ".join(found).split()


def _system_files() -> list[tuple[Path, str]]:
    package, drop = HERE / "package", ROOT / "tools" / "drop"
    units = [each for folder in UNITS for each in sorted((ROOT / folder).iterdir())]
    return [
        *((each, f"{SYSTEM}/{each.name}") for each in units),
        (package / "sysusers.conf", "usr/lib/sysusers.d/sscterm.conf"),
        (package / "tmpfiles.conf", "usr/lib/tmpfiles.d/sscterm.conf"),
        (package / "udev.rules", "usr/lib/udev/rules.d/70-sscterm.rules"),
        (drop / "ssc-drop.sh", "usr/local/sbin/ssc-drop.sh"),
        (drop / "ssc-drop@.service", f"{SYSTEM}/ssc-drop@.service"),
        (drop / "99-ssc-drop.rules", "usr/lib/udev/rules.d/99-ssc-drop.rules"),
        (ROOT / "board.toml", "usr/share/sscterm/board.toml"),
        (ROOT / "LICENSE", "usr/share/doc/sscterm/copyright"),
    ]


def _entry_points(home: Path) -> None:
    """How the firmware finds `sim:` readers, as pyproject.toml names them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    place = home / f"{project['name']}-{VERSION}.dist-info"
    place.mkdir()
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {at}" for name, at in points.items()), ""]
    (place / "entry_points.txt").write_text("\n".join(lines))
    (place / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {VERSION}\n"
    )


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _describe(tree: Path) -> None:
    kib = sum(each.stat().st_size for each in tree.rglob("*") if each.is_file()) // 1024
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(CONTROL.format(version=VERSION, kib=kib))
    _program(control / "postinst", POSTINST)


def _settle(tree: Path, epoch: int) -> None:
    """Modes that do not depend on who builds, and one time."""
    for path in [*tree.rglob("*"), tree]:
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def unpinned(wheels: list[Path]) -> list[str]:
    """Names of those whose SHA-256 no requirements file names."""
    pinned = "".join((ROOT / each).read_text() for each in REQUIREMENTS)
    known = set(re.findall(r"sha256:([0-9a-f]{64})", pinned))
    return [
        each.name for each in wheels if hashlib.sha256(each.read_bytes()).hexdigest() not in known
    ]


def source_epoch() -> int:
    """SOURCE_DATE_EPOCH, else the time of the newest commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    target = Path(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "build" / "image" / "wheels"
    target.parent.mkdir(parents=True, exist_ok=True)
    build(target, wheels(folder), source_epoch())
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
