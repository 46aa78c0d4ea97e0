"""Issue E.1: the image has the settled shape, is verified and signed, and is the same twice."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests import image_rig
from tools.image import deb, disk, release
from tools.image.layout import EXTENDED_NUMBER, MIB, SECTOR, SLOTS, SMALL, Layout, genimage_config
from tools.update import autoboot, version

REASON = image_rig.missing()
needs_programs = pytest.mark.skipif(REASON is not None, reason=REASON or "")
LAYOUTS = pytest.mark.parametrize("layout", [Layout(), SMALL], ids=["card", "small"])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if REASON is not None:
        pytest.skip(REASON)
    return image_rig.image(tmp_path_factory.mktemp("image"))


def read(image: Path, name: str, file: str) -> bytes:
    """A file of a boot partition of the image, by mtools."""
    at = f"{image}@@{SMALL.partition(name).start}"
    target = image.with_name("read")
    disk.run("mcopy", "-n", "-i", at, f"::{file}", target)
    content = target.read_bytes()
    target.unlink()
    return content


def cut_out(image: Path, name: str, target: Path) -> Path:
    part = SMALL.partition(name)
    with image.open("rb") as file:
        file.seek(part.start)
        target.write_bytes(file.read(part.size))
    return target


@LAYOUTS
def test_partitions_are_aligned_apart_and_leave_room_for_tables(layout: Layout) -> None:
    end = 0
    for part in layout.partitions():
        assert part.start % layout.align == part.size % layout.align == 0
        assert part.start >= end + (layout.align if part.number != 2 and part.number != 3 else 0)
        end = part.start + part.size
    assert layout.size == end
    assert [each.number for each in layout.partitions()] == [1, 2, 3, 5, 6, 7]
    assert EXTENDED_NUMBER == 4
    assert layout.boot_of("B").number == 3
    assert layout.system_of("A").number == 5
    assert layout.partuuid("data") == "55c70001-07"


@LAYOUTS
def test_the_hash_tree_has_room_behind_the_file_system(layout: Layout) -> None:
    blocks, tree = layout.hash_offset() // 4096, 1  # a superblock, then the levels
    while blocks > 1:
        blocks = -(-blocks // 128)
        tree += blocks
    assert layout.hash_offset() % MIB == 0
    assert tree * 4096 <= layout.system - layout.hash_offset()


@needs_programs
def test_the_table_on_the_disk_is_the_layouts(image: Path) -> None:
    table = json.loads(disk.run("sfdisk", "-J", image))["partitiontable"]
    assert (table["label"], int(table["id"], 16)) == ("dos", SMALL.disk_signature)
    found = {
        int(each["node"].removeprefix(str(image))): each["start"] * SECTOR
        for each in table["partitions"]
    }
    assert found.pop(EXTENDED_NUMBER) > 0
    assert found == {each.number: each.start for each in SMALL.partitions()}
    sizes = [each["size"] * SECTOR for each in table["partitions"] if each["type"] != "f"]
    assert sizes == [each.size for each in SMALL.partitions()]
    assert image.stat().st_size == SMALL.size


def test_what_cannot_import_the_table_names_the_same_partitions() -> None:
    """A shell script that must work without Python, and fstab; what can, takes it from there."""
    tools, layout = Path(disk.__file__).parents[1], Layout()
    script = (tools / "update" / "handlers" / "fall-back").read_text()
    assert re.findall(r"/dev/disk/by-partuuid/(\S+)\}", script) == [layout.partuuid("bootcfg")]
    running = dict(re.findall(r'\*" rauc\.slot=([AB]) "\*\) running=(\d)', script))
    assert running == {slot: str(layout.boot_of(slot).number) for slot in SLOTS}
    fstab = (tools / "image" / "root" / "etc" / "fstab").read_text()
    assert re.findall(r"PARTUUID=(\S+) /data ", fstab) == [layout.partuuid("data")]


def test_our_own_version_has_the_form_that_a_unit_orders() -> None:
    """One that it cannot read would leave a unit that takes no update any more."""
    assert version.told(version.parse(deb.VERSION)) == deb.VERSION


@needs_programs
def test_autoboot_is_one_sector_that_can_be_overwritten_in_place(image: Path) -> None:
    """tryboot: the other slot is started once, when the flag is set; then this one again."""
    found = read(image, "bootcfg", "autoboot.txt")
    assert len(found) == SECTOR
    assert found.split() == [
        b"[all]", b"tryboot_a_b=1", b"boot_partition=2", b"[tryboot]", b"boot_partition=3",
    ]  # fmt: skip
    assert found == autoboot.text("A")
    told = disk.run(
        "mshowfat", "-i", f"{image}@@{SMALL.partition('bootcfg').start}", "::autoboot.txt"
    )
    assert re.fullmatch(r"::/autoboot\.txt <\d+>", told.strip())  # one cluster
    assert read(image, "bootcfg", "config.txt") == b""


@needs_programs
@pytest.mark.parametrize("slot", ["A", "B"])
def test_a_boot_partition_names_its_slot_and_the_root_hash_that_verifies(
    image: Path, slot: str, tmp_path: Path
) -> None:
    words = read(image, f"boot_{slot.lower()}", "cmdline.txt").decode().split()
    named = dict(each.split("=", 1) for each in words if "=" in each)
    text = read(image, f"boot_{slot.lower()}", "slot.txt").decode()
    told = dict(line.split("=", 1) for line in text.splitlines())
    assert named["rauc.slot"] == slot
    assert (named["ssc.roothash"], named["ssc.hashoffset"]) == (
        told["roothash"],
        told["hashoffset"],
    )
    assert told["version"] == "1.0.0"
    assert int(named["ssc.disk"], 16) == SMALL.disk_signature
    part = cut_out(image, f"system_{slot.lower()}", tmp_path / "system")
    check = ("veritysetup", "verify", f"--hash-offset={told['hashoffset']}", part, part)
    disk.run(*check, told["roothash"])
    with part.open("r+b") as file:
        file.seek(SMALL.hash_offset() // 2)
        file.write(b"\x01")
    with pytest.raises(disk.ImageError, match="veritysetup"):
        disk.run(*check, told["roothash"])


@needs_programs
def test_the_system_holds_the_root(image: Path, tmp_path: Path) -> None:
    part = cut_out(image, "system_a", tmp_path / "system")
    assert disk.run("debugfs", "-R", "cat /etc/version", part) == "1.0.0\n"
    disk.run("e2fsck", "-fn", part)
    disk.run("e2fsck", "-fn", cut_out(image, "data", tmp_path / "data"))


@needs_programs
def test_two_builds_are_the_same_whatever_the_folder_the_hour_and_the_order(
    image: Path, tmp_path: Path
) -> None:
    """The other root is written backwards, later, elsewhere."""
    other = image_rig.source(tmp_path)
    turned = tmp_path / "turned"
    (turned / "etc").mkdir(parents=True)
    for path in sorted(other.root.rglob("*"), reverse=True):
        if not path.is_dir():
            place = turned / path.relative_to(other.root)
            shutil.copy2(path, place, follow_symlinks=False)
    for path in [*turned.rglob("*"), turned]:
        os.utime(path, (time.time(), time.time() - 7), follow_symlinks=False)
    again = tmp_path / "again.img"
    release.build(
        again, SMALL, release.Source("1.0.0", turned, other.boot, b"bootcode", other.epoch)
    )
    parts = [path for path in (tmp_path / "again.img.parts").iterdir() if path.suffix != ".cfg"]
    before = image.with_name("sd.img.parts")
    differ = [
        each.name
        for each in parts
        if each.is_file() and each.read_bytes() != (before / each.name).read_bytes()
    ]
    assert differ == []
    assert release.sha256(again) == release.sha256(image)


@needs_programs
def test_another_version_is_another_image(image: Path, tmp_path: Path) -> None:
    assert release.sha256(image_rig.image(tmp_path, "1.0.1")) != release.sha256(image)


@needs_programs
def test_an_image_for_the_first_time_may_leave_slot_b_to_the_first_update(tmp_path: Path) -> None:
    target = tmp_path / "sd.img"
    release.build(target, SMALL, image_rig.source(tmp_path), slot_b_is_empty=True)
    for name in ("boot_b", "system_b"):
        assert cut_out(target, name, tmp_path / name).read_bytes().strip(b"\0") == b""
        # A card that was used before shows no older release there: the block map covers its begin.
        first = SMALL.partition(name).start // 4096
        rows = re.findall(r"> (\d+)-(\d+) <", release.bmap_of(target).read_text())
        assert any(int(one) <= first and int(two) >= first + 255 for one, two in rows)


def test_root_has_no_password_and_is_not_locked_for_keys(tmp_path: Path) -> None:
    """sshd without PAM takes no key for an account whose field begins with "!"."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "shadow").write_text("root:!*:20454:0:99999:7:::\ndaemon:*:1::::::\n")
    script = (Path(disk.__file__).with_name("finish.sh")).read_text()
    lines = [line for line in script.splitlines() if "etc/shadow" in line]
    environment = os.environ | {"root": str(tmp_path)}
    subprocess.run(["sh", "-c", "\n".join(lines)], check=True, timeout=60, env=environment)
    assert (tmp_path / "etc" / "shadow").read_text().startswith("root:*:20454:")


