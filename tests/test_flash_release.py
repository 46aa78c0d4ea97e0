"""Issue "The technician", bad input: an image is refused before a byte is written, numbered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import flash_rig, image_rig
from tests.flash_rig import Release
from tools.image import release as maker
from tools.technician import readback, release, writing
from tools.technician.blockmap import BlockMap, BlockMapError, Range
from tools.technician.errors import FlashError
from tools.technician.holding import held
from tools.technician.progress import Progress

pytestmark = pytest.mark.skipif(flash_rig.NO_IMAGE is not None, reason=str(flash_rig.NO_IMAGE))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


@pytest.fixture
def copy(made: Release, tmp_path: Path) -> Release:
    return made.copied(tmp_path / "copy")


def refused(of: Release, board: str | None = None) -> int:
    with pytest.raises(FlashError) as caught:
        of.load(board)
    return caught.value.number


def test_a_good_image_says_what_it_is(made: Release) -> None:
    image = made.load("pi4")
    assert (image.version, image.boards) == ("1.0.0", ("pi3", "pi4", "cm4", "zero2w"))
    assert "FOR TESTS ONLY" in image.signer
    assert image.block_map.image_size == made.image.stat().st_size
    assert 0 < image.block_map.mapped < image.block_map.image_size


def test_a_compressed_image_is_the_same_image(copy: Release) -> None:
    image = copy.compressed().load()
    assert image.is_compressed
    with readback.contents(image) as read, made_open(copy) as raw:
        for each in image.block_map.ranges:
            raw.seek(each.offset)
            assert read(each.offset, each.length) == raw.read(each.length)


def made_open(of: Release):
    return of.image.open("rb")


def test_a_changed_manifest_is_refused(copy: Release) -> None:
    manifest = copy.side(".manifest")
    raw = bytearray(manifest.read_bytes())
    raw[len(raw) // 2] ^= 1
    manifest.write_bytes(raw)
    assert refused(copy) == 1004


def test_a_foreign_signature_is_refused(copy: Release, tmp_path: Path) -> None:
    key, certificate, _ = image_rig.release_keys(tmp_path, "stranger")
    copy.sign(key, certificate)
    assert refused(copy) == 1004


def test_a_certificate_that_is_not_for_releases_is_refused(copy: Release) -> None:
    """The CA itself signs: trusted, but without the purpose."""
    copy.sign(copy.ca.with_name("release-ca.key"), copy.ca)
    assert refused(copy) == 1004


def test_another_board_is_refused(copy: Release) -> None:
    copy.signed_again(boards=["pi3"])
    assert refused(copy, "pi4") == 1005
    assert copy.load("pi3").boards == ("pi3",)


def test_another_product_is_refused(copy: Release) -> None:
    copy.signed_again(compatible="sscterm-other")
    assert refused(copy) == 1005


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "72"}, {"size": True}, {"version": "one"}, {"version": "1.0.0/../x"},
        {"version": "1.0.0-rc.1"}, {"format": 2}, {"format": True},
        {"boards": []}, {"boards": [4]}, {"sha256": "00"}, {"bmap_sha256": None}, {"size": 4096},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(copy: Release, fields: dict[str, object]) -> None:
    copy.signed_again(**fields)
    assert refused(copy) == 1003


@pytest.mark.parametrize("end", ["", *flash_rig.SIDES])
def test_a_missing_file_is_named(copy: Release, end: str) -> None:
    copy.side(end).unlink()
    with pytest.raises(FlashError) as caught:
        copy.load()
    assert caught.value.number == 1002
    assert copy.side(end).name in caught.value.detail


@pytest.fixture
def with_sbom(copy: Release, tmp_path: Path) -> Release:
    maker.sbom_of(copy.image).write_text('{"components": []}\n' * 100)
    maker.sign(copy.image, image_rig.source(tmp_path / "s"), copy.key, copy.certificate)
    return copy


def test_a_list_of_parts_is_the_one_that_was_signed(with_sbom: Release) -> None:
    place = with_sbom.side(release.SBOM)
    assert with_sbom.load().has_sbom
    raw = bytearray(place.read_bytes())
    raw[len(raw) // 2] ^= 1
    place.write_bytes(raw)
    with pytest.raises(FlashError) as caught:
        with_sbom.load()
    assert (caught.value.number, caught.value.detail) == (
        1007, f"{place.name} is not the one that was signed"
    )  # fmt: skip
    place.unlink()
    assert not with_sbom.load().has_sbom  # not needed to write a card
    with_sbom.signed_again(sbom_sha256="00")
    assert refused(with_sbom) == 1003


def test_one_that_nobody_signed_says_nothing(copy: Release) -> None:
    copy.side(release.SBOM).write_text("{}")
    assert not copy.load().has_sbom


def test_info_of_an_image_says_who_signed_it(
    with_sbom: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("info", with_sbom.image, "--ca", with_sbom.ca, "--json")
    assert flash_rig.flash(tmp_path, *words) == 0
    told = json.loads(capsys.readouterr().out)["release"]
    assert (told["version"], told["sbom"]) == ("1.0.0", True)
    with_sbom.side(release.SBOM).write_text("{}")
    assert flash_rig.flash(tmp_path, *words) == 2
    assert json.loads(capsys.readouterr().out)["error"]["number"] == 1007


def test_the_list_of_parts_is_not_written_over(with_sbom: Release) -> None:
    with pytest.raises(FlashError) as caught:
        write(with_sbom.load(), with_sbom.side(release.SBOM))
    assert caught.value.number == 1107
    assert with_sbom.load().has_sbom


@pytest.mark.parametrize("is_compressed", [False, True], ids=["raw", "zst"])
def test_a_truncated_image_is_refused(copy: Release, is_compressed: bool) -> None:
    of = copy.compressed() if is_compressed else copy
    with of.image.open("r+b") as file:
        file.truncate(of.image.stat().st_size // 2)
    with pytest.raises(FlashError) as caught:  # at once, or when a compressed one ends too early
        write(of.load(), of.image.parent / "out")
    assert caught.value.number in (1007, 1207)


def write(image: release.Image, target: Path) -> None:
    with held(str(target)) as file:
        writing.write(image, file, lambda _: True, Progress(None))


def test_a_changed_block_map_is_refused(copy: Release) -> None:
    text = copy.side(".bmap").read_text()
    copy.side(".bmap").write_text(text.replace("MappedBlocksCount", "MappedBlocksCounT", 1))
    assert refused(copy) == 1007


def test_a_flipped_byte_in_the_image_is_found(copy: Release, tmp_path: Path) -> None:
    image = copy.load()
    with copy.image.open("r+b") as file:
        file.seek(image.block_map.ranges[-1].offset + 7)
        file.write(b"\xff")
    with pytest.raises(FlashError) as caught:
        write(image, tmp_path / "out")
    assert caught.value.number == 1207


def test_an_older_version_is_refused_until_it_is_meant(copy: Release, tmp_path: Path) -> None:
    copy.signed_again(version="1.10.0")
    writing.remember_version(copy.load(), tmp_path)
    copy.signed_again(version="1.9.9")
    older = copy.load()
    with pytest.raises(FlashError) as caught:
        writing.check_version(older, tmp_path, older_is_meant=False)
    assert caught.value.number == 1006
    writing.check_version(older, tmp_path, older_is_meant=True)
    writing.remember_version(older, tmp_path)
    with pytest.raises(FlashError):
        writing.check_version(older, tmp_path, older_is_meant=False)


# -- block maps ------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=20),
    st.integers(1, 4096),
)
def test_a_reduced_map_is_read_as_it_was_written(steps: list[tuple[int, int]], tail: int) -> None:
    """The last block of an image may be a part of one."""
    ranges, block = [], 0
    for gap, length in steps:
        block += gap
        ranges.append(Range(block * 4096, length * 4096, f"{block:064x}"))
        block += length
    size = block * 4096 - 4096 + tail
    ranges[-1] = ranges[-1]._replace(length=size - ranges[-1].offset)
    whole = BlockMap(size, 4096, tuple(ranges))
    assert BlockMap.parse(whole.reduced(ranges)) == whole


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_map_or_refused(raw: bytes) -> None:
    with pytest.raises(BlockMapError):
        BlockMap.parse(raw)


GOOD = BlockMap(12288, 4096, (Range(0, 4096, "0" * 64), Range(8192, 4096, "1" * 64)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<bmap ", "<!DOCTYPE bmap [<!ENTITY a 'b'>]><bmap "),
        ("2.0", "1.3"), ("sha256", "md5"), ("> 2-2 <", "> 0-2 <"), ("> 2-2 <", "> 3-3 <"),
        ("> 2-2 <", "> 2-x <"), ("chksum=", "other="), ("4096", "0"), ("12288", "-1"),
    ],
)  # fmt: skip
def test_a_map_at_odds_with_itself_is_refused(old: str, new: str) -> None:
    text = GOOD.reduced(GOOD.ranges).decode()
    assert BlockMap.parse(text.encode()) == GOOD
    with pytest.raises(BlockMapError):
        BlockMap.parse(text.replace(old, new, 1).encode())


@pytest.mark.parametrize(("lower", "higher"), [("1.9.0", "1.10.0"), ("0.9.9", "1.0.0")])
def test_versions_are_ordered_by_number(lower: str, higher: str) -> None:
    assert release.version_key(lower) < release.version_key(higher)
