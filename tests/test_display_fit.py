"""Every message fits every panel, in each language, at the widest its fields can be."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware.display import wording
from firmware.display.canvas import Canvas, Placed
from firmware.display.fonts import has_small
from firmware.display.glyphs import has_glyph
from firmware.display.messages import MESSAGES
from firmware.display.panel import COLOUR, MONO, TEXT_PANELS, canvases, lines
from firmware.display.screen import LANGUAGES, Display, Entry, Shown
from firmware.display.signs import INSERT, PIN
from tests.widest import WIDEST

FULLEST = Entry(12, 600, 600)


def shown(message_id: str, language: str = "both", **fields: str) -> Shown:
    display = Display([], language)
    names = MESSAGES[message_id].field_names()
    display.show(message_id, **{name: WIDEST[name] for name in names}, **fields)
    (found,) = display.since()
    return found


def bare(text: str) -> str:
    """Without what a line may begin and end with."""
    return text.replace(" ", "")


def inside(box: Placed, canvas: Canvas) -> bool:
    return (
        box.left >= 0
        and box.top >= 0
        and box.left + box.width <= canvas.width
        and box.top + box.height <= canvas.height
    )


def meet(one: Placed, other: Placed) -> bool:
    return (
        one.left < other.left + other.width
        and other.left < one.left + one.width
        and one.top < other.top + other.height
        and other.top < one.top + one.height
    )


def check(message: Shown, kind: str, is_double: bool) -> str:
    """What all its pages say; each box inside its page, none over another."""
    said = ""
    for page in canvases(message, kind, is_double):
        assert page.placed, "a page that shows nothing"
        for box in page.placed:
            assert inside(box, page), box
            assert all(has_glyph(each) for each in box.text)
            said += box.text
        for one, other in itertools.combinations(page.placed, 2):
            assert not meet(one, other), (one, other)
    return bare(said)


@pytest.mark.parametrize("kind", [MONO, COLOUR])
@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_whole_on_a_panel_of_dots(name: str, kind: str) -> None:
    for language, is_double in itertools.product(LANGUAGES, (False, True)):
        message = shown(name, language)
        said = check(message, kind, is_double)
        for each in ("zh", "en") if language == "both" else (language,):
            headline, then = wording.short(message, each)
            assert bare(headline) in said
            assert bare(then) in said or bare(wording.advice(message, each)) in said
            if each == "en":
                pages = canvases(message, kind, is_double)
                words = {
                    word.rstrip(".")
                    for page in pages
                    for box in page.placed
                    for word in box.text.split()
                }
                assert {word.rstrip(".") for word in headline.split()} <= words, "no word is cut"
        assert wording.number(message) in said, "a person on the telephone can read it out"
        assert wording.amount(message) in said


@pytest.mark.parametrize("kind", [MONO, COLOUR])
@pytest.mark.parametrize("name", [each for each in MESSAGES if shown(each).sign == PIN])
def test_twelve_stars_and_the_seconds_fit_too(name: str, kind: str) -> None:
    for language, is_double in itertools.product(LANGUAGES, (False, True)):
        message = replace(shown(name, language), entry=FULLEST)
        check(message, kind, is_double)
        for page in canvases(message, kind, is_double):
            sizes = [(box.width, box.height) for box in page.placed if not box.text]
            stars = sizes.count((6, 6)) + sizes.count((16, 16))
            assert stars == (0 if wording.amount(message) else 12), "an amount is no secret"


@pytest.mark.parametrize("kind", [MONO, COLOUR])
def test_the_time_left_meets_no_words(kind: str) -> None:
    """While a card is waited for, or something is typed, the bar is there."""
    for name, language in itertools.product(MESSAGES, LANGUAGES):
        message = replace(shown(name, language), entry=Entry(0, 600, 600))
        check(message, kind, False)
        if (message.number is None and message.sign in (PIN, INSERT)) or wording.amount(message):
            assert all(page.dots[-1] != 0 for page in canvases(message, kind, False))


@pytest.mark.parametrize("kind", [MONO, COLOUR])
def test_the_amount_asked_for_fits_beside_the_words(kind: str) -> None:
    for amount, language in itertools.product(("0.01", "86.50", "42949672.95"), LANGUAGES):
        for name in ("INSERT_CARD", "PUT_CARD_BACK"):
            assert f"¥{amount}" in check(shown(name, language, amount=amount), kind, False)


@pytest.mark.parametrize("size", TEXT_PANELS)
@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_whole_on_a_panel_of_letters(name: str, size: str) -> None:
    """ASCII, and the number that a page explains in Chinese."""
    columns, rows = TEXT_PANELS[size]
    message = shown(name)
    for entry in (Entry(), Entry(0, 60, 60), FULLEST):
        text = lines(replace(message, entry=entry), size)
        assert len(text) == rows
        for line in text:
            assert len(line) == columns, line
            assert line.isascii()
            assert "?" not in line
        said = bare("".join(text))
        headline, then = message.en_panel.split("\n")
        if message.amount and rows == 4:
            headline = wording.short(message, "en")[0]
        assert bare(headline) in said
        assert bare(then) in said or (entry.stars and "*" * 12 in said)
        if message.number is not None:
            assert f"{message.number:03}" in said
        if entry.seconds_left and message.sign == PIN:
            assert f"{entry.seconds_left}s" in said


@given(
    name=st.sampled_from(sorted(MESSAGES)),
    field=st.text(max_size=60),
    entry=st.builds(
        Entry, st.integers(0, 40), st.one_of(st.none(), st.integers(0, 5)), st.integers(5, 9)
    ),
)
@example(name="PSAM_WARNING", field="0000¡0000000000¡00000000000000", entry=Entry(0, None, 5))
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_a_field_every_panel_shows_something(name, field, entry) -> None:
    """A name comes from a card: what does not fit is cut, nothing else is hurt."""
    display = Display([])
    display.show(name, **dict.fromkeys(MESSAGES[name].field_names(), field))
    message = replace(display.since()[-1], entry=entry)
    for kind, is_double in itertools.product((MONO, COLOUR), (False, True)):
        for page in canvases(message, kind, is_double):
            assert len(page.dots) == page.width * page.height
    for size in TEXT_PANELS:
        lines(message, size)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_little_letters_have_every_letter_that_is_said(name: str) -> None:
    assert all(has_small(each) for each in shown(name).en_panel.replace("\n", ""))


def test_a_headline_and_one_instruction_are_all_that_a_panel_says() -> None:
    for text in MESSAGES.values():
        for panel in (text.zh_panel, text.en_panel):
            assert panel.count("\n") <= 1
