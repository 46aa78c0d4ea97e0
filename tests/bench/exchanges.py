"""How much one purchase says: exchanges and bytes, as the slots count them."""

from __future__ import annotations

from pathlib import Path

from simulator.slot import Counters
from tests.bench.figure import Figure
from tests.rig import Rig
from tests.test_purchase_counts import ROWS

# The German limits on a terminal's time are stated for a transaction of this size.
GERMAN_BYTES = 2000
_ETU_PER_BYTE = 12  # T=0: start bit, 8 data bits, parity, 2 guard


def measure(folder: Path) -> dict[str, Figure]:
    """Rows of each kind of card; the plain names are those of a 2.0 card with EF06."""
    rows: dict[str, Figure] = {}
    for kind, how, slot, card_literal, psam_literal in ROWS:
        home = folder / kind.replace(" ", "-")
        home.mkdir()
        card, psam = _one_purchase(home, how, slot)
        suffix = "" if kind == "2.0" else "." + kind.replace(".", "_").replace(" ", "_").lower()
        note = f"card {kind}, counted at the slot; reference: the literal of test_purchase_counts"
        rows[f"purchase.card_apdus{suffix}"] = Figure(card.exchanges, "APDUs", card_literal, note)
        rows[f"purchase.psam_apdus{suffix}"] = Figure(psam.exchanges, "APDUs", psam_literal, note)
        if not suffix:
            rows |= _bytes(card, psam)
    return rows


def _one_purchase(folder: Path, how: dict, slot: str) -> tuple[Counters, Counters]:
    """What card and PSAM counted, the PSAM being up already."""
    rig = Rig(folder)
    rig.psam()
    rig.card(slot=slot, **how)
    rig.unit.psam.start()
    card, psam = rig.world.slot(slot), rig.world.slot("psam")
    card.reset_counters()
    psam.reset_counters()
    result = rig.pay()
    rig.unit.journal.close()
    if result.name != "APPROVED":
        raise RuntimeError(f"a purchase with {how} ended as {result.name}")
    return card.counters, psam.counters


def _bytes(card: Counters, psam: Counters) -> dict[str, Figure]:
    whole = card.bytes_out + card.bytes_in + psam.bytes_out + psam.bytes_in
    reference = "reference: the 2,000 bytes, both ways, of the German limit on terminal time"
    wire = ", ".join(f"{_wire_ms(whole, baud):.0f} ms at {baud} baud" for baud in (9600, 115200))
    out = f"to card {card.bytes_out}, to PSAM {psam.bytes_out}; {reference}"
    back = f"from card {card.bytes_in}, from PSAM {psam.bytes_in}; both ways {whole}: {wire}"
    return {
        "purchase.bytes_out": Figure(card.bytes_out + psam.bytes_out, "bytes", GERMAN_BYTES, out),
        "purchase.bytes_in": Figure(card.bytes_in + psam.bytes_in, "bytes", GERMAN_BYTES, back),
    }


def _wire_ms(count: int, baud: int) -> float:
    """T=0 without procedure bytes."""
    return count * _ETU_PER_BYTE / baud * 1000
