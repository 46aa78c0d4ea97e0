"""M4, issue section 5: operators come down as a signed list, log on, time out, are locked out."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.authorize.operators import Operators
from firmware.authorize.service import ServiceCall
from firmware.host.rpc import RpcError
from firmware.journal import kinds as rec
from firmware.journal.cose import Ed25519Signer
from firmware.outcome import Outcome, outcome
from tests.loop_rig import issue
from tests.operator_rig import COST, PASSWORDS, Counter, row, rows

TIMEOUT_S = 900.0


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path)


def number_of(counter: Counter) -> int | str:
    found = counter.unit.operators
    return found.name if isinstance(found, Outcome) else found.number


# -- the list ------------------------------------------------------------------------------------


def test_a_signed_list_comes_down_is_journaled_and_survives_a_start(counter: Counter) -> None:
    assert number_of(counter) == 1
    counter.restart()
    counter.inbox.operators.look()
    assert number_of(counter) == 1
    applied = [e for e in counter.unit.journal.records(0, 100) if e.kind == rec.KIND_APPLIED]
    assert [(e.body[rec.KEY_WHAT], e.body[rec.KEY_LAST]) for e in applied] == [("operators", 1)]


def test_a_strangers_list_and_an_older_one_change_nothing(counter: Counter) -> None:
    counter.send_list(5, rows())
    counter.send_list(9, [], signer=Ed25519Signer(b"a stranger's key, invented also!"))
    assert number_of(counter) == 5
    counter.send_list(4, [])
    assert number_of(counter) == 5
    refused = [each.body[rec.KEY_OUTCOME] for each in counter.services()]
    assert refused == [
        outcome("OPERATOR_LIST_REFUSED").number,
        outcome("NEWER_OPERATOR_LIST_HELD").number,
    ]


GOOD = row("ann", ["pay"], "test password")
BAD_BODIES = {
    "no map": [1],
    "no cost": {2: []},
    "no people": {1: COST},
    "odd cost": {1: [3, 1, 1], 2: []},
    "no cost at all": {1: [1, 1, 1], 2: []},
    "greedy": {1: [1 << 20, 8, 1], 2: []},
    "slow": {1: [2, 1, 5], 2: []},
    "code twice": {1: COST, 2: [GOOD, GOOD]},
    "no code": {1: COST, 2: [["", *GOOD[1:]]]},
    "code not shown": {1: COST, 2: [["a\n", *GOOD[1:]]]},
    "rights are numbers": {1: COST, 2: [[*GOOD[:2], [1], *GOOD[3:]]]},
    "short salt": {1: COST, 2: [[*GOOD[:3], b"", GOOD[4]]]},
    "short hash": {1: COST, 2: [[*GOOD[:4], b""]]},
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_list_of_another_shape_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"operator|scrypt"):
        Operators(1, BAD_BODIES[name])


ANY = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers(0, 3), inner),
    max_leaves=12,
)


@given(ANY)
def test_any_signed_body_is_a_list_or_a_value_error(body: object) -> None:
    with contextlib.suppress(ValueError):
        Operators(1, body)


def test_no_hash_is_shown(counter: Counter) -> None:
    assert isinstance(counter.unit.operators, Operators)
    ann = counter.unit.operators.find("ann")
    assert ann is not None
    assert ann.digest.hex() not in repr(ann)
    assert repr(ann.digest) not in repr(ann)


# -- log-on --------------------------------------------------------------------------------------


def test_m4_log_on_tells_name_and_rights_and_is_journaled(counter: Counter) -> None:
    assert counter.log_on("ann") == "SERVED"
    assert counter.told == {
        "name": "Ann",
        "rights": ["block", "pay", "pin", "tamper"],
        "timeout_s": 900,
    }
    assert counter.call("operator.logoff", code="ann") == "SERVED"
    assert [(e.body[rec.KEY_OPERATOR], e.body[rec.KEY_DETAIL]) for e in counter.services()] == [
        ("ann", "operator.logon"),
        ("ann", "operator.logoff"),
    ]
    assert counter.call("operator.logoff", code="ann") == "OPERATOR_NOT_LOGGED_ON"


def test_a_wrong_password_and_an_unknown_code_are_answered_alike(counter: Counter) -> None:
    assert counter.log_on("ann", "wrong") == "OPERATOR_REFUSED"
    assert counter.told == {}
    assert counter.log_on("nobody", "wrong") == "OPERATOR_REFUSED"
    assert counter.told == {}


def test_what_was_typed_as_an_unknown_code_is_not_journaled(counter: Counter) -> None:
    """People type their password there."""
    counter.log_on(PASSWORDS["ann"], "x")
    assert counter.newest()[rec.KEY_OPERATOR] == "-"


def test_m4_wrong_passwords_lock_a_code_out_for_a_time(counter: Counter) -> None:
    for _ in range(4):
        assert counter.log_on("ann", "wrong") == "OPERATOR_REFUSED"
    assert counter.log_on("ann", "wrong") == "OPERATOR_LOCKED"
    assert counter.newest()[rec.KEY_OUTCOME] == outcome("OPERATOR_LOCKED").number
    count = len(counter.services())
    assert counter.log_on("ann") == "OPERATOR_LOCKED", "even with the right one"
    assert len(counter.services()) == count, "whoever goes on does not fill the journal"
    assert counter.log_on("bob") == "SERVED"
    counter.hands.now_s += 900
    assert counter.log_on("ann") == "SERVED"


def test_a_right_password_starts_the_count_anew(counter: Counter) -> None:
    for _ in range(3):
        for _ in range(4):
            counter.log_on("ann", "wrong")
        assert counter.log_on("ann") == "SERVED"


def test_unknown_codes_share_one_count(counter: Counter) -> None:
    told = [counter.log_on(f"guess {at}", "x") for at in range(6)]
    assert told == ["OPERATOR_REFUSED"] * 4 + ["OPERATOR_LOCKED"] * 2


def test_a_lockout_ends_the_session(counter: Counter) -> None:
    counter.log_on("ann")
    for _ in range(5):
        counter.log_on("ann", "wrong")
    assert counter.call("operator.logoff", code="ann") == "OPERATOR_NOT_LOGGED_ON"


@pytest.mark.parametrize("params", [{"code": "ann"}, {"code": "ann", "password": ""}, {"code": 1}])
def test_a_log_on_of_another_shape_is_refused_without_a_value(
    counter: Counter, params: dict[str, Any]
) -> None:
    with pytest.raises(RpcError) as refused:
        counter.desk.methods()["operator.logon"](**params)
    assert "ann" not in str(refused.value)


def test_no_password_in_log_journal_display_answer_or_repr(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue, section 5: password never logged or journaled."""
    caplog.set_level(logging.DEBUG)
    secret = PASSWORDS["ann"]
    counter.log_on("ann")
    told = repr(counter.told)
    counter.log_on("bob", secret)
    counter.unit.journal.checkpoint()
    data_dir = counter.rig.board.unit.data_dir
    held = [path.read_bytes() for path in data_dir.rglob("*") if path.is_file()]
    assert any(b"operator.logon" in each for each in held), "the search finds what is there"
    assert not any(secret.encode() in each for each in held)
    shown = repr(counter.display.since()) + repr(counter.fields)
    call = repr(ServiceCall("operator.logon", {"code": "ann", "password": secret}))
    assert secret not in caplog.text + told + shown + call


