"""One clear line of what to do next, in Chinese and English, for whatever can happen (mission)."""

import re
from dataclasses import astuple
from pathlib import Path

import pytest

from firmware.display.layout import balanced, width, wrap
from firmware.display.messages import MESSAGES, PROGRESS, message
from firmware.display.pages import errors_page
from firmware.outcome import outcomes

DOCS = Path(__file__).parent.parent / "docs"

PROGRESS_IDS = {
    "STARTING", "JOURNAL_CHECK", "READY", "STOPPED", "UPDATING",
    "INSERT_CARD", "READING_CARD", "CARD_READ", "WORKING_LEAVE_CARD", "TAKE_CARD",
    "ENTER_PIN", "PIN_WRONG_RETRY", "CHECKING_LAST_PAYMENT", "RECOVERY_PIN",
    "BALANCE", "PSAM_WARNING", "READY_LIST_AGE", "STOP_LIST_WARNING",
    "OLD_PIN", "NEW_PIN", "NEW_PIN_AGAIN", "NEW_PIN_DIFFERED", "NEW_PIN_TOO_EASY", "NEW_PIN_FORCED",
    "INITIAL_PIN_WARNING", "REMOVE_PIN", "PIN_CHANGE_CHECKING", "PIN_CHANGED", "PIN_REMOVED",
    "PIN_UNBLOCKED", "PIN_RELOADED", "BLOCK_CHECKING", "BLOCKED",
    "READY_MENU", "MENU_BALANCE", "MENU_SETTLEMENTS", "MENU_PIN", "MENU_AMOUNT", "MENU_LANGUAGE",
    "ENTER_AMOUNT", "SETTLEMENT", "NO_SETTLEMENTS",
}  # fmt: skip

FIELDS = {
    "ENTER_PIN": {"tries_left"},
    "PIN_WRONG_RETRY": {"tries_left"},
    "PIN_WRONG": {"tries_left"},
    "PIN_NOT_LOCKED": {"tries_left"},
    "OLD_PIN": {"tries_left"},
    "REMOVE_PIN": {"tries_left"},
    "PIN_CHANGE_UNCERTAIN": {"tries_left"},
    "CARD_READ": {"name"},
    "BALANCE": {"balance"},
    "INSUFFICIENT_FUNDS": {"balance"},
    "PSAM_WARNING": {"days"},
    "READY_LIST_AGE": {"hours"},
    "STOP_LIST_WARNING": {"hours"},
    "APPROVED": {"amount"},
    "APPROVED_FOUND_LATER": {"amount", "order_no"},
    "APPROVED_UNCHECKED": {"amount"},
    "OVER_TRANSACTION_LIMIT": {"amount"},
    "OVER_MENU_LIMIT": {"amount"},
    "ENTER_AMOUNT": {"amount"},
    "SETTLEMENT": {"number", "at", "amount"},
    "ORDER_MISMATCH": {"order_no"},
    "ORDER_SETTLED": {"order_no"},
    "LOADED": {"amount"},
    "LOADED_FOUND_LATER": {"amount", "order_no"},
    "ASKING_HOST": {"amount"},
    "NOT_LOADED": {"order_no"},
    "LOAD_UNCERTAIN": {"order_no"},
    "NOT_TAKEN": {"order_no"},
    "PAYMENT_UNCERTAIN": {"order_no"},
    "PAYMENT_SUSPECT": {"order_no"},
}


def test_every_outcome_and_every_step_has_a_message_and_nothing_else_has():
    assert set(MESSAGES) == {each.name for each in outcomes()} | PROGRESS_IDS
    assert set(PROGRESS) == PROGRESS_IDS


def test_an_unknown_id_is_an_error():
    with pytest.raises(KeyError):
        message("APROVED")


@pytest.mark.parametrize("name", MESSAGES)
def test_both_languages_are_whole(name):
    text = MESSAGES[name]
    for zh in (text.zh, text.zh_next):
        assert re.search("[一-鿿]", zh)
        assert zh.endswith("。")
        assert not re.search(r"[,;:!?()]|[A-Za-z]\.($|\s)", zh), "Chinese punctuation is full width"
    for en in (text.en, text.en_next, text.en_panel):
        assert en.isascii()
    assert text.en.endswith(".")
    assert text.en_next.endswith(".")


@pytest.mark.parametrize("name", MESSAGES)
def test_both_languages_name_the_fields_they_should(name):
    text = MESSAGES[name]
    assert text.field_names() == FIELDS.get(name, set())
    for field in FIELDS.get(name, ()):
        assert f"{{{field}}}" in text.zh
        assert f"{{{field}}}" in text.en


@pytest.mark.parametrize("name", MESSAGES)
def test_both_languages_say_the_same_about_the_money(name):
    """Whether a payment was taken is the one thing no translation may change."""
    text = MESSAGES[name]
    assert ("未扣款" in text.zh) == bool(re.search("Nothing was taken|was not taken", text.en))
    assert ("请勿再次收款" in text.zh_next) == bool(
        re.search("(?i)(do not|don't) charge again", text.en_next)
    )


def test_a_taken_payment_never_asks_to_charge_again():
    for each in outcomes():
        text = MESSAGES[each.name]
        if each.number < 9 or each.name in ("PAYMENT_UNCERTAIN", "PUT_CARD_BACK"):
            assert "重新" not in text.zh_next + text.zh_panel
        if each.name in ("APPROVED_FOUND_LATER", "APPROVED_UNCHECKED", "PAYMENT_UNCERTAIN"):
            assert "请勿再次收款" in text.zh_next
            assert "请勿再次收款" in text.zh_panel


def test_fields_are_filled_in_and_a_missing_one_is_shown_as_missing():
    shown = message("APPROVED_FOUND_LATER").filled({"amount": "12.50", "other": "x"})
    assert shown.zh == "经核对，订单 -- 的 12.50 元已扣款成功。"
    assert message("CARD_READ").filled({"name": "{amount}"}).zh == "读卡成功：{amount}。"
    assert "{" not in "".join(astuple(message("APPROVED").filled({})))


def test_the_errors_page_is_the_one_made_from_the_messages():
    """docs/errors.md is made by `python -m firmware.display.pages`."""
    assert (DOCS / "errors.md").read_text("utf-8") == errors_page()
    assert errors_page().count("\n| ") == len(outcomes()) + 1


# --- layout ---


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("请取回社保卡", 16, ["请取回社保卡"]),
        ("请核对是否为持卡人本人", 16, ["请核对是否为持卡", "人本人"]),
        ("请取回您的社保卡。", 16, ["请取回您的社保", "卡。"]),  # no mark begins a line
        ("Put the same card back.", 16, ["Put the same", "card back."]),
        ("请检查 PSAM 卡槽", 8, ["请检查", "PSAM 卡", "槽"]),
        ("Donaudampfschifffahrt", 8, ["Donaudam", "pfschiff", "fahrt"]),
        ("  a", 8, ["a"]),
        ("", 8, []),
    ],
)
def test_wrapping(text, columns, lines):
    assert wrap(text, columns) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("请输入密码", ["请输入", "密码"]),
        ("请取回社保卡", ["请取回", "社保卡"]),
        ("未找到PSAM", ["未找到", "PSAM"]),
        ("请输入", ["请输入"]),
        ("Pay again", ["Pay", "again"]),
        ("a another", ["a", "another"]),  # and not "a anot", "her"
        ("", []),
    ],
)
def test_no_character_stands_alone_where_a_line_is_divided(text, lines):
    assert balanced(text, 8) == lines


def test_wide_characters_take_two_columns():
    assert width("卡A，¥") == 2 + 1 + 2 + 1
