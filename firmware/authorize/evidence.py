"""What a card can tell of a payment whose answer was lost, and what follows from it.

`decide` is the evidence table of docs/architecture.md, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.card import commands, settlement
from firmware.card.session import CardSession
from firmware.card.settlement import LogRecord
from firmware.journal import kinds as rec
from firmware.journal.record import Record, whole_intent
from firmware.outcome import StatusError

KNOWN_BY_LOG = 2
KNOWN_BY_LOG_AND_PROOF = 3

# Type byte of GET TRANSACTION PROOF: ASCII as in the MAC data, or binary (SPEC-P7 is silent).
PROOF_TYPES = (commands.TYPE_SETTLEMENT, 0x02)


@dataclass(frozen=True)
class Evidence:
    """serial: what INITIALIZE answers now.  balances: account, yearly self, yearly pooled in fen.
    log: newest first.  proof: the TAC the card gave for our serial or the next, None if none."""

    serial: int
    balances: tuple[int, int, int]
    log: tuple[LogRecord, ...]
    proof: bytes | None


@dataclass(frozen=True)
class Finding:
    """kind: KIND_DONE, KIND_VOID or KIND_UNCERTAIN, or the load's.

    why: one English clause for the record.
    """

    kind: int
    why: str
    tac: bytes | None = None
    known_by: int = KNOWN_BY_LOG


def gather(session: CardSession, intent: Record) -> Evidence:
    """Ask the card, DF04 selected and PIN verified; changes nothing in it.

    The proof first and INITIALIZE last: a card may drop its proof at the next INITIALIZE.
    """
    body = whole_intent(intent.body)
    serial = body[rec.KEY_PURCHASE_SERIAL]
    proof = proof_of(session, serial)
    log = tuple(settlement.read_log(session))
    balances = (
        settlement.get_balance(session, 1),
        settlement.get_balance(session, 2),
        settlement.get_balance(session, 3),
    )
    now = settlement.initialize_for_purchase(
        session, body[rec.KEY_KEY_INDEX], bytes(12), body[rec.KEY_TERMINAL]
    )
    return Evidence(now.purchase_serial, balances, log, proof)


def proof_of(
    session: CardSession, serial: int, kinds: tuple[int, ...] = PROOF_TYPES
) -> bytes | None:
    """Whether the card takes the serial of INITIALIZE or that plus one is not known: ask both."""
    for kind in kinds:
        for asked in (serial, (serial + 1) & 0xFFFF):
            try:
                tac = settlement.get_transaction_proof(session, kind, asked)
            except StatusError:  # this card knows no such type
                continue
            if tac is not None:
                return tac
    return None


def decide(intent: Record, evidence: Evidence) -> Finding:
    """The evidence table: DONE, VOID or UNCERTAIN; never a guess."""
    body = whole_intent(intent.body)
    before = (
        body[rec.KEY_ACCOUNT_BALANCE_FEN],
        body[rec.KEY_YEARLY_SELF_FEN],
        body[rec.KEY_YEARLY_POOLED_FEN],
    )
    moved = (evidence.serial - body[rec.KEY_PURCHASE_SERIAL]) & 0xFFFF
    ours = [at for at, each in enumerate(evidence.log) if _is_ours(each, body)]
    if not moved:
        if evidence.balances == before and not ours:
            return Finding(
                rec.KIND_VOID, "serial and balances are unmoved, the log has no such payment"
            )
        return Finding(rec.KIND_UNCERTAIN, "the serial is unmoved but balances or log are not")
    if ours:
        sent_fen = int.from_bytes(body[rec.KEY_AMOUNTS_SENT][:4], "big")
        if moved == 1 and ours == [0] and evidence.balances[0] != before[0] - sent_fen:
            return Finding(rec.KIND_UNCERTAIN, "the log has the payment but the balance has not")
        if ours[0] == 0 and evidence.proof is not None:
            return Finding(rec.KIND_DONE, "the log has it", evidence.proof, KNOWN_BY_LOG_AND_PROOF)
        return Finding(rec.KIND_DONE, "the log has it")
    if reaches_back(evidence, body[rec.KEY_PURCHASE_SERIAL], moved):
        return Finding(rec.KIND_VOID, "the log reaches back and has only other payments")
    return Finding(rec.KIND_UNCERTAIN, "the log no longer reaches back to this payment")


def _is_ours(entry: LogRecord, body: dict) -> bool:  # type: ignore[type-arg]
    return entry.matches(body[rec.KEY_TERMINAL], body[rec.KEY_TIME7], body[rec.KEY_AMOUNTS_SENT])


def reaches_back(
    evidence: Evidence, serial: int, moved: int, kind: int = commands.TYPE_SETTLEMENT
) -> bool:
    """Is every move of the serial since the INTENT explained by another record of the log?

    A record at or before our serial proves it; so does a record for each step.  Serials are the
    card's own count, other terminals' clocks are not.
    """
    others = [each.serial for each in evidence.log if each.kind == kind]
    steps = [(each - serial) & 0xFFFF for each in others]
    if any(step == 0 or step > 0x8000 for step in steps):
        return True
    return len([step for step in steps if step <= moved]) >= moved
