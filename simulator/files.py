"""The files of a card as values: what is where, of which form, and who may (V2.0, SPEC-P6).

A rule is a tuple of alternatives; an alternative is a tuple of things that must all have happened:
"PIN", or the name of an externally authenticated key.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from simulator import filetable

if TYPE_CHECKING:
    from simulator.local import Local

Rule = tuple[tuple[str, ...], ...]
Place = tuple[str, int]  # DF, SFI

FREE: Rule = ((),)
NEVER: Rule = ()

SSSE_NAME = b"sx1." + "sh.社会保障".encode("gbk")
PSE_NAME = b"1PAY.SYS.DDF01"

AS_2_0, AS_1_0, REWRITTEN = "2.0", "1.0", "rewritten"
MEANINGS = (AS_2_0, AS_1_0, REWRITTEN)
_NAME_EXTENSION = 0x4E


@dataclass(frozen=True)
class Df:
    """aid: empty for an application that can only be selected by its FID."""

    fid: int
    aid: bytes
    label: str


_STANDARD = {
    "DF01": Df(0xDF01, bytes.fromhex("D15600000500"), "公共应用信息区"),
    "DF02": Df(0xDF02, bytes.fromhex("D15600000501"), "就业与失业信息区"),
    "DF03": Df(0xDF03, bytes.fromhex("D15600000502"), "社会保险信息区1"),
    "DF04": Df(0xDF04, bytes.fromhex("D15600000503"), "社会保险信息区2"),
}
_SINCE_2_0 = {"DF07": Df(0xDF07, bytes.fromhex("D15600000504"), "人事人才信息区")}
OPTIONAL = {
    "DF05": Df(0xDF05, b"", "生命与健康信息区"),
    "DF06": Df(0xDF06, b"", "救助与优抚信息区"),
}


class Item(NamedTuple):
    """tag: 0 for a field of a cyclic record.  form: c cn, a an, b binary, n a name, t a template.

    times: how many records of a file carry the tag.
    """

    tag: int
    form: str
    length: int
    times: int
    parts: tuple[Item, ...] = ()


@functools.cache
def parse_items(text: str) -> tuple[Item, ...]:
    """ "20:a02 40*3:t34" -> items, as filetable.py writes them; "a07 c04" -> fields."""
    return tuple(_item(cell) for cell in text.split())


def _item(cell: str) -> Item:
    name, _, kind = cell.rpartition(":")
    tag_text, _, count = name.partition("*")
    tag = int(tag_text or "0", 16)
    parts = parse_items(filetable.TEMPLATES[tag]) if kind[0] == "t" else ()
    return Item(tag, kind[0], int(kind[1:], 16), int(count or 1), parts)


@dataclass(frozen=True)
class Ef:
    """size: 0 = records of one simple TLV each; else bytes of a cyclic record, or of the file.

    records: how many a cyclic file keeps; 0 = no cyclic file.
    """

    read: Rule
    write: Rule
    items: str = ""
    size: int = 0
    records: int = 0

    @property
    def is_cyclic(self) -> bool:
        return self.records > 0

    @property
    def is_transparent(self) -> bool:
        return self.size > 0 and not self.records

    def rows(self) -> tuple[Item, ...]:
        return parse_items(self.items)


def rule(text: str) -> Rule:
    """ "free", "never", or alternatives: "PIN|RK1DF01", "PIN+RK1DF04"."""
    if text in ("free", "never"):
        return FREE if text == "free" else NEVER
    return tuple(tuple(way.split("+")) for way in text.split("|"))


def place(df: str, sfi: int) -> str:
    """The key of a file's contents in a card's state: "DF04/08"."""
    return f"{df}/{sfi:02X}"


def where(place: str) -> Place:
    """The inverse of `place`."""
    df, _, sfi = place.partition("/")
    return df, int(sfi, 16)


def _table() -> dict[str, Ef]:
    out = {name: Ef(rule(read), rule(write), items) for name, read, write, items in
           filetable.VARIABLE}  # fmt: skip
    for name, read, write, fields, kept in filetable.CYCLIC:
        size = sum(item.length for item in parse_items(fields))
        out[name] = Ef(rule(read), rule(write), fields, size, kept)
    for name, read, write, size in filetable.TRANSPARENT:
        out[name] = Ef(rule(read), rule(write), size=size)
    return out


V2 = _table()


def applications(
    generation: str, optional: tuple[str, ...] = (), local: Local | None = None
) -> dict[str, Df]:
    """The DFs of a card of generation "1.0", "2.0" or "3.0", in the order of its directory."""
    out = dict(_STANDARD)
    if generation != "1.0":
        out |= _SINCE_2_0
    out |= {name: OPTIONAL[name] for name in optional}
    return out | (local.dfs if local else {})


def structure(
    generation: str,
    access_rules: str = "v2.0",
    account_only: bool = False,
    has_ef06: bool = True,
    optional: tuple[str, ...] = (),
    meanings: str = AS_2_0,
    local: Local | None = None,
) -> dict[Place, Ef]:
    """(df, SFI) -> Ef of such a card.

    meanings: of a 1.0 card's items: as version 2.0 has them, as version 1.0 had, or rewritten.
    """
    dfs = applications(generation, optional)
    files = {name: ef for name, ef in V2.items() if name[:4] in dfs or name[:4] == "SSSE"}
    if access_rules == "p6_draft":
        files = _drafted(files)
    if generation == "3.0":
        files["SSSE/06"] = replace(files["SSSE/06"], read=rule("RKSSSE"))
    if generation == "1.0":
        files = _as_1_0(files, meanings)
    elif not has_ef06:
        del files["DF04/06"]
    if account_only:
        files["DF04/08"] = replace(files["DF04/08"], size=0x14)
    out = {where(name): ef for name, ef in files.items()}
    return out | (local.files if local else {})


def _drafted(files: dict[str, Ef]) -> dict[str, Ef]:
    out = {}
    for name, ef in files.items():
        if name not in filetable.DRAFT_LACKS:
            read = filetable.DRAFT_READ.get(name)
            out[filetable.DRAFT_PLACES.get(name, name)] = (
                replace(ef, read=rule(read)) if read else ef
            )
    return out


def _as_1_0(files: dict[str, Ef], meanings: str) -> dict[str, Ef]:
    """Without what came with 2.0; with other meanings, the files that carry those stay."""
    forms, lacks = dict(filetable.SHORTER_IN_1_0), set(filetable.SINCE_2_0)
    if meanings != AS_2_0:
        forms |= filetable.OTHER_IN_1_0
        lacks -= {"DF01/0A", "DF04/06"}
    return {
        name: ef if ef.size else replace(ef, items=_reformed(ef.items, forms))
        for name, ef in files.items()
        if name not in lacks
    }


def _reformed(items: str, forms: dict[int, str]) -> str:
    out = []
    for cell in items.split():
        name, _, kind = cell.partition(":")
        tag = int(name.partition("*")[0], 16)
        if tag != _NAME_EXTENSION:  # it came with 2.0
            out.append(f"{name}:{forms.get(tag, kind)}")
    return " ".join(out)


def directory_sfi(generation: str) -> int:
    """The SFI in FCI tag 88: 0B on a 1.0 card, 1E later, as real cards show it."""
    return 0x0B if generation == "1.0" else 0x1E
