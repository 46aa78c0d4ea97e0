"""What a root says of its own release, on the verified partition: who it is, whom it trusts.

/usr/lib/sscterm/release.json    JSON: compatible, version, boards; test_only where that is so
/usr/lib/sscterm/release-ca.pem  the CA whose signers may update this unit
/etc/rauc/system.conf            RAUC's slots, by partition number, and its handlers
"""

from __future__ import annotations

import json
from pathlib import Path

from tools.image.deb import HOME
from tools.image.layout import BOARDS, COMPATIBLE, Layout
from tools.update import system_conf

RAUC_MOUNTS = Path("/run/rauc")
"""The root is read-only: RAUC's own choice, /mnt/rauc, cannot be made there."""


def stamp(root: Path, layout: Layout, version: str, authority: bytes, *, is_test: bool) -> None:
    """authority: PEM of the release CA.  is_test: its key lies where anybody builds."""
    said = {"compatible": COMPATIBLE, "version": version, "boards": BOARDS}
    if is_test:
        said["test_only"] = True
    _put(root / HOME / "release.json", json.dumps(said, indent=1).encode() + b"\n")
    _put(root / HOME / "release-ca.pem", authority)
    slots = system_conf.by_partuuid(f"{layout.disk_signature:08x}")
    config = system_conf.text(slots, mounts=RAUC_MOUNTS)
    _put(root / "etc/rauc/system.conf", config.encode())


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)
