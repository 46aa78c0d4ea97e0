"""The host of a load: the region's key machine, which alone holds DLK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.authorize import limits
from firmware.authorize.load import host_reply
from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.outcome import Outcome
from firmware.psam import keys
from tests.rig import Rig

AMOUNT_FEN = 5000
CREDIT = 0x2A
# A 2.0 card, derived as in tests/test_purchase_counts.py: SELECT SSSE +1, READ 01 03 06 07,
# INTERNAL AUTH +1, SELECT DF04 +1, VERIFY 00, VERIFY, INITIALIZE +1, CREDIT +1.
LOAD_EXCHANGES = 16
PSAM_EXCHANGES = 7


class Host:
    """Answers as Unit.ask_host does.  asked: what it was told, each time."""

    def __init__(self, rig: Rig, card: Any, is_asked: bool = True):
        self.rig, self.card = rig, card
        self.asked: list[Mapping[str, Any]] = []
        self.refuses: Outcome | None = None
        self.flips = 0
        if is_asked:
            rig.unit.ask_host = self

    def __call__(
        self, order_no: str, told: Mapping[str, Any], timeout_s: float
    ) -> Mapping[str, Any] | Outcome:
        self.asked.append(told)
        return self.refuses or host_reply(*self.authorize(told))

    def authorize(self, told: Mapping[str, Any]) -> tuple[str, str]:
        """time7 and MAC2 as the host sends them; AssertionError when MAC1 is not the card's."""
        kind, terminal = bytes.fromhex(told["type"]), bytes.fromhex(told["terminal"])
        amount = told["amount_fen"].to_bytes(4, "big")
        balance = told["balance_fen"].to_bytes(4, "big")
        mac1 = self._mac(told, keys.load_mac1_message(balance, amount, kind, terminal))
        assert mac1.hex() == told["mac1"]
        self.rig.hands.wall_offset_s += 1
        time7 = self.rig.unit.clock.seven_bytes(int(self.rig.hands.wall() * 1000))
        mac2 = self._mac(told, keys.load_mac2_message(amount, kind, terminal, time7))
        return time7.hex(), bytes((mac2[0] ^ self.flips, *mac2[1:])).hex()

    def _mac(self, told: Mapping[str, Any], message: bytes) -> bytes:
        family = self.card.algorithm
        factor = bytes.fromhex(told["historical"])[5:]
        dlk = self.rig.region.tree_of(self.card).card_key("DLK", factor)
        serial = told["load_serial"].to_bytes(2, "big")
        random = bytes.fromhex(told["random"])
        session = keys.load_session_key(family.encrypt, dlk, random, serial, family.block)
        return family.mac(session, message)


def load(rig: Rig, order_no: str = "L-1", amount_fen: int = AMOUNT_FEN) -> str:
    """One load with what is in the slots; the name of its outcome."""
    rig.world.holder.forget()
    rig.world.holder.type_pin("123456")
    params = {"order_no": order_no, "operator": "clerk-07", "amount_fen": amount_fen}
    SERVICES["load"].check(params)
    assert limits.check_psam(rig.unit) is None
    return serve(rig.unit, rig.unit.cards_in_reach()[0], "load", SERVICES["load"], params)[0].name


def credits(rig: Rig) -> int:
    """How often CREDIT FOR LOAD went to the card."""
    return sum(command[:2] == b"\xb0\x2a" for command, _ in rig.exchanges)


def expected_tac(rig: Rig, card: Any, body: Mapping[int, Any], balance_fen: int) -> bytes:
    """Computed by the region that holds DTK, from the LOAD_INTENT."""
    family = card.algorithm
    dtk = rig.region.tree_of(card).card_key("DTK", card.factor)
    message = keys.load_tac_message(
        balance_fen.to_bytes(4, "big"),
        body[26].to_bytes(2, "big"),
        body[27].to_bytes(4, "big"),
        bytes((body[14],)),
        body[3],
        body[15],
    )
    return family.mac(keys.tac_key(dtk, family.block), message)
