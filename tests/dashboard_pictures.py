"""The pictures of docs/backoffice.md, of one demo's day.

    python -m tests.dashboard_pictures [OFFICE]

OFFICE: the folder of an office that holds that day; without it the demo is played first.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.chromium_rig import Browser, Page
from tests.dashboard_rig import Between, Served, play_demo, turned

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"
COLOURS = 200
UNIT = "pharmacy-1"


def make(office: Path, folder: Path) -> None:
    with Served(office) as served, Between(served) as between, Browser() as browser:
        keep(browser.open(f"{served.url}/#/", 1000, 620), folder / "office-overview.png")
        keep(
            browser.open(f"{served.url}/#/record/{UNIT}/8", 1000, 1180),
            folder / "office-record.png",
        )
        keep(browser.open(f"{served.url}/#/batch/{UNIT}/3", 390, 760), folder / "office-phone.png")
        between.change = lambda answer: answer.update(raw=turned(answer["raw"]))
        changed = browser.open(f"{between.url}/#/record/{UNIT}/8", 1000, 620)
        keep(changed, folder / "office-changed.png")


def keep(page: Page, path: Path) -> None:
    """With so few colours that it stays small."""
    assert page.problems == []
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size} B")
    page.close()


def main() -> None:
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]), IMAGES)
        return
    with tempfile.TemporaryDirectory() as name:
        make(play_demo(Path(name, "demo")), IMAGES)


if __name__ == "__main__":
    main()
