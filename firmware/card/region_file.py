"""A region's own table file (TOML): what it adds to the standard structure, and its keys (M7).

    region = "5101"                       # 2, 4 or 6 digits of its code
    city_factor_hex = "3531303130307378"  # instead of the standard's level-2 factor
    [[key_version]]                       # which PSAM key id serves a version of a card's key
    key = "DPK"
    version = 4
    psam_id = 0x05
    [[key]]                               # a key of the region's own, or what it knows of an open
    name = "UKEF0D"                       # standard one; psam_type and factors: SPEC-P9
    df = "SSSE"
    reference = 0x0D
    psam_id = 0x13
    psam_type = 8
    factors = 2
    [[df]]                                # an application, from DF0A up
    fid = "DF0A"
    aid = "D15600000510"
    label = "..."
    [[ef]]                                # a file: in a standard application from EF0C up
    df = "SSSE"
    fid = "EF0D"
    label = "..."
    read = "free"                         # free, never, PIN, KEY, PIN or KEY, PIN and KEY
    write = "UKEF0D"
    structure = "variable"                # or cyclic (with records), transparent (with size)
    [[ef.item]]                           # in a cyclic file a field: without tag
    tag = "EA"
    form = "an"
    length = 12
    label = "..."
    [[item]]                              # one more tag of a standard file, but not in SSSE
    df = "DF01"
    fid = "EF05"
    tag = "EC"
    form = "cn"
    length = 4
    kind = "date"
    label = "..."
    [[records]]                           # a standard cyclic file with more records
    df = "DF04"
    fid = "EF08"
    records = 50

Anything else is refused with its line, and so is a standard tag or file used again (SPEC-P3).
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.board_lines import find_lines
from firmware.board_schema import BoardError, File, choice, parts, read, text, whole

_TAG = ("(?!00|FF)[0-9A-F]{2}", " 01 至 FE 的标识", "a tag of two capital hex digits, 01 to FE")
_KEY_NAME = "[A-Z][A-Z0-9]{1,19}"
_RULE = f"free|never|PIN|(PIN (or|and) )?{_KEY_NAME}"
_KINDS = ("text", "name", "address", "digits", "region", "date", "fen", "hex", "uint")


def _df() -> Any:
    return text("SSSE|DF0[1-9A-F]", " SSSE 或 DF01 至 DF0F", "SSSE or DF01 to DF0F")


def _ef() -> Any:
    return text("EF(0[1-9A-F]|1[0-9A-E])", " EF01 至 EF1E", "EF01 to EF1E")


def _label() -> Any:
    return text(r"\S(.{0,38}\S)?", " 1 至 40 字的名称", "a label of 1 to 40 characters")


def _key_name() -> Any:
    return text(_KEY_NAME, "大写密钥名称", "a key name in capitals")


def _rule() -> Any:
    return text(
        _RULE,
        " free、never、PIN、密钥名、PIN or 密钥名、PIN and 密钥名 之一",
        "free, never, PIN, a key's name, PIN or KEY, or PIN and KEY",
    )


@dataclass(frozen=True)
class ItemRow:
    label: str = _label()
    form: str = choice("an", "cn", "b")
    length: int = whole(1, 253)
    kind: str | None = choice(*_KINDS, default=None)
    tag: str | None = text(*_TAG, None)


@dataclass(frozen=True)
class AddedItem:
    """[[item]]"""

    df: str = _df()
    fid: str = _ef()
    tag: str = text(*_TAG)
    label: str = _label()
    form: str = choice("an", "cn", "b")
    length: int = whole(1, 253)
    kind: str | None = choice(*_KINDS, default=None)


@dataclass(frozen=True)
class EfRow:
    df: str = _df()
    fid: str = _ef()
    label: str = _label()
    read: str = _rule()
    write: str = _rule()
    structure: str = choice("variable", "cyclic", "transparent")
    size: int | None = whole(1, 0x8000, None)
    records: int | None = whole(1, 254, None)
    items: tuple[ItemRow, ...] = parts(ItemRow, "item", least=0)


@dataclass(frozen=True)
class DfRow:
    fid: str = text("DF0[A-F]", " DF0A 至 DF0F", "DF0A to DF0F")
    label: str = _label()
    aid: str | None = text(
        "([0-9A-F]{2}){5,16}", " 5 至 16 字节的 AID", "an AID of 5 to 16 bytes", None
    )


@dataclass(frozen=True)
class KeyRow:
    """psam_type, factors: as in the PSAM's key usage byte (SPEC-P9); None where unknown."""

    name: str = _key_name()
    df: str = _df()
    reference: int = whole(0, 0xFF)
    psam_id: int | None = whole(0, 0xFF, None)
    psam_type: int | None = whole(0, 0x1F, None)
    factors: int | None = whole(1, 3, None)


@dataclass(frozen=True)
class KeyVersion:
    key: str = _key_name()
    version: int = whole(0, 0xFF)
    psam_id: int = whole(0, 0xFF)


@dataclass(frozen=True)
class RecordsRow:
    df: str = _df()
    fid: str = _ef()
    records: int = whole(1, 254)


@dataclass(frozen=True)
class RegionFile:
    """The file as it stands, each key of it right by itself; region.py checks the rest."""

    region: str = text(
        "([0-9]{2}){1,3}", " 2、4 或 6 位区划代码", "2, 4 or 6 digits of a region code"
    )
    city_factor_hex: str | None = text(
        "[0-9A-Fa-f]{16}", " 16 个十六进制字符", "16 hexadecimal characters", None
    )
    key_versions: tuple[KeyVersion, ...] = parts(KeyVersion, "key_version", least=0)
    keys: tuple[KeyRow, ...] = parts(KeyRow, "key", least=0)
    dfs: tuple[DfRow, ...] = parts(DfRow, "df", least=0)
    efs: tuple[EfRow, ...] = parts(EfRow, "ef", least=0)
    items: tuple[AddedItem, ...] = parts(AddedItem, "item", least=0)
    records: tuple[RecordsRow, ...] = parts(RecordsRow, "records", least=0)


def read_file(path: str | os.PathLike[str]) -> tuple[RegionFile, File]:
    """Raises BoardError when the file cannot be read or is refused."""
    source = os.fspath(path)
    try:
        found = Path(source).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BoardError(
            source,
            "",
            None,
            f"无法读取（{error}），请检查路径、权限与 UTF-8 编码",
            f"cannot be read ({error}); check its path, its permissions, and that it is UTF-8",
        ) from error
    return read_text(found, source)


def read_text(found: str, source: str) -> tuple[RegionFile, File]:
    """Raises BoardError."""
    try:
        values = tomllib.loads(found)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise BoardError(
            source,
            "",
            int(at[1]) if at else None,
            f"不是合法的 TOML（{error}），请改正此行",
            f"is not valid TOML ({error}); correct this line",
        ) from error
    file = File(source, find_lines(found))
    return read(RegionFile, values, (), file), file
