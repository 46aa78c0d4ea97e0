"""flash.py and the wrong disk: in use, swapped, two at once, the release itself; and a release that
is changed between check and use.

Issue "The technician", bad input; "`list` devices that may be written, and why the others may not".
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import flash_rig
from tests.flash_rig import Release, flash
from tools.technician import device, programs, release, wiping, writing
from tools.technician.desk import Desk
from tools.technician.errors import FlashError
from tools.technician.holding import held
from tools.technician.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
SIZE = 80 << 20
images = pytest.mark.skipif(flash_rig.NO_IMAGE is not None, reason=str(flash_rig.NO_IMAGE))
loops = pytest.mark.skipif(flash_rig.NO_LOOP is not None, reason=str(flash_rig.NO_LOOP))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


def number(function, *arguments) -> int:
    with pytest.raises(FlashError) as caught:
        function(*arguments)
    return caught.value.number


def hold(name: Path) -> None:
    with held(str(name)):
        pass


def answer(capsys: pytest.CaptureFixture) -> dict:
    return json.loads(capsys.readouterr().out)


# -- the wrong disk --------------------------------------------------------------------------------


@loops
def test_a_disk_in_use_that_lsblk_does_not_tell_of_is_refused_and_listed(tmp_path: Path) -> None:
    """Members of a RAID or a volume group, a file system mounted in another name space."""
    with flash_rig.disk(tmp_path / "disk", SIZE) as path:
        user = os.open(path, os.O_RDONLY | os.O_EXCL)
        try:
            assert number(device.target, str(path)) == 1110
            assert number(hold, path) == 1110
            found = {each.path: each.why_not for each in device.disks()}
            assert found[str(path)] == 1110
        finally:
            os.close(user)
        assert device.target(str(path)).why_not is None


@loops
def test_a_disk_taken_into_use_at_the_last_moment_is_not_wiped(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"\xa5" * (1 << 20))
    users = []

    def mounts(_: device.Target) -> bool:
        users.append(os.open(path, os.O_RDONLY | os.O_EXCL))
        return True

    with flash_rig.disk(tmp_path / "disk", 0) as path:
        try:
            with held(str(path)) as card:
                assert number(wiping.wipe, card, mounts, Progress(None)) == 1110
        finally:
            for each in users:
                os.close(each)
        assert path.read_bytes() == b"\xa5" * (1 << 20)


@loops
def test_another_card_in_the_same_reader_is_not_written(made: Release, tmp_path: Path) -> None:
    """It is noticed between the question and the first byte, here by its size."""

    def swaps(_: device.Target) -> bool:
        os.truncate(tmp_path / "disk", SIZE + (1 << 20))
        subprocess.run(["losetup", "-c", path], check=True, timeout=60)
        return True

    with flash_rig.disk(tmp_path / "disk", SIZE) as path:
        image = made.load()
        before = flash_rig.bytes_written(path)
        with held(str(path)) as card:
            assert number(writing.write, image, card, swaps, Progress(None)) == 1112
        assert flash_rig.bytes_written(path) == before


@loops
def test_a_name_that_is_given_to_another_disk_after_the_question_writes_none_of_it(
    made: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tmp_path / "by-id"
    with (
        flash_rig.disk(tmp_path / "one", SIZE) as one,
        flash_rig.disk(tmp_path / "two", SIZE) as two,
    ):
        name.symlink_to(one)
        before = flash_rig.bytes_written(two)

        def points_elsewhere(*_: object) -> bool:
            name.unlink()
            name.symlink_to(two)
            return True

        monkeypatch.setattr(Desk, "confirms", points_elsewhere)
        assert flash(tmp_path, "batch", made.image, name, "--ca", made.ca) == 0
        assert flash_rig.bytes_written(two) == before
        assert flash(tmp_path, "verify", made.image, one, "--ca", made.ca) == 0


@loops
def test_two_at_once_on_one_disk(made: Release, tmp_path: Path) -> None:
    with flash_rig.disk(tmp_path / "disk", SIZE) as path:
        before = flash_rig.bytes_written(path)
        with held(str(path)):
            for words in (("write", made.image, path, "--ca", made.ca), ("wipe", path)):
                assert flash(tmp_path, *words, "--confirm", path.name) == 2
            assert {each.path: each.why_not for each in device.disks()}[str(path)] == 1110
        assert flash_rig.bytes_written(path) == before
        hold(path)


@loops
def test_a_file_behind_a_disk_in_use_is_not_written(tmp_path: Path) -> None:
    with flash_rig.disk(tmp_path / "disk", SIZE):
        assert number(device.target, str(tmp_path / "disk")) == 1110
    assert device.target(str(tmp_path / "disk")).is_file


@images
@pytest.mark.parametrize("end", ["", *release.SIDES])
def test_the_release_is_not_written_onto_itself(made: Release, tmp_path: Path, end: str) -> None:
    copy = made.copied(tmp_path / "copy")
    target = tmp_path / "card.img"
    os.link(copy.side(end), target)
    before = target.read_bytes()
    words = ("write", copy.image, target, "--ca", copy.ca, "--confirm", "card.img")
    assert flash(tmp_path, *words) == 2
    assert target.read_bytes() == before


@loops
def test_dry_run_writes_nothing_anywhere(made: Release, tmp_path: Path) -> None:
    image, board = ("--ca", made.ca, "--dry-run"), ("--board", ROOT / "board.toml", "--dry-run")
    with flash_rig.disk(tmp_path / "disk", SIZE) as path:
        words = ("write", made.image, path, "--ca", made.ca)
        assert flash(tmp_path, *words, "--confirm", path.name) == 0
        written = flash_rig.bytes_written(path)
        there = sorted(tmp_path.rglob("*"))
        assert flash(tmp_path, "write", made.image, path, *image) == 0
        assert flash(tmp_path, "batch", made.image, path, *image) == 0
        assert flash(tmp_path, "provision", path, *board) == 0
        assert flash(tmp_path, "wipe", path, "--dry-run") == 0
        assert flash(tmp_path, "list", "--dry-run") == 0
        assert flash_rig.bytes_written(path) == written
        assert sorted(tmp_path.rglob("*")) == there


# -- the release -----------------------------------------------------------------------------------


@images
def test_what_is_checked_is_what_was_read(
    made: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is another one by the time its signature is looked at."""
    copy = made.copied(tmp_path / "copy")
    signed = copy.side(".manifest").read_text()
    copy.side(".manifest").write_text(signed.replace('"1.0.0"', '"9.0.0"'))
    run = programs.run

    def puts_back(name: str, *arguments: str):
        copy.side(".manifest").write_text(signed)
        return run(name, *arguments)

    monkeypatch.setattr(programs, "run", puts_back)
    assert number(copy.load) == 1004


