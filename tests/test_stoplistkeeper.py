"""M12: a signed stop list is put in force, survives, and is never exchanged for an older one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import filekeeper
from firmware.journal import kinds as rec
from firmware.journal import spool
from firmware.journal.cose import Ed25519Signer
from firmware.journal.schema import JournalError
from firmware.journal.signedfile import make_signed_file
from firmware.outcome import Outcome
from tests.loop_rig import Loop, issue, name_of
from tests.rig import TERMINAL, Rig

OFFICE = Ed25519Signer(b"test office key, invented here!!")
STRANGER = Ed25519Signer(b"a stranger's key, invented also!")
PSAM = bytes.fromhex(TERMINAL)

EDIT = {
    "[clock]\n": '[office]\npublic_key = "office.pub"\n[stop_list]\nfile = "list.cose"\n[clock]\n'
}
WITHOUT_FILE = {"[clock]\n": '[office]\npublic_key = "office.pub"\n[clock]\n'}


def signed(number: int, body: object = None, **how: Any) -> bytes:
    return make_signed_file(
        what=how.get("what", "stoplist"),
        number=number,
        issued_ms=1,
        body={} if body is None else body,
        signer=how.get("signer", OFFICE),
    )


def make_rig(folder: Path, named: bytes | None = None, edit: dict[str, str] | None = None) -> Rig:
    (folder / "office.pub").write_text(OFFICE.public_key.hex())
    if named is not None:
        (folder / "list.cose").write_bytes(named)
    return Rig(folder, edit=EDIT if edit is None else edit)


def bring_down(rig: Rig, raw: bytes) -> None:
    spool.write_atomic(spool.signed_file_path(rig.board.unit.data_dir, "stoplist"), raw)


def look(rig: Rig, times: int = 1) -> int | str:
    """The number of the list in force, or why there is none."""
    for _ in range(times):
        rig.inbox.stop_list.look()
    found = rig.unit.stop_list
    return found.name if isinstance(found, Outcome) else found.number


def applied(rig: Rig) -> list[int]:
    records = rig.unit.journal.records(0, 100)
    return [each.body[rec.KEY_LAST] for each in records if each.kind == rec.KIND_APPLIED]


def refused(rig: Rig) -> list[int]:
    records = rig.unit.journal.records(0, 100)
    return [each.body[rec.KEY_OUTCOME] for each in records if each.kind == rec.KIND_SERVICE]


def test_no_list_is_needed_where_none_was_ever_named(tmp_path: Path) -> None:
    assert look(make_rig(tmp_path, edit=WITHOUT_FILE)) == 0


def test_a_signed_list_is_put_in_force_and_journaled_once(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, signed(5))
    assert look(rig, 3) == 5
    rig.restart()
    assert look(rig, 3) == 5
    assert applied(rig) == [5]
    assert rig.shown == []


def test_a_card_on_the_list_is_declined_and_others_pay(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    rig.psam()
    card = rig.card()
    (tmp_path / "list.cose").write_bytes(signed(1, {1: [[card.card_id, card.card_number]]}))
    look(rig)
    assert rig.pay().name == "CARD_ON_STOP_LIST"
    rig.user.remove()
    rig.card(2)
    assert rig.pay().name == "APPROVED"


def test_m12_a_lost_psam_in_the_list_stops_payments(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, signed(1, {3: [PSAM]}))
    rig.psam()
    rig.card()
    look(rig)
    assert rig.pay().name == "PSAM_ON_STOP_LIST"


BAD = {
    "unsigned": b"not signed at all",
    "empty": b"",
    "a stranger's": signed(9, signer=STRANGER),
    "another file": signed(9, what="parameters"),
    "garbage body": signed(9, {1: "nobody"}),
    "no body": make_signed_file(what="stoplist", number=9, issued_ms=1, body=None, signer=OFFICE),
    "a list as body": signed(9, [1, 2]),
    "cut short": signed(9)[:-1],
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_without_a_good_list_nothing_is_paid(tmp_path: Path, raw: bytes) -> None:
    """... and that is shown and journaled once, and a good one mends it."""
    rig = make_rig(tmp_path, raw)
    rig.psam()
    rig.card()
    assert look(rig, 3) == "STOP_LIST_REFUSED"
    assert rig.pay().name == "STOP_LIST_REFUSED"
    assert refused(rig) == [406]
    bring_down(rig, signed(1))
    assert look(rig) == 1
    assert rig.pay().name == "APPROVED"


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_a_bad_list_that_comes_down_leaves_the_one_in_force(tmp_path: Path, raw: bytes) -> None:
    rig = make_rig(tmp_path, signed(5))
    look(rig)
    bring_down(rig, raw)
    assert look(rig, 3) == 5
    assert (refused(rig), rig.shown) == ([406], ["STOP_LIST_REFUSED"])
    rig.restart()
    assert look(rig) == 5


def test_a_named_file_that_is_missing_or_unreadable_stops_payments(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    assert look(rig) == "STOP_LIST_REFUSED"
    (tmp_path / "list.cose").mkdir()
    assert look(rig, 3) == "STOP_LIST_REFUSED"
    assert refused(rig) == [406]


def test_a_newer_list_that_comes_down_is_in_force_at_once_and_after_a_restart(
    tmp_path: Path,
) -> None:
    rig = make_rig(tmp_path, signed(5))
    look(rig)
    bring_down(rig, signed(6))
    assert look(rig, 2) == 6
    spool.signed_file_path(rig.board.unit.data_dir, "stoplist").unlink()
    rig.restart()
    assert look(rig) == 6
    assert applied(rig) == [5, 6]
    assert refused(rig) == [], "the named one is what came before, no attack"


def test_an_older_list_that_comes_down_is_refused_and_told_once(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, signed(5))
    look(rig)
    bring_down(rig, signed(4))
    assert look(rig, 3) == 5
    assert (refused(rig), rig.shown) == ([607], ["NEWER_STOP_LIST_HELD"])


def test_a_second_list_of_the_same_number_is_refused(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, signed(5, {3: [PSAM]}))
    look(rig)
    bring_down(rig, signed(5))
    assert look(rig, 3) == 5
    assert rig.unit.stop_list.names_psam(PSAM)
    assert refused(rig) == [406]


def test_a_list_rolled_back_behind_the_journal_stops_payments(tmp_path: Path) -> None:
    """Somebody exchanged the files: the journal remembers the number."""
    rig = make_rig(tmp_path, signed(5))
    look(rig)
    own = rig.board.unit.data_dir / filekeeper.APPLIED / "stoplist.cose"
    own.unlink()
    (tmp_path / "list.cose").write_bytes(signed(4))
    rig.restart()
    assert look(rig) == "NEWER_STOP_LIST_HELD"
    assert rig.shown == ["NEWER_STOP_LIST_HELD"]
    bring_down(rig, signed(6))
    assert look(rig) == 6


@pytest.mark.parametrize("edit", [EDIT, WITHOUT_FILE], ids=["named", "came down"])
def test_a_list_missing_after_it_was_applied_stops_payments(
    tmp_path: Path, edit: dict[str, str]
) -> None:
    rig = make_rig(tmp_path, edit=edit)
    bring_down(rig, signed(5))
    look(rig)
    for folder in (filekeeper.APPLIED, spool.DOWN):
        (rig.board.unit.data_dir / folder / "stoplist.cose").unlink()
    rig.restart()
    assert look(rig) == "STOP_LIST_REFUSED"


def test_taking_the_offices_key_away_does_not_take_the_list_away(tmp_path: Path) -> None:
    look(make_rig(tmp_path, signed(5)))
    rig = Rig(tmp_path)
    assert look(rig) == "STOP_LIST_REFUSED"


def test_a_journal_that_fails_puts_no_list_in_force_and_none_aside(
    tmp_path: Path, monkeypatch: Any
) -> None:
    rig = make_rig(tmp_path, signed(5, {3: [PSAM]}))

    def broken(*_: Any, **__: Any) -> Any:
        raise JournalError("broken")

    for name in ("applied", "append"):
        monkeypatch.setattr(rig.unit.journal, name, broken)
        with pytest.raises(JournalError):
            look(rig)
        assert rig.unit.stop_list.name == "STOP_LIST_REFUSED", "closed, not open"
        monkeypatch.undo()
    assert look(rig) == 5
    assert applied(rig) == [5]


def test_a_list_that_does_not_change_is_not_read_again(tmp_path: Path, monkeypatch: Any) -> None:
    """It may be megabytes, and is looked at each second."""
    read: list[Any] = []
    real = filekeeper.signed_file
    monkeypatch.setattr(filekeeper, "signed_file", lambda *all_: read.append(1) or real(*all_))
    rig = make_rig(tmp_path, signed(5))
    look(rig, 2)
    read.clear()
    look(rig, 5)
    assert read == []


def test_the_loop_puts_a_list_in_force_between_two_cards(tmp_path: Path) -> None:
    (tmp_path / "office.pub").write_text(OFFICE.public_key.hex())
    loop = Loop(tmp_path, edit=WITHOUT_FILE)
    loop.rig.psam()
    card = issue(loop)
    row = [card.card_id, card.card_number]
    answers: list[Any] = []
    for at, order in ((1, "A-1"), (10, "A-2")):
        loop.plan(at, lambda order=order: answers.append(loop.ask(order)))
        loop.plan(at + 0.5, loop.insert(card.label))
        loop.plan(at + 3, loop.remove())
    loop.plan(2, lambda: bring_down(loop.rig, signed(1, {1: [row]})))
    loop.world.holder.type_pin("123456")
    loop.run(15)
    assert [name_of(each) for each in answers] == ["APPROVED", "CARD_ON_STOP_LIST"]


def test_the_loop_shows_why_nothing_is_paid(tmp_path: Path) -> None:
    (tmp_path / "office.pub").write_text(OFFICE.public_key.hex())
    loop = Loop(tmp_path, edit=EDIT)
    loop.rig.psam()
    assert loop.run(2)[-1] == "STOP_LIST_REFUSED"
