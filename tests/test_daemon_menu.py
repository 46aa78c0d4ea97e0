"""The menu and the stars in the daemon as a process, with the simulator as another (issue D.4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.test_daemon import Stand, purchase, told
from tests.waiting import until


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    menu = "[menu]\namount_entry = true\nmax_fen = 20000\n"
    made.board.write_text(made.board.read_text() + menu)
    made.start_simulator()
    made.start_daemon()
    yield made
    made.end()


def press(stand: Stand, *keys: str) -> None:
    assert stand.control is not None
    stand.control.press_keys(keys=list(keys))


def shown(stand: Stand) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stand.status()["shown"]
    return found


def test_an_amount_is_typed_and_the_balance_read_while_hosts_ask_too(stand: Stand) -> None:
    assert stand.control is not None
    stand.shows("READY_MENU")
    press(stand, "menu", "4", "confirm", *"8650", "confirm")
    stand.shows("INSERT_CARD")
    stand.control.type_pin(digits="123456")
    stand.control.insert(slot="user", label="card-1")
    stand.shows("APPROVED")
    press(stand, "menu", "confirm")
    stand.control.type_pin(digits="123456")
    stand.shows("BALANCE")
    assert stand.status()["display"]["zh"] == "个人账户余额 913.50 元。"
    press(stand, "down")
    stand.shows("SETTLEMENT")
    assert "86.50" in stand.status()["display"]["en"]

    stand.control.type_pin(digits="123456")
    assert told(purchase(stand))["state"] == "DONE", "a host's payment closes the menu"
    until(lambda: shown(stand)[-1]["id"] in ("APPROVED", "TAKE_CARD"))
    assert "123456" not in str(shown(stand))


def test_the_cancel_key_ends_a_host_s_wait_for_a_card(stand: Stand) -> None:
    stand.shows("READY_MENU")
    asked = purchase(stand)
    stand.shows("INSERT_CARD")
    press(stand, "cancel")
    assert told(asked, 1)["outcome"]["name"] == "CANCELLED"
