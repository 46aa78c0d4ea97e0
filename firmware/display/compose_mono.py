"""The screens of a panel of 128x64 dots in one colour.

To the left the icon and the outcome's number, beside it two lines of six Chinese characters; below,
the same in little English letters, or, in one language alone, the rest of the advice.  The last
rows are for the stars of a PIN and the bar that shrinks.
"""

from __future__ import annotations

from firmware.display import wording
from firmware.display.canvas import Canvas
from firmware.display.fonts import DOUBLE, LITTLE, LITTLE_DOUBLE, LITTLE_FIGURES, TEXT, Font
from firmware.display.icons import SIDE, disc, icon
from firmware.display.layout import balanced, width, wrap
from firmware.display.screen import Shown
from firmware.display.signs import PIN

WIDTH, HEIGHT = 128, 64
LIT = 1
LEFT = SIDE + 4  # of what stands beside the icon
BESIDE, FULL = 12, 16  # columns of 8 dots
LINE = 16
LITTLE_LINE = 10
BAR = 2
FIGURES = (Font(2, 2, is_figures=True), Font(1, 2, is_figures=True))
DOUBLE_FIGURES = tuple(Font(wide, 3, is_figures=True) for wide in (3, 2, 1))


def compose(shown: Shown, is_double: bool = False) -> list[Canvas]:
    """One picture, or those to be shown in turn."""
    pages = _doubled(shown) if is_double else _usual(shown)
    for page in pages:
        _bar(page, shown)
    return pages


def _usual(shown: Shown) -> list[Canvas]:
    if shown.language != "both":
        return [_alone(shown, shown.language)]
    both = _both(shown)
    return [both] if both is not None else [_alone(shown, each) for each in ("zh", "en")]


def _both(shown: Shown) -> Canvas | None:
    """Chinese over English; None where they have not room for each other."""
    headline, then = wording.short(shown, "en")
    if wording.amount(shown):
        return _both_with_amount(shown, headline, then)
    lines = _flow(wording.short(shown, "zh"))
    if len(lines) > 2:
        return None
    top = 0 if shown.sign == PIN else 5
    canvas = _begun(shown, top)
    _write(canvas, lines, top)
    for at, line in enumerate((headline, then)):
        canvas.text(LEFT, top + 34 + at * LITTLE_LINE, line, LITTLE, LIT)
    return canvas


def _both_with_amount(shown: Shown, headline: str, then: str) -> Canvas | None:
    """English to the right of the Chinese headline, else all of it in the lowest line."""
    canvas = _begun(shown)
    _amount(canvas, shown, "zh")
    lowest = HEIGHT - BAR - LITTLE.height
    chinese = TEXT.width(wording.short(shown, "zh")[0])
    if LEFT + chinese + LITTLE_LINE + LITTLE.width(headline) <= WIDTH:
        canvas.text(WIDTH - LITTLE.width(headline), 5, headline, LITTLE, LIT)
        canvas.text(LEFT, lowest, then, LITTLE, LIT)
        return canvas
    sentence = f"{headline} {then}" if then[0].islower() else f"{headline}. {then}"
    if LITTLE.width(sentence) > WIDTH:
        return None
    canvas.text(0, lowest, sentence, LITTLE, LIT)
    return canvas


def _alone(shown: Shown, language: str) -> Canvas:
    """What has a number has its whole advice, if there is room."""
    if wording.amount(shown):
        canvas = _begun(shown)
        _amount(canvas, shown, language)
        return canvas
    short = wording.short(shown, language)
    lines = _flow([short[0], wording.advice(shown, language)])
    if len(lines) > 4 or not wording.number(shown):
        lines = _flow(short)
    top = 15 if len(lines) <= 2 and shown.sign != PIN else 0
    canvas = _begun(shown, top)
    _write(canvas, lines, top)
    return canvas


def _begun(shown: Shown, top: int = 0) -> Canvas:
    """Icon, number, and what changes while the message stands."""
    canvas = Canvas(WIDTH, HEIGHT)
    canvas.picture(0, top, icon(shown.sign), LIT)
    number = wording.number(shown)
    if number:
        left = (SIDE - LITTLE_FIGURES.width(number)) // 2
        canvas.text(left, top + SIDE + 1, number, LITTLE_FIGURES, LIT)
    for at in range(wording.stars(shown)):
        canvas.picture(LEFT + 8 * at, HEIGHT - 10, disc(6), LIT)
    return canvas


