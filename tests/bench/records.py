"""How large the records of a purchase are, as this terminal writes them."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

from firmware.journal import cose
from tests.bench.figure import Figure
from tests.rig import Rig

MOST = {"INTENT": 224, "DONE": 128}
# A unit in its second year: a million records, some hundred starts.
_EDIT = {'id = "TEST-UNIT"': 'id = "dev-0001"', "day_fen = 1000000": "day_fen = 100000000"}
_NUMBER, _BOOT = 1_000_000, 300


def measure(folder: Path, payments: int) -> dict[str, Figure]:
    """Bytes of CBOR before the signature, of `payments` purchases by different people."""
    sizes = _sizes(folder, payments)
    return {f"record.bytes.{name.lower()}": _figure(name, sizes[name]) for name in MOST}


def _figure(name: str, sizes: list[int]) -> Figure:
    note = (
        f"the payload of the largest {name} of {len(sizes)}; median {statistics.median(sizes):g}, "
        f"smallest {min(sizes)}; order numbers of 14 digits, EF06 read, record numbers above "
        f"{_NUMBER:,}, balances, totals, serials and amounts at random; reference: the limit"
    )
    return Figure(max(sizes), "bytes", MOST[name], note)


def _sizes(folder: Path, payments: int) -> dict[str, list[int]]:
    chance = random.SystemRandom()
    rig = Rig(folder, edit=_EDIT)
    rig.psam()
    journal = rig.unit.journal
    journal._number, journal._boot = _NUMBER, _BOOT
    for turn in range(payments):
        card = rig.region.issue_card(
            chance.randrange(1, 10**6),
            balance_fen=chance.randrange(60_000, 400_000),
            yearly_self_fen=chance.randrange(500_000),
            yearly_pooled_fen=chance.randrange(500_000),
            offline_total_fen=chance.randrange(200_000),
            offline_count=chance.randrange(45),
            purchase_serial=chance.randrange(1, 3000),
            label=f"person-{turn}",
        )
        rig.user.remove()
        rig.world.insert("user", card.label)
        amounts = chance.randrange(1, 30_000), chance.randrange(20_000), chance.randrange(20_000)
        result = rig.pay(*amounts, order_no=f"{chance.randrange(10**14):014d}")
        if result.name != "APPROVED":
            raise RuntimeError(f"payment {turn}: {result.name}")
    journal.flush()
    sizes: dict[str, list[int]] = {name: [] for name in MOST}
    while found := journal.records(_NUMBER, 1000):
        for each in found:
            sizes.setdefault(each.kind_name, []).append(len(cose.peek1(each.raw).payload))
        break
    journal.close()
    return sizes
