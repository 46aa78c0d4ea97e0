"""Issue 5.2: an update restarts the unit between payments only, and is kept only if it works."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.services import SERVICES
from firmware.authorize.updating import MOST_S, self_test
from firmware.host import desk as desks
from firmware.host.rpc import RpcError
from firmware.journal import batch
from tests.loop_rig import Loop, issue, name_of, with_psam
from tests.waiting import SOON_S


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return with_psam(tmp_path)


def held(loop: Loop, seconds: int) -> dict[str, Any]:
    """A host's lease, granted by the loop."""
    told: list[dict[str, Any]] = []
    host = threading.Thread(target=lambda: told.append(loop.desk.lease(seconds)))
    loop.terminal.state = "idle"
    host.start()
    while not len(loop.jobs):
        assert host.is_alive()
    loop.terminal._serve_next()
    host.join(SOON_S)
    return told[0]


def test_while_an_update_holds_the_unit_no_payment_begins(loop: Loop) -> None:
    assert held(loop, 60)["held_s"] == 60
    card = issue(loop)
    loop.world.insert("user", card.label)
    asked = loop.ask()
    shown = loop.run(5)
    assert name_of(asked) == "BUSY"
    assert shown == ["UPDATING"]
    assert card.balance_fen == 100_000
    assert "INTENT" not in loop.rig.kinds()


def test_a_service_at_the_card_waits_too(loop: Loop) -> None:
    held(loop, 60)
    asked = loop.jobs.submit(desks._checked_call("balance", {}))
    loop.run(1)
    assert asked is not None
    assert name_of(asked) == "BUSY"


def test_a_lease_ends_by_itself_and_the_unit_pays_again(loop: Loop) -> None:
    held(loop, 2)
    card = issue(loop)
    loop.plan(3, loop.insert(card.label))
    asked: list[Any] = []
    loop.plan(2.5, lambda: asked.append(loop.ask()))
    loop.world.holder.type_pin("123456")
    loop.run(12)
    assert name_of(asked[0]) == "APPROVED"


def test_it_is_given_back(loop: Loop) -> None:
    held(loop, 60)
    held(loop, 0)
    assert not loop.unit.is_held


def test_busy_while_anything_is_served_or_waits(loop: Loop) -> None:
    loop.terminal.state = "idle"
    loop.ask()
    with pytest.raises(RpcError) as caught:
        loop.desk.lease(60)
    assert caught.value.code == desks.BUSY
    loop.jobs.take()
    with pytest.raises(RpcError):
        loop.desk.lease(60)


@pytest.mark.parametrize("state", ["reading", "serving", "starting"])
def test_busy_while_a_card_is_spoken_to_without_a_job(loop: Loop, state: str) -> None:
    loop.terminal.state = state
    with pytest.raises(RpcError) as caught:
        loop.desk.lease(60)
    assert caught.value.code == desks.BUSY


@pytest.mark.parametrize("seconds", [-1, MOST_S + 1, "60", None, True])
def test_a_lease_is_bounded(loop: Loop, seconds: Any) -> None:
    with pytest.raises(ValueError, match="seconds"):
        SERVICES["update.lease"].check({"seconds": seconds})


def test_the_self_test_of_a_good_unit_seals_a_batch(loop: Loop) -> None:
    loop.run(1)
    before = len(loop.unit.journal.rows("SELECT batch FROM batches"))
    result, told = self_test(loop.unit, {})
    assert (result.name, set(told["parts"].values())) == ("SERVED", {None})
    assert told["newest_ms"] == loop.unit.journal.records(limit=1)[-1].time_ms
    assert len(loop.unit.journal.rows("SELECT batch FROM batches")) == before + 1
    assert self_test(loop.unit, {})[0].name == "SERVED"  # nothing is left to seal: good, too


def broken_seal(*_: Any, **__: Any) -> None:
    raise OSError("no key")


def test_the_self_test_names_the_part_that_fails(loop: Loop, monkeypatch: Any) -> None:
    loop.run(1)
    loop.world.slot("psam").remove()
    monkeypatch.setattr(batch, "seal", broken_seal)
    loop.unit.readers = [Gone()]  # type: ignore[list-item]
    result, told = self_test(loop.unit, {})
    assert result.name == "UNIT_FAULT"
    parts = told["parts"]
    assert parts["batch"] == "no key"
    assert parts["reader"] == "unplugged"
    assert parts["psam"]
    assert parts["journal"] is None


class Gone:
    def cards_in_reach(self) -> int:
        raise OSError("unplugged")
