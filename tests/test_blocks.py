"""Issue, section 11: application and card block with LK and BK, two operators, journaled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.host.rpc import RpcError
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from simulator.region import Region
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.operator_rig import PAIR, Counter

APPLICATION_BLOCK, CARD_BLOCK = 0x1E, 0x16
ACTS = {
    "application.block": (APPLICATION_BLOCK, {"application": "DF04"}),
    "card.block": (CARD_BLOCK, {}),
}


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    made = Counter(tmp_path)
    made.log_on_both()
    return made


def is_blocked(card: Any, act: str) -> bool:
    return bool(card.memory.blocked if act == "card.block" else card.memory.blocked_dfs == ["DF04"])


def block(counter: Counter, act: str, run_s: float = 2.0, **how: str) -> str:
    return counter.call(act, run_s, **(PAIR | ACTS[act][1] | how))


@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
@pytest.mark.parametrize("act", ACTS)
def test_a_block_is_for_ever_and_journaled_with_both(
    tmp_path: Path, act: str, algorithm: str
) -> None:
    counter = Counter(tmp_path, region=Region("510100", seed="TEST", algorithm=algorithm))
    counter.log_on_both()
    card = counter.put()
    assert block(counter, act) == "SERVED"
    assert is_blocked(card, act)
    body = counter.newest()
    assert (body[rec.KEY_OPERATOR], body[rec.KEY_SECOND]) == ("ann", "bob")
    assert (body[rec.KEY_DETAIL], body[rec.KEY_CARD_ID]) == (act, card.card_id)
    refused = {"application.block": "APPLICATION_LOCKED", "card.block": "CARD_BLOCKED"}[act]
    assert counter.pay("A-1", "ann") == refused


def test_each_application_by_its_name(counter: Counter) -> None:
    card = counter.put()
    assert block(counter, "application.block", application="DF03") == "SERVED"
    assert card.memory.blocked_dfs == ["DF03"]


def test_a_card_out_of_date_can_still_be_blocked(counter: Counter) -> None:
    card = counter.put(expiry="20210101")
    assert block(counter, "card.block") == "SERVED"
    assert card.memory.blocked


@pytest.mark.parametrize(
    ("act", "key", "name"),
    [
        ("card.block", "08-11", "BK"),
        ("application.block", "08-41", "LKDF04"),
        ("application.block", "06-23", "STKDF04"),
    ],
)
def test_a_psam_without_the_key_says_which(counter: Counter, act: str, key: str, name: str) -> None:
    card = counter.put()
    del counter.psam.memory.environments[0].keys[key]
    assert block(counter, act) == "PSAM_KEY_MISSING"
    assert name in counter.newest()[rec.KEY_DETAIL]
    assert not is_blocked(card, act)


@pytest.mark.parametrize("act", ACTS)
def test_two_people_who_may_are_needed(counter: Counter, act: str) -> None:
    card = counter.put()
    assert block(counter, act, second="ann") == "SECOND_OPERATOR_NEEDED"
    counter.log_on("cid")
    assert block(counter, act, second="cid") == "OPERATOR_NOT_ALLOWED"
    assert not is_blocked(card, act)


def test_no_other_application(counter: Counter) -> None:
    with pytest.raises(RpcError):
        counter.desk.methods()["application.block"](**PAIR, application="DF01")


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("act", ACTS)
def test_a_torn_block_is_told_by_what_the_card_shows(counter: Counter, act: str, when: str) -> None:
    card = counter.put()
    counter.world.slot("user").arm(Cut(ACTS[act][0], 1, when))

    def put_back() -> None:
        if counter.world.slot_of(card.label) is None:
            counter.world.insert("user", card.label)

    counter.plan(1.0, put_back)
    name = block(counter, act, 8)
    assert name == ("NOT_BLOCKED" if when == BEFORE else "SERVED")
    assert is_blocked(card, act) == (name == "SERVED")
    assert counter.newest()[rec.KEY_OUTCOME] == outcome(name).number


@pytest.mark.parametrize("act", ACTS)
def test_a_card_that_stays_away_is_uncertain(counter: Counter, act: str) -> None:
    counter.put()
    counter.world.slot("user").arm(Cut(ACTS[act][0], 1, AFTER))
    assert block(counter, act, 8) == "BLOCK_UNCERTAIN"
