"""The medical transaction set, CLA B0, inside DF04 (SPEC-P7; formulas SPEC-P9).

Amounts are 4-byte big-endian fen.  A transaction lives from INITIALIZE to the very next command;
the two queries keep it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware.apdu import CommandApdu
from firmware.psam import keys
from simulator.chip import Refusal

if TYPE_CHECKING:
    from simulator.card import SimulatedCard

LOAD, PURCHASE = b"\x31", b"\x32"  # also the type byte of MAC, TAC and log
COMPLETES = {(0xB0, 0x2A), (0xB0, 0x2C)}
QUERIES = {(0xB0, 0x26), (0xB0, 0x2E)}
_HIGHEST_SERIAL = 0xFFFF
_HIGHEST_FEN = 0xFFFFFFFF
_ONLINE = b"1"


@dataclass(frozen=True)
class Transaction:
    """What INITIALIZE leaves for the next command.  amounts: 4 bytes (load) or 12."""

    kind: bytes
    amounts: bytes
    terminal: bytes
    random: bytes
    serial: int


@dataclass
class Proof:
    """The latest transaction's, for GET TRANSACTION PROOF."""

    kind: bytes
    serial: int
    mac: bytes
    tac: bytes


def keeps_transaction(card: SimulatedCard, name: tuple[int, int]) -> bool:
    return name in QUERIES and card.switches.queries_keep_state == "yes"


def _in_application(card: SimulatedCard, command: CommandApdu, length: int | None = None) -> None:
    """6D00 outside DF04; 6700 unless the data has that length; 6985 on an online-mode card."""
    if card.session.df != "DF04":
        raise Refusal(0x6D00)
    if length is not None and len(command.data) != length:
        raise Refusal(0x6700)
    if card.item("DF04", 0x05, 0x8F) == _ONLINE:
        raise Refusal(0x6985)


def _need_pin(card: SimulatedCard) -> None:
    if not card.may((("PIN",),)):
        raise Refusal(0x6982)


def initialize(card: SimulatedCard, command: CommandApdu) -> bytes:
    """INITIALIZE FOR LOAD (P1P2 0001) or FOR PURCHASE (0101)."""
    kind = {(0, 1): LOAD, (1, 1): PURCHASE}.get((command.p1, command.p2))
    if kind is None:
        raise Refusal(0x6A86)
    _in_application(card, command, 0x0B if kind == LOAD else 0x13)
    _need_pin(card)
    memory = card.memory
    if command.data[0] != memory.key_index:
        raise Refusal(0x9403)
    serial = memory.load_serial if kind == LOAD else memory.purchase_serial
    if serial >= _HIGHEST_SERIAL:
        raise Refusal(0x9402)
    amounts, terminal = command.data[1:-6], command.data[-6:]
    first = int.from_bytes(amounts[:4], "big")
    if kind == PURCHASE and first > memory.balance_fen:
        raise Refusal(0x9401)
    if kind == LOAD and memory.balance_fen + first > _HIGHEST_FEN:
        raise Refusal(0x6985)
    if card.switches.proof_kept == "none_after_initialize" and memory.proof is not None:
        memory.proof = None
        card.changed()
    made = Transaction(kind, amounts, terminal, card.dice.draw(4), serial)
    card.session.transaction = made
    tail = serial.to_bytes(2, "big") + bytes((memory.key_version, _algorithm(card))) + made.random
    if kind == PURCHASE:
        return _four(memory.balance_fen, memory.yearly_self_fen, memory.yearly_pooled_fen) + (
            memory.year + tail
        )
    balance = _four(memory.balance_fen)
    mac1 = card.algorithm.mac(_load_key(card, made), balance + amounts + LOAD + terminal)
    return balance + tail + mac1


def _algorithm(card: SimulatedCard) -> int:
    selector = card.algorithm.selector
    return int(card.switches.init_algorithm, 16) if selector == 1 else selector


def _four(*amounts_fen: int) -> bytes:
    return b"".join(amount.to_bytes(4, "big") for amount in amounts_fen)


def _load_key(card: SimulatedCard, made: Transaction) -> bytes:
    cipher, block = card.algorithm.encrypt, card.algorithm.block
    serial = made.serial.to_bytes(2, "big")
    return keys.load_session_key(cipher, card.memory.keys["DLK"], made.random, serial, block)


def _taken(card: SimulatedCard, kind: bytes) -> Transaction:
    """The transaction that INITIALIZE began; it is over after this command, whatever comes."""
    made, card.session.transaction = card.session.transaction, None
    if made is None or made.kind != kind:
        raise Refusal(0x6901)
    return made


def _tac(card: SimulatedCard, message: bytes) -> bytes:
    key = keys.tac_key(card.memory.keys["DTK"], card.algorithm.block)
    return card.algorithm.mac(key, message)


def debit_for_purchase(card: SimulatedCard, command: CommandApdu) -> bytes:
    """Terminal serial 4, time 7, MAC1 4 -> TAC 4, MAC2 4.  Totals, serial, log and proof move."""
    made = _taken(card, PURCHASE)
    _in_application(card, command, 0x0F)
    if (command.p1, command.p2) != (1, 0):
        raise Refusal(0x6A86)
    terminal_serial, time7, mac1 = command.data[:4], command.data[4:11], command.data[11:]
    serial = made.serial.to_bytes(2, "big")
    session = keys.purchase_session_key(
        card.algorithm.encrypt,
        card.memory.keys["DPK"],
        made.random,
        serial,
        terminal_serial,
        card.algorithm.block,
    )
    message = keys.mac1_message(made.amounts, PURCHASE, made.terminal, time7)
    if mac1 != card.algorithm.mac(session, message):
        raise Refusal(0x9302)
    if not time7.hex().isdigit():
        raise Refusal(0x6A80)
    _add_amounts(card, made.amounts, time7)
    mac2 = card.algorithm.mac(session, made.amounts)
    tac = _tac(
        card,
        keys.tac_message(made.amounts, PURCHASE, made.terminal, terminal_serial, time7),
    )
    card.memory.purchase_serial += 1
    _note(card, made, time7, made.amounts, mac2, tac)
    return tac + mac2


