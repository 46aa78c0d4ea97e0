"""A simulated PSAM: files, session keys, the purchase (SPEC-P9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware.apdu import CommandApdu
from firmware.psam import keys as formulas
from firmware.tlv import encode
from simulator import state
from simulator.algorithm import ALGORITHMS
from simulator.chip import Chip, Dice, Refusal
from simulator.switches import Switches

DF01_NAME = bytes.fromhex("D15600000590")
DF01_FID, MF_FID = b"\xdf\x01", b"\x3f\x00"
_PURCHASE, _MAC_TYPES, _ENCRYPT_TYPES = 2, (6, 8), (7, 8)
_MOST_BLOCKS = 8
_ENCRYPT_MORE = 0x02
_MAC_ONLY, _MAC_FIRST, _MAC_NEXT, _MAC_LAST = 0x05, 0x07, 0x03, 0x01
_SERIAL_PLACE = "DF01/0019"


@dataclass
class HeldKey:
    """A root key: its type (low 5 bits of the usage byte) and the factors it needs, 1 to 3."""

    type: int
    factors: int
    key: bytes = field(repr=False)


@dataclass
class PsamMemory:
    """Everything that survives power-off.  keys: "22-01" id in hex after the type -> HeldKey.

    files: "MF/0016" -> contents.  The serial of EF 0019 is an int.
    """

    label: str
    algorithm: str
    historical: bytes
    switches: Switches
    seed: str | None
    keys: dict[str, HeldKey] = field(repr=False)
    files: dict[str, bytes]
    serial: int = 1
    boots: int = 0


@dataclass
class SessionKey:
    """kind: "encrypt" or "mac" once used.  chain: the running MAC block, None outside a chain."""

    type: int
    key: bytes = field(repr=False)
    kind: str | None = None
    chain: bytes | None = None


@dataclass
class Purchase:
    key: bytes = field(repr=False)
    amounts: bytes = b""


class SimulatedPsam(Chip):
    """One environment, that of its algorithm; never contactless."""

    contactless = False

    def __init__(self, memory: PsamMemory) -> None:
        super().__init__()
        self.memory = memory
        self.algorithm = ALGORITHMS[memory.algorithm]
        self.switches = memory.switches
        self.historical = memory.historical
        self.dice = Dice(memory.seed)
        self._diversified: dict[tuple[str, bytes], bytes] = {}
        self.started()

    def started(self) -> None:
        self.df = "MF"
        self.ef: str | None = None
        self.session: SessionKey | None = None
        self.purchase: Purchase | None = None
        if self.powered:
            self.memory.boots += 1
            self.dice.restart(self.memory.boots)
            self.changed()

    def interrupted(self) -> None:
        self.purchase = None

    def execute(self, command: CommandApdu) -> bytes:
        handler = HANDLERS.get((command.cla, command.ins))
        purchase, self.purchase = self.purchase, None  # CREDIT only directly after INIT SAM
        if (command.cla, command.ins) == _CREDIT:
            return self._credit_sam_for_purchase(command, purchase)
        if handler is None:
            raise Refusal(0x6D00 if command.cla in (0x00, 0x80, 0xBF) else 0x6E00)
        return handler(self, command)

    # -- files ------------------------------------------------------------------------------------

    def _select(self, command: CommandApdu) -> bytes:
        """The environment by name or 3F00, DF01 by name or FID, an EF by FID."""
        if not command.data:
            raise Refusal(0x6700)
        if command.p1 not in (0, 2, 4) or command.p2:
            raise Refusal(0x6A86)
        by_name = command.p1 == 4
        name = self.algorithm.psam_environment
        if command.data == (name if by_name else MF_FID):
            return self._enter("MF", name)
        if command.data == (DF01_NAME if by_name else DF01_FID):
            return self._enter("DF01", DF01_NAME)
        place = f"{self.df}/{command.data.hex().upper()}"
        if not by_name and (place in self.memory.files or place == _SERIAL_PLACE):
            self.ef = place
            return encode(0x6F, encode(0x83, command.data))
        raise Refusal(0x6A82)

    def _enter(self, df: str, name: bytes) -> bytes:
        self.df, self.ef, self.session = df, None, None
        return encode(0x6F, encode(0x84, name))

    def _read_binary(self, command: CommandApdu) -> bytes:
        if command.data:
            raise Refusal(0x6700)
        place, offset = self.ef, command.p1 << 8 | command.p2
        if command.p1 & 0x80:
            place, offset = f"{self.df}/{command.p1 & 0x1F:04X}", command.p2
        if place is None:
            raise Refusal(0x6986)
        if place == _SERIAL_PLACE:
            content = self.memory.serial.to_bytes(4, "big")
        elif place in self.memory.files:
            content = self.memory.files[place]
        else:
            raise Refusal(0x6A82)
        if offset >= len(content):
            raise Refusal(0x6B00)
        return self.fit(content[offset:], command.ne, part=True)

    def _get_challenge(self, command: CommandApdu) -> bytes:
        if command.data or command.ne not in (4, 8, 16):
            raise Refusal(0x6700)
        return self.dice.draw(command.ne)

    # -- session keys -----------------------------------------------------------------------------

    def _derived(self, name: str, held: HeldKey, factors: bytes) -> bytes:
        """The card's key; factors 8N in the order card, city, province."""
        found = self._diversified.get((name, factors))
        if found is None:
            levels = [factors[at : at + 8] for at in range(len(factors) - 8, -1, -8)]
            found = self.algorithm.diversify(held.key, *levels)
            if len(self._diversified) > 1000:
                self._diversified.clear()
            self._diversified[name, factors] = found
        return found

    def _deliver_session_key(self, command: CommandApdu) -> bytes:
        """BFDE: P1 usage, P2 key id, factors 8N, process factor of one block."""
        self.session = None
        if self.df != "DF01":
            raise Refusal(0x6985)
        key_type, count = command.p1 & 0x1F, command.p1 >> 5
        name = key_name(key_type, command.p2)
        held = self.memory.keys.get(name)
        if held is None:
            raise Refusal(0x6A88)
        if count != held.factors or len(command.data) != 8 * count + self.algorithm.block:
            raise Refusal(0x6A80)
        factors, process_factor = command.data[: 8 * count], command.data[8 * count :]
        key = self._derived(name, held, factors)
        self.session = SessionKey(key_type, self.algorithm.session_key(key, process_factor))
        return b""

    def _cipher_data(self, command: CommandApdu) -> bytes:
        """80FA: encrypt whole blocks (P1 00, 02) or run a CBC-MAC (05; 07, 03, 01)."""
        session, block, data = self.session, self.algorithm.block, command.data
        if session is None:
            raise Refusal(0x6985)
        if not data or len(data) % block or len(data) > _MOST_BLOCKS * block:
            raise Refusal(0x6700)
        if command.p2:
            raise Refusal(0x6A86)
        if command.p1 in (0x00, _ENCRYPT_MORE):
            self._use(session, "encrypt", _ENCRYPT_TYPES)
            return self.algorithm.encrypt(session.key, data)
        if command.p1 not in (_MAC_ONLY, _MAC_FIRST, _MAC_NEXT, _MAC_LAST):
            raise Refusal(0x6A86)
        self._use(session, "mac", _MAC_TYPES)
        return self._chain(session, command.p1, data)

    def _use(self, session: SessionKey, kind: str, types: tuple[int, ...]) -> None:
        changes = session.kind not in (None, kind)
        strict = self.switches.session_key_kinds == "one"
        if session.type not in types or (changes and (strict or session.chain is not None)):
            self.session = None
            raise Refusal(0x6985)
        session.kind = kind

    def _chain(self, session: SessionKey, p1: int, data: bytes) -> bytes:
        block = self.algorithm.block
        opens = p1 in (_MAC_ONLY, _MAC_FIRST)
        if opens == (session.chain is not None):
            self.session = None
            raise Refusal(0x6985)
        iv, text = (data[:block], data[block:]) if opens else (session.chain or b"", data)
        if p1 == _MAC_ONLY and not text:
            raise Refusal(0x6700)
        out = iv
        if text:
            out = formulas.cbc_mac_block(self.algorithm.encrypt, session.key, text, iv, block)
        if p1 in (_MAC_FIRST, _MAC_NEXT):
            session.chain = out
            return b""
        session.chain = None
        return out

    # -- purchase ---------------------------------------------------------------------------------

    def _init_sam_for_purchase(self, command: CommandApdu) -> bytes:
        """8070: random 4, serial 2, amounts 12, type 1, time 7, version 1, algorithm 1, factors.

        Answers terminal serial 4, MAC1 4.  The terminal number is the PSAM's own.
        """
        self.session = None
        if self.df != "DF01":
            raise Refusal(0x6985)
        if (command.p1, command.p2) != (1, 0):
            raise Refusal(0x6A86)
        data = command.data
        if len(data) < 28:
            raise Refusal(0x6700)
        random, card_serial, amounts, kind, time7 = (
            data[:4], data[4:6], data[6:18], data[18:19], data[19:26],
        )  # fmt: skip
        version, algorithm, factors = data[26], data[27], data[28:]
        name = key_name(_PURCHASE, version)
        held = self.memory.keys.get(name)
        if held is None:
            raise Refusal(0x6A88)
        if len(factors) != 8 * held.factors or algorithm not in self.algorithm.bytes_accepted:
            raise Refusal(0x6A80)
        if self.memory.serial > 0xFFFFFFFF:
            raise Refusal(0x9402)
        serial = self.memory.serial.to_bytes(4, "big")
        session = formulas.purchase_session_key(
            self.algorithm.encrypt,
            self._derived(name, held, factors),
            random,
            card_serial,
            serial,
            self.algorithm.block,
        )
        message = formulas.mac1_message(amounts, kind, self.terminal_number, time7)
        self.purchase = Purchase(session, amounts)
        if self.switches.psam_serial_moves == "at_8070":
            self._move_serial()
        return serial + self.algorithm.mac(session, message)

    def _credit_sam_for_purchase(self, command: CommandApdu, purchase: Purchase | None) -> bytes:
        """8072: MAC2 4, directly after 8070."""
        if purchase is None:
            raise Refusal(0x6985)
        if command.p1 or command.p2:
            raise Refusal(0x6A86)
        if len(command.data) != 4:
            raise Refusal(0x6700)
        if command.data != self.algorithm.mac(purchase.key, purchase.amounts):
            raise Refusal(int(self.switches.mac2_failure, 16))
        if self.switches.psam_serial_moves == "at_8072":
            self._move_serial()
        return b""

    def _move_serial(self) -> None:
        self.memory.serial += 1
        self.changed()

    # -- from outside -----------------------------------------------------------------------------

    @property
    def label(self) -> str:
        return self.memory.label

    @property
    def terminal_number(self) -> bytes:
        """EF 0016, cn 6."""
        return self.memory.files["MF/0016"]

    @property
    def terminal_serial(self) -> int:
        """EF 0019: the value the next purchase will carry."""
        return self.memory.serial

    def to_state(self) -> dict[str, Any]:
        """JSON-able; what the PSAM would still know after a power cut now."""
        return state.to_json(self.memory)

    @classmethod
    def from_state(cls, stored: dict[str, Any]) -> SimulatedPsam:
        fields = state.from_json(stored)
        fields["switches"] = Switches(**fields["switches"])
        fields["keys"] = {name: HeldKey(**held) for name, held in fields["keys"].items()}
        return cls(PsamMemory(**fields))


def key_name(key_type: int, key_id: int) -> str:
    """How a PSAM files a key: type and id."""
    return f"{key_type:02X}-{key_id:02X}"


_CREDIT = (0x80, 0x72)

HANDLERS: dict[tuple[int, int], Callable[[SimulatedPsam, CommandApdu], bytes]] = {
    (0x00, 0xA4): SimulatedPsam._select,
    (0x00, 0xB0): SimulatedPsam._read_binary,
    (0x00, 0x84): SimulatedPsam._get_challenge,
    (0xBF, 0xDE): SimulatedPsam._deliver_session_key,
    (0x80, 0xFA): SimulatedPsam._cipher_data,
    (0x80, 0x70): SimulatedPsam._init_sam_for_purchase,
}
