"""Issue E.2: the unit itself refuses a bundle for another board, and says why without a log."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests import update_rig
from tools.image.layout import BOARDS
from tools.update import autoboot, preinstall, slots, state
from tools.update.places import VARIABLE, Places

REASON = update_rig.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")

# As `fdtget -t s ... / compatible` of Debian's device trees says it, and QEMU's.
MACHINES = {
    "Pi 3B": (b"raspberrypi,3-model-b\0brcm,bcm2837\0", "pi3"),
    "Pi 3B+": (b"raspberrypi,3-model-b-plus\0brcm,bcm2837\0", "pi3"),
    "Pi 3A+": (b"raspberrypi,3-model-a-plus\0brcm,bcm2837\0", "pi3"),
    "Pi 4B": (b"raspberrypi,4-model-b\0brcm,bcm2711\0", "pi4"),
    "Pi 400": (b"raspberrypi,400\0brcm,bcm2711\0", "pi4"),
    "CM4": (b"raspberrypi,4-compute-module\0brcm,bcm2711\0", "cm4"),
    "Zero 2 W": (b"raspberrypi,model-zero-2-w\0brcm,bcm2837\0", "zero2w"),
}
NONE_OF_OURS = {
    "QEMU": b"linux,dummy-virt\0",
    "CM3": b"raspberrypi,3-compute-module\0brcm,bcm2837\0",
    "a longer name": b"raspberrypi,4-model-bx\0",
    "no names": b"",
    "no text": b"\xff\xfe\0",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(
        bootcfg=tmp_path / "p1",
        state=tmp_path / "update",
        floor=tmp_path / "version-floor",
        release=tmp_path / "release.json",
        booted_from=tmp_path / "partition",
        machine=tmp_path / "compatible",
    )
    update_rig.fat(made.bootcfg, update_rig.BOOT_BYTES, {"autoboot.txt": autoboot.text("A")})
    made.booted_from.write_bytes(struct.pack(">I", autoboot.PARTITIONS["A"]))
    made.release.write_text(update_rig.release_json("1.0.0"))
    return made


def bundle(folder: Path, *boards: str) -> Path:
    """What RAUC mounted."""
    (folder / "bundle").mkdir(exist_ok=True)
    told = update_rig.release_json("1.1.0", boards=boards)
    (folder / "bundle" / "release.json").write_text(told)
    return folder / "bundle"


@pytest.mark.parametrize("name", MACHINES)
def test_a_board_takes_what_names_it_and_nothing_else(
    name: str, places: Places, tmp_path: Path
) -> None:
    words, board = MACHINES[name]
    places.machine.write_bytes(words)
    preinstall.check(places, bundle(tmp_path, board))
    others = [each for each in BOARDS if each != board]
    with pytest.raises(preinstall.RefusedError) as caught:
        preinstall.check(places, bundle(tmp_path, *others))
    assert caught.value.about == preinstall.BOARD
    assert str(caught.value) == f"the bundle is for {' '.join(others)}, this board is {board}"


@pytest.mark.parametrize("name", [*NONE_OF_OURS, "no device tree"])
def test_a_machine_that_is_no_board_of_ours_is_told_and_let_in(
    name: str, places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in NONE_OF_OURS:
        places.machine.write_bytes(NONE_OF_OURS[name])
    preinstall.check(places, bundle(tmp_path, "pi4"))
    assert "no board of ours" in capsys.readouterr().out


@pytest.mark.parametrize("said", ['"pi4"', "[1]", "null", '{"pi4": 1}'])
def test_a_bundle_that_names_no_boards_is_refused(
    said: str, places: Places, tmp_path: Path
) -> None:
    file = bundle(tmp_path) / "release.json"
    file.write_text(file.read_text().replace("[]", said))
    with pytest.raises(ValueError, match="names no boards"):
        preinstall.check(places, file.parent)


def test_why_it_was_refused_outlives_the_handler(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAUC itself says only that a handler failed."""
    places.machine.write_bytes(MACHINES["Zero 2 W"][0])
    monkeypatch.setattr(preinstall, "from_environment", lambda: places)
    monkeypatch.setenv(preinstall.MOUNTED, str(bundle(tmp_path, "pi4")))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert preinstall.main() == 1
    assert state.last_result(places) == {
        "kept": False, "refused": "board", "why": "the bundle is for pi4, this board is zero2w",
    }  # fmt: skip


def test_a_release_that_was_written_and_cannot_be_named_says_so(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cmdline.txt of the new boot partition has another shape: RAUC left the slot bad."""
    boot = tmp_path / "p3"
    update_rig.fat(boot, update_rig.BOOT_BYTES, {"cmdline.txt": b"ro quiet\n"})
    made = Places(**{**vars(places), "boot_b": boot})
    monkeypatch.setattr(slots, "from_environment", lambda: made)
    slots.set_state(made, "B", "bad")
    assert slots.main(["set-primary", "B"]) == 1
    told = state.last_result(made) or {}
    assert (told["kept"], told["slot"]) == (False, "B")
    assert str(told["why"]).startswith("it was written and cannot be started: CMDLINE TXT")
    assert (state.trial(made), state.slot_state(made, "B")) == (None, "bad")