@needs_programs
def test_the_manifest_is_signed_and_says_what_the_image_is(image: Path, tmp_path: Path) -> None:
    key, certificate, ca = image_rig.release_keys(tmp_path)
    release.sign(image, image_rig.source(tmp_path), key, certificate)
    manifest = release.manifest_of(image)
    verify = (
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any",
        "-in", f"{manifest}.p7s", "-content", manifest, "-out", tmp_path / "content",
    )  # fmt: skip
    disk.run(*verify, "-CAfile", ca)
    told = json.loads(manifest.read_text())
    assert told == {
        "format": 1,
        "compatible": "sscterm-rpi",
        "boards": ["pi3", "pi4", "cm4", "zero2w"],
        "version": "1.0.0",
        "size": SMALL.size,
        "sha256": release.sha256(image),
        "bmap_sha256": release.sha256(release.bmap_of(image)),
    }
    _, _, foreign = image_rig.release_keys(tmp_path, "foreign")
    with pytest.raises(disk.ImageError, match="openssl"):
        disk.run(*verify, "-CAfile", foreign)
    manifest.write_text(manifest.read_text().replace("1.0.0", "9.0.0"))
    with pytest.raises(disk.ImageError, match="openssl"):
        disk.run(*verify, "-CAfile", ca)


def test_genimage_is_told_every_partition() -> None:
    names = {each.name: f"{each.name}.img" for each in SMALL.partitions()}
    text = genimage_config(SMALL, names, "sd.img")
    assert text.count("partition-type = 0x0c") == 3
    assert all(f'image = "{each}"' in text for each in names.values())


def test_the_root_and_its_initrd_find_the_partitions_where_they_are() -> None:
    tools = Path(__file__).resolve().parents[1] / "tools" / "image"
    table = (tools / "root" / "etc" / "fstab").read_text()
    assert re.findall(r"(?m)^PARTUUID=(\S+) /data ", table) == [Layout().partuuid("data")]
    script = (tools / "initrd" / "local-top").read_text()
    slots = dict(re.findall(r"(?m)^([AB])\) number=(\d\d) ;;$", script))
    assert slots == {each: f"{SMALL.system_of(each).number:02d}" for each in "AB"}
    words = dict(word.split("=", 1) for word in disk.kernel_line(SMALL, "A", "0" * 64).split()
                 if "=" in word)  # fmt: skip
    assert {"rauc.slot", "ssc.disk", "ssc.roothash", "ssc.hashoffset"} == {
        word for word in words if re.search(rf"(?m)^    {re.escape(word)}=\*\)", script)
    }
    assert words["root"] == "/dev/mapper/system"