@images
def test_a_certificate_that_is_only_named_after_the_purpose_is_refused(
    made: Release, tmp_path: Path
) -> None:
    copy = made.copied(tmp_path / "copy")
    key, certificate = tmp_path / "leaf.key", tmp_path / "leaf.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "30", "-subj", "/CN=Code Signing", "-keyout", key, "-out", certificate,
         "-CA", copy.ca, "-CAkey", copy.ca.with_name("release-ca.key"),
         "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    copy.sign(key, certificate)
    assert number(copy.load) == 1004


@images
@pytest.mark.parametrize("more", ['"size": 4096,', '"size": NaN,', '"version": "0.0.1",'])
def test_a_name_twice_in_the_manifest_is_refused(made: Release, tmp_path: Path, more: str) -> None:
    copy = made.copied(tmp_path / "copy")
    manifest = copy.side(".manifest")
    manifest.write_text(manifest.read_text().replace("{", "{" + more, 1))
    copy.sign(copy.key, copy.certificate)
    assert number(copy.load) == 1003


@loops
def test_list_goes_by_the_size_of_the_raw_image(
    made: Release, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    packed = made.copied(tmp_path / "copy").compressed().image
    size = packed.stat().st_size + (1 << 20)
    with flash_rig.disk(tmp_path / "disk", size) as path:
        assert flash(tmp_path, "list", "--image", packed, "--json") == 0
        found = {each["path"]: each["why_not"] for each in answer(capsys)["devices"]}
        assert found[str(path)] == 1105
