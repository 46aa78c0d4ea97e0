"""A unit that was told to try a newer release, for the update cases: fixtures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine import cuts, releases, updating, vm
from tests.machine.image import IMAGE
from tests.machine.unit import PAY_S, PIN, Unit
from tools.image import signers
from tools.image.signers import Signer

if TYPE_CHECKING:
    from tests.machine.conftest import States

NEWER = "98.0.0"
CUT_EACH_S = 0.7
WATCHED_S = 20.0
"""So long a payment is looked at while an update waits for it: four times what keep.py waits."""


@dataclass(frozen=True)
class Tried:
    """A unit that was told to try a release: off, before the board's firmware has its turn.

    folder: region.json and office/ of then.  install_s: what rauc took.  cuts: disks as cuts of
    the power meanwhile would have left them.
    records: of its journal, before.  words: that it said with `reboot`.  held: whether it waited
    for the payment that was under way.  paid: its answer.
    """

    folder: Path
    disk: Path
    install_s: float
    cuts: list[Path]
    records: list[dict[str, Any]]
    words: str
    held: bool
    paid: dict[str, Any]


def records_of(unit: Unit) -> list[dict[str, Any]]:
    return list(unit.call("records", after=0, limit=200)["records"])


def on_from(source: Path, disk: Path, folder: Path, **how: Any) -> Unit:
    """A unit with files of its own."""
    shutil.copy(source / "region.json", folder)
    shutil.copytree(source / "office", folder / "office")
    return Unit(folder, vm.overlay(disk, folder / "disk.qcow2"), **how)


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Whose releases the image trusts."""
    return signers.for_tests(IMAGE.resolve().parent)


@pytest.fixture(scope="session")
def newer(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = releases.make(IMAGE, tmp_path_factory.mktemp("newer"), NEWER, signer)
    return updating.stick(made.bundle)


@pytest.fixture(scope="session")
def tried(states: States, newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    made = _try(states, newer, tmp_path_factory.mktemp("tried"))
    yield made
    for each in made.cuts:
        each.unlink()


def _try(states: States, newer: Path, folder: Path) -> Tried:
    """Installed; told to try it while a payment is under way, which is not pulled then."""
    unit = on_from(states.folder, states.ready / "disk.qcow2", folder, state=states.ready)
    try:
        began = time.monotonic()
        with cuts.cut(unit.machine, folder, CUT_EACH_S) as copies:
            status, said = updating.install(unit.machine, newer)
        install_s = time.monotonic() - began
        assert status == 0, said
        unit.machine.must("sync")
        copies.append(folder / "installed.qcow2")
        unit.machine.copy_disk(copies[-1])
        unit.insert()
        unit.world.holder.forget()  # has to think
        paying = unit.begin_order("BUSY-1")
        unit.wait_screen("ENTER_PIN")
        updating.begin(unit.machine, "try", *updating.KEEP, "--try")
        held = waits(unit)
        unit.world.holder.type_pin(PIN)
        paid = paying.result(PAY_S)
        records = records_of(unit)
        unit.remove()
        words = unit.machine.wait_off(updating.KEPT_S)
        return Tried(
            folder, unit.machine.disk, install_s, copies, records, words, held, paid
        )  # fmt: skip
    finally:
        unit.close()


def waits(unit: Unit) -> bool:
    """The whole time: keep is there, and has not begun to try."""
    ends = time.monotonic() + WATCHED_S
    while time.monotonic() < ends:
        is_there = unit.machine.run("systemctl", "is-active", "try").out.strip() == "active"
        if not is_there or updating.trial(unit.machine) != {"slot": "B", "was_started": False}:
            return False
    return True
