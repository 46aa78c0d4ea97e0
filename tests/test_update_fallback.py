"""Issue 5.2: falls back by itself, even where the release on trial has no working Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import update_rig
from tools.update import autoboot

REASON = update_rig.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")
SCRIPT = Path(autoboot.__file__).parent / "handlers" / "fall-back"
UNITS = SCRIPT.parents[1] / "units"
CONSOLE = "console=ttyAMA0 rauc.slot={} ssc.disk=55c70001 ro quiet\n"


def fall_back(folder: Path, running: str, words: bytes) -> tuple[int, bool]:
    """Exit status, and whether the machine was told to start again."""
    update_rig.fat(folder / "p1", update_rig.BOOT_BYTES, {"autoboot.txt": words})
    (folder / "cmdline").write_text(CONSOLE.format(running))
    programs, asked = folder / "bin", folder / "asked"
    programs.mkdir()
    for name in ("systemctl", "reboot"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{asked}\n')
        (programs / name).chmod(0o755)
    ended = subprocess.run(
        [SCRIPT, folder / "cmdline", folder / "p1"],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        timeout=update_rig.TESTED_S,
        check=False,
    )
    if asked.exists():
        assert asked.read_text() == "systemctl --force reboot\n"
    return ended.returncode, asked.exists()


@pytest.mark.parametrize(("running", "committed"), ["AA", "AB", "BA", "BB"])
def test_a_slot_that_is_not_committed_is_left(running: str, committed: str, tmp_path: Path) -> None:
    is_trial = running != committed
    assert fall_back(tmp_path, running, autoboot.text(committed)) == (0, is_trial)


@pytest.mark.parametrize("words", [b"\n" * 512, b"[tryboot]\nboot_partition=2\n", b"[all]\n"])
def test_no_restart_for_ever_where_nobody_knows_the_committed_one(
    words: bytes, tmp_path: Path
) -> None:
    assert fall_back(tmp_path, "B", words) == (1, False)


def test_no_restart_where_the_running_slot_is_not_known(tmp_path: Path) -> None:
    assert fall_back(tmp_path, "C", autoboot.text("A")) == (1, False)


def test_keep_that_fails_calls_it_and_so_does_the_emergency_mode() -> None:
    keep = (UNITS / "sscterm-keep.service").read_text()
    assert "\nOnFailure=sscterm-fallback.service\n" in keep
    unit = (UNITS / "sscterm-fallback.service").read_text()
    assert "\nWantedBy=emergency.target rescue.target\n" in unit
    assert f"/usr/lib/sscterm/{SCRIPT.relative_to(SCRIPT.parents[3])}" in unit
