"""What docs/ shows of the display: errors.md, a table of all outcomes, and docs/screens.

    python -m firmware.display.pages [docs]

A test compares both with what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from firmware.display.messages import MESSAGES
from firmware.display.panel import COLOUR, MONO, column, lines, pictures, save
from firmware.display.sheets import sample, sheet
from firmware.display.signs import ALL, SIGNS
from firmware.outcome import CLERK, HOLDER, OFFICE, TECHNICIAN, outcomes

ACTORS = {
    CLERK: "收费员 clerk",
    HOLDER: "持卡人 holder",
    TECHNICIAN: "技术人员 technician",
    OFFICE: "后台 office",
}

MAIN_FLOW = (
    "READY", "INSERT_CARD", "ENTER_PIN", "WORKING_LEAVE_CARD", "APPROVED", "PIN_WRONG_RETRY",
    "INSUFFICIENT_FUNDS", "PUT_CARD_BACK", "PSAM_MISSING",
)  # fmt: skip
"""What a payment shows, and what it shows when something is wrong."""

SHEETS = {
    f"{kind}-{language}": (kind, language, tuple(MESSAGES), False)
    for kind, languages in {
        MONO: ("both", "zh", "en"), COLOUR: ("both", "zh", "en"), "16x4": ("en",), "20x2": ("en",)
    }.items()
    for language in languages
} | {f"{kind}-large": (kind, "both", MAIN_FLOW, True) for kind in (MONO, COLOUR)}  # fmt: skip
"""Name of a contact sheet in docs/screens -> kind of panel, language, messages, twice the size."""

SINGLES = {
    "insert": ("both", "INSERT_CARD"), "pin": ("both", "ENTER_PIN"),
    "working": ("both", "WORKING_LEAVE_CARD"), "approved": ("both", "APPROVED"),
    "name-zh": ("zh", "CARD_READ"), "funds": ("both", "INSUFFICIENT_FUNDS"),
    "psam-zh": ("zh", "PSAM_MISSING"), "put-back-en": ("en", "PUT_CARD_BACK"),
}  # fmt: skip
"""Picture -> language, message; of the 128x64 and the 240x240 panel."""

NEAREST = 0  # of Pillow: dots stay dots
SCALES = {MONO: 4, COLOUR: 2}


def errors_page() -> str:
    """docs/errors.md."""
    rows = []
    for each in outcomes():
        text = MESSAGES[each.name]
        cells = (
            str(each.number), f"`{each.name}`", ACTORS[each.actor],
            f"{text.zh}<br>{text.en}", f"{text.zh_next}<br>{text.en_next}",
        )  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |\n")
    return (
        "# Outcomes: what the number on the display means\n\n"
        "Numbers are frozen: none is ever given a new meaning. Who acts is who must do something "
        "next. Fields in braces are filled in when the message is shown. Made by "
        "`python -m firmware.display.pages`; do not edit.\n\n"
        "| 编号 No. | Name | 谁处理 Who acts | 显示 Shown | 下一步 What to do next |\n"
        "|---|---|---|---|---|\n" + "".join(rows)
    )


def screens_page() -> str:
    """docs/screens/README.md."""
    rows = []
    for name in sorted(MESSAGES, key=lambda each: (ALL.index(SIGNS[each]), each)):
        text, shown = MESSAGES[name], sample(name)
        said = "<br>".join(each.rstrip() for each in lines(shown, "16x4") if each.strip())
        number = "" if shown.number is None else f"{shown.number:03}"
        cells = (SIGNS[name], f"`{name}`", number, said, f"{text.zh}{text.zh_next}")
        rows.append("| " + " | ".join(cells) + " |\n")
    pictures = "\n\n".join(f"## {name}\n\n![{name}]({name}.png)" for name in SHEETS)
    return (
        "# 屏幕一览 The screens\n\n"
        "Every message on every panel, made by `python -m firmware.display.pages`; do not edit. A "
        "test draws each screen again and compares it with these pictures. The signs (icon, "
        "colour, lamps, tone) are those of `firmware/display/signs.py`.\n\n"
        "- 128x64: SSD1306, SH1106. 240x240: ST7789. 16x4, 20x2: HD44780.\n"
        "- PIN screens are shown while four digits have been typed and 42 of 60 seconds are left; "
        "the icon marks key 5, which has a raised dot.\n"
        "- large: `[display] large = true`, page after page. Where a name leaves no room for two "
        "languages, they are shown in turn.\n\n"
        "## 字符屏对照表 What the letters of an HD44780 mean\n\n"
        "字符屏没有汉字：按编号或英文在此查中文。An HD44780 has no Chinese characters: look up "
        "the number or the English words here.\n\n"
        "| Sign | Message | 编号 No. | 显示 Shown | 中文 |\n|---|---|---|---|---|\n"
        + "".join(rows)
        + "\n"
        + pictures
        + "\n"
    )


def write(folder: Path) -> None:
    (folder / "errors.md").write_text(errors_page(), encoding="utf-8")
    screens = folder / "screens"
    screens.mkdir(exist_ok=True)
    for outdated in screens.glob("*.png"):
        outdated.unlink()
    (screens / "README.md").write_text(screens_page(), encoding="utf-8")
    for name, (kind, language, ids, is_double) in SHEETS.items():
        save(sheet(kind, language, ids, is_double)[0], screens / f"{name}.png")
    for name, (language, message_id) in SINGLES.items():
        for kind, scale in SCALES.items():
            together = column(pictures(sample(message_id, language), kind), 2)
            size = (together.width * scale, together.height * scale)
            together.resize(size, NEAREST).save(screens / f"{name}-{kind}.png", optimize=True)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
