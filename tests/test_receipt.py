"""Receipts at the terminal: the right office, the own batch, the tree that it knows, grown."""

from __future__ import annotations

import pytest
from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    UNIT,
    open_journal,
    purchase,
    receipt_for,
)

from firmware.journal import cose, merkle, spool
from firmware.journal.batch import put_out, seal
from firmware.journal.cose import Ed25519Signer
from firmware.journal.receipt import (
    ReceiptEarlyError,
    ReceiptError,
    accept_receipt,
    forget_tree,
    make_receipt,
    parse_receipt,
)
from tests.receipts import receipt_of

OFFICE = TEST_OFFICE_KEY.public_key
STRANGER = Ed25519Signer(b"an invented stranger's key, 32 B")


@pytest.fixture
def journal(tmp_path):
    opened = open_journal(tmp_path)
    for turn in range(4):
        purchase(opened, f"order-{turn}")
    yield opened
    opened.close()


def refused(journal, raw: bytes, message: str, batch: int = 1) -> None:
    before = spool.batches(journal.data_dir)
    with pytest.raises(ReceiptError, match=message):
        accept_receipt(journal, raw, OFFICE)
    assert spool.batches(journal.data_dir) == before
    assert journal.row("SELECT receipt FROM batches WHERE batch = ?", batch) == (None,)


def test_only_the_right_receipt_is_accepted(journal):
    sealed = seal(journal)
    put_out(journal)

    def made(**changed):
        signer = changed.pop("signer", TEST_OFFICE_KEY)
        return receipt_of(sealed.statement, signer, START_MS, **changed)

    refused(journal, made(signer=STRANGER), "another key")
    refused(journal, made(signer=TEST_DEVICE_KEY), "another key")
    refused(journal, made(unit="other"), "for unit other")
    refused(journal, made(batch=2), "never sealed")
    refused(journal, made(root=bytes(32)), "other contents")
    refused(journal, made(path=[b"short"]), "none of a receipt")
    refused(journal, made(path=[bytes(32)]), "inclusion proof")
    refused(journal, made(index=1), "inclusion proof")
    refused(journal, made(issuer="x" * 5000), "at most")
    refused(journal, b"", "tagged")
    refused(journal, sealed.statement.raw, "detached")
    receipt = accept_receipt(journal, made(), OFFICE)
    assert (receipt.batch, receipt.time_ms, receipt.issuer) == (1, START_MS, "test office")
    assert journal.row("SELECT receipt FROM batches WHERE batch = 1") == (receipt.raw,)


def test_the_receipt_of_another_batch_of_this_unit_is_refused(journal):
    """Its signature is right, and its leaf in the tree: but the leaf is not this statement."""
    one, two = seal(journal, 5), seal(journal, 5)
    put_out(journal)
    leaves = [merkle.leaf(each.statement.raw) for each in (one, two)]
    swapped = make_receipt(
        unit=UNIT, batch=1, time_ms=START_MS, issuer="test office", signer=TEST_OFFICE_KEY,
        root=merkle.root(leaves), size=2, index=1, path=leaves[:1], consistency=None,
    )  # fmt: skip
    refused(journal, swapped, "other contents")


def test_a_receipt_may_come_twice(journal, tmp_path):
    sealed = seal(journal)
    put_out(journal)
    accept_receipt(journal, receipt_for(sealed), OFFICE)
    spool.batch_path(tmp_path, 1).write_bytes(sealed.raw)  # a removal that a power cut undid
    accept_receipt(journal, receipt_for(sealed), OFFICE)
    assert spool.batches(tmp_path) == []


# --- the tree that the unit knows ---


class Office:
    """An office with one tree, into which leaves of other units come as well."""

    def __init__(self, *others: bytes):
        self.leaves = [merkle.leaf(each) for each in others]
        self.first = 0

    def receipt(self, sealed, first: int | None = None) -> bytes:
        """first: the size it claims for the receipt before; None: the right one."""
        self.leaves.append(merkle.leaf(sealed.statement.raw))
        size = len(self.leaves)
        first = self.first if first is None else first
        self.first = size
        return make_receipt(
            unit=UNIT, batch=sealed.number, time_ms=START_MS, issuer="office",
            signer=TEST_OFFICE_KEY, root=merkle.root(self.leaves), size=size, index=size - 1,
            path=merkle.inclusion(self.leaves, size - 1),
            consistency=(first, merkle.consistency(self.leaves, first)) if first else None,
        )  # fmt: skip


