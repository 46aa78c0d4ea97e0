"""Issue D7: what a receipt says, and what a real python-escpos makes of it on a pty."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.board_parts import Printer
from firmware.display.layout import width
from firmware.display.printing import MOST_WAITING, Print, Printing
from firmware.display.receipt import compose, dots
from firmware.drivers.thermal import ThermalPrinter
from tests.paper import NEAR_END, NO_PAPER, Roll, picture
from tests.waiting import SOON_S, until

PICTURES = Path("docs/img")
PAID = {
    "order_no": "20261122-000187",
    "operator": "clerk-07",
    "terminal": "510100000001",
    "terminal_serial": "000001a4",
    "purchase_serial": 37,
    "time": "20261122120001",
    "card_number": "A00000001",
    "tac": "1f2e3d4c",
    "outcome": 1,
    "account_fen": 8650,
    "self_fen": 1200,
    "pooled_fen": 104_000,
    "total_fen": 113_850,
    "balance_after_fen": 91_350,
}
TITLE = "锦江社区药房"


def settings(**how: Any) -> Printer:
    usual = {
        "address": "serial:/dev/none", "baud": 115200, "paper_mm": 58, "chinese": "gb18030",
        "when": "always", "title": TITLE, "asks_paper": True, "cut": True,
    }  # fmt: skip
    return Printer(**(usual | how))


def printed(roll: Roll, paid: dict[str, Any] = PAID, is_copy: bool = False, **how: Any) -> Print:
    wanted = settings(address=roll.address, **how)
    device = ThermalPrinter(wanted.address, wanted.baud, wanted.asks_paper)
    return ended(Printing(device, wanted, "dev-0001").submit(paid, is_copy))


def ended(receipt: Print) -> Print:
    until(lambda: receipt.is_over)
    return receipt


# --- what it says


def value_of(label: str, **change: Any) -> str:
    """What stands beside, or under, that label."""
    texts = [each.text for each in compose(PAID | change, "dev-0001", TITLE, 32, False)]
    at = next(at for at, text in enumerate(texts) if text.startswith(label))
    found = texts[at].removeprefix(label).strip()
    return found or texts[at + 1].strip()


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("单位 Unit", "dev-0001"),
        ("终端 Terminal", "510100000001"),
        ("订单 Order", "20261122-000187"),
        ("时间 Time", "2026-11-22 12:00:01"),
        ("卡号 Card", "*****0001"),
        ("收费员 Clerk", "clerk-07"),
        ("个人账户 Account", "86.50"),
        ("个人自付 Own share", "12.00"),
        ("统筹支付 Pooled", "1,040.00"),
        ("合计", "1,138.50"),
        ("账户余额 Balance", "913.50"),
        ("终端流水 Terminal no.", "000001a4"),
        ("卡流水 Card no.", "37"),
        ("TAC", "1F2E3D4C"),
        ("结果 Outcome", "001"),
    ],
)
def test_d7_a_receipt_says(label: str, value: str) -> None:
    assert value_of(label) == value


def test_d7_a_lost_tac_is_said_to_be_lost() -> None:
    assert value_of("TAC", tac=None) == "未取得 LOST"


@pytest.mark.parametrize("number", [None, "", "12", "123456789012"])
def test_d7_no_more_than_four_characters_of_a_card_number_are_printed(number: str | None) -> None:
    shown = value_of("卡号 Card", card_number=number, operator="x") if number else ""
    assert sum(each != "*" for each in shown) <= 4


def test_d7_a_copy_says_so_and_a_first_receipt_does_not() -> None:
    for is_copy in (False, True):
        texts = [each.text for each in compose(PAID, "dev-0001", TITLE, 32, is_copy)]
        assert any("副本" in each for each in texts) == is_copy


NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x9FFF), min_size=1, max_size=64)


@given(NAMES, NAMES, st.integers(0, 0xFFFFFFFF), st.sampled_from([24, 32, 36, 48]))
def test_d7_every_line_fits_the_paper(order: str, title: str, fen: int, columns: int) -> None:
    paid = PAID | {"order_no": order, "operator": order[:32]}
    paid |= dict.fromkeys(("account_fen", "total_fen", "balance_after_fen"), fen)
    for line in compose(paid, "x" * 32, title[:32], columns, True):
        assert width(line.text) * (2 if line.is_large else 1) <= columns


# --- what the printer makes of it


@pytest.mark.parametrize(("paper_mm", "columns"), [(58, 32), (80, 48)])
def test_d7_a_receipt_comes_out_as_it_was_composed(paper_mm: int, columns: int) -> None:
    with Roll() as roll:
        assert printed(roll, paper_mm=paper_mm).trouble is None
        paper = roll.receipt()
    wanted = compose(PAID, "dev-0001", TITLE, columns, False)
    assert paper.lines == [each.text for each in wanted]
    assert [each.scale for each in paper.rows] == [2 if each.is_large else 1 for each in wanted]
    assert [each.align for each in paper.rows] == [int(each.is_centred) for each in wanted]
    assert paper.cuts == 1


def test_d7_a_printer_without_chinese_gets_dots() -> None:
    with Roll() as roll:
        assert printed(roll, chinese="raster", cut=False).trouble is None
        paper = roll.receipt()
    wanted = compose(PAID, "dev-0001", TITLE, 24, False)
    assert [each.dots for each in paper.rows] == [(48, dots(each, 24)) for each in wanted]
    assert all(any(each.dots[1]) for each in paper.rows)
    assert paper.cuts == 0


def test_d7_a_receipt_on_a_printer_that_is_a_file_comes_out_too(tmp_path: Path) -> None:
    from tests.paper import read

    device = tmp_path / "lp0"
    device.touch()
    wanted = settings(address=f"file:{device}")
    printing = Printing(ThermalPrinter(wanted.address, 9600, True), wanted, "dev-0001")
    assert ended(printing.submit(PAID, False)).trouble is None
    assert read(device.read_bytes()).lines[1] == "社保卡支付凭证"


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(NO_PAPER, "no paper"), (b"", "does not answer"), (NEAR_END, None)],
    ids=["no paper", "off", "near its end"],
)
def test_d7_a_printer_is_asked_for_its_paper(status: bytes, trouble: str | None) -> None:
    with Roll() as roll:
        roll.status = status
        receipt = printed(roll)
        if trouble is None:
            assert receipt.trouble is None
        else:
            assert trouble in str(receipt.trouble)
            assert not roll.paper().rows


def test_d7_a_printer_that_cannot_be_asked_prints_unasked() -> None:
    with Roll() as roll:
        roll.status = b""
        assert printed(roll, asks_paper=False).trouble is None
        assert roll.receipt().rows


def test_d7_a_missing_printer_is_trouble_and_the_next_receipt_comes_out(tmp_path: Path) -> None:
    link = tmp_path / "printer"
    wanted = settings(address=f"serial:{link}")
    printing = Printing(ThermalPrinter(wanted.address, 9600, True), wanted, "dev-0001")
    assert "printer" in str(ended(printing.submit(PAID, False)).trouble)
    with Roll() as roll:
        link.symlink_to(roll.address.removeprefix("serial:"))
        assert ended(printing.submit(PAID, False)).trouble is None


def test_d7_a_stuck_printer_takes_no_endless_queue() -> None:
    class Stuck:
        def begin(self) -> None:
            threading.Event().wait()  # as long as this process lives

    printing = Printing(Stuck(), settings(), "dev-0001")  # type: ignore[arg-type]
    began = time.monotonic()
    receipts = [printing.submit(PAID, False) for _ in range(3 * MOST_WAITING)]
    assert time.monotonic() - began < SOON_S / 2
    stuck = [each for each in receipts if each.is_over]
    assert len(stuck) >= MOST_WAITING
    assert all("stuck" in str(each.trouble) for each in stuck)


@pytest.mark.parametrize(
    ("name", "columns", "how"),
    [("receipt-58mm", 32, {}), ("receipt-58mm-raster", 32, {"chinese": "raster"})],
)
def test_d7_the_pictures_of_the_page_are_what_the_bytes_say(
    name: str, columns: int, how: dict[str, Any]
) -> None:
    from PIL import Image, ImageChops

    with Roll() as roll:
        printed(roll, is_copy="raster" in name, **how)
        drawn = picture(roll.receipt(), columns)
    kept = Image.open(PICTURES / f"{name}.png").convert("1")
    assert drawn.size == kept.size
    assert ImageChops.difference(drawn.convert("L"), kept.convert("L")).getbbox() is None
