"""Issue 5.2: kept only if the self-test passes, else the old slot starts again by itself."""

from __future__ import annotations

import errno
import json
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import update_rig
from tools.update import autoboot, keep, preinstall, slots, state, version
from tools.update.places import Places
from tools.update.state import Trial

REASON = update_rig.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")
GOOD, BAD = {"ok": True}, {"ok": False, "parts": {"psam": "PSAM_MISSING"}}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    update_rig.fat(tmp_path / "p1", update_rig.BOOT_BYTES, {"autoboot.txt": autoboot.text("A")})
    for name in ("p2", "p3"):
        update_rig.fat(tmp_path / name, update_rig.BOOT_BYTES, {"cmdline.txt": update_rig.CMDLINE})
    made = Places(
        boot_a=tmp_path / "p2",
        boot_b=tmp_path / "p3",
        bootcfg=tmp_path / "p1",
        state=tmp_path / "update",
        floor=tmp_path / "version-floor",
        release=tmp_path / "release.json",
        booted_from=tmp_path / "partition",
        socket=tmp_path / "sock",
    )
    boots(made, "A", "1.0.0")
    return made


def boots(places: Places, slot: str, release: str) -> None:
    places.booted_from.write_bytes(struct.pack(">I", autoboot.PARTITIONS[slot]))
    places.release.write_text(update_rig.release_json(release))


class Machine:
    """Restarts are noted, time is its own."""

    def __init__(self, places: Places):
        self.places, self.restarts, self.now = places, list[bool](), 0.0
        self.mark_good: Callable[[], None] = lambda: slots.set_state(
            places, slots.current(places), "good"
        )

    def settle(self, *told: dict[str, Any]) -> int:
        """told: what the self-test says one after the other, the last one for ever."""
        left = list(told)
        return keep.settle(
            self.places,
            lambda: left.pop(0) if len(left) > 1 else left[0],
            self.mark_good,
            self.restarts.append,
            self.wait,
            lambda: self.now,
        )

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def begin(self, *granted: bool) -> int:
        left = list(granted)
        lease = lambda: left.pop(0) if len(left) > 1 else left[0]  # noqa: E731
        return keep.begin(self.places, lease, self.restarts.append, self.wait, lambda: self.now)


@pytest.fixture
def machine(places: Places) -> Machine:
    slots.set_primary(places, "B")
    return Machine(places)


def test_a_release_that_proves_itself_is_kept(machine: Machine, places: Places) -> None:
    assert machine.begin(True) == 0
    boots(places, "B", "1.1.0")
    assert machine.settle(BAD, BAD, GOOD) == 0  # readers take a while to come up
    assert autoboot.committed(places.bootcfg) == "B"
    assert places.floor.read_text() == "1.1.0"
    assert machine.restarts == [True]
    assert state.last_result(places) == {"kept": True, "slot": "B", "self_test": GOOD}


def test_one_that_does_not_falls_back_and_says_why(machine: Machine, places: Places) -> None:
    machine.begin(True)
    boots(places, "B", "1.1.0")
    assert machine.settle(BAD) == 1
    assert machine.restarts == [True, False]
    assert autoboot.committed(places.bootcfg) == "A"
    assert not places.floor.exists()
    assert (state.trial(places), state.slot_state(places, "B")) == (None, "bad")
    assert state.last_result(places) == {"kept": False, "slot": "B", "self_test": BAD}


