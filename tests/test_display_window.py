"""The text window: Chinese and English in one box, straight in a terminal."""

import io

import pytest

from firmware.display.layout import width
from firmware.display.messages import MESSAGES
from firmware.display.screen import Display
from firmware.display.window import COLUMNS, Window, render

LONG = {
    "amount": "1000000.00", "balance": "1000000.00", "name": "阿卜杜热合曼·买买提艾力",
    "days": "365", "tries_left": "15", "order_no": "HIS-2026-11-22-0000000000017",
}  # fmt: skip


def shown(message_id, **fields):
    display = Display([])
    display.show(message_id, **fields)
    return display.current


def test_a_message_in_its_box():
    assert render(shown("INSUFFICIENT_FUNDS", balance="3.20"), "both") == (
        "┌──────────────────────────────────────────────────────┐\n"
        "│ 账户余额不足（3.20 元），未扣款。                    │\n"
        "│ > 请减少账户支付金额，或换其他方式付款。             │\n"
        "│ Not enough in the account (3.20 yuan). Nothing was   │\n"
        "│ taken.                                               │\n"
        "│ > Take less from the account, or pay another way.    │\n"
        "└──────────────────────────────────────────────── 116 ─┘\n"
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_one_language_alone(language):
    text = render(shown("TAKE_CARD"), language)
    assert ("请取回社保卡。" in text) == (language == "zh")
    assert ("Please take your card." in text) == (language == "en")
    assert text.splitlines()[-1] == "└" + "─" * (COLUMNS - 2) + "┘", "progress has no number"


@pytest.mark.parametrize("name", MESSAGES)
def test_every_line_is_as_wide_as_the_box(name):
    for line in render(shown(name, **LONG), "both").splitlines():
        assert width(line) == COLUMNS


def test_the_window_prints_on_its_stream():
    stream = io.StringIO()
    display = Display([Window(stream)], "zh")
    display.show("READY")
    display.show("TAKE_CARD")
    text = stream.getvalue()
    assert text.index("终端就绪") < text.index("请取回社保卡")


def test_stars_are_not_printed_and_another_language_is():
    stream = io.StringIO()
    display = Display([Window(stream)])
    display.show("ENTER_PIN", tries_left="3")
    printed = stream.getvalue()
    display.type(1)
    display.count_down(5)
    assert stream.getvalue() == printed
    display.next_language()
    assert len(stream.getvalue()) > len(printed)


def test_a_stream_without_chinese_is_a_fault_of_the_window_only():
    display = Display([Window(io.TextIOWrapper(io.BytesIO(), "ascii"))], "zh")
    display.show("READY")
    assert "UnicodeEncodeError" in display.faults["Window"]
