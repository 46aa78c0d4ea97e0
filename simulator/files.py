"""The files of a card as data (V2.0; SPEC-P6 for the draft access rules): what is where, who may.

A rule is a tuple of alternatives; an alternative is a tuple of things that must all have happened:
"PIN", or the name of an externally authenticated key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Rule = tuple[tuple[str, ...], ...]

FREE: Rule = ((),)
NEVER: Rule = ()

SSSE_NAME = b"sx1." + "sh.社会保障".encode("gbk")
PSE_NAME = b"1PAY.SYS.DDF01"


@dataclass(frozen=True)
class Df:
    fid: int
    aid: bytes
    label: str


DFS = {
    "DF01": Df(0xDF01, bytes.fromhex("D15600000500"), "公共应用信息区"),
    "DF02": Df(0xDF02, bytes.fromhex("D15600000501"), "就业与失业信息区"),
    "DF03": Df(0xDF03, bytes.fromhex("D15600000502"), "社会保险信息区1"),
    "DF04": Df(0xDF04, bytes.fromhex("D15600000503"), "社会保险信息区2"),
}


@dataclass(frozen=True)
class Ef:
    """size: 0 = records of one simple TLV each; else cyclic, records of that many bytes.

    items: "tag length form" of each record, hexadecimal, form c = cn, a = an, n = a name.
    """

    read: Rule
    write: Rule
    items: str = ""
    size: int = 0
    records: int = 0

    def rows(self) -> list[tuple[int, int, str]]:
        """[(tag, length, form)]"""
        cells = (item.split(":") for item in self.items.split())
        return [(int(tag, 16), int(form[1:], 16), form[0]) for tag, form in cells]


def _key(name: str) -> Rule:
    return ((name,),)


def _pin_or(name: str) -> Rule:
    return (("PIN",), (name,))


def _pin_and(name: str) -> Rule:
    return (("PIN", name),)


def _of(df: str, read: str, *rows: tuple[int, str, str]) -> dict[tuple[str, int], Ef]:
    return {(df, sfi): Ef(_pin_or(read), _key(write + df), items) for sfi, write, items in rows}


_V2 = {
    ("SSSE", 0x05): Ef(FREE, _key("UKSSSE"), "01:c10 02:a01 03:a04 04:c0C 05:c04 06:c04 07:a09"),
    ("SSSE", 0x06): Ef(FREE, _key("UKSSSE"), "08:a12 09:n1E 4E:n14 0A:a01 0B:c01 0C:c03 0D:c04"),
    **_of(
        "DF01",
        "RK1DF01",
        (0x05, "UK1", "20:a02 21:a50 0E:c03"),
        (0x06, "UK4", "23:a50 24:c03 28:a0F 2C:a32 2D:a0F"),
        (0x07, "UK2", "29:a01"),
        (0x08, "UK3", "2B:a01"),
        (0x09, "UK2", "2E:a46 30:a09 32:a02"),
        (0x0A, "UK5", "37:a03 38:a02 39:c04"),
    ),
    **_of(
        "DF02",
        "RK1DF02",
        (0x05, "UK1", "42:a03 41:a03"),
        (0x06, "UK2", "4C:c04 4B:a05 4D:c03 60:c04 4F:a06 50:c03 3A:a07"),
        (0x09, "UK4", "55:a10 56:a46 96:c04 97:c03"),
    ),
    **_of(
        "DF03",
        "RK1DF03",
        (0x07, "UK3", "70:a03 71:c03 6E:c04 6C:c04 6F:c04 73:c04"),
        (0x15, "UK4", "7A:c03 7B:c04 7C:c04"),
        (0x16, "UK5", "51:c03 5F:a01"),
    ),
    **_of(
        "DF03", "RK2DF03", (0x05, "UK1", "61:c03 60:c04 98:c04 62:c04 63:a03 64:a03 65:a03 66:a03")
    ),
    **_of(
        "DF04",
        "RK1DF04",
        (
            0x05,
            "UK1",
            "81:a08 84:c03 87:a11 8C:c01 80:c04 8B:a1D 8A:a0F 83:a09 86:a09 89:a09"
            " 7D:a09 7E:a09 7F:a09 8D:a09 8E:a09 8F:a01",
        ),
    ),
    ("DF04", 0x06): Ef(_pin_and("RK1DF04"), _key("UK2DF04"), "90:a01 92:c04 93:a02"),
    ("DF04", 0x08): Ef(_key("PIN"), NEVER, size=0x1C, records=30),
    ("DF04", 0x15): Ef(_pin_or("RK1DF04"), _key("UK2DF04"), size=3, records=8),
}

_DRAFT_READ = {
    ("DF01", 0x05): _key("PIN"),
    ("DF04", 0x05): _key("PIN"),
    ("DF03", 0x05): _pin_and("RK2DF03"),
    ("DF03", 0x07): _pin_and("RK1DF03"),
}


def structure(
    generation: str, access_rules: str = "v2.0", account_only: bool = False, has_ef06: bool = True
) -> dict[tuple[str, int], Ef]:
    """(df, SFI) -> Ef of a card of generation "1.0", "2.0" or "3.0"."""
    files = dict(_V2)
    if access_rules == "p6_draft":
        for place, rule in _DRAFT_READ.items():
            files[place] = replace(files[place], read=rule)
    if generation == "3.0":
        files["SSSE", 0x06] = replace(files["SSSE", 0x06], read=_key("RKSSSE"))
    if generation == "1.0":
        holder, medical, home = files["SSSE", 0x06], files["DF04", 0x05], files["DF01", 0x05]
        files["SSSE", 0x06] = replace(holder, items=holder.items.replace(" 4E:n14", ""))
        files["DF04", 0x05] = replace(medical, items=medical.items.replace("8B:a1D", "8B:a0A"))
        files["DF01", 0x05] = replace(home, items=home.items.replace("20:a02", "20:a01"))
        del files["DF04", 0x06], files["DF04", 0x15], files["DF01", 0x0A]
    elif not has_ef06:
        del files["DF04", 0x06]
    if account_only:
        files["DF04", 0x08] = replace(files["DF04", 0x08], size=0x14)
    return files


def directory_sfi(generation: str) -> int:
    """The SFI in FCI tag 88: 0B on a 1.0 card, 1E later, as real cards show it."""
    return 0x0B if generation == "1.0" else 0x1E


def place(df: str, sfi: int) -> str:
    """The key of a file's contents in a card's state: "DF04/08"."""
    return f"{df}/{sfi:02X}"
