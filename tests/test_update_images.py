"""Issue 5.2: a bundle holds what a release holds, not the empty end of its partition."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import image_rig, update_rig
from tools.image import disk
from tools.image.layout import SMALL
from tools.update import autoboot, images

REASON = update_rig.missing() or image_rig.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_rig.image(tmp_path_factory.mktemp("image"))


def parts_of(image: Path) -> Path:
    return image.with_name(image.name + ".parts")


def words_of(boot: Path) -> dict[str, str]:
    line = disk.run("mtype", "-i", boot, "::cmdline.txt")
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def test_what_is_cut_is_whole_verified_and_named_by_its_boot_image(
    image: Path, tmp_path: Path
) -> None:
    made = images.of_release(parts_of(image), tmp_path, image_rig.EPOCH)
    words = words_of(made["boot"])
    offset, system = int(words["ssc.hashoffset"]), made["system"]
    verify = ("veritysetup", "verify", f"--hash-offset={offset}")
    disk.run(*verify, system, system, words["ssc.roothash"])
    assert offset < SMALL.hash_offset()
    assert system.stat().st_size == offset + images.tree_bytes(offset) < SMALL.system
    slot = disk.run("mtype", "-i", made["boot"], "::slot.txt")
    assert f"roothash={words['ssc.roothash']}\nhashoffset={offset}\n" in slot
    assert "version=1.0.0" in slot
    before = words_of(parts_of(image) / "boot_a.vfat")
    changed = {name for name in words if words[name] != before[name]}
    assert changed == {"ssc.roothash", "ssc.hashoffset"}
    assert disk.run("debugfs", "-R", "cat /etc/version", system) == "1.0.0\n"


def test_its_slot_can_be_named_in_place(image: Path, tmp_path: Path) -> None:
    boot = images.of_release(parts_of(image), tmp_path, image_rig.EPOCH)["boot"]
    autoboot.name_slot(boot, "B")
    assert words_of(boot)["rauc.slot"] == "B"


def test_the_same_at_each_run(image: Path, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(images.of_release(parts_of(image), tmp_path / name, image_rig.EPOCH))
    assert all(made[0][each].read_bytes() == made[1][each].read_bytes() for each in made[0])


@pytest.mark.parametrize(
    ("covered", "blocks"), [(4096, 1), (4096 * 128, 2), (4096 * 129, 4), (4096 * 128**2, 130)]
)
def test_the_tree_has_no_block_too_many(covered: int, blocks: int, tmp_path: Path) -> None:
    assert images.tree_bytes(covered) == blocks * 4096
    file = tmp_path / "file"
    disk.empty(file, covered)
    disk.verity(file, covered, covered)  # as long as veritysetup makes it
    assert -(-(file.stat().st_size - covered) // 4096) == blocks


def test_a_bundle_of_an_image_by_the_command_line(image: Path, tmp_path: Path) -> None:
    keys, target = update_rig.keys(tmp_path / "keys"), tmp_path / "r.raucb"
    command = [sys.executable, "-m", "tools.update.bundle", "--image", image, "--version", "1.0.0"]
    command += ["--certificate", keys.certificate, "--key", keys.key]
    command += ["--authority", keys.authority, target]
    done = subprocess.run(
        command, cwd=Path(images.__file__).parents[2], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["size"] == target.stat().st_size
    told = update_rig.run("rauc", "info", f"--keyring={keys.authority}", "--no-verify", target)
    assert re.search(r"Version:\s+'1.0.0'", told)