def test_receipts_follow_one_tree_that_grows_between_them(journal):
    office = Office(b"another unit's", b"and one more")
    for _ in range(4):
        sealed = seal(journal, 3)
        accept_receipt(journal, office.receipt(sealed), OFFICE)
        office.leaves.append(merkle.leaf(b"a third unit's"))
    assert journal.rows("SELECT count(*) FROM batches WHERE receipt IS NULL") == [(0,)]


@pytest.mark.parametrize("leaf", [0, 1])
def test_an_office_that_rewrites_is_caught(journal, leaf):
    """One leaf changed after the receipt: of another unit, and of this one."""
    office = Office(b"another unit's")
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)
    office.leaves[leaf] = merkle.leaf(b"something else")
    refused(journal, office.receipt(seal(journal, 3)), "not the one this unit knows", 2)


def test_an_office_that_removes_a_leaf_is_caught(journal):
    office = Office(b"another unit's", b"a third unit's")
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)
    del office.leaves[0]
    office.leaves += [merkle.leaf(b"x"), merkle.leaf(b"y")]
    refused(journal, office.receipt(seal(journal, 3)), "not the one this unit knows", 2)


def test_an_office_cannot_leave_the_proof_out_or_prove_from_an_older_tree(journal):
    office = Office(b"another unit's")
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)
    sealed = seal(journal, 3)
    fork = Office()
    fork.leaves = [*office.leaves[:2], merkle.leaf(b"instead of batch 2")]
    refused(journal, fork.receipt(sealed), "not the one this unit knows", 3)
    fork.leaves.pop()
    refused(journal, fork.receipt(sealed, first=2), "not the one this unit knows", 3)


def test_a_receipt_whose_predecessor_is_on_its_way_waits(journal):
    office = Office(b"another unit's")
    one, two, three = (office.receipt(seal(journal, 2)) for _ in range(3))
    accept_receipt(journal, one, OFFICE)
    with pytest.raises(ReceiptEarlyError, match="still to come"):
        accept_receipt(journal, three, OFFICE)
    assert journal.row("SELECT receipt FROM batches WHERE batch = 3") == (None,)
    accept_receipt(journal, two, OFFICE)
    accept_receipt(journal, three, OFFICE)


def test_the_tree_is_known_after_a_restart_and_a_cut_between_the_two_writes(journal, tmp_path):
    office = Office()
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)
    sealed = seal(journal, 3)
    raw = office.receipt(sealed)
    journal.set_counter("tree_before office", 1)  # the power was cut here
    journal.set_counter("tree_newest office", 2)
    journal.close()
    again = open_journal(tmp_path)
    forged = Office(b"a tree of its own")
    refused(again, forged.receipt(sealed, first=1), "not the one this unit knows", 2)
    accept_receipt(again, raw, OFFICE)
    again.close()


def test_each_tree_of_several_collectors_is_known_by_its_name(journal):
    office = Office(b"x")
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)
    other = receipt_of(seal(journal, 3).statement, TEST_OFFICE_KEY, START_MS, "office/2")
    assert accept_receipt(journal, other, OFFICE).issuer == "office/2"
    accept_receipt(journal, office.receipt(seal(journal, 3)), OFFICE)


def test_after_a_rebuild_any_tree_founds_and_the_next_must_follow(journal):
    """It lost its receipts: what it cannot know it cannot ask for."""
    office = Office(b"x")
    first, second = seal(journal, 3), seal(journal, 3)
    receipts = [office.receipt(first), office.receipt(second)]
    journal.set_counter("batch_floor", 2)
    third = seal(journal, 3)
    after = office.receipt(third)
    accept_receipt(journal, after, OFFICE)
    for raw in receipts:
        accept_receipt(journal, raw, OFFICE)
    forged = Office(b"y", b"z", b"a", b"b")
    refused(journal, forged.receipt(seal(journal, 3), first=4), "not the one this unit knows", 4)


