"""The row types of the card's structure: applications, files, items, and who may read or write.

The tables themselves are data (ssse.py, df01.py ... df07.py); a region adds rows of its own
(region.py).  `source` of a row says where it stands: V2.0 is the ministry's file structure of 2012,
SPEC-P6 the older draft, FIELD what cards and drivers were seen to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

Rule = tuple[tuple[str, ...], ...]
"""Alternatives; each names what must all have happened: "PIN", or a key authenticated with."""

FREE: Rule = ((),)
NEVER: Rule = ()

VERSIONS = ("1.0", "2.0", "3.0")
ONLY_1 = ("1.0",)
FROM_2 = ("2.0", "3.0")

VARIABLE = "variable"  # records of one simple TLV each
CYCLIC = "cyclic"  # records of one size without tags, record 1 is the newest
TRANSPARENT = "transparent"

OPEN = "meaning not published"


def key(name: str) -> Rule:
    return ((name,),)


def pin_or(name: str) -> Rule:
    return (("PIN",), (name,))


def pin_and(name: str) -> Rule:
    return (("PIN", name),)


@dataclass(frozen=True)
class Item:
    """One item: a simple TLV, a part of a B-TLV group, or (tag 0) a field of a cyclic record.

    form: "cn" packed BCD, "an" ASCII or GBK, "b" big-endian binary, "tlv" a run of `parts`.
    length: of the value, in bytes.  kind: what the bytes mean, see values.py.
    count: how often the tag occurs in its file.  df, sfi: its place, filled in by `application`.
    """

    tag: int
    form: str
    length: int
    name: str
    label: str
    kind: str
    count: int = 1
    parts: tuple[Item, ...] = ()
    versions: tuple[str, ...] = VERSIONS
    source: str = ""
    df: str = ""
    sfi: int = 0

    @property
    def place(self) -> str:
        """As the national driver writes it: "DF04EF06|92"."""
        return f"{self.df}EF{self.sfi:02X}|{self.tag:02X}"


def an(
    tag: int,
    length: int,
    name: str = OPEN,
    label: str = "",
    kind: str = "text",
    versions: tuple[str, ...] = VERSIONS,
    source: str = "",
) -> Item:
    """ASCII or GBK text."""
    return Item(tag, "an", length, name, label, kind, versions=versions, source=source)


def cn(
    tag: int,
    length: int,
    name: str = OPEN,
    label: str = "",
    kind: str = "digits",
    versions: tuple[str, ...] = VERSIONS,
    source: str = "",
) -> Item:
    """Packed BCD."""
    return Item(tag, "cn", length, name, label, kind, versions=versions, source=source)


def binary(length: int, name: str, label: str, kind: str = "uint") -> Item:
    """A big-endian number in a cyclic record."""
    return Item(0, "b", length, name, label, kind)


def group(
    tag: int,
    count: int,
    name: str,
    label: str,
    *parts: Item,
    versions: tuple[str, ...] = VERSIONS,
    source: str = "",
) -> Item:
    """A B-TLV item: its value is the run of its parts, each with tag and length."""
    length = sum(2 + part.length for part in parts)
    return Item(tag, "tlv", length, name, label, "group", count, parts, versions, source)


@dataclass(frozen=True)
class Ef:
    """One elementary file.

    size: bytes of one record (cyclic) or of the file (transparent), else 0.  other_sizes: record
    sizes seen besides.  records: how many a cyclic file holds at least.  read_in: read rules of
    single versions that differ from `read`.  draft_read: the rule of SPEC-P6, which some cards
    still follow: try it on 6982.  instead_of: the SFI of the file in whose place the draft has this
    one: only looked for where that is absent.
    """

    sfi: int
    name: str
    label: str
    read: Rule
    write: Rule
    items: tuple[Item, ...] = ()
    structure: str = VARIABLE
    size: int = 0
    other_sizes: tuple[int, ...] = ()
    records: int = 0
    versions: tuple[str, ...] = VERSIONS
    read_in: tuple[tuple[str, Rule], ...] = ()
    draft_read: Rule | None = None
    instead_of: int = 0
    source: str = "V2.0"
    df: str = ""

    def readable(self, version: str) -> Rule:
        """The read rule for that version of card."""
        return dict(self.read_in).get(version, self.read)

    def rows(self, version: str) -> tuple[Item, ...]:
        """The items that a card of that version has, in the order of their records."""
        return tuple(item for item in self.items if version in item.versions)

    def row(self, tag: int, version: str, length: int) -> Item | None:
        """The row that fits a tag found in this file best; None when no table knows the tag.

        The version's own row first, unless only another version's has that length.
        """
        known = [item for item in self.items if item.tag == tag]
        known += [part for item in self.items for part in item.parts if part.tag == tag]
        own = [item for item in known if version in item.versions]
        fitting = [item for item in (*own, *known) if item.length == length]
        return next(iter((*fitting, *own, *known)), None)


@dataclass(frozen=True)
class Df:
    """One application.  aid: empty where it has none.  fid: 0 for the environment itself."""

    name: str
    fid: int
    aid: bytes
    label: str
    files: tuple[Ef, ...]
    versions: tuple[str, ...] = VERSIONS

    @property
    def fid_bytes(self) -> bytes:
        return self.fid.to_bytes(2, "big")

    def file(self, sfi: int) -> Ef:
        """Raises KeyError."""
        for ef in self.files:
            if ef.sfi == sfi:
                return ef
        raise KeyError(f"{self.name} has no EF{sfi:02X}")

    def item(self, sfi: int, tag: int, version: str = "3.0") -> Item:
        """The row of that tag on a card of that version.  Raises KeyError."""
        for item in self.file(sfi).rows(version):
            if item.tag == tag:
                return item
        raise KeyError(f"{self.name} EF{sfi:02X} has no tag {tag:02X} in version {version}")


def application(
    name: str,
    fid: int,
    aid: str,
    label: str,
    files: Iterable[Ef],
    versions: tuple[str, ...] = VERSIONS,
) -> Df:
    """A Df whose files and items know their place and their source."""
    return Df(
        name, fid, bytes.fromhex(aid), label, tuple(placed(each, name) for each in files), versions
    )


def placed(ef: Ef, df: str) -> Ef:
    return replace(ef, df=df, items=tuple(_placed(item, ef, df) for item in ef.items))


def _placed(item: Item, ef: Ef, df: str) -> Item:
    parts = tuple(_placed(part, ef, df) for part in item.parts)
    return replace(item, parts=parts, source=item.source or ef.source, df=df, sfi=ef.sfi)
