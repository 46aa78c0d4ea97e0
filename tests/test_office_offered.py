"""What a collector, NATS and a stick offer: the newest whole file of each name."""

from __future__ import annotations

import hashlib

import pytest

from firmware.journal.signedfile import make_signed_file
from firmware.journal.stoprows import ROW
from office import stoplist, stoprows
from office.offered import Offers
from tests.journal_maker import TEST_DEVICE_KEY
from tests.office_rig import T0_MS, made_office


@pytest.fixture
def office(tmp_path):
    made = made_office(tmp_path)
    yield made
    made.close()


def cards(office, tmp_path, count):
    """A stop list of so many cards, on the disk as rows when there are more than FEW."""
    path = tmp_path / "cards.csv"
    lines = ["card_id,card_number", *(f"{at:032x},A{at:08d}" for at in range(count))]
    path.write_text("\n".join(lines))
    stoprows.import_cards(office, path, lambda what, at: None)


def sign(office, what, number, body, signer=None):
    raw = make_signed_file(
        what=what, number=number, issued_ms=T0_MS, body=body, signer=signer or office.signer
    )
    office.store.write("INSERT INTO signed_files VALUES (?, ?, ?)", what, number, raw)
    return raw


def told(offered):
    return [(each.what, each.number) for each in offered]


def test_a_large_list_is_offered_whole_and_a_change_of_it_is_not(office, tmp_path):
    """A unit that does not hold the base could not use it; the message has its data behind it."""
    cards(office, tmp_path, stoplist.FEW + 10)
    whole = stoplist.make(office, T0_MS)
    offers = Offers(office)
    (first,) = offers.of("unit-1")
    assert first.content == whole.raw
    assert first.digest == hashlib.sha256(whole.raw).digest()
    assert first.size > ROW * stoplist.FEW
    cards(office, tmp_path, stoplist.FEW + 20)
    assert stoplist.make(office, T0_MS, since=1).base == 1
    assert told(offers.of("unit-1")) == [("stoplist", 1)]
    third = stoplist.make(office, T0_MS)
    (newest,) = offers.of("unit-1")
    assert (newest.number, newest.content) == (3, third.raw)


def test_a_stop_is_offered_to_its_unit_alone_the_newest_of_them(office):
    sign(office, "operators", 1, {1: []})
    sign(office, "unitstop", 1, {1: "unit-1", 2: True, 3: "lost"})
    sign(office, "unitstop", 2, {1: "unit-2", 2: True, 3: "lost"})
    sign(office, "unitstop", 3, {1: "unit-1", 2: False, 3: "found"})
    offers = Offers(office)
    assert told(offers.of("unit-1")) == [("operators", 1), ("unitstop", 3)]
    assert told(offers.of("unit-2")) == [("operators", 1), ("unitstop", 2)]
    assert told(offers.of("unit-3")) == [("operators", 1)]
    for_all, for_one = offers.everyones()
    assert told(for_all) == [("operators", 1)]
    assert {unit: each.number for unit, each in for_one.items()} == {"unit-1": 3, "unit-2": 2}


def test_a_file_under_another_key_is_not_offered(office):
    """Units would refuse it; the one before, under ours, is still good."""
    ours = sign(office, "operators", 1, {1: []})
    sign(office, "operators", 2, {1: []}, TEST_DEVICE_KEY)
    (found,) = Offers(office).of("unit-1")
    assert found.content == ours


def test_nothing_signed_is_nothing_offered(office):
    assert Offers(office).of("unit-1") == []
