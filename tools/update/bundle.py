"""Makes a signed bundle of a release, by rauc.

    python -m tools.update.bundle --image sscterm-1.2.3.img --version 1.2.3 \\
        --certificate release.cert.pem --key release.key.pem --authority ca.pem release.raucb

--image is what `make image` made: the partitions beside it (IMG.parts) are taken, cut to their
content (tools/update/images.py).
--key may be a PKCS #11 URL (RAUC_PKCS11_MODULE, RAUC_PKCS11_PIN).  It prints version, SHA-256 and
size as JSON: what the office's `update` file says of the bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.image.layout import BOARDS, COMPATIBLE
from tools.update import version
from tools.update.preinstall import RELEASE
from tools.update.system_conf import text as system_conf

LEVEL = 9
"""Of zstd.  At 1 it takes a fifth of the time, and three percent more bytes."""
MOST_S = 1800.0


class BundleError(Exception):
    """No bundle was made."""


def make(
    images: dict[str, Path],
    release: str,
    target: Path,
    *,
    certificate: Path,
    key: str,
    authority: Path,
    form: str = "verity",
    compatible: str = COMPATIBLE,
    boards: tuple[str, ...] = BOARDS,
    level: int = LEVEL,
) -> dict[str, Any]:
    """images: "boot" and "system".  form: "plain" is for tests on a host without dm-verity.

    Raises BundleError, ValueError for a version, OSError.
    """
    version.parse(release)
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        content = Path(made, "content")
        content.mkdir()
        for name, image in images.items():
            _link(image, content / f"{name}.img")
        said = {"compatible": compatible, "version": release, "boards": boards}
        (content / RELEASE).write_text(json.dumps(said))
        (content / "manifest.raucm").write_text(_manifest(images, release, form, compatible))
        bundle = Path(made, "bundle.raucb")
        verify = Path(made, "system.conf")  # without it rauc asks the leaf for an e-mail purpose
        verify.write_text(system_conf({}, keyring=authority, formats=form))
        _run(
            "rauc",
            f"--conf={verify}",
            f"--cert={certificate}",
            f"--key={key}",
            f"--mksquashfs-args=-comp zstd -Xcompression-level {level}",
            "bundle",
            str(content),
            str(bundle),
        )
        bundle.replace(target)
    return {"version": release, "sha256": digest(target).hex(), "size": target.stat().st_size}


def digest(file: Path) -> bytes:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").digest()


def _manifest(images: dict[str, Path], release: str, form: str, compatible: str) -> str:
    lines = ["[update]", f"compatible={compatible}", f"version={release}"]
    lines += ["[bundle]", f"format={form}"]
    for name in images:
        lines += [f"[image.{name}]", f"filename={name}.img"]
    return "\n".join(lines) + "\n"


def _link(image: Path, place: Path) -> None:
    try:
        os.link(image, place)
    except OSError:  # another file system
        shutil.copyfile(image, place)


def _run(*command: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False)
    except FileNotFoundError:
        raise BundleError("rauc is not installed: apt install rauc squashfs-tools") from None
    except subprocess.TimeoutExpired:
        raise BundleError(f"rauc took more than {MOST_S:.0f} s") from None
    if ended.returncode:
        raise BundleError(f"rauc ended with {ended.returncode}: {ended.stderr.strip()[-400:]}")


def main(argv: list[str] | None = None) -> int:
    # Here, for a unit has the rest of this file and no tools to build a release.
    from tools.image.deb import source_epoch
    from tools.image.disk import ImageError
    from tools.update.images import of_release

    parser = argparse.ArgumentParser(prog="bundle", description=__doc__.split("\n")[0])
    for name in ("image", "certificate", "authority"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("target", type=Path)
    given = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(dir=given.target.resolve().parent) as folder:
            parts = given.image.with_name(given.image.name + ".parts")
            told = make(
                of_release(parts, Path(folder), source_epoch()),
                given.version,
                given.target,
                certificate=given.certificate,
                key=given.key,
                authority=given.authority,
            )
    except (BundleError, ImageError, ValueError, OSError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
