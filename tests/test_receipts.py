"""Issue D7: when a receipt is printed, what the journal says of it, and that no payment minds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.receipts import PATIENCE_S, Receipts
from firmware.authorize.service import ServiceCall
from firmware.host.rpc import RpcError
from firmware.journal import kinds as rec
from firmware.journal.schema import JournalFullError
from simulator.slot import AFTER, BEFORE, Cut
from tests.loop_rig import DEBIT, Loop, issue, name_of, with_psam
from tests.torn import put_back

PRINTED, REPRINT = rec.KIND_RECEIPT_PRINTED, rec.KIND_REPRINT


class Sheet:
    def __init__(self, paid: Mapping[str, Any], is_copy: bool, trouble: str | None, is_over: bool):
        self.paid, self.is_copy, self.trouble, self.is_over = dict(paid), is_copy, trouble, is_over


class Printer:
    """trouble: of the next sheets.  is_stuck: they do not end."""

    def __init__(self, is_automatic: bool = True):
        self.is_automatic = is_automatic
        self.trouble: str | None = None
        self.is_stuck = False
        self.sheets: list[Sheet] = []

    def submit(self, paid: Mapping[str, Any], is_copy: bool) -> Sheet:
        self.sheets.append(Sheet(paid, is_copy, self.trouble, not self.is_stuck))
        return self.sheets[-1]


class Shop:
    """One terminal with a printer, and a card that is put in for each payment."""

    def __init__(self, folder: Path, is_automatic: bool = True, printer: bool = True):
        self.loop = with_psam(folder)
        self.card = issue(self.loop)
        self.printer = Printer(is_automatic) if printer else None
        self.fit()

    def fit(self) -> None:
        unit = self.loop.unit
        unit.printer = self.printer
        unit.receipts = Receipts(unit, self.printer)

    def pay(self, order: str = "A-1", seconds: float = 12) -> str:
        answer = self.loop.ask(order)
        self.loop.plan(0.3, self.loop.insert(self.card.label))
        self.loop.plan(3, self.loop.remove())
        self.loop.world.holder.type_pin("123456")
        self.shown = self.loop.run(seconds)
        self.loop.terminal._is_stopping = False
        self.loop.jobs._is_closed = False
        return name_of(answer)

    def ask_paper(self, order: str = "A-1", seconds: float = 30) -> str:
        params = {"order_no": order, "operator": "clerk-09"}
        answer = self.loop.jobs.submit(ServiceCall("receipt.print", params))
        assert answer is not None
        self.shown = self.loop.run(seconds)
        return name_of(answer)

    def papers(self) -> list[tuple[int, str]]:
        """(kind, operator) of each record of paper; each names an INTENT."""
        self.loop.unit.journal.flush()
        records = self.loop.unit.journal.records(0, 1000)
        intents = {each.number for each in records if each.kind == rec.KIND_INTENT}
        found = [each for each in records if each.kind in (PRINTED, REPRINT)]
        assert all(each.body[rec.KEY_INTENT] in intents for each in found)
        return [(each.kind, each.body[rec.KEY_OPERATOR]) for each in found]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def again(shop: Shop) -> None:
    """The loop was stopped: another one, on the same journal."""
    shop.loop.restart()
    shop.fit()


def test_d7_a_payment_has_its_receipt_and_a_record_of_it(shop: Shop) -> None:
    assert shop.pay() == "APPROVED"
    assert [each.is_copy for each in shop.printer.sheets] == [False]
    assert shop.papers() == [(PRINTED, "clerk-07")]
    paid = shop.printer.sheets[0].paid
    assert (paid["total_fen"], paid["outcome"], paid["order_no"]) == (1500, 1, "A-1")
    assert paid["balance_after_fen"] == shop.card.balance_fen == 99_000
    assert "PRINTER_NOT_READY" not in shop.shown


def test_d7_a_second_receipt_is_a_copy_and_says_who_asked(shop: Shop) -> None:
    shop.pay()
    again(shop)
    assert shop.ask_paper() == "SERVED"
    again(shop)
    assert shop.ask_paper() == "SERVED"
    assert [each.is_copy for each in shop.printer.sheets] == [False, True, True]
    assert shop.papers() == [(PRINTED, "clerk-07"), (REPRINT, "clerk-09"), (REPRINT, "clerk-09")]


def test_d7_on_request_means_only_when_asked(tmp_path: Path) -> None:
    shop = Shop(tmp_path, is_automatic=False)
    shop.pay()
    assert shop.printer.sheets == []
    again(shop)
    assert shop.ask_paper() == "SERVED"
    assert shop.papers() == [(PRINTED, "clerk-09")]


@pytest.mark.parametrize(("trouble", "is_stuck"), [("no paper", False), (None, True)])
def test_d7_a_printer_in_trouble_is_a_hint_and_the_payment_is_as_it_was(
    shop: Shop, trouble: str | None, is_stuck: bool
) -> None:
    shop.printer.trouble, shop.printer.is_stuck = trouble, is_stuck
    assert shop.pay(seconds=10 + PATIENCE_S) == "APPROVED"
    assert shop.shown.count("PRINTER_NOT_READY") == 1
    assert shop.shown.index("APPROVED") < shop.shown.index("PRINTER_NOT_READY")
    assert shop.papers() == []
    told = shop.loop.rig.result("A-1")
    assert (told["state"], told["outcome"]) == ("DONE", 1)


def test_d7_the_hint_leaves_room_for_what_must_be_read_first(shop: Shop) -> None:
    """The printer fails at once; the result of the payment still stands its two seconds."""
    shop.printer.trouble = "no paper"
    shop.pay()
    at = shop.shown.index("PRINTER_NOT_READY")
    assert "APPROVED" in shop.shown[:at]
    assert shop.shown[at + 1 :][:1] == ["READY"]


def test_d7_paper_that_comes_late_is_still_journaled(shop: Shop) -> None:
    shop.printer.is_stuck = True
    release = PATIENCE_S + 10
    shop.loop.plan(release, lambda: setattr(shop.printer.sheets[0], "is_over", True))
    shop.pay(seconds=release + 5)
    assert shop.papers() == [(PRINTED, "clerk-07")]
    assert shop.shown.count("PRINTER_NOT_READY") == 1


def test_d7_paper_that_the_journal_could_not_take_at_once_is_a_copy_the_next_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two first receipts of one payment would be two claims on the insurer."""
    journal = shop.loop.unit.journal
    append = journal.append
    refused = [PRINTED]

    def full(kind: int, *body: Any, **how: Any) -> Any:
        if kind in refused:
            refused.remove(kind)
            raise JournalFullError("full")
        return append(kind, *body, **how)

    monkeypatch.setattr(journal, "append", full)
    shop.pay()
    assert not refused
    assert shop.papers() == [(PRINTED, "clerk-07")]


