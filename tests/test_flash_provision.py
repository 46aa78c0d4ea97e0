"""Issue "The technician", item 2: `provision`: an identity on an unmounted card, taken at first
start, whole or not at all; and the enrolment request that the unit made."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.board import load
from firmware.journal.devicekey import DeviceKey
from firmware.journal.enrolment import make_enrolment
from tests import flash_rig
from tests.flash_rig import Release, flash
from tools.image.layout import SMALL
from tools.technician import card, enrolments, firststart, identity
from tools.technician.desk import Desk
from tools.technician.errors import FlashError
from tools.technician.names import DROP
from tools.update import autoboot

ROOT = Path(__file__).resolve().parents[1]
FILES = {"board.toml": (ROOT / "board.toml").read_bytes(), "office.pub": b"\x01" * 3000}
SECTOR = 512
images = pytest.mark.skipif(flash_rig.NO_IMAGE is not None, reason=str(flash_rig.NO_IMAGE))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


@pytest.fixture
def sd(made: Release, tmp_path: Path) -> Path:
    return Path(shutil.copy(made.image, tmp_path / "card.img"))


def number(function, *arguments) -> int:
    with pytest.raises(FlashError) as caught:
        function(*arguments)
    return caught.value.number


# -- the drop --------------------------------------------------------------------------------------


def test_a_drop_gives_back_the_files() -> None:
    assert identity.unpack(identity.pack(FILES)) == FILES


def test_keys_that_board_toml_names_are_the_units_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card process takes no key that others could have read (mode 0600, its own)."""
    board = (ROOT / "board.toml").read_text().replace("# key_file = ", "key_file = ")
    files = {"board.toml": board.replace("data/pad.key", "pad.key").encode(), "pad.key": b"00" * 16}
    (tmp_path / "drop").write_bytes(identity.pack(files))
    given = []
    monkeypatch.setattr(os, "fchown", lambda file, user, group: given.append(user))
    firststart.take(tmp_path / "drop", tmp_path / "etc", tmp_path / "data")
    modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "etc").iterdir()}
    assert modes == {"board.toml": 0o640, "pad.key": 0o600}
    assert given == [(tmp_path / "data").stat().st_uid]


@given(st.data())
def test_a_drop_cut_short_or_changed_is_refused(data: st.DataObject) -> None:
    raw = bytearray(identity.pack(FILES))
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw = raw[:at]
    else:
        raw[at] ^= data.draw(st.integers(1, 255))
    assert number(identity.unpack, bytes(raw)) == 1301


@pytest.mark.parametrize(
    "name", ["../board.toml", "a/b", ".hidden", "", "x" * 65, "a\nb", "名"], ids=repr
)
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    assert number(identity.pack, FILES | {name: b""}) == 1301


def test_a_drop_needs_a_board_and_has_an_end() -> None:
    assert number(identity.pack, {"a": b""}) == 1301
    assert number(identity.pack, FILES | {"big": bytes(identity.MAX_FILE + 1)}) == 1301
    assert number(identity.pack, FILES | {f"f{n}": b"" for n in range(32)}) == 1301


# -- board.toml ------------------------------------------------------------------------------------


def test_a_key_is_set_in_its_section_and_all_else_stays() -> None:
    text = "[a]\nx = 1 # one\n# y = 2\n\n[b]  # the second\nx = 2\n"
    assert identity.set_key(text, "b.x", "3") == text.replace("x = 2", "x = 3")
    assert identity.set_key(text, "a.y", "4") == text.replace("[a]\n", "[a]\ny = 4\n")
    assert identity.set_key(text, "a.b.z", '"t"') == text + '\n[a.b]\nz = "t"\n'


def test_the_identity_is_what_the_options_say_and_the_unit_takes_it(tmp_path: Path) -> None:
    settings = {
        "unit.id": '"pharmacy-7"', "unit.region": '"990101"',
        "psam.terminal_number": '"990100000007"',
        "uplink.https.url": '"https://collector.example:8443"',
    }  # fmt: skip
    files = identity.collect(ROOT / "board.toml", [], settings)
    (tmp_path / "board.toml").write_bytes(files["board.toml"])
    board = load(tmp_path / "board.toml")
    assert (board.unit.id, board.unit.region) == ("pharmacy-7", "990101")
    assert board.psam.terminal_number == "990100000007"
    assert board.uplink.https is not None
    assert board.uplink.https.url == "https://collector.example:8443"


@pytest.mark.parametrize(
    "settings",
    [{"unit.id": '"a b"'}, {"unit.region": '"1"'}, {"unit.id": '"a'}, {"unit.colour": '"red"'}],
    ids=str,
)
def test_an_identity_that_the_unit_would_refuse_is_refused(settings: dict[str, str]) -> None:
    assert number(identity.collect, ROOT / "board.toml", [], settings) == 1301


def test_a_file_without_an_end_is_refused() -> None:
    assert number(identity.collect, ROOT / "board.toml", [Path("/dev/zero")], {}) == 1301


