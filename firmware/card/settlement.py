"""The medical settlement commands (CLA B0, inside DF04) and the card's own log (SPEC-P7)."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.card import commands
from firmware.card.files import LOG
from firmware.card.session import CardSession
from firmware.outcome import ProtocolError, StatusError


@dataclass(frozen=True)
class Initialized:
    """The answer of INITIALIZE FOR PURCHASE, 22 bytes; balances are those before the purchase."""

    account_fen: int
    yearly_self_fen: int
    yearly_pooled_fen: int
    year: bytes  # 2, as the card gave it
    purchase_serial: int
    key_version: int
    algorithm: int
    random: bytes  # 4

    @property
    def serial_bytes(self) -> bytes:
        return self.purchase_serial.to_bytes(2, "big")


@dataclass(frozen=True)
class InitializedLoad:
    """The answer of INITIALIZE FOR LOAD, 16 bytes; the balance is that before the load."""

    account_fen: int
    load_serial: int
    key_version: int
    algorithm: int
    random: bytes  # 4
    mac1: bytes  # 4


@dataclass(frozen=True)
class LogRecord:
    """One record of DF04/EF08.  In account-only mode self_fen and pooled_fen are None."""

    serial: int
    kind: int  # commands.TYPE_LOAD or TYPE_SETTLEMENT
    terminal: bytes  # 6
    time7: bytes  # 7
    account_fen: int
    self_fen: int | None
    pooled_fen: int | None

    def matches(self, terminal: bytes, time7: bytes, amounts: bytes) -> bool:
        """Is this the settlement of that terminal, time and three amounts (12 bytes)?"""
        own = self.account_fen.to_bytes(4, "big")
        if self.self_fen is None or self.pooled_fen is None:
            amounts = amounts[:4]
        else:
            own += self.self_fen.to_bytes(4, "big") + self.pooled_fen.to_bytes(4, "big")
        if self.kind != commands.TYPE_SETTLEMENT:
            return False
        return (self.terminal, self.time7, own) == (terminal, time7, amounts)

    def is_load(self, terminal: bytes, time7: bytes, amount_fen: int) -> bool:
        """Is this the load of that terminal, time and amount?"""
        own = (self.kind, self.terminal, self.time7, self.account_fen)
        return own == (commands.TYPE_LOAD, terminal, time7, amount_fen)


def amounts_bytes(account_fen: int, self_fen: int, pooled_fen: int) -> bytes:
    """The three amounts as commands carry them: 3 x b 4, fen."""
    return b"".join(each.to_bytes(4, "big") for each in (account_fen, self_fen, pooled_fen))


def initialize_for_purchase(
    session: CardSession, key_index: int, amounts: bytes, terminal: bytes
) -> Initialized:
    """Changes nothing in the card.  StatusError 9401 funds, 9402 counter, 9403 key index, 6982."""
    command = commands.initialize_for_purchase(key_index, amounts, terminal)
    raw = session.sized("INITIALIZE FOR PURCHASE", command, 22)
    return Initialized(
        account_fen=int.from_bytes(raw[0:4], "big"),
        yearly_self_fen=int.from_bytes(raw[4:8], "big"),
        yearly_pooled_fen=int.from_bytes(raw[8:12], "big"),
        year=raw[12:14],
        purchase_serial=int.from_bytes(raw[14:16], "big"),
        key_version=raw[16],
        algorithm=raw[17],
        random=raw[18:22],
    )


def debit_for_purchase(
    session: CardSession, terminal_serial: bytes, time7: bytes, mac1: bytes
) -> tuple[bytes, bytes]:
    """(TAC, MAC2), 4 bytes each.  After ANY fault money may have moved: ask authorize/recovery."""
    command = commands.debit_for_purchase(terminal_serial, time7, mac1)
    raw = session.sized("DEBIT FOR PURCHASE", command, 8)
    return raw[:4], raw[4:]


def initialize_for_load(
    session: CardSession, key_index: int, amount_fen: int, terminal: bytes
) -> InitializedLoad:
    """Changes nothing in the card.  StatusError 9402 counter, 9403 key index, 6982, 6985."""
    command = commands.initialize_for_load(key_index, amount_fen.to_bytes(4, "big"), terminal)
    raw = session.sized("INITIALIZE FOR LOAD", command, 16)
    return InitializedLoad(
        account_fen=int.from_bytes(raw[0:4], "big"),
        load_serial=int.from_bytes(raw[4:6], "big"),
        key_version=raw[6],
        algorithm=raw[7],
        random=raw[8:12],
        mac1=raw[12:16],
    )


def credit_for_load(session: CardSession, time7: bytes, mac2: bytes) -> bytes:
    """TAC, 4 bytes.  After ANY fault money may have moved: ask authorize/recovery."""
    return session.sized("CREDIT FOR LOAD", commands.credit_for_load(time7, mac2), 4)


def get_balance(session: CardSession, which: int) -> int:
    """Fen; which: 1 account, 2 yearly self-pay, 3 yearly pooled."""
    raw = session.sized("GET BALANCE", commands.get_balance(which), 4 if which == 1 else 6)
    return int.from_bytes(raw[:4], "big")


def get_transaction_proof(session: CardSession, kind: int, serial: int) -> bytes | None:
    """The TAC the card still holds for that type and serial; None when it answers 9406.

    The proof answers MAC first, TAC second (DEBIT the other way round).
    """
    try:
        raw = session.sized(
            "GET TRANSACTION PROOF", commands.get_transaction_proof(kind, serial), 8
        )
    except StatusError as error:
        if error.sw in (commands.SW_NO_PROOF, 0x6A86, 0x6A88):
            return None
        raise
    return raw[4:]


def read_log(session: CardSession, limit: int = 255) -> list[LogRecord]:
    """The card's log, newest first; needs the PIN.  Stops at its end or at `limit` records."""
    found = []
    for number in range(1, limit + 1):
        raw = session.read_cyclic(LOG.sfi, number, LOG.size)
        if raw is None:
            break
        if not raw.strip(b"\x00\xff"):  # a record never written
            break
        found.append(parse_log_record(raw))
    return found


def parse_log_record(raw: bytes) -> LogRecord:
    """28 bytes, or 20 in account-only mode; raises ProtocolError otherwise."""
    if len(raw) not in (LOG.size, *LOG.other_sizes):
        raise ProtocolError(f"a log record of {len(raw)} bytes")
    is_full = len(raw) == LOG.size
    return LogRecord(
        serial=int.from_bytes(raw[0:2], "big"),
        kind=raw[2],
        terminal=raw[3:9],
        time7=raw[9:16],
        account_fen=int.from_bytes(raw[16:20], "big"),
        self_fen=int.from_bytes(raw[20:24], "big") if is_full else None,
        pooled_fen=int.from_bytes(raw[24:28], "big") if is_full else None,
    )
