"""A batch of eight records under every fault (issue: "bit flips in every byte of a small batch,
truncation, reordering, replay of a terminal, a batch of a stranger")."""

from __future__ import annotations

import pytest

from firmware.journal import packing
from firmware.journal.batch import make_file, open_file, parse_batch, records_of, take_apart
from firmware.journal.cose import key_id
from firmware.journal.proof import ProofError, make_proof, verify_proof
from firmware.journal.statement import BatchError
from office.examine import examine
from tests.examine_rig import OFFICE, STRANGER, keys_of, parts, sealed, terminal_with_eight
from tests.office_rig import T0_MS, Terminal
from tests.receipts import receipt_of


@pytest.fixture(scope="module")
def terminal() -> Terminal:
    return terminal_with_eight()


@pytest.fixture(scope="module")
def raw(terminal: Terminal) -> bytes:
    return terminal.batch()


def refused(raw: bytes, terminal: Terminal) -> bool:
    """By the code that takes it in; the verdict must say the same."""
    try:
        parse_batch(raw, terminal.signer.public_key)
    except BatchError:
        assert not examine(raw, keys_of(terminal)).is_sound
        return True
    assert examine(raw, keys_of(terminal)).is_sound
    return False


def test_a_flipped_bit_in_any_byte_is_refused_or_changes_nothing(terminal, raw):
    """A bit of the compressor's own that unpacks to the same bytes is no damage: how a batch is
    packed is free, what it holds is not."""
    whole, harmless = take_apart(raw), 0
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]
        if not refused(changed, terminal):
            assert take_apart(changed) == whole
            harmless += 1
    assert harmless <= len(raw) // 50


def test_a_flipped_bit_in_any_byte_of_the_plain_file_is_refused(terminal, raw):
    """Nothing in the statement or in the packed records is left open."""
    signed, _ = parts(raw)
    packed = packing.pack(take_apart(raw).raws)
    for at in range(len(packed)):
        changed = packed[:at] + bytes([packed[at] ^ 1 << at % 8]) + packed[at + 1 :]
        with pytest.raises(BatchError):
            parse_batch(make_file(signed, changed), terminal.signer.public_key)
    for at in range(len(signed)):
        changed = signed[:at] + bytes([signed[at] ^ 1 << at % 8]) + signed[at + 1 :]
        with pytest.raises(BatchError):
            parse_batch(make_file(changed, packed), terminal.signer.public_key)


def test_a_file_cut_at_any_length_is_refused(terminal, raw):
    for end in range(len(raw)):
        assert refused(raw[:end], terminal)
    assert refused(raw + b"\x00", terminal)


def test_any_two_records_that_changed_places_are_refused(terminal, raw):
    signed, raws, _ = take_apart(raw)
    for one in range(8):
        for two in range(one):
            moved = list(raws)
            moved[one], moved[two] = moved[two], moved[one]
            assert refused(make_file(signed, packing.pack(moved)), terminal)


def test_a_record_left_out_doubled_or_put_in_is_refused(terminal, raw):
    signed, raws, _ = take_apart(raw)
    stranger = terminal_with_eight()
    for at in range(8):
        for other in (
            raws[:at] + raws[at + 1 :],
            raws[:at] + raws[at : at + 1] + raws[at:],
            [*raws[:at], stranger.records[(at + 1) % 8].raw, *raws[at + 1 :]],
        ):
            changed = make_file(signed, packing.pack(other))
            assert refused(changed, terminal)
            with pytest.raises(BatchError, match="root"):
                records_of(open_file(changed))


def test_a_batch_of_a_stranger_and_another_batch_under_this_statement_are_refused(terminal, raw):
    stranger = Terminal(terminal.unit, seed=3)
    for turn in range(4):
        stranger.purchase(f"A{turn}")
    foreign = stranger.batch()
    assert refused(foreign, terminal)
    mixed = make_file(take_apart(raw).statement, packing.pack(take_apart(foreign).raws))
    assert refused(mixed, terminal)


# --- one record that proves itself ---


@pytest.fixture(scope="module")
def proofs(terminal: Terminal, raw: bytes) -> list[bytes]:
    signed, raws, _ = take_apart(raw)
    stated = parse_batch(raw, terminal.signer.public_key).statement
    receipt = receipt_of(stated, OFFICE, T0_MS)
    return [make_proof(raws, at, signed, receipt if at % 2 else None) for at in range(8)]


def keys(terminal: Terminal) -> dict[bytes, bytes]:
    return {key_id(terminal.signer.public_key): terminal.signer.public_key}


def test_every_record_proves_itself(terminal, raw, proofs):
    for at, proof in enumerate(proofs):
        proven = verify_proof(proof, keys(terminal), OFFICE.public_key)
        assert proven.record == terminal.records[at]
        assert proven.statement.raw == take_apart(raw).statement
        assert (proven.receipt is None) == (at % 2 == 0)
    with pytest.raises(ProofError, match="another key"):
        verify_proof(proofs[1], keys(terminal), STRANGER.public_key)
    with pytest.raises(ProofError, match="unknown key"):
        verify_proof(proofs[1], {key_id(STRANGER.public_key): STRANGER.public_key}, b"")


def test_no_byte_of_a_proof_may_change(terminal, proofs):
    proof = proofs[5]
    for at in range(len(proof)):
        for changed in (
            proof[:at] + bytes([proof[at] ^ 1 << at % 8]) + proof[at + 1 :],
            proof[:at],
        ):
            with pytest.raises(ProofError):
                verify_proof(changed, keys(terminal), OFFICE.public_key)


def test_a_record_is_not_proved_by_another_place_or_batch(terminal, raw, proofs):
    signed, raws, _ = take_apart(raw)
    for at in (0, 2, 7):
        with pytest.raises(ProofError):
            verify_proof(
                make_proof([*raws[:3], raws[at], *raws[4:]], 3, signed, None),
                keys(terminal),
                OFFICE.public_key,
            )
    other = Terminal(terminal.unit)
    other.purchase("A1", serial=1)
    small = take_apart(other.batch())
    with pytest.raises(ProofError, match="not in that batch"):
        verify_proof(make_proof(raws, 1, small.statement, None), keys(terminal), b"")


def test_a_record_is_proved_only_at_the_place_its_number_has(terminal):
    """A device that signed a root over records in another order: the place shows it."""
    raws = [each.raw for each in terminal.records]
    moved = sealed(terminal, [raws[0], raws[2], raws[1], *raws[3:]])
    signed, kept, _ = take_apart(moved)
    assert verify_proof(make_proof(kept, 0, signed, None), keys(terminal), b"")
    with pytest.raises(ProofError, match="not at place"):
        verify_proof(make_proof(kept, 1, signed, None), keys(terminal), b"")
