"""Issue 6, done: a purchase through bare UARTs, user card and PSAM both; the same exchanges as
without them (tests/test_purchase_counts.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from firmware.outcome import TransportError
from simulator.contact_atr import Nature
from simulator.slot import AFTER, BEFORE, Cut
from tests.contact_rig import SlotChip, wired
from tests.rig import Rig
from tests.torn import DEBIT, PAID, START_FEN, put_back

FAST = Nature(ta1=0x18)
ROWS = [
    ("1.0", {"generation": "1.0", "has_ef06": False}, Nature(), 18, 10),
    ("2.0", {"generation": "2.0"}, FAST, 29, 16),
    ("2.0 inverse", {"generation": "2.0"}, Nature(is_inverse=True), 29, 16),
    ("3.0", {"generation": "3.0"}, FAST, 31, 19),
    # T=1 carries answers whole: five GET RESPONSEs fewer, as T=CL
    ("3.0 T=1", {"generation": "3.0"}, Nature(protocol=1, ta1=0x18, crc=True), 26, 19),
]


class Wired:
    """A Rig whose user card and PSAM sit in bare slots."""

    def __init__(self, folder: Path, stack: ExitStack, nature: Nature = FAST):
        self.rig = Rig(folder, edit={"exchange_s = 20": "exchange_s = 5"})
        user, psam = (SlotChip(self.rig.world.slot(name)) for name in ("user", "psam"))
        self.user_card, reader = stack.enter_context(wired(user, nature))
        self.psam_card, psam_reader = stack.enter_context(wired(psam, FAST))
        self.rig.attach(reader, psam_reader)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(("kind", "how", "nature", "card", "psam"), ROWS, ids=[r[0] for r in ROWS])
def test_m14_a_purchase_through_bare_uarts_takes_the_same_exchanges(
    tmp_path: Path, stack: ExitStack, kind: str, how: dict, nature: Nature, card: int, psam: int
) -> None:
    wires = Wired(tmp_path, stack, nature)
    rig = wires.rig
    rig.psam()
    paid = rig.card(**how)
    rig.unit.psam.start()
    rig.exchanges.clear()
    rig.psam_exchanges.clear()

    assert rig.pay().name == "APPROVED"

    assert (len(rig.exchanges), len(rig.psam_exchanges)) == (card, psam)
    assert paid.balance_fen == START_FEN - 1000
    assert rig.result()["state"] == "DONE"
    assert wires.psam_card.baud == 115_200
    assert wires.psam_card.resets == 1


@pytest.mark.parametrize("nature", [FAST, Nature(protocol=1, ta1=0x18)], ids=["T=0", "T=1"])
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_m14_a_card_pulled_at_debit_is_settled_when_it_is_back(
    tmp_path: Path, stack: ExitStack, when: str, nature: Nature
) -> None:
    rig = Wired(tmp_path, stack, nature).rig
    rig.psam()
    card = rig.card()
    rig.user.arm(Cut(DEBIT, 1, when))
    rig.hands.later(0.3, put_back(rig, card))
    rig.pay(*PAID)
    state = rig.result()["state"]
    assert state == ("VOID" if when == BEFORE else "DONE")
    assert card.balance_fen == START_FEN - (PAID[0] if state == "DONE" else 0)
    assert "PUT_CARD_BACK" in rig.shown
    assert rig.unit.journal.open_intents() == []


@pytest.mark.parametrize(
    "fault",
    [{"nulls": -1}, {"cut": 3}, {"procedure": 0x11}, {"silent": True}],
    ids=["NULL without end", "cut short", "procedure byte", "silent"],
)
def test_m14_an_answer_to_debit_that_is_lost_is_found_and_debit_is_never_sent_twice(
    tmp_path: Path, stack: ExitStack, fault: dict
) -> None:
    """The card stays in, its answer to DEBIT does not come back whole: evidence decides."""
    wires = Wired(tmp_path, stack)
    rig = wires.rig
    rig.psam()
    card = rig.card()
    chip = wires.user_card.chip
    assert isinstance(chip, SlotChip)
    debits: list[bytes] = []
    real = chip.transmit

    def transmit(command: bytes) -> bytes:
        answer = real(command)
        if command[:2] == b"\xb0\x2c":
            debits.append(command)
            for name, value in fault.items():
                setattr(wires.user_card.faults, name, value)
        return answer

    def power_on() -> bytes:
        wires.user_card.faults = type(wires.user_card.faults)()
        return real_power_on()

    real_power_on = chip.power_on
    chip.transmit, chip.power_on = transmit, power_on  # type: ignore[method-assign]

    assert rig.pay(*PAID).name == "APPROVED_FOUND_LATER"

    assert len(debits) == 1
    assert card.balance_fen == START_FEN - PAID[0]
    assert rig.result()["state"] == "DONE"


def test_m14_a_psam_that_is_pulled_is_missing_until_it_is_back(
    tmp_path: Path, stack: ExitStack
) -> None:
    wires = Wired(tmp_path, stack)
    rig = wires.rig
    psam = rig.psam()
    rig.card()
    rig.unit.psam.start()
    rig.world.slot("psam").remove()
    with pytest.raises(TransportError):
        rig.psam_reader.exchange(bytes.fromhex("0084000008"), 2)
    assert rig.pay().name == "PSAM_MISSING"
    rig.world.insert("psam", psam.label)
    assert rig.pay().name == "APPROVED"