def _add_amounts(card: SimulatedCard, amounts: bytes, time7: bytes) -> None:
    """The account falls, the yearly totals grow or restart; 6985 when a total would overflow."""
    memory = card.memory
    account, own, pooled = (int.from_bytes(amounts[at : at + 4], "big") for at in (0, 4, 8))
    if memory.account_only:
        memory.balance_fen -= account
        return
    new_year = _next_year(memory.year, memory.start_day, time7[:4])
    own_total = own if new_year else memory.yearly_self_fen + own
    pooled_total = pooled if new_year else memory.yearly_pooled_fen + pooled
    if max(own_total, pooled_total) > _HIGHEST_FEN:
        raise Refusal(0x6985)
    memory.balance_fen -= account
    memory.yearly_self_fen, memory.yearly_pooled_fen = own_total, pooled_total
    memory.year = new_year or memory.year


def _next_year(year: bytes, start_day: bytes, date: bytes) -> bytes | None:
    """The insurance year (cn 2) that a date (cn 4) opens, None while it lies in `year`.

    n = yyyymmdd - (year * 10000 + mmdd of the start); from 10000 on a new year has begun.
    """
    start = int(start_day.hex())
    day = int(date.hex())
    if day - (int(year.hex()) * 10000 + start) < 10000:
        return None
    begun = day // 10000 - (day % 10000 < start)
    return bytes.fromhex("%04d" % begun)


def credit_for_load(card: SimulatedCard, command: CommandApdu) -> bytes:
    """Host time 7, MAC2 4 -> TAC 4."""
    made = _taken(card, LOAD)
    _in_application(card, command, 0x0B)
    if (command.p1, command.p2) != (0, 0):
        raise Refusal(0x6A86)
    time7, mac2 = command.data[:7], command.data[7:]
    message = made.amounts + LOAD + made.terminal + time7
    if mac2 != card.algorithm.mac(_load_key(card, made), message):
        raise Refusal(0x9302)
    memory = card.memory
    before = memory.balance_fen
    memory.balance_fen += int.from_bytes(made.amounts, "big")
    balance = memory.balance_fen if card.switches.load_tac_balance == "after" else before
    tac = _tac(card, _four(balance) + made.serial.to_bytes(2, "big") + message)
    memory.load_serial += 1
    _note(card, made, time7, made.amounts + bytes(8), mac2, tac)
    return tac


def _note(
    card: SimulatedCard, made: Transaction, time7: bytes, amounts: bytes, mac: bytes, tac: bytes
) -> None:
    """Log record (28 bytes, or 20 on an account-only card) and proof of a finished transaction."""
    ef, log = card.structure["DF04", 0x08], card.memory.files["DF04/08"]
    record = made.serial.to_bytes(2, "big") + made.kind + made.terminal + time7 + amounts
    log.insert(0, record[: ef.size])
    del log[card.memory.log_records :]
    card.memory.proof = Proof(made.kind, made.serial, mac, tac)
    card.changed()


def get_balance(card: SimulatedCard, command: CommandApdu) -> bytes:
    """P2 01: account 4; 02 / 03: yearly self-pay / pooled 4, year 2."""
    _in_application(card, command, 0)
    _need_pin(card)
    memory = card.memory
    values = {
        1: _four(memory.balance_fen),
        2: _four(memory.yearly_self_fen) + memory.year,
        3: _four(memory.yearly_pooled_fen) + memory.year,
    }
    if command.p1 or command.p2 not in values:
        raise Refusal(0x6A86)
    return card.fit(values[command.p2], command.ne)


def get_transaction_proof(card: SimulatedCard, command: CommandApdu) -> bytes:
    """P2 transaction type, serial 2 -> MAC 4, TAC 4 of the latest transaction; else 9406."""
    _in_application(card, command, 2)
    if command.p1:
        raise Refusal(0x6A86)
    proof = card.memory.proof
    if proof is None:
        raise Refusal(0x9406)
    kind = proof.kind[0] if card.switches.proof_type == "ascii" else proof.kind[0] & 0x0F
    serial = proof.serial + (card.switches.proof_serial == "plus_one")
    if command.p2 != kind or int.from_bytes(command.data, "big") != serial:
        raise Refusal(0x9406)
    return proof.mac + proof.tac


def starting_day(card: SimulatedCard, command: CommandApdu) -> bytes:
    """GET STARTING DAY (P1 01) -> mmdd 2; UPDATE STARTING DAY (P1 00) mmdd 2, after DSK."""
    _in_application(card, command)
    if command.p2 or command.p1 > 1:
        raise Refusal(0x6A86)
    if command.p1 == 1:
        return card.fit(card.memory.start_day, command.ne)
    if "DSK" not in card.session.keys:
        raise Refusal(0x6982)
    day = command.data
    if len(day) != 2:
        raise Refusal(0x6700)
    if not day.hex().isdigit() or not (1 <= day[0] <= 0x12 and 1 <= day[1] <= 0x31):
        raise Refusal(0x6A80)
    card.memory.start_day = day
    card.changed()
    return b""
