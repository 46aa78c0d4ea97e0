"""RAUC's system.conf of a unit; it lies on the verified root.

    python -m tools.update.system_conf PARTUUID_PREFIX > /etc/rauc/system.conf

Slots are named by partition number, never by a label or a file system's UUID: both slots hold the
same bytes.  Boot and system are written as they come ("raw"), for dm-verity's tree lies behind the
file system in the same partition.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.image.layout import COMPATIBLE, Layout

HANDLERS = Path("/usr/lib/sscterm/tools/update/handlers")
KEYRING = Path("/usr/lib/sscterm/release-ca.pem")
DATA = Path("/data/rauc")
BOOTNAMES = {"0": "A", "1": "B"}
PARTITIONS = {
    f"{kind}.{at}": Layout().partition(f"{kind}_{slot.lower()}").number
    for kind in ("boot", "system")
    for at, slot in BOOTNAMES.items()
}


def text(
    devices: dict[str, Path],
    *,
    formats: str = "verity",
    handlers: Path = HANDLERS,
    keyring: Path = KEYRING,
    data: Path = DATA,
    mounts: Path | None = None,
) -> str:
    """devices: slot ("boot.0" ...) -> device.  formats: "plain" where there is no dm-verity."""
    lines = [
        "[system]",
        f"compatible={COMPATIBLE}",
        "bootloader=custom",
        f"bundle-formats={formats}",
        f"data-directory={data}",
        *([] if mounts is None else [f"mountprefix={mounts}"]),
        "[keyring]",
        f"path={keyring}",
        "check-purpose=codesign",
        "[handlers]",
        f"bootloader-custom-backend={handlers / 'tryboot-backend'}",
        f"pre-install={handlers / 'pre-install'}",
    ]
    for slot, device in sorted(devices.items(), reverse=True):
        kind, number = slot.split(".")
        lines += [f"[slot.{slot}]", f"device={device}", "type=raw"]
        if kind == "system":
            lines.append(f"bootname={BOOTNAMES[number]}")
        else:
            lines.append(f"parent=system.{number}")
    return "\n".join(lines) + "\n"


def by_partuuid(prefix: str) -> dict[str, Path]:
    """prefix: the disk signature of the MBR, eight hex digits."""
    known = Path("/dev/disk/by-partuuid")
    return {slot: known / f"{prefix}-{number:02x}" for slot, number in PARTITIONS.items()}


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    print(text(by_partuuid(sys.argv[1])), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
