"""`python -m tools.image.first`: at each start, as root, before the other services of the unit.

Takes the identity that a technician left on the first partition, makes the SSH host key that the
door shows (tools/door/sshd_config) where there is none, hands the site's network settings
to systemd-networkd, and says on the console which release this is and whether the unit waits for an
identity.  Exit status 1: what waits there is damaged; the identity that was there before holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.technician.errors import FlashError
from tools.technician.names import BOARD, DROP
from tools.update.places import Places, from_environment

ETC = Path("/data/etc")
DATA = Path("/data/sscterm")
RUN = Path("/run")
NETWORKS = RUN / "systemd/network"
MOUNT_S = 60.0
HOST_KEY = "ssh_host_ed25519_key"
KEY_S = 60.0
WAITS = "本机未登记身份，等待 flash.py provision · no identity yet: waiting for flash.py provision"
TEST_ONLY = "测试版，不得用于生产 · signed by a key for tests: not for production"


@contextmanager
def mounted(device: Path, folder: Path, option: str) -> Iterator[Path]:
    """option: "ro" or "rw".  Raises OSError, subprocess.SubprocessError."""
    words = f"{option},nosuid,nodev,noexec,umask=0077"
    mount = ["mount", "-t", "vfat", "-o", words, str(device), str(folder)]
    subprocess.run(mount, check=True, timeout=MOUNT_S)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=MOUNT_S)


def take_identity(device: Path, etc: Path) -> list[str]:
    """Names of the files taken; []: nothing waits there.

    The partition that the board starts from is mounted for writing only when something waits.
    Raises FlashError 1301, OSError, subprocess.SubprocessError.
    """
    with tempfile.TemporaryDirectory(prefix="sscterm-first-", dir=RUN) as name:
        with mounted(device, Path(name), "ro") as found:
            waits = (found / DROP).exists()
        if not waits:
            return []
        from tools.technician import firststart  # with the firmware's parser: seconds of each start

        with mounted(device, Path(name), "rw") as found:
            return firststart.take(found / DROP, etc, DATA)


def make_host_key(etc: Path) -> bool:
    """True: there was none.  The private half appears last, whole.  Raises as above."""
    place = etc / HOST_KEY
    if place.exists():
        return False
    new = etc / f"{HOST_KEY}.new"
    for each in (new, etc / f"{new.name}.pub"):
        each.unlink(missing_ok=True)
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(new)]
    subprocess.run(make, check=True, timeout=KEY_S, stdin=subprocess.DEVNULL)
    for source, target in ((f"{new}.pub", f"{place}.pub"), (new, place)):
        with open(source, "rb") as file:
            os.fsync(file.fileno())
        os.replace(source, target)
    folder = os.open(etc, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def hand_networks(etc: Path, networks: Path) -> list[str]:
    """The site's own *.network files; names taken.  Raises OSError."""
    names = sorted(each.name for each in etc.glob("*.network"))
    if names:
        networks.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in names:
        (networks / name).write_bytes((etc / name).read_bytes())
        (networks / name).chmod(0o644)
    return names


def greeting(places: Places, etc: Path) -> str:
    """What the console shows: release, and whether the unit waits for an identity."""
    try:
        release = json.loads(places.release.read_bytes())
    except (OSError, ValueError):
        release = {}
    lines = [f"sscterm {release.get('version', '?')}"]
    if release.get("test_only"):
        lines.append(TEST_ONLY)
    if not (etc / BOARD).exists():
        lines.append(WAITS)
    return "\n".join(lines)


def main() -> int:
    places, status = from_environment(), 0
    try:
        for name in take_identity(places.bootcfg, ETC):
            print(f"taken: {name}")
    except FlashError as error:
        print(error.lines(), file=sys.stderr)
        status = 1
    except (OSError, subprocess.SubprocessError) as error:
        print(f"first: {places.bootcfg}: {error}", file=sys.stderr)
        status = 1
    try:
        make_host_key(ETC)
        hand_networks(ETC, NETWORKS)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"first: {error}", file=sys.stderr)
        status = 1
    print(greeting(places, ETC))
    return status


if __name__ == "__main__":
    sys.exit(main())
