"""What a card can tell of a load whose answer was lost, and what follows from it.

The load has a serial of its own; payments in between move the balance but not that serial.
"""

from __future__ import annotations

from firmware.authorize.evidence import (
    KNOWN_BY_LOG_AND_PROOF,
    Evidence,
    Finding,
    proof_of,
    reaches_back,
)
from firmware.card import commands, settlement
from firmware.card.session import CardSession
from firmware.journal import kinds as rec
from firmware.journal.record import Record

PROOF_TYPES = (commands.TYPE_LOAD, 0x01)


def gather(session: CardSession, intent: Record) -> Evidence:
    """Ask the card, DF04 selected and PIN verified; changes nothing in it.

    As of a payment: the proof first and INITIALIZE last.  serial: the next load's.
    """
    body = intent.body
    proof = proof_of(session, body[rec.KEY_LOAD_SERIAL], PROOF_TYPES)
    log = tuple(settlement.read_log(session))
    balances = (
        settlement.get_balance(session, 1),
        settlement.get_balance(session, 2),
        settlement.get_balance(session, 3),
    )
    now = settlement.initialize_for_load(
        session, body[rec.KEY_KEY_INDEX], 0, body[rec.KEY_TERMINAL]
    )
    return Evidence(now.load_serial, balances, log, proof)


def decide(intent: Record, evidence: Evidence) -> Finding:
    """LOAD_DONE, LOAD_VOID or LOAD_UNCERTAIN; never a guess."""
    body = intent.body
    serial, before_fen = body[rec.KEY_LOAD_SERIAL], body[rec.KEY_ACCOUNT_BALANCE_FEN]
    moved = (evidence.serial - serial) & 0xFFFF
    ours = [at for at, each in enumerate(evidence.log) if _is_ours(each, body)]
    if not moved:
        if evidence.balances[0] <= before_fen and not ours:
            return Finding(rec.KIND_LOAD_VOID, "serial and balance have not risen, no such load")
        return Finding(rec.KIND_LOAD_UNCERTAIN, "the serial is unmoved but balance or log are not")
    if ours:
        loaded_fen = before_fen + body[rec.KEY_LOAD_FEN]
        if moved == 1 and ours == [0] and evidence.balances[0] != loaded_fen:
            return Finding(rec.KIND_LOAD_UNCERTAIN, "the log has the load but the balance has not")
        if ours[0] == 0 and evidence.proof is not None:
            return Finding(
                rec.KIND_LOAD_DONE, "the log has it", evidence.proof, KNOWN_BY_LOG_AND_PROOF
            )
        return Finding(rec.KIND_LOAD_DONE, "the log has it")
    if reaches_back(evidence, serial, moved, commands.TYPE_LOAD):
        return Finding(rec.KIND_LOAD_VOID, "the log reaches back and has only other loads")
    return Finding(rec.KIND_LOAD_UNCERTAIN, "the log no longer reaches back to this load")


def _is_ours(entry: settlement.LogRecord, body: dict) -> bool:  # type: ignore[type-arg]
    return entry.is_load(body[rec.KEY_TERMINAL], body[rec.KEY_TIME7], body[rec.KEY_LOAD_FEN])
