"""Issue "Numbers": image.mb and bundle.mb are read from a real image, or told as not measured."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import image_rig
from tests.bench import image
from tools.image.layout import SMALL

REASON = image_rig.missing() or (None if shutil.which("rauc") else "no rauc")


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_the_rows_are_those_of_the_image_that_is_there(tmp_path: Path) -> None:
    made = image_rig.image(tmp_path)
    rows = image.measure(tmp_path, made)
    assert set(rows) == set(image.ROWS)
    whole, bundle = rows["image.mb"], rows["bundle.mb"]
    assert whole.reference == SMALL.size / 1e6
    assert whole.value is not None
    assert 2 < whole.value < whole.reference  # /program has 2 MB, twice
    assert bundle.value is not None
    assert bundle.reference is not None
    assert 0 < bundle.value < bundle.reference < (SMALL.boot + SMALL.system) / 1e6


def test_without_an_image_no_figure_is_made_up(tmp_path: Path) -> None:
    for figure in image.measure(tmp_path, tmp_path / "no.img").values():
        assert figure.value is None
        assert "make test-image first" in figure.note
