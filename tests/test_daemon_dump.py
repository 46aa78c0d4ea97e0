"""M13: `sscterm card dump` through the running daemon, for a full card of each generation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.test_daemon import SOON_S, Stand

NAME = "欧阳测试"
# No source tells DF07's key references and PSAM ids: they are the region's data (M7).
REGION = 'region = "51"\n' + "".join(
    f"""[[key]]
name = "RK{which}DF07"
df = "DF07"
reference = {0x83 + which}
psam_id = {0x3C + which}
psam_type = 7
factors = 3
"""
    for which in (1, 2, 3)
)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    (tmp_path / "region.toml").write_text(REGION)
    text = made.board.read_text()
    made.board.write_text(text.replace("[purchase]", '[purchase]\nregion_table = "region.toml"'))
    yield made
    made.end()


def items_of(told: dict[str, Any]) -> list[str]:
    """The tags shown, file by file."""
    return [
        item["tag"]
        for df in told["card"]["applications"]
        for file in df["files"]
        for item in file.get("items", ())
        if "tag" in item
    ]


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_m13_sscterm_shows_every_item_of_each_generation(stand: Stand, generation: str) -> None:
    control = stand.start_simulator()
    stand.start_daemon()
    stand.shows("READY")
    control.issue_card(serial=9, generation=generation, full=True, name=NAME)
    said = []
    for form in ((), ("--json",)):
        control.type_pin(digits="123456")
        asking = stand.start(
            "firmware.host.sscterm", "card", "dump", "--socket", str(stand.socket), *form
        )
        stand.shows("INSERT_CARD")
        control.insert(slot="user", label="card-9")
        out, err = asking.communicate(timeout=SOON_S)
        assert asking.returncode == 0, err
        said.append(out)
        control.remove(slot="user")
        stand.shows("READY")
    table, told = said[0], json.loads(said[1])
    tags = items_of(told)
    assert len(tags) > 40
    files = [file for df in told["card"]["applications"] for file in df["files"]]
    assert {file["state"] for file in files} <= {"read", "absent"}
    assert NAME in table
    assert all(f"    {tag}" in table for tag in tags)
