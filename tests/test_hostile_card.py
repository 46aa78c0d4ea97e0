"""A card that answers anything at any command: never a crash, a hang, a second DEBIT.

The genuine simulated card stands behind: what it was really debited is compared with the records.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.journal import kinds as rec
from simulator.misbehaviour import Silence
from tests.rig import Rig

PAID = (1000, 200, 300)
START_FEN = 100_000
MOST_EXCHANGES = 3000  # a whole log of 255 records, asked in three ways, several times over
LEGAL_SW = (
    *(0x9000, 0x6108, 0x6116, 0x61FF, 0x6C08, 0x6CFF, 0x63C0, 0x63C2, 0x6581, 0x6700, 0x6901),
    *(0x6982, 0x6983, 0x6984, 0x6985, 0x6A80, 0x6A81, 0x6A82, 0x6A83, 0x6A86, 0x6A88, 0x6B00),
    *(0x6D00, 0x6E00, 0x6F00, 0x9302, 0x9303, 0x9401, 0x9402, 0x9406),
)
WAYS = ("bare", "swapped", "flipped", "cut", "padded", "garbage", "mute", "refused")


class Hostile:
    """Answers as the card does, but for the commands the dice choose."""

    def __init__(self, chip: Any, seed: int, chance: float):
        self.chip = chip
        self._dice = random.Random(seed)
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chip, name)

    def transmit(self, command: bytes) -> bytes:
        if self._dice.random() >= self._chance:
            return self.chip.transmit(command)
        way = self._dice.choice(WAYS)
        if way == "refused":
            return self._dice.choice(LEGAL_SW).to_bytes(2, "big")
        answer = self.chip.transmit(command)
        if way == "mute":
            raise Silence("a hostile card is mute")
        return self._twisted(way, answer)

    def _twisted(self, way: str, answer: bytes) -> bytes:
        dice = self._dice
        sw = dice.choice(LEGAL_SW).to_bytes(2, "big")
        if way == "bare":
            return sw
        if way == "swapped":
            return answer[:-2] + sw
        if way == "cut":
            return answer[: dice.randint(0, len(answer))]
        if way == "padded":
            return dice.randbytes(dice.randint(1, 40)) + answer
        if way == "garbage":
            return dice.randbytes(dice.randint(0, 300))
        at = dice.randrange(len(answer))
        return answer[:at] + bytes((answer[at] ^ 1 << dice.randrange(8),)) + answer[at + 1 :]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    chance=st.sampled_from([0.01, 0.03, 0.1, 0.4, 1.0]),
    generation=st.sampled_from(["1.0", "2.0", "3.0"]),
)
def test_a_hostile_card_gets_nothing_and_stops_nobody(
    seed: int, chance: float, generation: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        rig.psam()
        card = rig.card(generation=generation, has_ef06=generation != "1.0")
        rig.user.remove()
        rig.user.insert(Hostile(card, seed, chance))
        for _ in range(6):
            rig.world.holder.type_pin("123456")
        result = rig.pay(*PAID)
        assert result.number != 699
        assert len(rig.exchanges) <= MOST_EXCHANGES
        assert sum(command[:2] == b"\xb0\x2c" for command, _ in rig.exchanges) <= 1
        check_books(rig, card)
        rig.user.remove()
        # the next customer is served
        rig.world.holder.forget()
        honest = rig.card(77)
        assert rig.pay(*PAID).name == "APPROVED"
        assert honest.balance_fen == START_FEN - PAID[0]
        rig.unit.journal.close()


def check_books(rig: Rig, card: Any) -> None:
    """A MAC2 that the PSAM has checked proves a debit; and a debit never ends as "not taken"."""
    debited = START_FEN - card.balance_fen
    assert debited in (0, PAID[0])
    records = rig.unit.journal.by_order(rig.order_no)
    last = records[-1]
    if last.kind == rec.KIND_DONE and last.body[rec.KEY_MAC2_STATE] == 1:
        assert debited
    if last.kind == rec.KIND_DECLINED:
        assert not debited
    assert records[0].kind in (rec.KIND_INTENT, rec.KIND_DECLINED)