# -- who takes a payment -------------------------------------------------------------------------


@pytest.fixture
def strict(tmp_path: Path) -> Counter:
    made = Counter(tmp_path, "required = true")
    issue(made)
    return made


def test_where_it_is_required_a_payment_needs_its_operator_logged_on(strict: Counter) -> None:
    assert strict.pay("A-1", "cid") == "OPERATOR_NOT_LOGGED_ON"
    assert strict.rig.result("A-1")["state"] == "DECLINED"
    strict.log_on("cid")
    assert strict.pay("A-2", "cid") == "APPROVED"
    assert strict.pay("A-3", "ann") == "OPERATOR_NOT_LOGGED_ON"
    assert strict.pay("A-4", "stranger") == "OPERATOR_NOT_LOGGED_ON"


def test_a_session_ends_after_its_time_and_use_prolongs_it(strict: Counter) -> None:
    strict.log_on("cid")
    strict.hands.now_s += TIMEOUT_S - 10
    assert strict.pay("A-1", "cid") == "APPROVED"
    strict.hands.now_s += TIMEOUT_S - 10
    assert strict.pay("A-2", "cid") == "APPROVED"
    strict.hands.now_s += TIMEOUT_S
    assert strict.pay("A-3", "cid") == "OPERATOR_NOT_LOGGED_ON"


def test_a_new_list_ends_the_sessions_of_whoever_it_changes(strict: Counter) -> None:
    strict.log_on("cid")
    strict.send_list(2, [row("cid", ["pin"], PASSWORDS["cid"])])
    assert strict.pay("A-1", "cid") == "OPERATOR_NOT_LOGGED_ON"
    strict.log_on("cid")
    assert strict.pay("A-2", "cid") == "OPERATOR_NOT_ALLOWED"


def test_by_default_no_operator_is_needed(counter: Counter) -> None:
    issue(counter)
    assert counter.pay("A-1", "anyone") == "APPROVED"