@pytest.mark.parametrize("floor", [0, 2])
def test_what_came_before_the_receipt_that_founded_the_tree_is_taken_too(journal, floor):
    """Else its batch would wait for ever: of a new unit, after a rebuild, after a new tree."""
    office = Office(b"x")
    for _ in range(floor):
        accept_receipt(journal, office.receipt(seal(journal, 2)), OFFICE)
    journal.write("UPDATE batches SET receipt = NULL")
    journal.set_counter("batch_floor", floor)
    one, two, three = (office.receipt(seal(journal, 2)) for _ in range(3))
    accept_receipt(journal, three, OFFICE)
    with pytest.raises(ReceiptEarlyError):
        accept_receipt(journal, one, OFFICE)
    accept_receipt(journal, two, OFFICE)
    accept_receipt(journal, one, OFFICE)
    assert _known(journal) == floor + 3, "the largest tree is the known one"


def _known(journal) -> int:
    return journal.counter("tree_newest office")


def test_a_late_receipt_of_another_tree_is_refused(journal):
    office, other = Office(b"x"), Office(b"y")
    one, two = seal(journal, 3), seal(journal, 3)
    forged = other.receipt(one)
    office.receipt(one)
    accept_receipt(journal, office.receipt(two), OFFICE)
    refused(journal, forged, "not the one this unit knows", 1)


def test_a_new_tree_is_begun_only_on_the_offices_word(journal):
    accept_receipt(journal, Office(b"x").receipt(seal(journal, 3)), OFFICE)
    sealed = seal(journal, 3)
    new = Office().receipt(sealed)
    refused(journal, new, "not the one this unit knows", 2)
    forget_tree(journal)
    accept_receipt(journal, new, OFFICE)


# --- its form ---


def test_every_other_form_is_refused(journal):
    sealed = seal(journal)
    raw = receipt_for(sealed)
    message = cose.decode(raw[1:])
    head, unprotected, _, signature = message
    protected = cose.decode(head)
    proof = unprotected[396][-1][0]
    wrong = [
        [cose.encode({**protected, 395: 2}), unprotected, None, signature],
        [cose.encode({**protected, 5: 1}), unprotected, None, signature],
        [cose.encode({**protected, 4: b"short"}), unprotected, None, signature],
        [cose.encode({**protected, 15: {1: "o", 2: f"{UNIT}/01", 6: 1}}), unprotected, None, b""],
        [cose.encode({**protected, 15: {1: "o", 2: UNIT, 6: 1}}), unprotected, None, b""],
        [cose.encode({**protected, 15: {1: "o", 2: f"{UNIT}/1", 6: -1}}), unprotected, None, b""],
        [head, unprotected, b"attached", signature],
        [head, {}, None, signature],
        [head, {396: {-1: [proof, proof]}}, None, signature],
        [head, {396: {-1: [proof], -3: [proof]}}, None, signature],
        [head, {396: {-1: [proof], -2: [cose.encode([1, 2, []])]}}, None, signature],
        [head, {396: {-1: [proof[:-1]]}}, None, signature],
        [head, unprotected, None],
        [head, unprotected, None, signature[:-1]],
    ]
    for each in wrong:
        with pytest.raises(ReceiptError):
            parse_receipt(b"\xd2" + cose.encode(each), OFFICE, sealed.statement.raw)
    assert parse_receipt(raw, OFFICE, sealed.statement.raw).size == 1


def test_no_byte_of_a_receipt_may_change(journal):
    accept_receipt(journal, receipt_for(seal(journal, 3)), OFFICE)
    sealed = seal(journal, 3)
    raw = receipt_for(sealed)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]
        with pytest.raises(ReceiptError):
            accept_receipt(journal, changed, OFFICE)
        with pytest.raises(ReceiptError):
            accept_receipt(journal, raw[:at], OFFICE)
    accept_receipt(journal, raw, OFFICE)
