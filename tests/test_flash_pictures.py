"""Issue "The technician": docs/flash.md has a picture of each step, and none shows what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import door_rig, flash_rig, flash_screen
from tests.flash_pictures import SHOTS, shot
from tests.flash_screen import IMAGES, picture, settled, text_of
from tools.technician.command import parser

PAGE = (IMAGES.parent / "flash.md").read_text(encoding="utf-8")
NO_RIG = flash_rig.NO_LOOP or door_rig.missing()
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.skipif(NO_RIG is not None, reason=str(NO_RIG))
@pytest.mark.parametrize("name", SHOTS)
def test_a_picture_shows_what_the_act_says_today(name: str, folder: Path) -> None:
    told = "stale: run python -m tests.flash_pictures"
    assert settled(shot(name, folder)) == settled(text_of(picture(name))), told


def test_every_picture_is_on_the_page_and_every_step_has_one() -> None:
    there = {each.name for each in IMAGES.glob("flash-*.png")} - {"flash-sheet.png"}
    assert there == {picture(name).name for name in SHOTS}
    (acts,) = [a.choices for a in parser()._actions if a.choices and not a.option_strings]
    assert set(acts) <= set(SHOTS)
    for name in there:
        assert f"](img/{name})" in PAGE, name


def test_what_differs_between_two_runs_is_no_staleness() -> None:
    one = "loop3 写入 100 %    42.2 MB/s  剩余 left 0 s sheets/2026-11-23T01-50-37-0000-x"
    two = "loop12 写入 100 %   142.2 MB/s  剩余 left 0 s sheets/2027-01-01T11-59-07-0800-x"
    assert settled(one) == settled(two)
    assert settled(one) != settled(two.replace("写入", "校验"))
    assert flash_screen.page("$ a <b>\nc & d").count("&lt;b&gt;</b>\nc &amp; d") == 1
