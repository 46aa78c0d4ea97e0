"""The display speaks on every screen, survives one that fails, and remembers for `status`."""

import threading
import time

import pytest

from firmware.display import signs
from firmware.display.messages import MESSAGES
from firmware.display.screen import LONGEST_FIELD, Display, Entry
from firmware.display.signs import SIGNS
from tests.waiting import SOON_S


class Kept:
    def __init__(self):
        self.drawn = []

    def draw(self, shown):
        self.drawn.append(shown)


def test_stars_and_seconds_are_drawn_and_never_remembered():
    """The screen shows stars; how many digits a PIN has is nobody's to read."""
    kept = Kept()
    display = Display([kept])
    display.type(1)
    assert kept.drawn == [], "nothing stands yet"
    display.show("ENTER_PIN", tries_left="3")
    display.count_down(30)
    display.type(2)
    display.type(2)
    display.count_down(29)
    assert [each.entry for each in kept.drawn] == [
        Entry(), Entry(0, 30, 30), Entry(2, 30, 30), Entry(2, 29, 30),
    ]  # fmt: skip
    assert {each.count for each in kept.drawn} == {1}
    assert display.since() == [display.current] == [kept.drawn[0]]
    display.count_down(None)
    assert kept.drawn[-1].entry == Entry(2)
    display.show("WORKING_LEAVE_CARD")
    assert kept.drawn[-1].entry == Entry(), "a new message begins without stars"
    display.count_down(-3)
    assert kept.drawn[-1].entry == Entry(0, 0, 1)


def test_the_language_key_holds_until_the_next_holder():
    kept = Kept()
    display = Display([kept], "zh")
    assert display.next_language() == "en", "before the first message too"
    display.show("READY")
    display.show("INSERT_CARD")
    assert display.next_language() == "en"
    display.show("ENTER_PIN", tries_left="3")
    assert display.next_language() == "both"
    assert display.next_language() == "zh"
    assert display.next_language() == "en"
    display.show("TAKE_CARD")
    display.show("READY")
    spoken = [(each.id, each.language) for each in kept.drawn]
    assert spoken == [
        ("READY", "zh"), ("INSERT_CARD", "zh"), ("INSERT_CARD", "en"), ("ENTER_PIN", "en"),
        ("ENTER_PIN", "both"), ("ENTER_PIN", "zh"), ("ENTER_PIN", "en"), ("TAKE_CARD", "en"),
        ("READY", "zh"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("message_id", "fields", "amount"),
    [
        ("APPROVED", {"amount": "86.50"}, "86.50"),
        ("BALANCE", {"balance": "3.20"}, "3.20"),
        ("INSERT_CARD", {"amount": "86.50"}, "86.50"),
        ("INSERT_CARD", {"amount": "--"}, ""),
        ("PIN_LOCKED", {"amount": "86.50"}, ""),  # nothing was taken: no amount to be seen
        ("APPROVED", {}, ""),
    ],
)
def test_an_amount_is_shown_large_where_the_message_is_about_one(message_id, fields, amount):
    display = Display([])
    display.show(message_id, **fields)
    assert display.current.amount == amount


def test_every_message_has_exactly_one_sign():
    assert set(SIGNS) == set(MESSAGES)
    assert set(SIGNS.values()) == set(signs.ALL)
    named = [each for ids in signs._MESSAGES.values() for each in ids.split()]
    assert len(named) == len(set(named))


def test_a_sign_never_contradicts_what_the_message_says_of_the_card():
    """Whoever looks at the icon only does the right thing with the card."""
    for name, text in MESSAGES.items():
        said = text.zh + text.zh_next + text.zh_panel
        if "请勿取走" in said and "插" not in said:
            assert SIGNS[name] in (signs.READING, signs.WORKING), name
        if "取回社保卡" in said:
            assert SIGNS[name] in (signs.TAKE, signs.DONE), name
        if "插回" in said:
            assert SIGNS[name] == signs.INSERT, name
        if SIGNS[name] in (signs.READING, signs.WORKING):
            assert "请勿取走" in said, name


class Broken:
    is_broken = True

    def draw(self, shown):
        if self.is_broken:
            raise OSError(5, "the panel does not answer")


def test_a_message_goes_to_every_surface_and_is_remembered():
    one, two = Kept(), Kept()
    display = Display([one, two])
    assert display.current is None
    display.show("APPROVED", amount="12.50")
    assert one.drawn == two.drawn == [display.current]
    shown = display.current
    assert (shown.count, shown.id, shown.number) == (1, "APPROVED", 1)
    assert shown.zh == "收款成功：12.50 元。"
    assert shown.en_panel == "Paid 12.50\nTake your card"


def test_progress_has_no_number():
    display = Display([])
    display.show("READY")
    assert display.current.number is None


def test_a_headless_unit_works_with_no_screen():
    """Issue: a headless unit works with none."""
    display = Display([])
    display.show("TAKE_CARD")
    assert display.current.id == "TAKE_CARD"
    assert display.faults == {}


def test_a_failing_screen_stops_neither_the_others_nor_the_payment():
    broken, kept = Broken(), Kept()
    display = Display([broken, kept])
    display.show("WORKING_LEAVE_CARD")
    assert len(kept.drawn) == 1
    assert display.faults == {"Broken": "OSError: [Errno 5] the panel does not answer"}
    broken.is_broken = False
    display.show("TAKE_CARD")
    assert display.faults == {}, "a screen that works again has no fault"


def test_the_last_fifty_are_remembered_with_their_count():
    display = Display([])
    for _ in range(60):
        display.show("READY")
    assert [each.count for each in display.since()] == list(range(11, 61))
    assert [each.count for each in display.since(58)] == [59, 60]
    assert display.since(60) == []


def test_an_unknown_message_is_an_error_and_shows_nothing():
    display = Display([])
    with pytest.raises(KeyError):
        display.show("APROVED")
    assert display.current is None


def test_fields_cannot_steer_a_terminal():
    """A name comes from a card: no escape sequence, no new line, no text turned around."""
    display = Display([])
    display.show("CARD_READ", name="\x1b[2J王\n五\u202e")
    assert display.current.zh == "读卡成功：?[2J王?五?。"
    display.show("CARD_READ", name="x" * 10_000)
    assert len(display.current.zh_panel.split("\n")[0]) == LONGEST_FIELD


class Slow:
    def __init__(self):
        self.log = []

    def draw(self, shown):
        self.log.append(shown.count)
        time.sleep(0.001)
        self.log.append(shown.count)


def test_several_threads_may_show_and_read():
    slow = Slow()
    display = Display([slow])

    def speak():
        for _ in range(25):
            display.show("READY")
            display.since(display.current.count - 1)

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SOON_S)
    in_order = [count for count in range(1, 101) for _ in ("begun", "ended")]
    assert slow.log == in_order, "one message is drawn after the other"
