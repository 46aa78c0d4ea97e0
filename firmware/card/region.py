"""The card's structure as one region uses it: the standard's, and its own table file's (M7).

SPEC-P3: applications are added from DF0A up and files from EF0C up, standard tags and files are
not used again, the environment's standard files gain no tags, cyclic files gain records only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from firmware.board_lines import Place
from firmware.board_schema import BoardError, File
from firmware.card import keys
from firmware.card.df06 import EF05_TAGS, EF06_TAGS, PART_TAGS
from firmware.card.items import (
    CYCLIC,
    FREE,
    NEVER,
    TRANSPARENT,
    VARIABLE,
    Df,
    Ef,
    Item,
    Rule,
    application,
    key,
    pin_and,
    pin_or,
    placed,
)
from firmware.card.keys import CardKey
from firmware.card.region_file import (
    AddedItem,
    EfRow,
    ItemRow,
    KeyRow,
    RegionFile,
    read_file,
    read_text,
)
from firmware.card.standard import APPLICATIONS

__all__ = ["BoardError", "RegionTable", "load", "parse"]

PSAM_IDS = {("DPK", 1): 0x01, ("DPK", 2): 0x02, ("DPK", 3): 0x03}
"""(Key, version) -> PSAM key id: what is published (SPEC-P9).  All others are region data."""

_DIRECTORY_TAGS = (0x4F, 0x50, 0x61)
_DIRECTORY_SFIS = (0x0B, 0x1E)  # FIELD: where real cards keep it
_OPEN_TAGS = {("DF06", "EF05"): EF05_TAGS, ("DF06", "EF06"): EF06_TAGS}
"""Standard tags whose form no source tells: a region that knows it may say so."""

_FIRST_OWN_EF = 0x0C  # in a standard application
_FIRST_EF = 0x05  # in an application of the region's own
_KINDS = {"an": ("text", "name", "address"), "cn": ("digits", "region", "date", "fen", "hex")}


@dataclass(frozen=True)
class RegionTable:
    """region: 2, 4 or 6 digits, "" for none.  city_factor: 8 bytes, None for the standard's."""

    region: str = ""
    city_factor: bytes | None = None
    applications: tuple[Df, ...] = APPLICATIONS
    keys: tuple[KeyRow, ...] = ()
    psam_ids: dict[tuple[str, int], int] = field(default_factory=lambda: dict(PSAM_IDS))

    def reference(self, name: str) -> int | None:
        """The key's reference in EXTERNAL AUTHENTICATE; None where nobody has told."""
        for row in self.keys:
            if row.name == name:
                return row.reference
        known = keys.BY_NAME.get(name)
        return known.reference if known else None

    def psam_id(self, name: str, version: int) -> int | None:
        """The PSAM's id for that version of a card's key; None where it is unknown."""
        return self.psam_ids.get((name, version))


def load(path: str | os.PathLike[str]) -> RegionTable:
    """Raises BoardError with the line and what to do."""
    return _Table(*read_file(path)).made()


def parse(found: str, source: str) -> RegionTable:
    """Raises BoardError with the line and what to do."""
    return _Table(*read_text(found, source)).made()


def _standard_tags() -> frozenset[int]:
    rows = [item for df in APPLICATIONS for ef in df.files for item in ef.items]
    rows += [part for row in rows for part in row.parts]
    open_tags = (*EF05_TAGS, *EF06_TAGS, *PART_TAGS)
    return frozenset((*(row.tag for row in rows), *open_tags, *_DIRECTORY_TAGS))


