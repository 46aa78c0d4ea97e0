"""What docs/ shows of the display: errors.md, a table of all outcomes, and pictures of the panel.

    python -m firmware.display.pages [docs]

A test compares errors.md with what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from firmware.display.messages import MESSAGES
from firmware.display.panel import render
from firmware.display.screen import Display, Shown
from firmware.outcome import CLERK, HOLDER, OFFICE, TECHNICIAN, outcomes

ACTORS = {
    CLERK: "收费员 clerk",
    HOLDER: "持卡人 holder",
    TECHNICIAN: "技术人员 technician",
    OFFICE: "后台 office",
}

PICTURES: dict[str, tuple[str, str, dict[str, str]]] = {
    "insert": ("both", "INSERT_CARD", {}),
    "pin": ("both", "ENTER_PIN", {"tries_left": "3"}),
    "working": ("both", "WORKING_LEAVE_CARD", {}),
    "approved": ("both", "APPROVED", {"amount": "86.50"}),
    "name-zh": ("zh", "CARD_READ", {"name": "欧阳䶮"}),
    "funds": ("both", "INSUFFICIENT_FUNDS", {"balance": "3.20"}),
    "psam-zh": ("zh", "PSAM_MISSING", {}),
    "put-back-en": ("en", "PUT_CARD_BACK", {}),
}
"""Picture -> language, message id, fields."""

SCALE = 4


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


def write(folder: Path) -> None:
    (folder / "errors.md").write_text(errors_page(), encoding="utf-8")
    (folder / "img").mkdir(exist_ok=True)
    for name, (language, message_id, fields) in PICTURES.items():
        picture = render(_shown(message_id, fields), language)
        size = (picture.width * SCALE, picture.height * SCALE)
        picture.resize(size).save(folder / "img" / f"panel-{name}.png", optimize=True)


def _shown(message_id: str, fields: dict[str, str]) -> Shown:
    display = Display([])
    display.show(message_id, **fields)
    return display.since()[-1]


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
