"""The menu through the whole terminal: a person at the unit, no cash register (issue D.4, M3, M14).

Keys and PINs are the holder's, cards and PSAM simulated, journal and card loop real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.service import ServiceCall
from firmware.journal import kinds as rec
from simulator.slot import AFTER, Cut
from tests.loop_rig import DEBIT, Loop, issue, name_of, open_intent
from tests.operator_rig import PASSWORDS, Counter

NEW = "86421357"


def opened(folder: Path, more: str = "", **edit: str) -> Loop:
    menu = "[menu]\namount_entry = true\nmax_fen = 20000\ntimeout_s = 20\n"
    loop = Loop(folder, edit={"[clock]": f"{menu}{more}[clock]", **edit})
    loop.rig.psam()
    return loop


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return opened(tmp_path)


def press(loop: Loop, at_s: float, *keys: str) -> None:
    loop.plan(at_s, lambda: loop.world.holder.press(*keys))


def types(loop: Loop, *pins: str) -> None:
    for pin in pins:
        loop.world.holder.type_pin(pin)


def bodies(loop: Loop) -> list[dict[int, Any]]:
    loop.unit.journal.flush()
    return [each.body for each in loop.unit.journal.records(0, 1000)]


def test_the_balance_and_the_last_settlements_by_keys_alone(loop: Loop) -> None:
    card = loop.rig.card()
    assert [loop.rig.pay(fen).name for fen in (1000, 2000)] == ["APPROVED"] * 2
    loop.rig.user.remove()
    loop.start()
    press(loop, 0.5, "menu", "confirm")
    loop.plan(2, loop.insert(card.label))
    types(loop, "123456")
    press(loop, 4, "down", "down", "down", "cancel")
    loop.plan(5, loop.remove())
    shown = loop.run(10)
    assert shown == [
        "READY_MENU", "MENU_BALANCE", "INSERT_CARD", "READING_CARD", "ENTER_PIN", "BALANCE",
        "SETTLEMENT", "SETTLEMENT", "SETTLEMENT", "READY_MENU",
    ]  # fmt: skip
    assert dict(loop.fields)["BALANCE"]["balance"] == "970.00"
    seen = [fields["amount"] for name, fields in loop.fields if name == "SETTLEMENT"]
    assert seen == ["25.00", "15.00", "15.00"]


def test_the_settlements_at_once_and_a_card_without_any(loop: Loop) -> None:
    card = issue(loop)
    press(loop, 0.5, "menu", "2", "confirm")
    loop.plan(1, loop.insert(card.label))
    types(loop, "123456")
    loop.plan(4, loop.remove())
    assert loop.run(30)[-2:] == ["NO_SETTLEMENTS", "READY_MENU"]


def test_m3_the_pin_is_changed_by_keys_alone(loop: Loop) -> None:
    card = issue(loop)
    press(loop, 0.5, "menu", "down", "down", "confirm")
    loop.plan(1, loop.insert(card.label))
    types(loop, "123456", NEW, NEW)
    loop.plan(4, loop.remove())
    shown = loop.run(8)
    assert shown[-5:] == ["OLD_PIN", "NEW_PIN", "NEW_PIN_AGAIN", "PIN_CHANGED", "READY_MENU"]
    assert card.memory.pin.hex() == NEW
    body = bodies(loop)[-1]
    assert (body[rec.KEY_OPERATOR], body[rec.KEY_DETAIL]) == ("menu", "pin: changed")


def test_m14_an_amount_typed_at_the_unit_is_paid_as_any_other(loop: Loop) -> None:
    card = issue(loop)
    press(loop, 0.5, "menu", "4", "confirm", *"8650", "confirm")
    loop.plan(2, loop.insert(card.label))
    types(loop, "123456")
    loop.plan(3.5, loop.remove())
    shown = loop.run(9)
    assert shown[-7:] == [
        "ENTER_AMOUNT", "INSERT_CARD", "READING_CARD", "ENTER_PIN", "WORKING_LEAVE_CARD",
        "APPROVED", "READY_MENU",
    ]  # fmt: skip
    assert card.balance_fen == 100_000 - 8650
    intent = next(each for each in bodies(loop) if rec.KEY_ORDER_NO in each)
    assert intent[rec.KEY_OPERATOR] == "menu"
    assert intent[rec.KEY_ORDER_NO].startswith(f"menu-{loop.unit.journal.boot}-1-")
    assert dict(loop.fields)["APPROVED"]["amount"] == "86.50"


def test_m14_an_amount_torn_at_debit_is_settled_like_any_other(loop: Loop) -> None:
    card = issue(loop)
    press(loop, 0.5, "menu", "4", "confirm", *"8650", "confirm")
    loop.plan(1, loop.insert(card.label))
    loop.plan(0.9, lambda: loop.rig.user.arm(Cut(DEBIT, 1, AFTER)))
    types(loop, "123456", "123456")
    loop.plan(4, lambda: (loop.rig.user.disarm(), loop.insert(card.label)()))
    assert "APPROVED_FOUND_LATER" in loop.run(12)
    assert card.balance_fen == 100_000 - 8650


@pytest.mark.parametrize(
    ("edit", "refusal"),
    [
        ({"transaction_fen = 100000": "transaction_fen = 8649"}, "OVER_TRANSACTION_LIMIT"),
        ({"day_fen = 1000000": "day_fen = 8649"}, "OVER_DAY_LIMIT"),
    ],
)
def test_every_limit_holds_for_an_amount_typed_at_the_unit(
    tmp_path: Path, edit: dict[str, str], refusal: str
) -> None:
    loop = opened(tmp_path, **edit)
    press(loop, 0.5, "menu", "4", "confirm", *"8650", "confirm")
    assert refusal in loop.run(3)


def test_an_amount_needs_an_operator_where_payments_need_one(tmp_path: Path) -> None:
    loop = opened(tmp_path, "[operators]\nrequired = true\n")
    press(loop, 0.5, "menu", "4", "confirm", *"8650", "confirm")
    assert "OPERATOR_NOT_LOGGED_ON" in loop.run(3)
    assert bodies(loop)[-1][rec.KEY_OPERATOR] == "menu"


def test_an_amount_is_that_of_whoever_logged_on_last(tmp_path: Path) -> None:
    menu = "[menu]\namount_entry = true\nmax_fen = 20000"
    counter = Counter(tmp_path, f"required = true\n{menu}")
    for code in ("ann", "cid"):
        assert counter.call("operator.logon", code=code, password=PASSWORDS[code]) == "SERVED"
    card = issue(counter)
    for result in ("APPROVED", "OPERATOR_NOT_LOGGED_ON"):
        counter.start()
        press(counter, 0.5, "menu", "4", "confirm", *"1000", "confirm")
        counter.plan(1, counter.insert(card.label))
        types(counter, "123456")
        counter.plan(4, counter.remove())
        assert result in counter.run(8)
        counter.hands.wait(900)  # both are logged off by then
    operators = [each[rec.KEY_OPERATOR] for each in bodies(counter) if rec.KEY_ORDER_NO in each]
    assert (operators[0], operators[-1]) == ("cid", "menu")
    assert card.balance_fen == 99_000


def test_cancel_while_the_card_is_waited_for(loop: Loop) -> None:
    press(loop, 0.5, "menu", "confirm")
    press(loop, 1.2, "cancel")
    assert loop.run(6) == ["READY_MENU", "MENU_BALANCE", "INSERT_CARD", "CANCELLED", "READY_MENU"]


def test_cancel_at_the_pad_ends_a_host_s_wait_too(loop: Loop) -> None:
    answer = loop.ask()
    press(loop, 1, "cancel")
    loop.run(3)
    assert name_of(answer) == "CANCELLED"


def test_the_language_key_works_while_a_card_is_waited_for(loop: Loop) -> None:
    loop.ask()
    press(loop, 1, "language")
    loop.plan(1.5, lambda: seen.append(loop.display._language))
    seen: list[str] = []
    loop.run(2)
    assert seen == ["zh"]


def test_a_host_s_cancel_leaves_the_person_s_job_alone(loop: Loop) -> None:
    card = issue(loop)
    press(loop, 0.5, "menu", "confirm")
    loop.plan(1, lambda: loop.terminal.state == "serving" and loop.desk.cancel())
    loop.plan(1.5, loop.insert(card.label))
    types(loop, "123456")
    assert "BALANCE" in loop.run(6)


def test_a_host_s_job_closes_the_menu(loop: Loop) -> None:
    card = issue(loop)
    asked: list[Any] = []
    press(loop, 0.5, "menu", "down")
    loop.plan(1, lambda: asked.append(loop.ask("A")))
    loop.plan(1.5, loop.insert(card.label))
    types(loop, "123456")
    shown = loop.run(5)
    assert shown[:4] == ["READY_MENU", "MENU_BALANCE", "MENU_SETTLEMENTS", "INSERT_CARD"]
    assert name_of(asked[0]) == "APPROVED"


def test_a_host_s_job_waits_for_the_person_s(loop: Loop) -> None:
    card = issue(loop)
    asked: list[Any] = []
    press(loop, 0.5, "menu", "confirm")
    loop.plan(1, lambda: asked.append(loop.ask("B")))
    loop.plan(1.5, loop.insert(card.label))
    types(loop, "123456", "123456")
    shown = loop.run(6)
    assert shown.index("BALANCE") < shown.index("APPROVED")
    assert name_of(asked[0]) == "APPROVED"


def test_a_card_put_in_while_somebody_reads_the_menu_is_greeted_afterwards(loop: Loop) -> None:
    card = issue(loop, name="张三")
    press(loop, 0.5, "menu")
    loop.plan(1, loop.insert(card.label))
    loop.plan(1.5, lambda: loop.fields.append(("still", {})))
    press(loop, 2, "cancel")
    assert loop.run(4) == ["READY_MENU", "MENU_BALANCE", "still", "CARD_READ"]


def test_a_card_with_an_open_payment_is_settled_when_the_menu_closes(loop: Loop) -> None:
    card = issue(loop)
    open_intent(loop, card)
    press(loop, 0.5, "menu")
    loop.plan(1, loop.insert(card.label))
    types(loop, "123456")
    assert "APPROVED_FOUND_LATER" in loop.run(30)


def test_back_to_ready_when_nobody_presses_a_key(loop: Loop) -> None:
    press(loop, 0.5, "menu", "down")
    loop.plan(20, lambda: loop.fields.append(("still", {})))
    assert loop.run(22) == ["READY_MENU", "MENU_BALANCE", "MENU_SETTLEMENTS", "still", "READY_MENU"]


def test_the_language_key_switches_at_once_and_for_this_holder(loop: Loop) -> None:
    languages: list[str] = []
    surface = type("Surface", (), {"draw": lambda self, s: languages.append(s.language)})()
    loop.display._surfaces = (surface,)
    press(loop, 0.5, "language", "menu", "language", "cancel")
    loop.run(3)
    assert languages == ["both", "both", "zh", "zh", "en", "both", "both"]


def test_a_service_that_only_a_host_may_ask_for_has_no_key() -> None:
    """The menu asks for what its table names and nothing else."""
    from firmware.menu import TABLE

    acts = {act for row in TABLE.values() for act, _ in row.values() if act.startswith("ask")}
    assert acts == {"ask_balance", "ask_settlements", "ask_pin_change"}
    assert ServiceCall("balance").params == {}