FAULTS = [
    subprocess.CalledProcessError(1, "rauc"),
    subprocess.TimeoutExpired("rauc", 120),
    OSError(errno.ENOSPC, "no space"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_cannot_be_marked_good_falls_back(
    fault: Exception, machine: Machine, places: Places
) -> None:
    """Whatever rauc's service, or the data partition, does then."""
    machine.begin(True)
    boots(places, "B", "1.1.0")
    machine.mark_good = failing(fault)
    assert machine.settle(GOOD) == 1
    assert machine.restarts == [True, False]
    assert autoboot.committed(places.bootcfg) == "A"
    assert (state.trial(places), state.slot_state(places, "B")) == (None, "bad")
    told = state.last_result(places) or {}
    assert (told["kept"], told["slot"]) == (False, "B")
    assert str(fault) in str(told["why"])


@pytest.mark.parametrize("fault", FAULTS)
def test_what_fails_once_it_is_committed_leaves_no_slot_given_up(
    fault: Exception, machine: Machine, places: Places
) -> None:
    """It starts from then on, and the next start ends what is left."""
    machine.begin(True)
    boots(places, "B", "1.1.0")

    def half() -> None:
        autoboot.commit(places.bootcfg, "B")
        raise fault

    machine.mark_good = half
    with pytest.raises(type(fault)):
        machine.settle(GOOD)
    assert (machine.restarts, state.slot_state(places, "B")) == ([True], "good")
    assert machine.settle(BAD) == 0
    assert places.floor.read_text() == "1.1.0"
    assert state.trial(places) is None


def failing(fault: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise fault

    return fail


def test_one_that_hangs_is_given_up_at_the_next_start(machine: Machine, places: Places) -> None:
    machine.begin(True)
    assert machine.settle(GOOD) == 1  # the watchdog ended it: the firmware started A by itself
    assert autoboot.committed(places.bootcfg) == "A"
    assert (state.trial(places), state.slot_state(places, "B")) == (None, "bad")


def test_a_plain_start_before_the_try_loses_nothing(machine: Machine, places: Places) -> None:
    assert machine.settle(GOOD) == 0
    assert state.trial(places) == Trial("B")


def test_no_try_during_a_payment(machine: Machine, places: Places) -> None:
    assert machine.begin(False) == 2
    assert machine.restarts == []
    assert machine.now >= keep.BUSY_S
    assert state.trial(places) == Trial("B")
    assert machine.begin(False, False, True) == 0
    assert machine.restarts == [True]


@pytest.mark.parametrize("step", ["raise_floor", "set_trial"])
def test_cut_while_it_is_kept_the_next_start_ends_it(
    step: str, machine: Machine, places: Places, monkeypatch: Any
) -> None:
    machine.begin(True)
    boots(places, "B", "1.1.0")

    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(version if step == "raise_floor" else state, step, cut)
        with pytest.raises(KeyboardInterrupt):
            machine.settle(GOOD)
    assert machine.settle(BAD) == 0  # it was proved already
    assert places.floor.read_text() == "1.1.0"
    assert state.trial(places) is None


def test_the_committed_slot_is_never_marked_bad(places: Places) -> None:
    with pytest.raises(slots.SlotError):
        slots.set_state(places, "A", "bad")


def test_a_slot_that_was_never_on_trial_is_not_committed(places: Places) -> None:
    boots(places, "B", "1.1.0")
    with pytest.raises(slots.SlotError):
        slots.set_state(places, "B", "good")
    assert autoboot.committed(places.bootcfg) == "A"


def test_set_primary_takes_back_that_the_slot_was_bad(places: Places) -> None:
    slots.set_state(places, "B", "bad")
    slots.set_primary(places, "B")
    assert state.slot_state(places, "B") == "good"


@pytest.mark.parametrize("floor", ["", "garbage", "99", "1.2.3.4", "\x00" * 9])
def test_a_spoilt_floor_lets_no_older_release_in(
    floor: str, places: Places, tmp_path: Path
) -> None:
    boots(places, "A", "1.1.0")
    places.floor.write_text(floor)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "release.json").write_text(update_rig.release_json("1.0.9"))
    with pytest.raises(preinstall.RefusedError):
        preinstall.check(places, tmp_path / "bundle")


def test_the_floor_never_goes_down(places: Places) -> None:
    places.floor.write_text("3.0.0")
    version.raise_floor(places)
    assert places.floor.read_text() == "3.0.0"


@pytest.mark.parametrize("size", [511, 513, 0])
def test_an_autoboot_of_another_size_is_not_written(size: int, tmp_path: Path) -> None:
    update_rig.fat(tmp_path / "p1", update_rig.BOOT_BYTES, {"autoboot.txt": b"\n" * size})
    before = (tmp_path / "p1").read_bytes()
    with pytest.raises(autoboot.AutobootError):
        autoboot.commit(tmp_path / "p1", "B")
    assert (tmp_path / "p1").read_bytes() == before


@pytest.mark.parametrize(
    "words", [b"ro quiet\n", b"rauc.slot=A rauc.slot=A\n", b"rauc.slot=A".ljust(600)]
)
def test_a_cmdline_of_another_shape_is_not_written(words: bytes, tmp_path: Path) -> None:
    update_rig.fat(tmp_path / "p3", update_rig.BOOT_BYTES, {"cmdline.txt": words})
    before = (tmp_path / "p3").read_bytes()
    with pytest.raises(autoboot.AutobootError):
        autoboot.name_slot(tmp_path / "p3", "B")
    assert (tmp_path / "p3").read_bytes() == before


@pytest.mark.parametrize("answer", [{"result": {}}, {"error": {"code": -32002}}, None])
def test_the_lease_is_asked_of_the_card_process(answer: Any, tmp_path: Path) -> None:
    assert keep.ask_lease(tmp_path / "none")  # nobody is there: nothing is paid
    asked: list[Any] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()

        def serve() -> None:
            link, _ = listener.accept()
            with link, link.makefile("rb") as lines:
                asked.append(json.loads(lines.readline()))
                if answer is not None:
                    link.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode())

        thread = threading.Thread(target=serve)
        thread.start()
        granted = keep.ask_lease(tmp_path / "sock")
        thread.join(10)
    assert granted == (answer is not None and "result" in answer)
    assert asked[0]["method"] == "update.lease"
