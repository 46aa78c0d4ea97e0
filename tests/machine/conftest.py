"""One image, one machine started from it as a board starts, its saved states; for every case."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine import image, vm
from tests.machine.provisioned import new_world, provision
from tests.machine.unit import Unit
from tests.machine.updates import newer, signer, tried

__all__ = ("newer", "signer", "tried")  # fixtures of the update cases

START = 3600
"""Seconds for a test that starts a machine; the first one boots it."""


@dataclass(frozen=True)
class States:
    """ready: READY, no card in the reader.  cold: no service of ours runs, /data is not mounted.

    folder: region.json and office/ of that moment.  card: the disk as flash.py left it.
    """

    folder: Path
    card: Path
    phases: dict[str, float]

    @property
    def ready(self) -> Path:
        return self.folder / "ready"

    @property
    def cold(self) -> Path:
        return self.folder / "cold"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="of the machine during purchases")


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--kills"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = image.missing()
    for each in items:
        if "tests/machine" in str(each.path):
            each.add_marker(pytest.mark.timeout(START))
            if reason:
                each.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    folder = tmp_path_factory.mktemp("machine")
    card = provision(image.IMAGE, folder)
    new_world(folder)
    unit = Unit(folder, vm.overlay(card, folder / "first.qcow2"))
    try:
        unit.wait_ready()
        phases = unit.phases()
        unit.enrol()
        unit.pull()
        unit.save(folder / "ready")
        unit.start(folder / "ready")
        unit.go_cold()
        unit.save(folder / "cold")
    finally:
        unit.close()
    return States(folder, card, phases)


@pytest.fixture
def at(states: States, tmp_path: Path) -> Iterator[Callable[[Path], Unit]]:
    """at(states.ready): a unit that goes on from there, with files of its own."""
    started: list[Unit] = []

    def on_from(state: Path) -> Unit:
        shutil.copy(states.folder / "region.json", tmp_path)
        shutil.copytree(states.folder / "office", tmp_path / "office")
        disk = vm.overlay(state / "disk.qcow2", tmp_path / "disk.qcow2")
        started.append(Unit(tmp_path, disk, state))
        return started[-1]

    yield on_from
    for each in started:
        each.close()
