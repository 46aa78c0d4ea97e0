"""Invented but plausible contents for every file of a card.  Nobody lives here.

Values are text: digits for cn, characters for an; a dict fills a template, a list the records of
a repeated tag, or of a cyclic file (newest first, one tuple of its fields each).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

Items = dict[int, Any]

_EMPLOYER = "成都示例机械有限公司"
_HOSPITALS = ("H51010001", "H51010002", "H51010003")


def items(region: str) -> dict[str, Items]:
    """Place -> tag -> value, for a region of six digits; not what the issuer takes from elsewhere:
    SSSE/05, SSSE/06, DF04/06, and tags 81, 84, 8C and 8F of DF04/05."""
    return {
        **_common(region),
        **_employment(region),
        **_insurance(region),
        **_settlement(),
        "DF07/05": {0xF0: "01", 0xF1: "2", 0xF2: "20150701", 0xF3: "131", 0xF4: "20180901"},
        "DF07/06": {0xF5: "021", 0xF6: "20190315", 0xF7: "四川省人事考试中心"},
        "DF07/07": {0xF8: "20201231", 0xF9: "1"},
        **_health(),
        **_relief(),
    }


def _common(region: str) -> dict[str, Items]:
    return {
        "DF01/05": {0x20: "1", 0x21: "四川省成都市锦江区示例路1号", 0x0E: region},
        "DF01/06": {
            0x23: "四川省成都市武侯区样本街2号3单元401", 0x24: region, 0x28: "02855550101",
            0x2C: "李四", 0x2D: "13800000000",
        },
        "DF01/07": {0x29: "1"},
        "DF01/08": {0x2B: "2"},
        "DF01/09": {0x2E: _EMPLOYER, 0x30: "12345678X", 0x32: "01"},
        "DF01/0A": {0x37: "CHN", 0x38: "13", 0x39: "20080701"},
        "DF01/15": {
            0x2A: "21",
            0x40: [
                {0x57: "401", 0x58: "080201", 0x59: "四川示例大学"},
                {0x57: "301", 0x58: "085201", 0x59: "西南样本大学"},
                {0x57: "201", 0x58: "120204", 0x59: "成都开放样本学院"},
            ],
        },
    }  # fmt: skip


def _employment(region: str) -> dict[str, Items]:
    school, office = "成都市职业技能鉴定样本中心", "四川省职称评审样本办"
    return {
        "DF02/05": {
            0x42: "101", 0x41: "202",
            0x43: [
                {0x5A: trade, 0x5B: level, 0x5C: school, 0x5D: date, 0x5E: number}
                for trade, level, date, number in (
                    ("6180101", "3", "20120610", "1251000000300001"),
                    ("6180203", "2", "20170920", "1751000000200002"),
                )
            ],
            0x44: [
                {0x33: "021", 0x34: office, 0x35: "20160501", 0x36: "2016510000000001"},
                {0x33: "022", 0x34: office, 0x35: "20210501", 0x36: "2021510000000002"},
            ],
        },
        "DF02/06": {
            0x4C: "20140801", 0x4B: "01001", 0x4D: region, 0x60: "20140301", 0x4F: "010203",
            0x50: region, 0x3A: "6180101",
        },
        "DF02/09": {
            0x55: "5101001400000001", 0x56: "成都市就业样本局", 0x96: "20140315", 0x97: region,
        },
        "DF02/15": {
            0x99: [
                {0x10: "011", 0x11: "20140401", 0x12: region},
                {0x10: "012", 0x11: "20140501", 0x12: region},
                {0x10: "021", 0x11: "20140601", 0x12: region},
                {0x10: "031", 0x11: "20140701", 0x12: region},
            ],
            0x0F: "20140320", 0x1F: region,
        },
    }  # fmt: skip


def _insurance(region: str) -> dict[str, Items]:
    ruling = "成都市劳动能力鉴定样本委员会结论"
    proofs = [("110", "20140801"), ("310", "20140801"), ("210", "20140901"), ("410", "20140901")]
    return {
        "DF03/05": {
            0x61: region, 0x60: "20140301", 0x98: "20140401", 0x62: "20140731",
            0x63: "012", 0x64: "004", 0x65: "004", 0x66: "008",
        },
        "DF03/06": {
            0x45: "CJ510100201800000001", 0x46: "04", 0x47: "03", 0x48: "2", 0x49: "1",
            0x67: "20180510", 0x6B: "右手示例功能受限",
            0x4A: [
                {0x13: kind, 0x14: degree, 0x15: number, 0x16: date, 0x17: ruling}
                for kind, degree, number, date in (
                    ("01", "1", "JD510100201800000001", "20180601"),
                    ("02", "2", "JD510100201900000002", "20190601"),
                    ("02", "2", "JD510100202000000003", "20200601"),
                )
            ],
        },
        "DF03/07": {
            0x70: "110", 0x71: region, 0x6E: "20140801", 0x6C: "20500331", 0x6F: "20500401",
            0x73: "20260101",
        },
        "DF03/15": {0x7A: region, 0x7B: "20180420", 0x7C: "20180421"},
        "DF03/16": {0x51: region, 0x5F: "1"},
        "DF03/17": {
            0x3B: "GS510100201800000001", 0x3C: _EMPLOYER, 0x3D: "1", 0x3E: "20180425",
            0x3F: "车间示例事故",
        },
        "DF03/18": {0x74: "001", 0x75: region, 0x76: "01", 0x77: "20180701", 0x78: "20280630"},
        "DF03/19": {
            0x79: [
                {0x18: kind, 0x19: region, 0x1A: start, 0x1B: "20251231", 0x1C: "01234500",
                 0x1D: "137", 0x1E: "20260105"}
                for kind, start in proofs
            ],
        },
    }  # fmt: skip


def _settlement() -> dict[str, Items]:
    one, two, three = _HOSPITALS
    return {
        "DF04/05": {
            0x87: "51010000000000001", 0x80: "20140801", 0x8B: "6222000001",
            0x8A: "YB5101000000001", 0x83: one, 0x86: two, 0x89: three,
            0x7D: one, 0x7E: two, 0x7F: three, 0x8D: one, 0x8E: two,
        },
    }  # fmt: skip


def _health() -> dict[str, Items]:
    flags = [*range(0xAC, 0xB8), 0xBC]
    return {
        "DF05/05": {
            0xA0: "1", 0xA1: "1", 0xB9: "0", 0xA2: "AB", 0xA9: "02",
            0xA3: [{0xA5: f"示例药物{n}", 0xA6: f"Y00{n}"} for n in range(1, 6)],
            0xA4: [{0xA7: f"示例疾病{n}", 0xA8: f"J0{n}"} for n in range(1, 6)],
            0xBA: "青霉素", 0xBB: "皮疹，示例", 0xAA: "示例疫苗", 0xAB: "20230915", 0xB8: "无",
            **{tag: str(at % 3) for at, tag in enumerate(flags)},
        },
    }  # fmt: skip


def _relief() -> dict[str, Items]:
    grant = {0xE3: "0101", 0xE4: "2019", 0xE5: "20190701", 0xE6: "0010", 0xE7: "00050000"}
    return {
        "DF06/05": {0xC0: "01", 0xC2: "20190601", 0xC3: grant, 0xC4: grant, 0xC5: grant},
        "DF06/06": {
            tag: f"{tag - 0xC5:02d}" if tag % 2 == 0 else f"2019{(tag - 0xC7) % 12 + 1:02d}01"
            for tag in range(0xC6, 0xE3)
        },
    }


def cyclic(region: str) -> dict[str, list[tuple[str, ...]]]:
    """Place -> records, newest first, each the text of its fields; b fields in hexadecimal."""
    return {
        "DF02/07": [
            ("6180101", "20140801", "20251231", _EMPLOYER),
            ("6180203", "20110901", "20140228", "成都样本电子厂"),
            ("4110101", "20080701", "20110831", "成都示例商店"),
        ],
        "DF02/16": [
            ("021", "20150301", "20150401", "20160331", region),
            ("011", "20140401", "20140501", "20150430", region),
        ],
        "DF04/15": [("0004", "2"), ("0002", "1")],
    }


def past_settlements(serials: Iterable[int], terminal: str, year: str) -> list[tuple[str, ...]]:
    """Records of DF04/08 with those serials, newest first, all of the year before."""
    return [
        (f"{n:04X}", "2", terminal, f"{int(year) - 1}{n % 12 + 1:02d}15093045",
         f"{1000 + n:08X}", f"{200 + n:08X}", f"{3000 + n:08X}")
        for n in serials
    ]  # fmt: skip


def noise(seed: str, size: int) -> bytes:
    """Invented bytes for a transparent file: no picture and no finger."""
    return hashlib.shake_128(seed.encode()).digest(size)


def items_of_1_0() -> dict[int, str]:
    """What the tags that version 1.0 used otherwise then held (DF04/06 apart)."""
    clinic = "成都市示例医院"
    return {
        0x32: "001", 0x37: "00450000", 0x38: "05400000",
        0x4B: "20090801", 0x4D: "20090901", 0x4F: "20100301", 0x50: "20100401",
        0x55: "00000000005101000001", 0x97: "20140315", 0x61: "20090801", 0x71: "20090801",
        0x81: clinic, 0x84: clinic + "二部", 0x87: clinic + "三部",
    }  # fmt: skip
