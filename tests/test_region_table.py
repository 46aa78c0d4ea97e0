"""M7: a region's own applications, files, items, keys and factor stand in a table file of its own.

Each refusal names its line, as board.toml's do.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.card import region
from firmware.card.items import CYCLIC, FREE
from firmware.card.region import BoardError, RegionTable
from firmware.card.standard import APPLICATIONS

WHOLE = """\
region = "5101"
city_factor_hex = "3531303130307379"
[[key_version]]
key = "DPK"
version = 4
psam_id = 0x05
[[key]]
name = "UKEF0D"
df = "SSSE"
reference = 0x0D
psam_id = 0x13
psam_type = 8
factors = 2
[[key]]
name = "RK1DF07"
df = "DF07"
reference = 0x84
[[key]]
name = "RKDF0A"
df = "DF0A"
reference = 0x81
[[df]]
fid = "DF0A"
aid = "D15600000510"
label = "市民服务"
[[ef]]
df = "SSSE"
fid = "EF0D"
label = "地方信息"
read = "free"
write = "UKEF0D"
structure = "variable"
[[ef.item]]
tag = "EA"
form = "an"
length = 12
label = "人员编号"
[[ef.item]]
tag = "EB"
form = "cn"
length = 3
kind = "region"
label = "首发地"
[[ef]]
df = "DF0A"
fid = "EF05"
label = "借阅记录"
read = "PIN or RKDF0A"
write = "never"
structure = "cyclic"
records = 5
[[ef.item]]
form = "cn"
length = 4
kind = "date"
label = "借阅日期"
[[ef.item]]
form = "b"
length = 2
label = "册数"
[[ef]]
df = "DF0A"
fid = "EF06"
label = "证书"
read = "PIN and RKDF0A"
write = "never"
structure = "transparent"
size = 300
[[item]]
df = "DF01"
fid = "EF05"
tag = "EC"
form = "cn"
length = 4
kind = "date"
label = "迁入日期"
[[item]]
df = "DF06"
fid = "EF05"
tag = "C0"
form = "an"
length = 2
label = "救助类别"
[[records]]
df = "DF04"
fid = "EF08"
records = 50
"""


def parse(text: str) -> RegionTable:
    return region.parse(text, "region.toml")


def test_m7_a_whole_table_adds_to_the_standard() -> None:
    table = parse(WHOLE)
    dfs = {df.name: df for df in table.applications}
    assert [*dfs] == [*(df.name for df in APPLICATIONS), "DF0A"]
    assert table.city_factor == b"510100sy"

    own = dfs["SSSE"].file(0x0D)
    assert (own.read, own.write) == (FREE, (("UKEF0D",),))
    assert [(row.tag, row.form, row.length, row.kind) for row in own.items] == [
        (0xEA, "an", 12, "text"),
        (0xEB, "cn", 3, "region"),
    ]
    assert own.items[0].place == "SSSEEF0D|EA"
    assert own.items[0].source == "region.toml"

    loans = dfs["DF0A"].file(0x05)
    assert (loans.structure, loans.size, loans.records) == (CYCLIC, 6, 5)
    assert loans.read == (("PIN",), ("RKDF0A",))
    assert dfs["DF0A"].file(0x06).read == (("PIN", "RKDF0A"),)
    assert dfs["DF0A"].aid == bytes.fromhex("D15600000510")

    assert dfs["DF01"].item(0x05, 0xEC).label == "迁入日期"
    assert dfs["DF06"].item(0x05, 0xC0).length == 2
    assert dfs["DF04"].file(0x08).records == 50
    standard = next(df for df in APPLICATIONS if df.name == "DF04")
    assert standard.file(0x08).records == 30, "the standard's own table never changes"


def test_m7_keys_of_the_region_and_what_it_knows_of_open_ones() -> None:
    table = parse(WHOLE)
    assert table.reference("UKEF0D") == 0x0D
    assert table.reference("RK1DF07") == 0x84
    assert table.reference("RKSSSE") == 0x0A
    assert table.reference("RK2DF07") is None
    assert table.reference("NOBODY") is None
    assert (table.keys[0].psam_id, table.keys[0].psam_type, table.keys[0].factors) == (0x13, 8, 2)


def test_key_versions_known_are_1_to_3_of_dpk_the_others_are_the_regions_data() -> None:
    assert [RegionTable().psam_id("DPK", at) for at in range(5)] == [None, 1, 2, 3, None]
    assert RegionTable().psam_id("IRK", 1) is None
    assert parse(WHOLE).psam_id("DPK", 4) == 5
    moved = WHOLE.replace("version = 4", "version = 2")
    assert parse(moved).psam_id("DPK", 2) == 5
    assert RegionTable().psam_id("DPK", 2) == 2


def test_an_empty_table_is_the_standard() -> None:
    table = parse('region = "51"\n')
    assert table.applications == APPLICATIONS
    assert (table.city_factor, table.keys) == (None, ())


REFUSED = [
    ("unknown key", 'region = "5101"', 'province = "51"\nregion = "5101"', "province", 1),
    ("no TOML", 'region = "5101"', "region = ", "", 1),
    ("wrong type", 'region = "5101"', "region = 51", "region", 1),
    ("short factor", "3531303130307379", "35", "city_factor_hex", 2),
    ("standard key", '"UKEF0D"\ndf', '"UKSSSE"\ndf', "key[0].name", 8),
    ("key of another DF", 'df = "DF07"\nref', 'df = "DF03"\nref', "key[1].name", 15),
    ("standard reference", "reference = 0x0D", "reference = 0x0A", "key[0].reference", 10),
    ("unknown key of a version", 'key = "DPK"', 'key = "XYZ"', "key_version[0].key", 4),
    ("standard DF", 'fid = "DF0A"', 'fid = "DF04"', "df[0].fid", 23),
    ("standard AID", "D15600000510", "D15600000503", "df[0].aid", 24),
    ("EF below 0C", 'fid = "EF0D"', 'fid = "EF0A"', "ef[0].fid", 28),
    ("the directory", 'fid = "EF0D"', 'fid = "EF1E"', "ef[0].fid", 28),
    ("standard EF", 'df = "SSSE"\nfid = "EF0D"', 'df = "DF01"\nfid = "EF15"', "ef[0].fid", 28),
    ("unknown DF", 'df = "DF0A"\nfid = "EF05"', 'df = "DF0B"\nfid = "EF05"', "ef[1].df", 45),
    ("unknown read key", '"PIN or RKDF0A"', '"PIN or RKXX"', "ef[1].read", 48),
    ("no rule", '"PIN or RKDF0A"', '"anybody at all"', "ef[1].read", 48),
    ("standard tag", 'tag = "EA"', 'tag = "07"', "ef[0].item[0].tag", 34),
    ("part of a standard group", 'tag = "EA"', 'tag = "5C"', "ef[0].item[0].tag", 34),
    ("tag twice", 'tag = "EB"', 'tag = "EA"', "ef[0].item[1].tag", 39),
    ("tag of padding", 'tag = "EA"', 'tag = "FF"', "ef[0].item[0].tag", 34),
    ("no tag", 'tag = "EA"\n', "", "ef[0].item[0].tag", 33),
    ("tag in a cyclic file", 'form = "b"', 'tag = "EE"\nform = "b"', "ef[1].item[1].tag", 58),
    ("no records", "records = 5\n", "", "ef[1].records", 44),
    ("no size", "size = 300\n", "", "ef[2].size", 61),
    ("size of records", "records = 5\n", "records = 5\nsize = 6\n", "ef[1].size", 52),
    ("wrong kind", 'kind = "region"', 'kind = "name"', "ef[0].item[1].kind", 42),
    ("a tag for SSSE", 'df = "DF01"\nfid', 'df = "SSSE"\nfid', "item[0].df", 70),
    ("a tag for a cyclic file", '"DF01"\nfid = "EF05"', '"DF04"\nfid = "EF08"', "item[0].fid", 71),
    ("a tag for no file", '"DF01"\nfid = "EF05"', '"DF01"\nfid = "EF0B"', "item[0].fid", 71),
    ("standard tag added", 'tag = "EC"', 'tag = "21"', "item[0].tag", 72),
    ("fewer records", "records = 50", "records = 20", "records[0].records", 87),
    ("records of items", '"DF04"\nfid = "EF08"', '"DF04"\nfid = "EF05"', "records[0].fid", 86),
]


@pytest.mark.parametrize(
    ("old", "new", "key", "line"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_m7_each_refusal_names_key_and_line(old: str, new: str, key: str, line: int) -> None:
    assert WHOLE.count(old) >= 1, old
    with pytest.raises(BoardError) as caught:
        parse(WHOLE.replace(old, new, 1))
    assert (caught.value.key, caught.value.line) == (key, line), str(caught.value)
    assert "region.toml" in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot be read"):
        region.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BoardError, match="UTF-8"):
        region.load(tmp_path / "bad.toml")
    (tmp_path / "good.toml").write_text(WHOLE, encoding="utf-8")
    assert region.load(tmp_path / "good.toml").region == "5101"