def _bar(canvas: Canvas, shown: Shown) -> None:
    """Only where the words leave the lowest rows free."""
    is_free = all(each.top + each.height <= HEIGHT - BAR for each in canvas.placed)
    if shown.entry.seconds_left is not None and is_free:
        long = WIDTH * shown.entry.seconds_left // shown.entry.seconds
        canvas.block(0, HEIGHT - BAR, long, BAR, LIT)


def _amount(canvas: Canvas, shown: Shown, language: str) -> None:
    """Headline, the amount as large as it fits, the instruction."""
    headline, then = wording.short(shown, language)
    font = TEXT if LEFT + TEXT.width(headline) <= WIDTH else LITTLE
    canvas.text(LEFT, 0, headline, font, LIT)
    text = wording.amount(shown)
    font = next(each for each in FIGURES if LEFT + each.width(text) <= WIDTH)
    canvas.text(LEFT, 17, text, font, LIT)
    canvas.text(LEFT if language == "zh" else 0, 37, then, TEXT, LIT)


def _flow(paragraphs: list[str]) -> list[str]:
    """Lines: the first two beside the icon, the others under it."""
    lines: list[str] = []
    for paragraph in paragraphs:
        left = paragraph.strip()
        if len(lines) == 1 and BESIDE < width(left) <= FULL:
            lines.append("")  # whole on a line of its own, under the icon
        while left:
            line = wrap(left, BESIDE if len(lines) < 2 else FULL)[0]
            lines.append(line)
            left = left[len(line) :].lstrip()
    return lines


def _write(canvas: Canvas, lines: list[str], top: int) -> None:
    for at, line in enumerate(lines):
        if line:
            canvas.text(LEFT if at < 2 else 0, top + at * LINE, line, TEXT, LIT)


def _doubled(shown: Shown) -> list[Canvas]:
    """Twice the size, for who sees badly: icon and number, then the words, in turn."""
    if wording.stars(shown):
        return [_stars(shown)]
    languages = ("zh", "en") if shown.language == "both" else (shown.language,)
    first = Canvas(WIDTH, HEIGHT)
    number = wording.number(shown)
    first.picture(8 if number else (WIDTH - 2 * SIDE) // 2, 8, icon(shown.sign, 2), LIT)
    if number:
        first.text(72, 16, number, DOUBLE, LIT)
    pages = [first]
    for language in languages:
        texts = wording.short(shown, language)
        if amount := wording.amount(shown):
            texts.insert(1, amount)
        pages += [_page(lines) for text in texts for lines in _pages(text, language)]
    return pages


def _pages(text: str, language: str) -> list[list[str]]:
    """Two lines of four Chinese characters; English in lines of little letters, doubled."""
    is_chinese = language == "zh" and not text.startswith("¥")
    lines = balanced(text, 8) if is_chinese else _little(text)
    return [lines[at : at + 2] for at in range(0, len(lines), 2)]


def _little(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if LITTLE_DOUBLE.width(longer) > WIDTH:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _page(lines: list[str]) -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT)
    fonts = [_double_font(line) for line in lines]
    gap = max(0, (HEIGHT - sum(each.height for each in fonts)) // (len(fonts) + 1))
    top = gap
    for line, font in zip(lines, fonts, strict=True):
        canvas.text((WIDTH - font.width(line)) // 2, top, line, font, LIT)
        top += font.height + gap
    return canvas


def _double_font(line: str) -> Font:
    if line.startswith("¥"):
        return next(each for each in DOUBLE_FIGURES if each.width(line) <= WIDTH)
    return LITTLE_DOUBLE if line.isascii() else DOUBLE


def _stars(shown: Shown) -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT)
    for at in range(wording.stars(shown)):
        canvas.picture(6 + 20 * (at % 6), 8 + 24 * (at // 6), disc(16), LIT)
    return canvas
