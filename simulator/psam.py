"""A simulated PSAM: files, session keys, the purchase (SPEC-P9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware.apdu import CommandApdu
from firmware.psam import keys as formulas
from firmware.tlv import encode
from simulator import psamkeys, state
from simulator.algorithm import ALGORITHMS, Algorithm
from simulator.chip import Chip, Dice, Refusal
from simulator.psamkeys import SessionKey, key_name
from simulator.switches import Switches

DF01_NAME = bytes.fromhex("D15600000590")
DF01_FID, MF_FID = b"\xdf\x01", b"\x3f\x00"
_PURCHASE = 2
_SERIAL_PLACE = "DF01/0019"


@dataclass
class HeldKey:
    """A root key: its type (low 5 bits of the usage byte) and the factors it needs, 1 to 3."""

    type: int
    factors: int
    key: bytes = field(repr=False)


@dataclass
class Environment:
    """The tree of one cipher family: its MF and DF01, its keys, its transaction serial (EF 0019).

    keys: "22-01" type and id in hex -> HeldKey.  files: "MF/0016" -> contents.
    """

    algorithm: str
    keys: dict[str, HeldKey] = field(repr=False)
    files: dict[str, bytes]
    serial: int = 1


@dataclass
class PsamMemory:
    """Everything that survives power-off.  The first environment is the one at 3F00."""

    label: str
    historical: bytes
    switches: Switches
    seed: str | None
    environments: list[Environment]
    boots: int = 0

    @property
    def serial(self) -> int:
        """The transaction serial of the first environment."""
        return self.environments[0].serial

    @serial.setter
    def serial(self, value: int) -> None:
        self.environments[0].serial = value


@dataclass
class Purchase:
    key: bytes = field(repr=False)
    amounts: bytes = b""


class SimulatedPsam(Chip):
    """Never contactless.  What is selected belongs to one environment, that of its algorithm."""

    contactless = False

    def __init__(self, memory: PsamMemory) -> None:
        super().__init__()
        self.memory = memory
        self.switches = memory.switches
        self.historical = memory.historical
        self.dice = Dice(memory.seed)
        self._diversified: dict[tuple[str, str, bytes], bytes] = {}
        self.started()

    def started(self) -> None:
        self.environment = self.memory.environments[0]
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

    @property
    def algorithm(self) -> Algorithm:
        """That of the environment in use."""
        return ALGORITHMS[self.environment.algorithm]

    # -- files ------------------------------------------------------------------------------------

    def _select(self, command: CommandApdu) -> bytes:
        """The environment by name or 3F00, DF01 by name or FID, an EF by FID."""
        if not command.data:
            raise Refusal(0x6700)
        if command.p1 not in (0, 2, 4) or command.p2:
            raise Refusal(0x6A86)
        by_name = command.p1 == 4
        for environment in self.memory.environments:
            name = ALGORITHMS[environment.algorithm].psam_environment
            if command.data == (name if by_name else MF_FID):
                self.environment = environment
                return self._enter("MF", name)
        if command.data == (DF01_NAME if by_name else DF01_FID):
            return self._enter("DF01", DF01_NAME)
        place = f"{self.df}/{command.data.hex().upper()}"
        if not by_name and (place in self.environment.files or place == _SERIAL_PLACE):
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
            content = self.environment.serial.to_bytes(4, "big")
        elif place in self.environment.files:
            content = self.environment.files[place]
        else:
            raise Refusal(0x6A82)
        if offset >= len(content):
            raise Refusal(0x6B00)
        return self.fit(content[offset:], command.ne, part=True)

    def _get_challenge(self, command: CommandApdu) -> bytes:
        if command.data or command.ne not in (4, 8, 16):
            raise Refusal(0x6700)
        return self.dice.draw(command.ne)

    def derived(self, name: str, held: HeldKey, factors: bytes) -> bytes:
        """The card's key; factors 8N in the order card, city, province."""
        asked = (self.environment.algorithm, name, factors)
        found = self._diversified.get(asked)
        if found is None:
            levels = [factors[at : at + 8] for at in range(len(factors) - 8, -1, -8)]
            found = self.algorithm.diversify(held.key, *levels)
            if len(self._diversified) > 1000:
                self._diversified.clear()
            self._diversified[asked] = found
        return found

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
        held = self.environment.keys.get(name)
        if held is None:
            raise Refusal(0x6A88)
        if len(factors) != 8 * held.factors or algorithm not in self.algorithm.bytes_accepted:
            raise Refusal(0x6A80)
        if self.environment.serial > 0xFFFFFFFF:
            raise Refusal(0x9402)
        serial = self.environment.serial.to_bytes(4, "big")
        session = formulas.purchase_session_key(
            self.algorithm.encrypt,
            self.derived(name, held, factors),
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
        self.environment.serial += 1
        self.changed()

    # -- from outside -----------------------------------------------------------------------------

    @property
    def label(self) -> str:
        return self.memory.label

    @property
    def terminal_number(self) -> bytes:
        """EF 0016, cn 6."""
        return self.memory.environments[0].files["MF/0016"]

    @property
    def terminal_serial(self) -> int:
        """EF 0019 of the first environment: the value its next purchase will carry."""
        return self.memory.serial

    def serial_of(self, algorithm: str) -> int:
        """EF 0019 of the environment of that algorithm; raises KeyError."""
        for each in self.memory.environments:
            if each.algorithm == algorithm:
                return each.serial
        raise KeyError(f"{self.label} has no environment for {algorithm}")

    def to_state(self) -> dict[str, Any]:
        """JSON-able; what the PSAM would still know after a power cut now."""
        return state.to_json(self.memory)

    @classmethod
    def from_state(cls, stored: dict[str, Any]) -> SimulatedPsam:
        fields = state.from_json(stored)
        fields["switches"] = Switches(**fields["switches"])
        fields["environments"] = [_environment(each) for each in fields["environments"]]
        return cls(PsamMemory(**fields))


def _environment(fields: dict[str, Any]) -> Environment:
    keys = {name: HeldKey(**held) for name, held in fields.pop("keys").items()}
    return Environment(keys=keys, **fields)


_CREDIT = (0x80, 0x72)

HANDLERS: dict[tuple[int, int], Callable[[SimulatedPsam, CommandApdu], bytes]] = {
    (0x00, 0xA4): SimulatedPsam._select,
    (0x00, 0xB0): SimulatedPsam._read_binary,
    (0x00, 0x84): SimulatedPsam._get_challenge,
    (0xBF, 0xDE): psamkeys.deliver_session_key,
    (0x80, 0xFA): psamkeys.cipher_data,
    (0x80, 0x70): SimulatedPsam._init_sam_for_purchase,
}
