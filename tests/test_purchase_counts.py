"""M14: the number of exchanges of one purchase is a literal, one row for each kind of card.

Derived step by step from docs/architecture.md "One purchase"; on T=0 every command that sends data
and gets data back costs a GET RESPONSE (+1).

    card                     1.0  2.0 without EF06  2.0  3.0
    1  SELECT SSSE +1          2         2           2    2
    2  READ 01 03 06 07        4         4           4    4
    3  INTERNAL AUTH +1        2         2           2    2
    4  CHALLENGE, EXT AUTH     -         -           -    2
       READ EF06 09            1         1           1    1
    5  SELECT DF04 +1          2         2           2    2
    6  VERIFY 00, VERIFY       2         2           2    2
    7  READ 8F                 1         1           1    1
       CHALLENGE, EXT AUTH     -         2           2    2
       READ 90 (92 93)         -         1           3    3
    8  INITIALIZE +1           2         2           2    2
    11 DEBIT +1                2         2           2    2
    14 CHALLENGE, EXT AUTH     -         -           2    2
       UPDATE 92 93            -         -           2    2
       READ 92 93              -         -           2    2
                              18        21          29   31

    PSAM
    1  SELECT env +1, DF01 +1  4         4           4    4
    3  BFDE, 80FA +1           3         3           3    3
    4  BFDE, 80FA +1           -         -           -    3
    7  BFDE, 80FA +1           -         3           3    3
    9  8070 +1                 2         2           2    2
    12 8072                    1         1           1    1
    14 BFDE, 80FA +1           -         -           3    3
                              10        13          16   19
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import Rig

ROWS = [
    ("1.0", {"generation": "1.0", "has_ef06": False}, "user", 18, 10),
    ("2.0 without EF06", {"generation": "2.0", "has_ef06": False}, "user", 21, 13),
    ("2.0", {"generation": "2.0"}, "user", 29, 16),
    ("3.0", {"generation": "3.0"}, "user", 31, 19),
    # T=CL carries answers whole: five GET RESPONSEs fewer on the card's side
    ("3.0 contactless", {"generation": "3.0", "contactless": True}, "contactless", 26, 19),
]


@pytest.mark.parametrize(("kind", "how", "slot", "card", "psam"), ROWS, ids=[r[0] for r in ROWS])
def test_m14_exchanges_of_one_purchase_are_literal(
    tmp_path: Path, kind: str, how: dict, slot: str, card: int, psam: int
) -> None:
    rig = Rig(tmp_path)
    rig.psam()
    rig.card(slot=slot, **how)
    rig.unit.psam.start()
    rig.world.slot(slot).reset_counters()
    rig.world.slot("psam").reset_counters()

    assert rig.pay().name == "APPROVED"

    assert rig.world.slot(slot).counters.exchanges == card
    assert rig.world.slot("psam").counters.exchanges == psam
