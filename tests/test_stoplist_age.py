"""Issue, section 10: a list's age is shown, an old one shrinks the limit; a card's life state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import condition
from firmware.journal.signedfile import make_signed_file
from tests.loop_rig import Loop
from tests.rig import START_S, Rig
from tests.test_stoplistkeeper import OFFICE, bring_down, look

HOUR_MS = 3_600_000
NOW_MS = int(START_S * 1000)


def edit(rules: str) -> dict[str, str]:
    return {
        "[clock]\n": f'[office]\npublic_key = "office.pub"\n[stop_list]\n{rules}[clock]\n',
    }


def rig_with_list(folder: Path, rules: str, age_h: float | None, body: Any = None) -> Rig:
    """One whose list in force was signed so many hours ago; None: it has no list."""
    (folder / "office.pub").write_text(OFFICE.public_key.hex())
    rig = Rig(folder, edit=edit(rules))
    if age_h is not None:
        issued_ms = NOW_MS - int(age_h * HOUR_MS)
        bring_down(rig, _signed(issued_ms, body or {}))
        look(rig)
    return rig


def _signed(issued_ms: int, body: Any) -> bytes:
    return make_signed_file(
        what="stoplist", number=1, issued_ms=issued_ms, body=body, signer=OFFICE
    )


RULES = "max_age_h = 24\naged_transaction_fen = 1000\n"


@pytest.mark.parametrize(
    ("rules", "age_h", "total_fen", "name"),
    [
        (RULES, 23, 1500, "APPROVED"),
        (RULES, 25, 1500, "STOP_LIST_AGED"),
        (RULES, 25, 1000, "APPROVED"),
        (RULES, None, 1500, "STOP_LIST_AGED"),
        ("max_age_h = 24\n", 25, 1500, "APPROVED"),
        ("max_age_h = 24\naged_transaction_fen = 0\n", 25, 1, "STOP_LIST_AGED"),
        ("aged_transaction_fen = 0\n", 9999, 1500, "APPROVED"),
    ],
)
def test_an_old_list_shrinks_the_limit_by_policy(
    tmp_path: Path, rules: str, age_h: float | None, total_fen: int, name: str
) -> None:
    rig = rig_with_list(tmp_path, rules, age_h)
    rig.psam()
    rig.card()
    assert rig.pay(total_fen, 0, 0).name == name


@pytest.mark.parametrize(
    ("rules", "age_h", "shown"),
    [
        ("", 100, ("READY", {})),
        (RULES, 5.9, ("READY_LIST_AGE", {"hours": "5"})),
        (RULES, -2, ("READY_LIST_AGE", {"hours": "0"})),
        (RULES, 24, ("STOP_LIST_WARNING", {"hours": "24"})),
        (RULES, 400_000, ("STOP_LIST_WARNING", {"hours": "9999"})),
        (RULES, None, ("STOP_LIST_WARNING", {})),
    ],
)
def test_the_idle_screen_shows_the_age(
    tmp_path: Path, rules: str, age_h: float | None, shown: tuple[str, dict[str, str]]
) -> None:
    rig = rig_with_list(tmp_path, rules, age_h)
    assert condition.idle_message(rig.unit, None) == shown


def test_status_tells_number_entries_and_age(tmp_path: Path) -> None:
    rig = rig_with_list(tmp_path, RULES, 30, {2: [["A1", "A9"]]})
    told = condition.told(rig.unit)["stop_list"]
    assert told == {"number": 1, "entries": 1, "age_h": 30, "aged": True}


def test_the_age_on_the_screen_counts_on_while_nobody_comes(tmp_path: Path) -> None:
    (tmp_path / "office.pub").write_text(OFFICE.public_key.hex())
    loop = Loop(tmp_path, edit=edit(RULES))
    loop.rig.psam()
    bring_down(loop.rig, _signed(NOW_MS - 23 * HOUR_MS + 2000, {}))
    shown = loop.run(5)
    assert shown.count("READY_LIST_AGE") == 2, "22 hours, then 23"
    loop.rig.hands.wall_offset_s += 3600
    assert loop.run(2) == ["STOP_LIST_WARNING"]


@pytest.mark.parametrize(
    ("state", "detail"), [([2], "2 挂失 reported lost"), ([9], "9 注销 cancelled"), ([], None)]
)
def test_a_refusal_tells_the_host_the_cards_life_state(
    tmp_path: Path, state: list[int], detail: str | None
) -> None:
    rig = rig_with_list(tmp_path, "", None)
    rig.psam()
    card = rig.card()
    bring_down(rig, _signed(1, {1: [[card.card_id, card.card_number, *state]]}))
    look(rig)
    assert rig.pay().name == "CARD_ON_STOP_LIST"
    assert rig.result().get("detail") == detail
