"""A simulated social security card: what it remembers, what it forgets without power, dispatch.

SPEC-P5 (basic commands: filesystem.py, security.py), SPEC-P7 (CLA B0: settlement.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware.apdu import CommandApdu
from simulator import binary, files, filesystem, keytable, security, settlement, state
from simulator.algorithm import ALGORITHMS
from simulator.chip import Chip, Dice, Refusal
from simulator.files import AS_2_0, Rule
from simulator.keytable import KeyRow
from simulator.local import Local
from simulator.settlement import Proof, Transaction
from simulator.switches import Switches

CARD_BLOCKED = 0x6A81


@dataclass
class CardMemory:
    """Everything that survives power-off.  Amounts in fen; keys and PIN are invented test data.

    pin: packed BCD, empty = none set.  files: "DF04/08" -> records, a cyclic file newest first, a
    transparent one as one record of what was written.  key_tries: only keys that have lost tries.
    code: the region that issued it.  meanings: of a 1.0 card's items (files.MEANINGS).
    """

    label: str
    generation: str
    algorithm: str
    historical: bytes
    contactless: bool
    account_only: bool
    has_ef06: bool
    switches: Switches
    seed: str | None
    keys: dict[str, bytes] = field(repr=False)
    pin: bytes = field(repr=False)
    pin_limit: int
    pin_tries: int
    key_limit: int
    files: dict[str, list[bytes]]
    log_records: int
    balance_fen: int
    yearly_self_fen: int
    yearly_pooled_fen: int
    year: bytes  # cn 2
    start_day: bytes  # cn 2, mmdd
    purchase_serial: int = 1
    load_serial: int = 1
    key_index: int = 1
    key_version: int = 1
    key_tries: dict[str, int] = field(default_factory=dict)
    blocked: bool = False
    blocked_dfs: list[str] = field(default_factory=list)
    proof: Proof | None = None
    boots: int = 0
    code: str = "510100"
    meanings: str = AS_2_0
    optional: list[str] = field(default_factory=list)
    local: Local | None = None


@dataclass
class Session:
    """Everything that power-off takes."""

    df: str
    ef: int | None = None
    pointer: int | None = None
    mf_selected: bool = False
    pin_verified: bool = False
    keys: list[str] = field(default_factory=list)
    challenge: bytes = b""
    transaction: Transaction | None = None


Handler = Callable[["SimulatedCard", CommandApdu], bytes]

HANDLERS: dict[tuple[int, int], Handler] = {
    (0x00, 0xA4): filesystem.select,
    (0x00, 0xB2): filesystem.read_record,
    (0x00, 0xDC): filesystem.update_record,
    (0x04, 0xDC): filesystem.update_record,
    (0x00, 0xB0): binary.read_binary,
    (0x00, 0xD6): binary.update_binary,
    (0x04, 0xD6): binary.update_binary,
    (0x00, 0x84): security.get_challenge,
    (0x00, 0x88): security.internal_authenticate,
    (0x00, 0x82): security.external_authenticate,
    (0x00, 0x20): security.verify,
    (0x80, 0x5E): security.change_pin,
    (0x84, 0x24): security.pin_change_unblock,
    (0x84, 0x1E): security.application_block,
    (0x84, 0x16): security.card_block,
    (0xB0, 0x28): settlement.initialize,
    (0xB0, 0x2A): settlement.credit_for_load,
    (0xB0, 0x2C): settlement.debit_for_purchase,
    (0xB0, 0x26): settlement.get_balance,
    (0xB0, 0x2E): settlement.get_transaction_proof,
    (0xB0, 0x56): settlement.starting_day,
}
_CLASSES = {cla for cla, _ in HANDLERS}


class SimulatedCard(Chip):
    """A card in nobody's slot.  `dirty` is set with each change of what survives power-off."""

    def __init__(self, memory: CardMemory) -> None:
        super().__init__()
        self.memory = memory
        self.algorithm = ALGORITHMS[memory.algorithm]
        self.switches = memory.switches
        self.contactless = memory.contactless
        self.historical = memory.historical
        self.dice = Dice(memory.seed)
        self.structure = filesystem.structure_of(memory)
        self.dfs = filesystem.applications_of(memory)
        self.session = Session(self.root_df)

    @property
    def root_df(self) -> str:
        """What power-on selects: the SSSE itself, or the payment environment's MF."""
        return "SSSE" if self.switches.ssse_position == "mf" else "MF"

    def started(self) -> None:
        self.session = Session(self.root_df)
        if self.powered:
            self.memory.boots += 1
            self.dice.restart(self.memory.boots)
            self.changed()

    def interrupted(self) -> None:
        self.session.transaction = None

    def execute(self, command: CommandApdu) -> bytes:
        if self.memory.blocked:
            raise Refusal(CARD_BLOCKED)
        name = (command.cla, command.ins)
        keeps = settlement.keeps_transaction(self, name)
        if not keeps and name not in settlement.COMPLETES:
            self.session.transaction = None
        try:
            handler = HANDLERS.get(name)
            if handler is None:
                raise Refusal(0x6D00 if command.cla in _CLASSES else 0x6E00)
            return handler(self, command)
        except Refusal as refusal:
            # 6Cxx only corrects a Le; any other refusal leads back to idle (SPEC-P7).
            if refusal.sw >> 8 != 0x6C:
                self.session.transaction = None
            raise

    def may(self, rule: Rule) -> bool:
        """Has the session done what the rule asks?  A card without a PIN asks for none."""
        done = set(self.session.keys)
        if self.session.pin_verified or not self.memory.pin:
            done.add("PIN")
        return any(done.issuperset(alternative) for alternative in rule)

    def key_at(self, df: str, reference: int) -> KeyRow | None:
        """The key that EXTERNAL AUTHENTICATE names by that P2 in that DF."""
        local = self.memory.local.keys if self.memory.local else ()
        for row in local:
            if (row.df, row.reference) == (df, reference):
                return row
        standard = keytable.BY_REFERENCE.get((df, reference))
        return standard if standard and standard.name in self.memory.keys else None

    # -- the card from outside: its state, and what a money check reads ---------------------------

    def to_state(self) -> dict[str, Any]:
        """JSON-able; what the card would still know after a power cut now."""
        return state.to_json(self.memory)

    @classmethod
    def from_state(cls, stored: dict[str, Any]) -> SimulatedCard:
        fields = state.from_json(stored)
        fields["switches"] = Switches(**fields["switches"])
        if fields["proof"] is not None:
            fields["proof"] = Proof(**fields["proof"])
        if fields["local"] is not None:
            fields["local"] = Local.from_json(fields["local"])
        return cls(CardMemory(**fields))

    @property
    def label(self) -> str:
        return self.memory.label

    @property
    def balance_fen(self) -> int:
        return self.memory.balance_fen

    @property
    def yearly_self_fen(self) -> int:
        return self.memory.yearly_self_fen

    @property
    def yearly_pooled_fen(self) -> int:
        return self.memory.yearly_pooled_fen

    @property
    def purchase_serial(self) -> int:
        """The serial the next purchase will carry."""
        return self.memory.purchase_serial

    @property
    def card_id(self) -> bytes:
        """EF05 tag 01, 16 bytes."""
        return self.item("SSSE", 0x05, 0x01)

    @property
    def card_number(self) -> str:
        """EF05 tag 07, 9 characters."""
        return self.item("SSSE", 0x05, 0x07).decode("ascii")

    @property
    def factor(self) -> bytes:
        """The card's diversification factor: the last 8 historical bytes."""
        return self.historical[-8:]

    @property
    def log(self) -> list[bytes]:
        """DF04/EF08, newest first, 28 bytes each (20 on an account-only card)."""
        return list(self.memory.files["DF04/08"])

    def item(self, df: str, sfi: int, tag: int) -> bytes:
        """The value of one item, without asking the card; raises KeyError."""
        for record in self.memory.files[files.place(df, sfi)]:
            if record[0] == tag:
                return record[2:]
        raise KeyError(f"{df} EF{sfi:02X} has no tag {tag:02X}")
