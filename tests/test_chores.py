"""Chores between cards: one that fails is done again, and does not fill the log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from firmware.authorize.chores import CHORES_S, Chores
from firmware.authorize.psamwatch import PsamWatch
from tests.rig import Rig


@pytest.mark.parametrize("fault", [OSError("no gpiochip"), ValueError("its own")])
def test_what_fails_on_and_on_is_logged_once_and_again_when_it_returns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    rig = Rig(tmp_path)
    done: list[int] = []
    faults: list[Exception | None] = [fault] * 5 + [None] * 2 + [fault] * 5

    def look() -> None:
        done.append(1)
        now = faults[len(done) - 1]
        if now is not None:
            raise now

    chores = Chores(rig.unit, rig.inbox, PsamWatch(rig.unit), lambda: None, first=[look])
    caplog.set_level(logging.ERROR, "firmware.authorize.chores")
    while len(done) < len(faults):
        chores.do_if_due()
        rig.hands.wait(CHORES_S)
    assert len(caplog.records) == 2
