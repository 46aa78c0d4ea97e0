"""M13: a whole card through the daemon, to the host that asked and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.limits import check_psam
from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.host import sscterm
from firmware.host.desk import BUSY
from firmware.host.rpc import RpcError, RpcServer
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from simulator.region import Region
from simulator.slot import BEFORE, Cut
from tests.rig import Rig

READ_RECORD = 0xB2
NAME, CITIZEN = "欧阳测试", "510101199003071234"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.psam()
    return made


def dumped(rig: Rig, pin: str | None = "123456", **params: str) -> tuple[str, dict[str, Any]]:
    if pin is not None:
        rig.world.holder.type_pin(pin)
    assert check_psam(rig.unit) is None
    reader = rig.unit.cards_in_reach()[0]
    service = SERVICES["card.dump"]
    result, told = serve(rig.unit, reader, "card.dump", service, {"operator": "07", **params})
    return result.name, told


def states(told: dict[str, Any]) -> dict[str, str]:
    return {
        f"{df['name']}/{file['name']}": file["state"]
        for df in told["card"]["applications"]
        for file in df["files"]
    }


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_m13_every_file_of_each_generation_is_told(rig: Rig, generation: str) -> None:
    """But DF07's: no source tells its keys' references; a region's table file may (M7)."""
    card = rig.card(generation=generation, full=True, name=NAME)
    result, told = dumped(rig)
    assert result == "SERVED"
    assert told["card"]["version"] == generation
    read = {place for place, state in states(told).items() if state == "read"}
    held = {place.replace("/", "/EF") for place in card.memory.files}
    assert read == {place for place in held if place[:4] != "DF07"} - {"SSSE/EF0B", "SSSE/EF1E"}
    assert NAME in json.dumps(told, ensure_ascii=False)


def test_m13_an_sm4_card_is_dumped(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Region("510100", seed="TEST", algorithm="sm4"))
    rig.psam()
    rig.card(generation="3.0", full=True)
    result, told = dumped(rig)
    assert (result, told["card"]["algorithm"]) == ("SERVED", 3)
    assert states(told)["SSSE/EF06"] == "read"


def test_m13_a_psam_without_a_key_leaves_its_files_out_and_says_so(rig: Rig) -> None:
    (psam,) = rig.region.psams.values()
    del psam.memory.environments[0].keys["07-2D"]  # RK1DF04
    rig.card(generation="2.0", full=True)
    result, told = dumped(rig)
    assert result == "SERVED"
    medical = next(df for df in told["card"]["applications"] if df["name"] == "DF04")
    found = {file["name"]: file for file in medical["files"]}
    assert found["EF06"]["reason"] == "needs PIN and RK1DF04"
    assert found["EF08"]["state"] == "read"


def test_personal_data_reaches_the_host_and_neither_journal_nor_display(rig: Rig) -> None:
    card = rig.card(generation="3.0", full=True, name=NAME, citizen_number=CITIZEN)
    rig.world.holder.type_pin("123456")
    fields: list[str] = []
    show = rig.unit.show
    rig.unit.show = lambda name, **of: (fields.extend(of.values()), show(name, **of))[1]
    _, told = dumped(rig, None)
    rig.unit.journal.flush()
    (record,) = rig.unit.journal.records(0, 10)
    assert record.body == {
        rec.KEY_OPERATOR: "07",
        rec.KEY_DETAIL: "card.dump",
        rec.KEY_OUTCOME: outcome("SERVED").number,
        rec.KEY_CARD_ID: card.memory.files["SSSE/05"][0][2:],
        rec.KEY_CARD_NUMBER: told["card_number"],
    }
    assert CITIZEN in json.dumps(told)
    for path in (rig.folder / "data").iterdir():
        content = path.read_bytes() if path.is_file() else b""
        assert CITIZEN.encode() not in content
        assert NAME.encode() not in content
        assert NAME.encode("gb18030") not in content
    assert not [each for each in fields if NAME in each or CITIZEN in each]


def test_m1_nothing_is_read_without_the_pin(rig: Rig) -> None:
    rig.card(full=True)
    result, told = dumped(rig, "999999")
    assert result != "SERVED"
    assert told == {}


def test_a_card_that_leaves_during_its_dump_tells_nothing(rig: Rig) -> None:
    rig.card(full=True)
    rig.user.arm(Cut(READ_RECORD, 30, BEFORE))
    assert dumped(rig) == ("CARD_REMOVED", {})


# -- sscterm --------------------------------------------------------------------------------------


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[tuple[Path, list[Any]]]:
    """A terminal's socket; the list holds the answer, then what was asked."""
    (tmp_path / "t").mkdir()
    talk: list[Any] = []

    def answer(**params: Any) -> dict[str, Any]:
        talk.append(params)
        if isinstance(talk[0], RpcError):
            raise talk[0]
        return dict(talk[0])

    server = RpcServer(tmp_path / "t" / "unit.sock", 0o600, {"card.dump": answer})
    server.start()
    yield tmp_path / "t" / "unit.sock", talk
    server.close()


def run(path: Path, *argv: str) -> int:
    return sscterm.main(["card", "dump", *argv, "--socket", str(path)])


def test_sscterm_prints_the_table_in_the_standards_words(
    rig: Rig, socket: tuple[Path, list[Any]], capsys: Any
) -> None:
    rig.card(generation="3.0", full=True, name=NAME)
    _, told = dumped(rig)
    path, talk = socket
    talk.append({"outcome": {"number": 9, "name": "SERVED", "actor": "clerk"}, **told})
    assert run(path, "--operator", "07") == 0
    out = capsys.readouterr().out
    assert "姓名" in out
    assert NAME in out
    assert talk[1] == {"operator": "07"}
    assert run(path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["card"]["version"] == "3.0"


def test_sscterm_says_that_the_reader_is_busy(socket: tuple[Path, list[Any]], capsys: Any) -> None:
    path, talk = socket
    busy = outcome("BUSY")
    told = {"outcome": {"number": busy.number, "name": busy.name, "zh": "终端正在办理另一笔业务。"}}
    talk.append(RpcError(BUSY, "the terminal is busy", told))
    assert run(path, "--operator", "07") == sscterm.EXIT_NOT_TAKEN
    out = capsys.readouterr().out
    assert "busy" in out
    assert "终端正在办理另一笔业务" in out
