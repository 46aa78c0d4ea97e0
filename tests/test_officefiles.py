"""The office's keys, this unit's stop, parameters and a coming update, as signed files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import filekeeper
from firmware.authorize.condition import idle_message, told
from firmware.authorize.officekeys import OfficeKeys
from firmware.authorize.service import admitted
from firmware.authorize.services import SERVICES
from firmware.journal import kinds as rec
from firmware.journal import spool
from firmware.journal.cose import Ed25519Signer
from firmware.journal.schema import JournalError, JournalFullError
from firmware.journal.signedfile import make_signed_file
from tests.rig import Rig

OFFICE = Ed25519Signer(b"test office key, invented here!!")
SECOND = Ed25519Signer(b"test office key no 2, invented!!")
THIRD = Ed25519Signer(b"test office key no 3, invented!!")
STRANGER = Ed25519Signer(b"a stranger's key, invented also!")
SEALING = bytes(range(32))
EDIT = {"[clock]\n": '[office]\npublic_key = "office.pub"\n[clock]\n'}


def signed(what: str, number: int, body: object, signer: Any = OFFICE) -> bytes:
    return make_signed_file(what=what, number=number, issued_ms=1, body=body, signer=signer)


def next_key(number: int, new: Any, by: Any, before: bytes | None = None, **more: Any) -> bytes:
    body: dict[int, Any] = {1: new.public_key, 2: SEALING}
    if before is not None:
        body[3] = before
    return signed("officekey", number, body | more.get("body", {}), by)


FIRST_CHANGE = next_key(1, SECOND, OFFICE)
SECOND_CHANGE = next_key(2, THIRD, SECOND, FIRST_CHANGE)


def make_rig(folder: Path, office: Any = OFFICE) -> Rig:
    (folder / "office.pub").write_text(office.public_key.hex())
    return Rig(folder, edit=EDIT)


def bring(rig: Rig, what: str, raw: bytes) -> None:
    """The file comes down, and the terminal looks as it does between cards."""
    spool.write_atomic(spool.signed_file_path(rig.board.unit.data_dir, what), raw)
    look(rig)


def look(rig: Rig) -> None:
    for each in rig.inbox.looks:
        each()


def refusals(rig: Rig) -> list[int]:
    records = rig.unit.journal.records(0, 100)
    return [each.body[rec.KEY_OUTCOME] for each in records if each.kind == rec.KIND_SERVICE]


def applied(rig: Rig) -> list[tuple[str, int]]:
    records = rig.unit.journal.records(0, 100)
    found = [each.body for each in records if each.kind == rec.KIND_APPLIED]
    return [(body[rec.KEY_WHAT], body[rec.KEY_LAST]) for body in found]


# --- the office's keys ---


def test_each_key_names_the_next_and_only_the_newest_counts(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "officekey", FIRST_CHANGE)
    assert rig.unit.office_keys.signing == SECOND.public_key
    assert rig.unit.office_keys.sealing == SEALING
    bring(rig, "unitstop", signed("unitstop", 1, {1: rig.unit.journal.unit, 2: True, 3: ""}))
    assert not rig.unit.is_stopped, "the old key's word no longer counts"
    assert refusals(rig) == [623]
    bring(rig, "officekey", SECOND_CHANGE)
    rig.restart()
    look(rig)
    assert rig.unit.office_keys.chain == tuple(k.public_key for k in (OFFICE, SECOND, THIRD))
    assert applied(rig) == [("officekey", 1), ("officekey", 2)]
    assert told(rig.unit)["office"]["key_number"] == 2


def test_what_the_old_key_put_in_force_stays_in_force(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "stoplist", signed("stoplist", 7, {}))
    bring(rig, "officekey", FIRST_CHANGE)
    for _ in range(2):
        rig.restart()
        look(rig)
    assert rig.unit.stop_list.number == 7  # type: ignore[union-attr]
    assert refusals(rig) == []


@pytest.mark.parametrize("office", [OFFICE, SECOND, THIRD], ids=["first", "second", "newest"])
def test_a_unit_may_begin_at_any_key_of_the_chain(tmp_path: Path, office: Any) -> None:
    rig = make_rig(tmp_path, office)
    bring(rig, "officekey", SECOND_CHANGE)
    assert rig.unit.office_keys.signing == THIRD.public_key


def test_no_stranger_sets_the_sealing_key_or_the_number(tmp_path: Path) -> None:
    """Else personal values are sealed for him, and no later file of the office counts."""
    rig = make_rig(tmp_path)
    bring(rig, "officekey", next_key(9, OFFICE, STRANGER, body={4: True}))
    assert rig.unit.office_keys == OfficeKeys(chain=(OFFICE.public_key,))
    assert (applied(rig), refusals(rig)) == ([], []), "so it stands with a unit that begins later"
    bring(rig, "officekey", FIRST_CHANGE)
    assert rig.unit.office_keys.signing == SECOND.public_key


def test_a_board_that_learns_the_newest_key_keeps_what_is_in_force(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "officekey", FIRST_CHANGE)
    rig.unit.journal.close()
    rig = make_rig(tmp_path, SECOND)
    look(rig)
    assert rig.unit.office_keys == OfficeKeys(1, (SECOND.public_key,), SEALING)


def _deep(depth: int) -> bytes:
    """A chain of so many changes, all to the same key."""
    raw = next_key(1, OFFICE, OFFICE)
    for number in range(2, depth + 1):
        raw = next_key(number, OFFICE, OFFICE, raw)
    return raw


BAD_KEYS = {
    "a stranger's": next_key(1, STRANGER, STRANGER),
    "signed by its own new key": next_key(1, SECOND, SECOND),
    "a stranger's behind a good one": next_key(9, SECOND, STRANGER, FIRST_CHANGE),
    "a gap in the chain": next_key(2, THIRD, SECOND),
    "the one before is a stranger's": next_key(2, THIRD, SECOND, next_key(1, SECOND, STRANGER)),
    "the one before is newer": next_key(2, THIRD, SECOND, next_key(3, SECOND, OFFICE)),
    "the one before is another file": next_key(
        2, THIRD, SECOND, signed("stoplist", 1, {1: SECOND.public_key, 2: SEALING})
    ),
    "a short key": signed("officekey", 1, {1: b"short", 2: SEALING}),
    "no sealing key": signed("officekey", 1, {1: SECOND.public_key}),
    "a number as flag": next_key(1, SECOND, OFFICE, body={4: 1}),
    "too many": _deep(33),
    "garbage": b"no message",
}


@pytest.mark.parametrize("raw", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_no_other_key_is_taken(tmp_path: Path, raw: bytes) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "officekey", raw)
    assert rig.unit.office_keys.signing == OFFICE.public_key
    assert refusals(rig) == [623]
    assert applied(rig) == []


def test_a_chain_of_the_greatest_length_is_taken(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "officekey", _deep(32))
    assert rig.unit.office_keys.number == 32


def test_a_file_that_came_before_its_key_is_taken_after_it(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "stoplist", signed("stoplist", 7, {}, SECOND))
    assert rig.unit.stop_list.number == 0  # type: ignore[union-attr]
    bring(rig, "officekey", FIRST_CHANGE)
    assert rig.unit.stop_list.number == 7  # type: ignore[union-attr]


@pytest.mark.parametrize("what", ["unitstop", "stoplist", "operators", "officekey"])
def test_a_first_look_that_failed_blocks_nothing_where_nothing_was_in_force(
    tmp_path: Path, monkeypatch: Any, what: str
) -> None:
    """The disk was full as a file that is none was refused."""
    rig = make_rig(tmp_path)
    before = (rig.unit.stop_list, rig.unit.operators, rig.unit.office_keys, rig.unit.stop)

    def full(*_: Any, **__: Any) -> None:
        raise JournalFullError("full")

    monkeypatch.setattr(rig.unit.journal, "append", full)
    with pytest.raises(JournalFullError):
        bring(rig, what, b"no message")
    monkeypatch.undo()
    look(rig)
    assert (rig.unit.stop_list, rig.unit.operators, rig.unit.office_keys, rig.unit.stop) == before
    assert not rig.unit.is_stopped


def test_without_the_key_that_was_in_force_nothing_is_taken(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "officekey", FIRST_CHANGE)
    for folder in (filekeeper.APPLIED, spool.DOWN):
        (rig.board.unit.data_dir / folder / "officekey.cose").unlink()
    rig.restart()
    look(rig)
    assert rig.unit.office_keys.signing is None, "closed, not back at the first key"


def test_a_new_tree_is_begun_once(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    rig.unit.journal.set_counter("tree_newest office", 5)
    bring(rig, "officekey", next_key(1, SECOND, OFFICE, body={4: True}))
    assert rig.unit.journal.counter("tree_newest office") == 0
    rig.unit.journal.set_counter("tree_newest office", 6)
    rig.restart()
    look(rig)
    assert rig.unit.journal.counter("tree_newest office") == 6


# --- this unit's stop ---


def stop(rig: Rig, number: int, is_stopped: bool, reason: str = "lost") -> None:
    bring(
        rig,
        "unitstop",
        signed("unitstop", number, {1: rig.unit.journal.unit, 2: is_stopped, 3: reason}),
    )


def test_a_stopped_unit_takes_no_payment_and_says_so_until_it_is_taken_back(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    rig.psam()
    rig.card()
    stop(rig, 1, True)
    assert rig.pay().name == "UNIT_STOPPED"
    assert idle_message(rig.unit, None) == ("UNIT_STOPPED", {})
    assert told(rig.unit)["office"]["stop_reason"] == "lost"
    rig.restart()
    look(rig)
    assert rig.unit.is_stopped
    stop(rig, 2, False, "")
    assert not rig.unit.is_stopped
    stop(rig, 1, True)
    assert not rig.unit.is_stopped, "an older word is a replay"
    assert refusals(rig)[-1] == 624


def test_a_stopped_unit_still_answers_enquiries_and_nothing_else(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    stop(rig, 1, True)
    params = {"operator": "7", "second": "8", "id_kind": "citizen", "id_tail": "0001", "act": "x"}
    answers = {
        name: admitted(rig.unit, name, service, params)
        for name, service in SERVICES.items()
        if hasattr(service, "is_enquiry")
    }
    served = {name for name, why in answers.items() if why is None}
    assert served == {"balance", "card.dump"}
    assert {why.name for why in answers.values() if why is not None} == {"UNIT_STOPPED"}


def test_a_stop_whose_file_is_gone_still_stands(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    stop(rig, 1, True)
    for folder in (filekeeper.APPLIED, spool.DOWN):
        (rig.board.unit.data_dir / folder / "unitstop.cose").unlink()
    rig.restart()
    look(rig)
    assert rig.unit.is_stopped


@pytest.mark.parametrize(
    "body",
    [{1: "another-unit", 2: True, 3: ""}, {1: "unit", 2: 1, 3: ""}, {1: "unit"}, [], None],
    ids=["another unit's", "a number as flag", "no flag", "a list", "nothing"],
)
def test_no_other_stop_is_taken(tmp_path: Path, body: Any) -> None:
    rig = make_rig(tmp_path)
    if isinstance(body, dict) and body[1] == "unit":
        body = body | {1: rig.unit.journal.unit}
    bring(rig, "unitstop", signed("unitstop", 1, body))
    assert not rig.unit.is_stopped
    assert refusals(rig) == [623]


@pytest.mark.parametrize("call", ["write_atomic", "append"])
def test_a_cut_between_file_and_record_is_made_good_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    rig = make_rig(tmp_path)
    raw = signed("unitstop", 1, {1: rig.unit.journal.unit, 2: True, 3: ""})
    spool.write_atomic(spool.signed_file_path(rig.board.unit.data_dir, "unitstop"), raw)

    def cut(*arguments: Any, **named: Any) -> Any:
        raise (OSError if call == "write_atomic" else JournalError)("cut")

    with monkeypatch.context() as patch:
        patch.setattr(spool if call == "write_atomic" else rig.unit.journal, call, cut)
        with pytest.raises((OSError, JournalError), match="cut"):
            look(rig)
    rig.restart()
    look(rig)
    assert rig.unit.is_stopped
    assert applied(rig) == [("unitstop", 1)]


# --- parameters ---


def test_parameters_change_what_they_name_and_come_and_go(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    own = rig.unit.board
    bring(rig, "parameters", signed("parameters", 1, {"limits.transaction_fen": 5}))
    assert rig.unit.board.limits.transaction_fen == 5
    assert rig.unit.board.limits.day_fen == own.limits.day_fen
    assert told(rig.unit)["office"]["parameters"] == 1
    rig.psam()
    rig.card()
    assert rig.pay().name == "OVER_TRANSACTION_LIMIT"
    rig.restart()
    look(rig)
    assert rig.unit.board.limits.transaction_fen == 5
    bring(rig, "parameters", signed("parameters", 2, {"uplink.batch_records": 9}))
    assert rig.unit.board.limits == own.limits, "what a newer file leaves out is board.toml's again"
    assert rig.unit.board.uplink.batch_records == 9
    bring(rig, "parameters", signed("parameters", 1, {"limits.transaction_fen": 5}))
    assert (rig.unit.parameters, refusals(rig)[-1]) == (2, 624)


@pytest.mark.parametrize(
    "body",
    [
        {"unit.profile": "development"},
        {"purchase.regions": ["11"]},
        {"limits.transaction_fen": 0},
        {"limits.transaction_fen": "5"},
        {"limits.transaction_fen": 5, "limits.nonsense": 1},
        {"limits": {"transaction_fen": 5}},
        {1: 5},
        [],
    ],
)
def test_other_parameters_change_nothing(tmp_path: Path, body: Any) -> None:
    rig = make_rig(tmp_path)
    own = rig.unit.board
    bring(rig, "parameters", signed("parameters", 1, body))
    assert rig.unit.board == own
    assert refusals(rig) == [623]


# --- a coming update ---


def test_an_update_is_told_and_never_goes_back(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "update", signed("update", 3, {1: "1.2.0", 2: bytes(32), 3: 1 << 20}))
    office = told(rig.unit)["office"]
    assert office["update"] == "1.2.0"
    assert (office["update_sha256"], office["update_size"]) == ("00" * 32, 1 << 20)
    bring(rig, "update", signed("update", 2, {1: "1.1.0", 2: bytes(32), 3: 1 << 20}))
    assert told(rig.unit)["office"]["update"] == "1.2.0"
    assert refusals(rig) == [624]


@pytest.mark.parametrize("body", [{1: "", 2: bytes(32), 3: 1}, {1: "1", 2: b"", 3: 1}, {}])
def test_no_other_update_is_told(tmp_path: Path, body: Any) -> None:
    rig = make_rig(tmp_path)
    bring(rig, "update", signed("update", 1, body))
    assert rig.unit.update is None
    assert refusals(rig) == [623]
