"""The demo's judge: exit status 0 only if every fen is where the office's records say it is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from simulator import audit, morning, narrator
from simulator.region import Region

CARD, OTHER = "A00000011", "A0000002X"


def done(card: str = CARD, unit: str = "one", **fen: int) -> audit.Row:
    amounts = {"account": 0, "self": 0, "pooled": 0} | fen
    return {"unit": unit, "number": 9, "kind": "DONE", "card": card, **amounts}


class Books:
    """A state file with two cards, and the judge's answer to it."""

    def __init__(self, folder: Path):
        self.path = folder / "region.json"
        region = Region()
        for serial in (1, 2):
            region.issue_card(serial, balance_fen=1_000, yearly_self_fen=50)
        region.save(self.path)
        self.before = audit.money_of(self.path)
        self.found = {
            "ok": True, "records": 2, "verified": 2, "gaps": 0, "duplicates": 0, "damaged": 0,
            "open": 0, "refused": 0, "problems": [],
            "purchases": {"done": 1, "void": 0, "declined": 0, "suspect": 0, "uncertain": 0},
        }  # fmt: skip
        self.book = {"R-1": "DONE"}
        self.written = self.listed = 2

    def change(self, label: str = "card-1", **fen: int) -> None:
        """Add to what a card holds, in the file itself."""
        document = json.loads(self.path.read_text(encoding="utf-8"))
        for name, change in fen.items():
            document["cards"][label][name] += change
        self.path.write_text(json.dumps(document), encoding="utf-8")

    def load(self, fen: int) -> None:
        """A load in the card's log and balance, as settlement.py notes it."""
        record = bytes(2) + b"\x31" + bytes(13) + fen.to_bytes(4, "big") + bytes(8)
        document = json.loads(self.path.read_text(encoding="utf-8"))
        document["cards"]["card-1"]["files"]["DF04/08"].insert(0, "hex:" + record.hex())
        self.path.write_text(json.dumps(document), encoding="utf-8")
        self.change(balance_fen=fen)

    def verdict(self, *rows: audit.Row) -> audit.Verdict:
        names = dict.fromkeys(self.before, "张三")
        mappings = {"one": "literal", "two": "national"}
        after = audit.money_of(self.path)
        accounts = audit.accounts(self.before, after, names, rows, mappings)
        return audit.Verdict(self.written, self.listed, self.found, accounts, self.book)


@pytest.fixture
def books(tmp_path):
    return Books(tmp_path)


def concluded(verdict: audit.Verdict) -> tuple[int, dict]:
    out = io.StringIO()
    status = morning.conclude(narrator.Narrator(out), verdict)
    return status, json.loads(out.getvalue().splitlines()[-1])


PAID = {"account": 300, "self": 20, "pooled": 7}
MOVED = {"balance_fen": -300, "yearly_self_fen": 20, "yearly_pooled_fen": 7, "purchase_serial": 1}


def test_books_that_agree(books):
    books.change(**MOVED)
    status, told = concluded(books.verdict(done(**PAID)))
    assert (status, told["ok"], told["money_conserved"]) == (0, True, True)


@pytest.mark.parametrize("name", [*MOVED])
@pytest.mark.parametrize("label", ["card-1", "card-2"])
def test_one_fen_more_or_less_on_any_card_fails_the_demo(books, label, name):
    books.change(**MOVED)
    books.change(label, **{name: 1})
    status, told = concluded(books.verdict(done(**PAID)))
    assert (status, told["ok"], told["money_conserved"]) == (1, False, False)


def test_the_national_mapping_moves_the_totals_only(books):
    books.change(yearly_self_fen=327, yearly_pooled_fen=307, purchase_serial=1)
    assert concluded(books.verdict(done(unit="two", **PAID)))[0] == 0
    assert concluded(books.verdict(done(unit="one", **PAID)))[0] == 1


def test_a_load_is_counted(books):
    books.change(**MOVED)
    books.load(5_000)
    assert concluded(books.verdict(done(**PAID)))[0] == 0
    books.change(balance_fen=-5_000)
    assert concluded(books.verdict(done(**PAID)))[0] == 1


def test_a_payment_of_a_card_that_nobody_issued_is_no_verdict(books):
    with pytest.raises(ValueError, match="unknown card"):
        books.verdict(done("A99999999"))


@pytest.mark.parametrize(
    "wrong",
    [{"gaps": 1}, {"duplicates": 1}, {"damaged": 1}, {"open": 1}, {"refused": 1}, {"ok": False},
     {"problems": ["one: record 2: signature"]}, {"verified": 1}, {"records": 3, "verified": 3},
     {"purchases": {"done": 2, "void": 0}}],
)  # fmt: skip
def test_what_the_office_finds_wrong_fails_the_demo(books, wrong):
    books.change(**MOVED)
    books.found |= wrong
    status, told = concluded(books.verdict(done(**PAID)))
    assert (status, told["ok"]) == (1, False)


@pytest.mark.parametrize("name", ["written", "listed"])
def test_a_record_that_is_not_in_the_table_fails_the_demo(books, name):
    books.change(**MOVED)
    setattr(books, name, 3)
    assert concluded(books.verdict(done(**PAID)))[0] == 1
