"""Issue "The technician", item 1: the units of an image can all be started, in some order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.image import deb, unitcheck

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze"
)


def folder_of_units(folder: Path) -> Path:
    """The units as the package installs and enables them."""
    for name in deb.UNITS:
        for each in (deb.ROOT / name).iterdir():
            shutil.copy(each, folder)
    for name in deb.ENABLED:
        for target in deb.targets(folder / name):
            wants = folder / f"{target}.wants"
            wants.mkdir(exist_ok=True)
            (wants / name).symlink_to(f"../{name}")
    return folder


def test_no_order_of_the_units_is_a_circle(tmp_path: Path) -> None:
    assert unitcheck.cycles(folder_of_units(tmp_path), deb.ENABLED) == []


def test_a_socket_that_waits_for_a_service_is_told(tmp_path: Path) -> None:
    """As was found on a booted image: sockets come before every service."""
    folder = folder_of_units(tmp_path)
    name = next(each for each in deb.ENABLED if each.endswith(".socket"))
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("[Unit]\n", "[Unit]\nAfter=sscterm-keep.service\n"))
    assert any("ordering cycle" in each for each in unitcheck.cycles(folder, deb.ENABLED))
