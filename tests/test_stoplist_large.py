"""Issue, section 10: a large list, its differences, and cuts at any point (M12)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.journal import spool
from firmware.journal.signedfile import split
from firmware.journal.stoprows import ROW, Rows, difference, key_of
from firmware.outcome import Outcome
from tests.rig import Rig
from tests.test_stoplistkeeper import (
    WITHOUT_FILE,
    applied,
    bring_down,
    look,
    make_rig,
    refused,
    signed,
)

Cards = dict[int, int]
"""A card by its serial -> its life state."""


def card(serial: int) -> tuple[bytes, str]:
    return serial.to_bytes(16, "big"), f"A{serial:08}"


def rows_of(cards: Cards) -> bytes:
    return b"".join(sorted(key_of(*card(each)) + bytes([state]) for each, state in cards.items()))


def large(
    number: int,
    cards: Cards,
    before: tuple[int, Cards] = (0, {}),
    more: dict[int, Any] | None = None,
) -> bytes:
    """The file of that list: whole, or the difference to `before`, (its number, its cards)."""
    base, old = before
    result = rows_of(cards)
    removed, added = difference(rows_of(old), result)
    counts = [base, len(removed) // 8, len(added) // ROW, len(cards)]
    table = [*counts, hashlib.sha256(result).digest()]
    return signed(number, {4: table, **(more or {})}) + removed + added


def in_force(rig: Rig) -> tuple[int | str, set[int]]:
    """The number in force, and which of the cards 0 to 99 it names."""
    number = look(rig)
    found = rig.unit.stop_list
    if isinstance(found, Outcome):
        return number, set()
    return number, {each for each in range(100) if found.names_card(*card(each))}


FIRST: Cards = dict.fromkeys(range(40), 2)
SECOND: Cards = dict.fromkeys(range(10, 60), 2) | {12: 9}


def folder_of(rig: Rig) -> Path:
    return rig.board.unit.data_dir / "applied"


cards_of = st.dictionaries(st.integers(0, 30), st.sampled_from([0, 2, 9]))


@given(cards_of, cards_of)
def test_a_difference_makes_one_list_of_the_other(old: Cards, new: Cards) -> None:
    removed, added = difference(rows_of(old), rows_of(new))
    assert b"".join(Rows(rows_of(old)).changed(removed, added)) == rows_of(new)
    found = Rows(rows_of(new))
    assert {each: found.state_of(key_of(*card(each))) for each in range(31)} == {
        each: new.get(each) for each in range(31)
    }


@pytest.mark.parametrize(
    ("removed", "added", "why"),
    [
        ([1], [], "to remove is not"),
        ([], [5], "to add is on"),
        ([6, 5], [], "do not ascend"),
        ([], [2, 1], "do not ascend"),
        ([5, 5], [], "do not ascend"),
    ],
)
def test_changes_that_do_not_fit_are_refused(
    removed: list[int], added: list[int], why: str
) -> None:
    held = b"".join(each.to_bytes(8, "big") + b"\x02" for each in (5, 6))
    keys = b"".join(each.to_bytes(8, "big") for each in removed)
    rows = b"".join(each.to_bytes(8, "big") + b"\x02" for each in added)
    with pytest.raises(ValueError, match=why):
        list(Rows(held).changed(keys, rows))


def test_a_large_list_and_then_its_difference_are_in_force_and_survive(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, edit=WITHOUT_FILE)
    bring_down(rig, large(1, FIRST))
    assert in_force(rig) == (1, set(FIRST))
    bring_down(rig, large(2, SECOND, (1, FIRST)))
    assert in_force(rig) == (2, set(SECOND))
    assert rig.unit.stop_list.state_of(*card(12)) == 9
    assert len(rig.unit.stop_list) == 50
    rig.restart()
    assert in_force(rig) == (2, set(SECOND))
    assert (applied(rig), refused(rig)) == ([1, 2], [])
    assert [each.name for each in folder_of(rig).glob("*.rows")] == ["stoplist-2.rows"]


def test_a_difference_is_much_smaller_than_the_list() -> None:
    assert len(large(2, FIRST | {99: 2}, (1, FIRST))) < len(large(2, FIRST)) - 39 * ROW


def test_a_large_list_names_ranges_and_psams_beside_its_cards(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, edit=WITHOUT_FILE)
    bring_down(rig, large(1, FIRST, more={2: [["B10", "B19"]], 3: [bytes(6)]}))
    assert look(rig) == 1
    assert rig.unit.stop_list.names_card(bytes(16), "B15")
    assert rig.unit.stop_list.names_psam(bytes(6))
    assert rig.unit.stop_list.names_card(*card(3))


@given(st.sampled_from([0, 1, 150, 300, 70_000]), st.binary(max_size=40))
def test_a_message_ends_where_its_data_begin(size: int, data: bytes) -> None:
    message = signed(1, {9: bytes(size)})
    assert split(message + data) == (message, data)
    assert split(message[: len(message) - 1 - len(data)])[1] == b""


@pytest.mark.parametrize(
    ("held", "base", "number", "outcome"),
    [(5, 7, 8, 610), (5, 3, 6, 607), (5, 3, 4, 607), (0, 3, 4, 610)],
    ids=["a list between is missing", "its base is past", "it is past itself", "no list yet"],
)
def test_a_difference_to_another_list_changes_nothing(
    tmp_path: Path, held: int, base: int, number: int, outcome: int
) -> None:
    rig = make_rig(tmp_path, edit=WITHOUT_FILE)
    if held:
        bring_down(rig, large(held, FIRST))
    before = in_force(rig)
    bring_down(rig, large(number, SECOND, (base, FIRST)))
    assert in_force(rig) == before == (held, set(FIRST) if held else set())
    assert refused(rig) == [outcome]


def _last_byte(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "another byte": _last_byte,
    "cut short": lambda raw: raw[:-1],
    "too long": lambda raw: raw + b"\0",
    "no data": lambda raw: split(raw)[0],
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
@pytest.mark.parametrize("base", [0, 1], ids=["whole", "difference"])
def test_data_that_are_not_the_signed_ones_change_nothing(
    tmp_path: Path, spoil: Callable[[bytes], bytes], base: int
) -> None:
    rig = make_rig(tmp_path, edit=WITHOUT_FILE)
    bring_down(rig, large(1, FIRST))
    look(rig)
    good = large(2, SECOND, (1, FIRST) if base else (0, {}))
    bring_down(rig, spoil(good))
    assert in_force(rig) == (1, set(FIRST))
    assert refused(rig) == [406]
    bring_down(rig, good)
    assert in_force(rig) == (2, set(SECOND))


def test_data_behind_a_small_list_are_refused(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, signed(5))
    look(rig)
    bring_down(rig, signed(6) + b"more")
    assert look(rig) == 5
    assert refused(rig) == [406]


@pytest.mark.parametrize("spoil", [_last_byte, None], ids=["changed", "gone"])
def test_rows_that_were_changed_on_the_disk_stop_payments_until_a_whole_list_comes(
    tmp_path: Path, spoil: Callable[[bytes], bytes] | None
) -> None:
    rig = make_rig(tmp_path, edit=WITHOUT_FILE)
    bring_down(rig, large(1, FIRST))
    look(rig)
    spool.signed_file_path(rig.board.unit.data_dir, "stoplist").unlink()
    rows = folder_of(rig) / "stoplist-1.rows"
    whole = rows.read_bytes()
    rows.unlink()
    if spoil is not None:
        rows.write_bytes(spoil(whole))
    rig.restart()
    assert look(rig) == "STOP_LIST_REFUSED"
    bring_down(rig, large(2, SECOND, (1, FIRST)))
    assert look(rig) == "STOP_LIST_REFUSED", "a difference to rows that nobody has"
    bring_down(rig, large(2, SECOND))
    assert in_force(rig) == (2, set(SECOND))


class Cut(BaseException):
    """The power failed here."""


def cut_at(monkeypatch: Any, point: int) -> list[str]:
    """Every step that reaches the disk raises Cut from the point-th on; the steps so far."""
    steps: list[str] = []

    def cut(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def step(*args: Any, **how: Any) -> Any:
            steps.append(name)
            if len(steps) > point:
                raise Cut
            return real(*args, **how)

        monkeypatch.setattr(owner, name, step)

    for name in ("fsync", "replace"):
        cut(os, name)
    cut(Path, "unlink")
    return steps


@pytest.mark.parametrize("base", [0, 1], ids=["whole", "difference"])
def test_a_cut_at_any_point_leaves_the_old_list_or_the_new_one(
    tmp_path: Path, monkeypatch: Any, base: int
) -> None:
    seen = set()
    for point in range(40):
        folder = tmp_path / str(point)
        folder.mkdir()
        rig = make_rig(folder, edit=WITHOUT_FILE)
        bring_down(rig, large(1, FIRST))
        look(rig)
        bring_down(rig, large(2, SECOND, (1, FIRST) if base else (0, {})))
        with monkeypatch.context() as patched:
            steps = cut_at(patched, point)
            journal_append = rig.unit.journal.append
            patched.setattr(
                rig.unit.journal,
                "append",
                lambda *a, s=steps, p=point, f=journal_append, **k: _append(s, p, f, a, k),
            )
            was_cut = False
            try:
                look(rig)
            except Cut:
                was_cut = True
        down = spool.signed_file_path(rig.board.unit.data_dir, "stoplist")
        held = down.read_bytes()
        down.unlink()  # what is in force now does not hang on the file that came
        rig.restart()
        found = in_force(rig)
        assert found in [(1, set(FIRST)), (2, set(SECOND))], f"cut at {point}"
        seen.add(found[0])
        bring_down(rig, held)
        assert in_force(rig) == (2, set(SECOND))
        assert applied(rig) == [1, 2]
        assert [each.name for each in folder_of(rig).glob("*stoplist*")].count("stoplist.cose") == 1
        assert len(list(folder_of(rig).iterdir())) == 2, "nothing half written stays"
        if not was_cut:
            break
    else:
        pytest.fail("there is always one more point")
    assert seen == {1, 2}
    assert point >= 6


def _append(steps: list[str], point: int, real: Any, args: Any, how: Any) -> Any:
    steps.append("append")
    if len(steps) > point:
        raise Cut
    return real(*args, **how)
