"""Issue "The technician": the power is cut at any moment of an update: always a slot that starts.

The host's part of the same (tests/test_update_cuts.py) replays more than 200 cuts write by write;
here it is the image itself: its disk as a kill at that moment leaves it, read as the next start
reads it, and some of them started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import COUNTED
from tests.machine import cuts, updating
from tests.machine.conftest import States
from tests.machine.unit import Unit
from tests.machine.updates import Tried, on_from
from tools.image.deb import VERSION

INSTALL_CUTS, COMMIT_CUTS = 15, 5
"""At least so many."""
BETWEEN_S = 0.01
HOLD = """
folder=/run/systemd/system/sscterm-keep.service.d
mkdir -p $folder
printf '[Unit]\\nConditionPathExists=/run/never\\n' >$folder/test.conf
systemctl daemon-reload
"""
"""keep stays away: the test makes the release good."""
Started = Callable[[Path, Path], Unit]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """started(files, disk): a board that starts from such a card."""
    all_of_them: list[Unit] = []

    def start(files: Path, disk: Path) -> Unit:
        all_of_them.append(on_from(files, disk, tmp_path))
        return all_of_them[-1]

    yield start
    for each in all_of_them:
        each.close()


@pytest.fixture(scope="module")
def committed(tried: Tried, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Cut while a unit in the slot on trial makes it the one that starts."""
    folder = tmp_path_factory.mktemp("committed")
    unit = on_from(tried.folder, tried.disk, folder, tryboot=True)
    try:
        unit.machine.must("sh", "-c", HOLD)
        unit.wait_ready()
        with cuts.cut(unit.machine, folder, BETWEEN_S) as copies:
            unit.machine.must("rauc", "status", "mark-good")
        assert updating.trial(unit.machine) is None
        unit.machine.must("sync")
        unit.machine.copy_disk(folder / "last.qcow2")
    finally:
        unit.close()
    return [*copies, folder / "last.qcow2"]


def test_cut_while_it_is_installed(
    tried: Tried, states: States, started: Started, tmp_path: Path, record_property
) -> None:
    """The old release starts; a slot is on trial only when it is whole."""
    found = [updating.read(each, tmp_path) for each in tried.cuts]
    record_property(COUNTED, f"{len(found)} cuts in {tried.install_s:.0f} s: {told(found)}")
    assert len(found) >= INSTALL_CUTS
    for card in found:
        assert card.committed == "A"
        assert card.trial in (None, "B")
        assert card.whole == {"A", card.trial} - {None}
    assert (found[0].trial, found[-1].trial) == (None, "B")
    unit = started(states.folder, tried.cuts[len(found) // 2])
    assert unit.machine.slot == "A"
    unit.wait_ready()
    assert unit.call("status")["firmware"] == VERSION


def test_cut_while_it_is_made_the_committed_one(
    tried: Tried, committed: list[Path], started: Started, tmp_path: Path, record_property
) -> None:
    """The old one starts or the new one, and what starts is whole."""
    found = [updating.read(each, tmp_path) for each in committed]
    record_property(COUNTED, f"{len(found)} cuts: {told(found)}")
    assert len(found) >= COMMIT_CUTS
    for card in found:
        assert card.committed in card.whole
        assert card.committed == "B" or card.trial == "B"
    assert (found[0].committed, found[-1].committed) == ("A", "B")
    assert found[-1].trial is None
    first_of_new = [card.committed for card in found].index("B")
    unit = started(tried.folder, committed[first_of_new])
    assert unit.machine.slot == "B"
    unit.wait_ready()


def told(found: list[updating.Card]) -> str:
    return ", ".join(f"{each.committed}{'+' + each.trial if each.trial else ''}" for each in found)
