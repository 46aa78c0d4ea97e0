"""Issue "The technician": an update in the machine, by its own rauc, from a signed verity bundle.

Tried, kept only if the unit proves itself, left by itself otherwise; never during a payment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import audit
from tests.machine import releases, updating
from tests.machine.conftest import States
from tests.machine.image import IMAGE
from tests.machine.test_watchdog import WATCHDOG
from tests.machine.unit import Unit
from tests.machine.updates import NEWER, Tried, on_from, records_of
from tools.image import signers
from tools.image.deb import VERSION
from tools.image.signers import Signer
from tools.update import bundle

OLDER, BROKEN = "0.0.1", "99.0.0"
DAEMON = f"/{releases.HOME}/firmware/__main__.py"
At = Callable[[Path], Unit]
SMALL_BYTES = 65_536


@pytest.fixture
def start(states: States, tried: Tried, tmp_path: Path) -> Iterator[Callable[[], Unit]]:
    """start(): the tried unit with the flag it asked for, in slot B if that was the right one."""
    started: list[Unit] = []

    def on_trial() -> Unit:
        is_tryboot = tried.words == updating.TRYBOOT
        started.append(on_from(tried.folder, tried.disk, tmp_path, tryboot=is_tryboot))
        started[-1].before = audit.money_of(states.folder / "region.json")
        return started[-1]

    yield on_trial
    for each in started:
        each.close()


def test_no_release_is_tried_during_a_payment(tried: Tried) -> None:
    assert tried.held
    assert tried.paid["state"] == "DONE", tried.paid
    assert tried.words == updating.TRYBOOT


def test_until_it_is_kept_a_plain_start_takes_the_old_one(tried: Tried, tmp_path: Path) -> None:
    card = updating.read(tried.disk, tmp_path)
    assert (card.committed, card.trial, card.whole) == ("A", "B", {"A", "B"})


def test_a_release_that_proves_itself_is_kept_with_every_record(
    tried: Tried, start: Callable[[], Unit]
) -> None:
    unit = start()
    assert unit.machine.slot == "B"
    unit.wait_ready()
    told = updating.result(unit.machine)
    assert (told["kept"], told["slot"]) == (True, "B"), told
    assert set(told["self_test"]["parts"].values()) == {"ok"}
    assert unit.machine.must("systemctl", "--failed", "--plain", "--no-legend") == ""
    assert unit.machine.must("cat", "/data/version-floor") == NEWER
    assert unit.call("status")["firmware"] == NEWER
    assert records_of(unit)[: len(tried.records)] == tried.records
    unit.pull()
    unit.check_money(1)
    unit.cut_power()
    unit.start()
    assert unit.machine.slot == "B"
    unit.wait_ready()
    assert unit.call("status")["firmware"] == NEWER
    assert updating.trial(unit.machine) is None


def test_an_older_or_a_foreign_bundle_is_refused_by_the_unit(
    states: States, at: At, signer: Signer, tmp_path: Path
) -> None:
    """Of a few bytes: what they are refused for is looked at before what they hold."""
    images = {name: tmp_path / name for name in ("boot", "system")}
    for each in images.values():
        each.write_bytes(os.urandom(SMALL_BYTES))
    foreign = signers.for_tests(tmp_path, "foreign")
    unit = at(states.ready)
    for by, version, reason in (
        (signer, OLDER, f"{OLDER} is older than {VERSION}"),
        (foreign, BROKEN, "signature verification failed"),
    ):
        target = tmp_path / f"{version}.raucb"
        bundle.make(
            images, version, target,
            certificate=by.certificate, key=str(by.key), authority=by.authority,
        )  # fmt: skip
        status, said = updating.install(unit.machine, updating.stick(target))
        assert status != 0, said
        assert reason in said, said
        assert updating.trial(unit.machine) is None
    unit.cut_power()
    card = updating.read(unit.machine.disk, tmp_path)
    assert (card.committed, card.trial, card.whole) == ("A", None, {"A"})


def test_one_whose_daemon_is_broken_is_left_by_itself(
    states: States, at: At, signer: Signer, tmp_path: Path
) -> None:
    """Issue: it is done when an update that breaks the daemon rolls back by itself."""
    broken = {DAEMON: b'raise SystemExit("broken by a test")\n'}
    made = releases.make(IMAGE, tmp_path, BROKEN, signer, broken)
    unit = at(states.ready)
    unit.insert()
    assert unit.pay("BEFORE-1")["state"] == "DONE"
    unit.remove()
    status, said = updating.install(unit.machine, updating.stick(made.bundle))
    assert status == 0, said
    updating.begin(unit.machine, "try", *updating.KEEP, "--try")
    assert unit.machine.wait_off(updating.KEPT_S) == updating.TRYBOOT
    unit.release()
    unit.start(tryboot=True)
    assert unit.machine.slot == "B"
    assert unit.machine.wait_off(updating.KEPT_S) == ""  # by itself, to what is committed
    unit.release()
    unit.start()
    assert unit.machine.slot == "A"
    told = updating.result(unit.machine)
    assert (told["kept"], told["slot"]) == (False, "B"), told
    assert updating.trial(unit.machine) is None
    unit.wait_ready()
    assert unit.call("status")["firmware"] == VERSION
    unit.insert()
    assert unit.pay("AFTER-1")["state"] == "DONE"
    unit.remove()
    unit.pull()
    unit.check_money(2)


@pytest.mark.long
def test_one_that_hangs_is_ended_by_the_watchdog_and_left(start: Callable[[], Unit]) -> None:
    """The kernel stops while the release is on trial; nothing but the watchdog is left to act."""
    unit = start()
    assert unit.machine.slot == "B"
    once_there_is_a_bus = f"until {' '.join(WATCHDOG)} 15000000; do sleep 0.2; done"
    unit.machine.must("sh", "-c", once_there_is_a_bus)
    unit.machine.must("sh", "-c", "echo 0 >/proc/sys/kernel/panic")
    unit.hang()
    assert unit.machine.wait_event("WATCHDOG")["action"] == "reset"
    unit.machine.wait_off()
    unit.release()
    unit.start()
    assert unit.machine.slot == "A"
    told = updating.result(unit.machine)
    assert told == {"kept": False, "slot": "B", "why": "it did not start"}
    unit.wait_ready()
    assert unit.call("status")["firmware"] == VERSION
    unit.pull()
    unit.check_money(1)