class _Table:
    """Checks one file against the standard and builds the structure of both."""

    def __init__(self, found: RegionFile, file: File):
        self._found = found
        self._file = file
        self._taken = _standard_tags()
        self._dfs = {df.name: df for df in APPLICATIONS}
        self._standard = {(df.name, ef.sfi) for df in APPLICATIONS for ef in df.files}
        self._is_directory = {("SSSE", sfi) for sfi in _DIRECTORY_SFIS}

    def made(self) -> RegionTable:
        self._add_keys()
        self._add_dfs()
        self._add_efs()
        self._add_items()
        self._add_records()
        factor = self._found.city_factor_hex
        return RegionTable(
            self._found.region,
            None if factor is None else bytes.fromhex(factor),
            tuple(self._dfs.values()),
            self._found.keys,
            PSAM_IDS | self._key_versions(),
        )

    # -- keys ------------------------------------------------------------------------------------

    def _add_keys(self) -> None:
        self._keys: dict[str, CardKey] = dict(keys.BY_NAME)
        references = {(row.df, row.reference): row.name for row in keys.KEYS}
        for at, row in enumerate(self._found.keys):
            known = self._keys.get(row.name)
            if known is not None and (known.reference is not None or known.df != row.df):
                raise self._used(("key", at, "name"), row.name)
            other = references.get((row.df, row.reference))
            if other is not None:
                raise self._used(("key", at, "reference"), other)
            references[row.df, row.reference] = row.name
            self._keys[row.name] = CardKey(row.name, row.df, row.reference, "region")

    def _key_versions(self) -> dict[tuple[str, int], int]:
        out: dict[tuple[str, int], int] = {}
        for at, row in enumerate(self._found.key_versions):
            self._check_key(("key_version", at, "key"), row.key)
            if (row.key, row.version) in out:
                raise self._used(("key_version", at, "version"), f"{row.key} {row.version}")
            out[row.key, row.version] = row.psam_id
        return out

    def _check_key(self, place: Place, name: str) -> None:
        if name not in self._keys:
            raise self._file.error(
                place,
                f"没有名为 {name} 的密钥，请用 [[key]] 写明",
                f"there is no key {name}; describe it in a [[key]]",
            )

    def _rule(self, place: Place, shown: str) -> Rule:
        match shown.split():
            case ["free"]:
                return FREE
            case ["never"]:
                return NEVER
            case ["PIN"]:
                return key("PIN")
            case ["PIN", joined, name]:
                self._check_key(place, name)
                return pin_or(name) if joined == "or" else pin_and(name)
            case _:
                self._check_key(place, shown)
                return key(shown)

    # -- applications and files ------------------------------------------------------------------

    def _add_dfs(self) -> None:
        aids = {df.aid.hex().upper() for df in APPLICATIONS if df.aid}
        for at, row in enumerate(self._found.dfs):
            if row.fid in self._dfs:
                raise self._used(("df", at, "fid"), row.fid)
            if row.aid in aids:
                raise self._used(("df", at, "aid"), row.aid)
            if row.aid:
                aids.add(row.aid)
            self._dfs[row.fid] = application(
                row.fid, int(row.fid, 16), row.aid or "", row.label, ()
            )

    def _add_efs(self) -> None:
        standard = {df.name for df in APPLICATIONS}
        for at, row in enumerate(self._found.efs):
            place: Place = ("ef", at)
            df = self._df((*place, "df"), row.df)
            sfi = int(row.fid[2:], 16)
            if any(ef.sfi == sfi for ef in df.files) or (row.df, sfi) in self._is_directory:
                raise self._used((*place, "fid"), f"{row.df} {row.fid}")
            first = _FIRST_OWN_EF if row.df in standard else _FIRST_EF
            if sfi < first:
                raise self._file.error(
                    (*place, "fid"),
                    f"此处的地方文件从 EF{first:02X} 起，请改用更大的标识",
                    f"a region's files begin at EF{first:02X} here; take a higher one",
                )
            self._dfs[row.df] = replace(df, files=(*df.files, self._ef(place, row, sfi)))

    def _ef(self, place: Place, row: EfRow, sfi: int) -> Ef:
        self._check_shape(place, row)
        items = tuple(
            self._item((*place, "item", at), item, row.structure)
            for at, item in enumerate(row.items)
        )
        tags = [item.tag for item in items if item.tag]
        for at, tag in enumerate(tags):
            if tag in tags[:at]:
                raise self._used((*place, "item", at, "tag"), f"{tag:02X}")
        size = row.size or 0
        if row.structure == CYCLIC:
            size = sum(item.length for item in items)
        made = Ef(
            sfi,
            row.label,
            row.label,
            self._rule((*place, "read"), row.read),
            self._rule((*place, "write"), row.write),
            items,
            row.structure,
            size,
            records=row.records or 0,
            source=self._file.source,
        )
        return placed(made, row.df)

    def _check_shape(self, place: Place, row: EfRow) -> None:
        """Items, records and size stand where the structure needs them, and nowhere else."""
        wanted = {
            "item": (row.structure != TRANSPARENT, bool(row.items)),
            "records": (row.structure == CYCLIC, row.records is not None),
            "size": (row.structure == TRANSPARENT, row.size is not None),
        }
        for name, (needed, given) in wanted.items():
            if needed and not given:
                raise self._file.error(
                    (*place, name),
                    f"{row.structure} 文件需要此项，请补上",
                    f"a {row.structure} file needs it; add it",
                )
            if given and not needed:
                raise self._file.error(
                    (*place, name),
                    f"{row.structure} 文件没有此项，请删除",
                    f"a {row.structure} file has none; remove it",
                )

    def _item(self, place: Place, row: ItemRow | AddedItem, structure: str) -> Item:
        if structure == CYCLIC and row.tag is not None:
            raise self._file.error(
                (*place, "tag"),
                "循环文件的字段没有标识，请删除",
                "a cyclic record has no tags; remove it",
            )
        if structure == VARIABLE:
            self._check_tag((*place, "tag"), row)
        fitting = _KINDS.get(row.form, ("uint", "fen"))
        kind = row.kind or fitting[0]
        if kind not in fitting:
            raise self._file.error(
                (*place, "kind"),
                f"{row.form} 数据项可用：{'、'.join(fitting)}",
                f"an item of form {row.form} is one of {', '.join(fitting)}",
            )
        tag = int(row.tag, 16) if row.tag else 0
        return Item(tag, row.form, row.length, row.label, row.label, kind, source=self._file.source)

    def _check_tag(self, place: Place, row: ItemRow | AddedItem) -> None:
        if row.tag is None:
            raise self._file.error(place, "缺少此项，请补上", "this key is missing; add it")
        open_tags: tuple[int, ...] = ()
        if isinstance(row, AddedItem):
            open_tags = _OPEN_TAGS.get((row.df, row.fid), ())
        tag = int(row.tag, 16)
        if tag in self._taken and tag not in open_tags:
            raise self._used(place, row.tag)

    def _add_items(self) -> None:
        for at, row in enumerate(self._found.items):
            place: Place = ("item", at)
            if row.df == "SSSE":
                raise self._file.error(
                    (*place, "df"),
                    "社会保障环境的标准文件不可增加数据项，请放入地方文件",
                    "the environment's standard files gain no tags; use a file of your own",
                )
            ef = self._standard_ef(place, row.df, row.fid)
            if ef.structure != VARIABLE:
                raise self._file.error(
                    (*place, "fid"),
                    f"{row.fid} 不是变长记录文件，不可增加数据项",
                    f"{row.fid} holds no items and gains none; cyclic files gain records only",
                )
            item = self._item(place, row, VARIABLE)
            if ef.row(item.tag, "3.0", item.length) is not None:
                raise self._used((*place, "tag"), row.tag)
            self._replace_ef(row.df, placed(replace(ef, items=(*ef.items, item)), row.df))

    def _add_records(self) -> None:
        for at, row in enumerate(self._found.records):
            place: Place = ("records", at)
            ef = self._standard_ef(place, row.df, row.fid)
            if ef.structure != CYCLIC:
                raise self._file.error(
                    (*place, "fid"), f"{row.fid} 不是循环文件", f"{row.fid} is no cyclic file"
                )
            if row.records < ef.records:
                raise self._file.error(
                    (*place, "records"),
                    f"标准规定至少 {ef.records} 条，请填写更大的数",
                    f"the standard asks for at least {ef.records}; write more",
                )
            self._replace_ef(row.df, replace(ef, records=row.records))

    # -- finding ---------------------------------------------------------------------------------

    def _df(self, place: Place, name: str) -> Df:
        if name not in self._dfs:
            raise self._file.error(
                place,
                f"没有应用 {name}，请用 [[df]] 写明",
                f"there is no application {name}; describe it in a [[df]]",
            )
        return self._dfs[name]

    def _standard_ef(self, place: Place, df: str, fid: str) -> Ef:
        sfi = int(fid[2:], 16)
        if (df, sfi) not in self._standard:
            raise self._file.error(
                (*place, "fid"),
                f"{df} {fid} 不是标准文件；地方文件请写在 [[ef]] 中",
                f"{df} {fid} is no standard file; a file of your own stands in [[ef]]",
            )
        return self._dfs[df].file(sfi)

    def _replace_ef(self, df: str, ef: Ef) -> None:
        old = self._dfs[df]
        self._dfs[df] = replace(old, files=_with(old.files, ef))

    def _used(self, place: Place, what: str | None) -> BoardError:
        return self._file.error(
            place, f"{what} 已被使用，请改用另一个", f"{what} is in use already; take another"
        )


def _with(files: Iterable[Ef], ef: Ef) -> tuple[Ef, ...]:
    return tuple(ef if each.sfi == ef.sfi else each for each in files)