def test_d7_a_stop_does_not_wait_for_a_printer_that_is_stuck(tmp_path: Path) -> None:
    shop = Shop(tmp_path, is_automatic=False)
    shop.pay()
    shop.printer.is_stuck = True
    again(shop)
    begun = shop.loop.unit.monotonic()
    assert shop.ask_paper(seconds=2) == "PRINTER_NOT_READY"
    assert shop.loop.unit.monotonic() - begun < PATIENCE_S / 2


def test_d7_a_receipt_that_failed_is_no_copy_the_next_time(shop: Shop) -> None:
    shop.printer.trouble = "no paper"
    shop.pay()
    shop.printer.trouble = None
    again(shop)
    assert shop.ask_paper() == "SERVED"
    assert shop.papers() == [(PRINTED, "clerk-09")]


@pytest.mark.parametrize("trouble", ["no paper", None])
def test_d7_a_host_is_told_that_no_paper_came(tmp_path: Path, trouble: str | None) -> None:
    shop = Shop(tmp_path, is_automatic=False)
    shop.pay()
    shop.printer.trouble, shop.printer.is_stuck = trouble, trouble is None
    again(shop)
    assert shop.ask_paper() == "PRINTER_NOT_READY"
    assert shop.shown.count("PRINTER_NOT_READY") == 1
    assert shop.papers() == []


def test_d7_a_unit_without_a_printer_says_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, printer=False)
    assert shop.pay() == "APPROVED"
    again(shop)
    assert shop.ask_paper() == "PRINTER_NOT_READY"


def test_d7_nothing_is_printed_of_an_order_that_took_nothing(shop: Shop) -> None:
    assert shop.ask_paper("never-seen") == "NO_RECEIPT"
    again(shop)
    shop.loop.rig.user.arm(Cut(DEBIT, 1, BEFORE))
    shop.loop.plan(1, put_back(shop.loop.rig, shop.card))
    assert shop.pay(seconds=40) == "NOT_TAKEN"
    again(shop)
    assert shop.ask_paper() == "NO_RECEIPT"
    assert shop.printer.sheets == []


def test_d7_a_payment_found_later_has_its_receipt_too(shop: Shop) -> None:
    shop.loop.rig.user.arm(Cut(DEBIT, 1, AFTER))
    shop.loop.plan(1, put_back(shop.loop.rig, shop.card))
    assert shop.pay(seconds=40) == "APPROVED_FOUND_LATER"
    assert [each.paid["outcome"] for each in shop.printer.sheets] == [2]
    assert shop.papers() == [(PRINTED, "clerk-07")]


@pytest.mark.parametrize(
    "params",
    [{}, {"order_no": "A-1"}, {"order_no": "", "operator": "x"}, {"order_no": 1, "operator": "x"}],
)
def test_d7_a_request_that_is_none_is_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    loop = Loop(tmp_path)
    with pytest.raises(RpcError):
        loop.desk.methods()["receipt.print"](**params)
