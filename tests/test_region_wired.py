"""M7: a region's own table file at work in the terminal: its factor, its files, its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.limits import check_psam
from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.board import BoardError
from simulator.local import PERSON_CODE
from simulator.region import Region
from tests.rig import Rig

FACTOR = "3531303130305858"
TABLE = f"""\
region = "5101"
city_factor_hex = "{FACTOR}"
[[key]]
name = "RK1DF07"
df = "DF07"
reference = 0x84
psam_id = 0x3D
psam_type = 7
factors = 3
[[ef]]
df = "SSSE"
fid = "EF0D"
label = "人员信息"
read = "free"
write = "never"
structure = "variable"
[[ef.item]]
tag = "EA"
form = "an"
length = 12
label = "人员编号"
"""
NAMED = {"ef06 =": 'region_table = "region.toml"\nef06 ='}


def of_the_region(folder: Path, table: str, edit: dict[str, str]) -> Rig:
    (folder / "region.toml").write_text(table)
    factors, local = {"510100": bytes.fromhex(FACTOR)}, {"510100": PERSON_CODE}
    rig = Rig(folder, Region("510100", seed="TEST", city_factors=factors, local=local), edit)
    rig.psam()
    return rig


def files_of(rig: Rig) -> dict[str, dict[str, Any]]:
    rig.world.holder.type_pin("123456")
    assert check_psam(rig.unit) is None
    reader = rig.unit.cards_in_reach()[0]
    result, told = serve(rig.unit, reader, "card.dump", SERVICES["card.dump"], {"operator": "07"})
    assert result.name == "SERVED"
    found = told["card"]["applications"]
    return {f"{df['name']}/{file['name']}": file for df in found for file in df["files"]}


def test_m7_a_regions_own_files_keys_and_factor_serve_its_cards(tmp_path: Path) -> None:
    rig = of_the_region(tmp_path, TABLE, NAMED)
    card = rig.card(full=True)
    assert rig.pay().name == "APPROVED"
    assert card.balance_fen == 99_000
    files = files_of(rig)
    assert files["SSSE/EF0D"]["state"] == "read"
    assert "000012345678" in str(files["SSSE/EF0D"])
    assert files["DF07/EF05"]["state"] == "read"


def test_m7_without_its_table_the_regions_cards_are_strangers(tmp_path: Path) -> None:
    """The overridden factor leads to other keys: the card's proof and the PSAM's differ."""
    rig = of_the_region(tmp_path, TABLE, {})
    rig.card(full=True)
    assert rig.pay().name == "CARD_NOT_GENUINE"


def test_m7_a_broken_table_does_not_start_and_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="line 2"):
        of_the_region(tmp_path, TABLE.replace(FACTOR, "35"), NAMED)