# -- on the card -----------------------------------------------------------------------------------


def provision(folder: Path, sd: Path, *more: object) -> int:
    words = ("--board", ROOT / "board.toml", "--unit", "pharmacy-7", "--confirm", sd.name)
    return flash(folder, "provision", sd, *words, *more)


@images
def test_an_identity_is_put_taken_and_read_by_the_unit(sd: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("a certificate")
    more = ("--file", tmp_path / "ca.crt", "--site", "锦江社区药房", "--region", "990100")
    assert provision(tmp_path, sd, *more) == 0
    assert card.describe(str(sd))["identity_waits"] is True
    drop = tmp_path / DROP
    drop.write_bytes(card.open_card(str(sd)).take_drop() or b"")
    taken = firststart.take(drop, tmp_path / "etc", tmp_path / "data")
    assert taken == ["ca.crt", "site.txt", "board.toml"]
    assert not drop.exists()
    assert (tmp_path / "etc" / "site.txt").read_text() == "锦江社区药房\n"
    assert load(tmp_path / "etc" / "board.toml").unit.id == "pharmacy-7"
    assert firststart.take(drop, tmp_path / "etc", tmp_path / "data") == []
    assert (tmp_path / "data" / "ca.crt").read_text() == "a certificate"
    assert not (tmp_path / "etc" / "ca.crt").exists()
    assert (tmp_path / "etc" / "board.toml").stat().st_mode & 0o777 == 0o640


@images
@pytest.mark.skipif(flash_rig.NO_LOOP is not None, reason=str(flash_rig.NO_LOOP))
def test_safe_to_remove_is_said_when_the_card_has_it(
    sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only the computer's memory of the card, from which it would be read back as well."""
    there: list[bool] = []

    def say(_: Desk, text: str) -> None:
        if "safe to remove" in text:
            found = subprocess.run(["mtype", "-i", f"{sd}@@{start}", f"::{card.DROP}"],
                                   capture_output=True, timeout=60).stdout  # fmt: skip
            there.append(b"pharmacy-7" in found)

    start = SMALL.partition("bootcfg").start
    with flash_rig.disk(sd, 0) as path:
        monkeypatch.setattr(Desk, "say", say)
        assert provision(tmp_path, path) == 0
    assert there == [True]


@images
def test_provision_again_replaces_what_waits(sd: Path, tmp_path: Path) -> None:
    assert provision(tmp_path, sd) == 0
    assert provision(tmp_path, sd, "--unit", "pharmacy-8") == 0
    files = identity.unpack(card.open_card(str(sd)).take_drop() or b"")
    assert b'"pharmacy-8"' in files["board.toml"]


@images
def test_a_disk_without_our_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.img").write_bytes(bytes(1 << 20))
    assert provision(tmp_path, tmp_path / "card.img") == 2
    assert number(card.open_card, str(tmp_path / "card.img")) == 1111


@images
@pytest.mark.parametrize("is_second", [False, True], ids=["first", "replaced"])
def test_any_part_of_the_writes_leaves_a_card_that_starts_and_no_half_identity(
    sd: Path, tmp_path: Path, is_second: bool
) -> None:
    """Power cut at `provision`: any set of the sectors it writes, in any order, arrived.

    autoboot.txt is untouched, and the identity is whole or refused; the first start with what there
    is takes the old one, the new one or none.
    """
    old = identity.pack(FILES | {"old": b"o" * 3000})
    new = identity.pack(FILES | {"new": b"n" * 2000})
    if is_second:
        card.open_card(str(sd)).put_drop(old)
    before = sd.read_bytes()
    card.open_card(str(sd)).put_drop(new)
    after = sd.read_bytes()
    end = SMALL.partition("boot_a").start  # all of it happens on the first partition
    assert before[end:] == after[end:]
    changed = [
        at for at in range(0, end, SECTOR) if before[at : at + SECTOR] != after[at : at + SECTOR]
    ]
    assert 5 < len(changed) < 200
    rng = random.Random(20261122)
    seen = set()
    with sd.open("r+b") as file:
        for turn in range(30):
            count = min(turn, len(changed)) if turn < 12 else rng.randrange(len(changed) + 1)
            chosen = set(rng.sample(changed, count) if turn % 2 else changed[:count])
            for at in changed:
                file.seek(at)
                file.write((after if at in chosen else before)[at : at + SECTOR])
            file.flush()
            there = card.open_card(str(sd))
            assert (there.text("bootcfg", "autoboot.txt") or "").encode() == autoboot.text("A")
            raw = there.take_drop() or b""
            try:
                whole = identity.unpack(raw)
            except FlashError:
                seen.add("none")
            else:
                assert raw in (old, new)
                seen.add("new" if "new" in whole else "old")
    assert "none" in seen


# -- first start -----------------------------------------------------------------------------------


def test_a_power_cut_at_any_step_of_the_first_start_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each rename, sync and write: board.toml is absent or has all its files beside it."""

    class Cut(Exception):
        pass

    files = FILES | {"extra.crt": b"c" * 500}
    steps = 0
    for cut_at in range(1, 60):
        folder, drop = tmp_path / f"etc{cut_at}", tmp_path / f"drop{cut_at}"
        drop.write_bytes(identity.pack(files))
        left = cut_at

        def counted(function, left_at=cut_at):
            def call(*arguments, **named):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Cut
                return function(*arguments, **named)

            return call

        with monkeypatch.context() as patch:
            for where, what in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
                patch.setattr(where, what, counted(getattr(where, what)))
            try:
                firststart.take(drop, folder, tmp_path / "data")
                break
            except Cut:
                steps += 1
        if (folder / "board.toml").exists():
            assert {name: (folder / name).read_bytes() for name in files} == files
        firststart.take(drop, folder, tmp_path / "data")
        assert {each.name: each.read_bytes() for each in folder.iterdir()} == files
    assert steps >= 8


def test_a_damaged_drop_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "board.toml").write_text("as it was")
    (tmp_path / "drop").write_bytes(identity.pack(FILES)[:-1])
    places = (tmp_path / "drop", tmp_path / "etc", tmp_path / "data")
    assert number(firststart.take, *places) == 1301
    assert (tmp_path / "etc" / "board.toml").read_text() == "as it was"


def test_the_files_are_for_the_group_of_their_folder(tmp_path: Path) -> None:
    """The card process is not root; /data/etc is root's and its group's."""
    if os.geteuid() != 0:
        pytest.skip("a folder of another group needs root")
    etc, data, drop = (tmp_path / name for name in ("etc", "data", "drop"))
    for folder in (etc, data):
        folder.mkdir()
        os.chown(folder, 0, 4711)
    drop.write_bytes(identity.pack(FILES | {"ca.crt": b"a certificate"}))
    before = os.umask(0o077)
    try:
        firststart.take(drop, etc, data)
    finally:
        os.umask(before)
    about = {
        (each.stat().st_gid, each.stat().st_mode & 0o777)
        for each in [*etc.iterdir(), *data.iterdir()]
    }
    assert about == {(4711, 0o640)}


def test_a_drop_that_was_taken_and_half_overwritten_is_forgotten(tmp_path: Path) -> None:
    """Each start would refuse it, and the unit would not be one again."""
    (tmp_path / "drop").write_bytes(bytes(512) + identity.pack(FILES)[512:])
    assert firststart.take(tmp_path / "drop", tmp_path / "etc", tmp_path / "data") == []
    assert not (tmp_path / "drop").exists()


def test_the_drop_is_known_as_taken_from_its_first_sector_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first sector is zero, and on the disk, before the next one changes."""
    drop, states = tmp_path / "drop", []
    raw = identity.pack(FILES)
    drop.write_bytes(raw)
    monkeypatch.setattr(os, "fsync", lambda _: states.append(drop.exists() and drop.read_bytes()))
    firststart.take(drop, tmp_path / "etc", tmp_path / "data")
    assert bytes(512) + raw[512:] in states
    assert bytes(len(raw)) in states


def test_root_follows_no_link_that_the_folders_owner_made(tmp_path: Path) -> None:
    """/data/sscterm belongs to the card process."""
    data, drop, other = tmp_path / "data", tmp_path / "drop", tmp_path / "version-floor"
    data.mkdir()
    other.write_text("1.2.3")
    for name in ("ca.crt", ".ca.crt"):
        (data / name).symlink_to(other)
    drop.write_bytes(identity.pack(FILES | {"ca.crt": b"a certificate"}))
    firststart.take(drop, tmp_path / "etc", data)
    assert other.read_text() == "1.2.3"
    assert (data / "ca.crt").read_bytes() == b"a certificate"
    assert not (data / "ca.crt").is_symlink()


# -- the enrolment request -------------------------------------------------------------------------


def with_file(sd: Path, path: str, source: Path) -> None:
    start = SMALL.partition("data").start
    place = f"{sd}?offset={start}"
    for command in (f"mkdir {Path(path).parent}", f"write {source} {path}"):
        subprocess.run(
            ["debugfs", "-w", "-R", command, place], check=True, capture_output=True, timeout=60
        )


@images
def test_the_request_of_the_unit_is_read_from_its_card(sd: Path, tmp_path: Path) -> None:
    request = make_enrolment(
        unit="pharmacy-7", region="990100", time_ms=1, signer=DeviceKey(bytes(range(32)))
    )
    (tmp_path / "request").write_bytes(request)
    assert flash(tmp_path, "enrolment", sd, "--out", tmp_path / "out.cose") == 2
    with_file(sd, card.ENROLMENT, tmp_path / "request")
    assert flash(tmp_path, "enrolment", sd, "--out", tmp_path / "out.cose") == 0
    assert (tmp_path / "out.cose").read_bytes() == request
    assert enrolments.of(request).unit == "pharmacy-7"
    damaged = bytearray(request)
    damaged[-1] ^= 1
    assert number(enrolments.of, bytes(damaged)) == 1303
