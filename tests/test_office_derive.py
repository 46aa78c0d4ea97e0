"""The fast way from records to rows: what a terminal has signed becomes rows, or is refused."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.journal import cose, merkle
from firmware.journal.algorithms import Ed25519Signer, key_id
from firmware.journal.record import NO_PREVIOUS, digest_of
from firmware.journal.statement import BatchError, Statement
from office import postgres
from office.database import Derived
from office.derive import derive
from tests.office_rig import T0_MS, Terminal

SIGNER = Ed25519Signer(bytes([1] * 32))
RECORD = "application/ssc-record+cbor"
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.binary(max_size=40),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
)
BODY = st.dictionaries(st.sampled_from([5, 11, 22, 23, 24, 30, 36, 99]), ODD)
ENVELOPE = st.dictionaries(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), ODD)
SOUND = {5: bytes(16), 11: 1, 22: 1, 23: 0, 24: 0}


def statement(records, first=1):
    root = merkle.root([merkle.leaf(each) for each in records])
    last = first + len(records) - 1
    return Statement("unit-1", 1, first, last, root, NO_PREVIOUS, T0_MS, (), b"")


def signed(envelope):
    return cose.sign1(cose.encode(envelope), SIGNER, RECORD)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(1, 8), BODY, ENVELOPE)
def test_whatever_was_signed_is_rows_or_is_refused(kind, body, odd):
    """No value reaches COPY that no column holds, and none stops the others of its transaction."""
    envelope = {1: "unit-1", 2: 1, 3: 1, 4: T0_MS, 5: 1, 6: kind, 7: 1, 8: NO_PREVIOUS}
    raw = signed({**envelope, 9: {**SOUND, **body}, **odd})
    try:
        content = derive(statement([raw]), [raw], [digest_of(raw)])
    except BatchError:
        return
    rows = Derived("unit-1", 1, content.records, [*content.whole])
    postgres.record_rows(rows)
    postgres.payment_rows(rows)
    for number, _, card_id, *amounts in (row[:7] for row in content.open):
        assert number == 1
        assert len(card_id) == 16
        assert all(type(each) is int and 0 <= each < 1 << 63 for each in amounts)


def contents(terminal):
    raws = [each.raw for each in terminal.records]
    digests = [each.digest for each in terminal.records]
    return derive(statement(raws), raws, digests)


def test_rows_are_what_the_records_say():
    terminal = Terminal()
    terminal.purchase("A1", serial=7, fen=55)
    terminal.add(1, {**dict.fromkeys([1, 2, 6], "x"), **_rest(), **SOUND})
    found = contents(terminal)
    times = [each.time_ms for each in terminal.records]
    assert found.records == [
        (1, 1, times[0], 1, 1, None, None),
        (2, 2, times[1], 1, 1, 1, 1),
        (3, 1, times[2], 1, 1, None, None),
    ]
    assert found.whole == [(1, times[0], bytes([1] * 16), 7, 55, 0, 0, 2, 2)]
    assert found.open == [(3, times[2], bytes(16), 1, 1, 0, 0, None, None)]
    assert (found.settled, found.changes) == ([], [])
    assert found.signed == [(key_id(terminal.signer.public_key), 1, 3)]
    assert (found.oldest_ms, found.newest_ms, found.opens) == (times[0], times[2], NO_PREVIOUS)


def _rest():
    sizes = {3: 6, 4: 4, 7: 13, 12: 4, 15: 7, 16: 4}
    rest = {key: bytes(size) for key, size in sizes.items()}
    return rest | {8: 0, 9: 1, 10: 1, 17: 0, 18: 0, 19: 0, 20: b"\x20\x26", 25: 1}


def test_two_keys_in_one_batch_are_told_apart():
    terminal = Terminal()
    terminal.purchase("A1")
    old, terminal.signer = terminal.signer, Ed25519Signer(bytes([9] * 32))
    terminal.purchase("A2", serial=2)
    found = contents(terminal)
    new = terminal.signer
    assert found.signed == [(key_id(old.public_key), 1, 2), (key_id(new.public_key), 3, 4)]
    assert [row[0] for row in found.whole] == [1, 3]


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_record_of_another_place_unit_or_chain_is_refused(at):
    terminal = Terminal()
    terminal.purchase("A1")
    terminal.purchase("A2", serial=2)
    for changed in ({1: "unit-2"}, {2: 9}, {8: bytes(31)}, {8: b"x" * 32}):
        if at == 0 and changed == {8: b"x" * 32}:
            continue  # the record before the first is in another batch: transaction.py
        raws = [each.raw for each in terminal.records]
        envelope = cose.decode(cose.peek1(raws[at]).payload)
        raws[at] = signed(envelope | changed)
        with pytest.raises(BatchError):
            derive(statement(raws), raws, [digest_of(raw) for raw in raws])
