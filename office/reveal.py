"""`sscoffice reveal`: the personal values of one record, and who asked for them.

hpke.key (0600)     raw X25519; whoever has it can read the personal values of every record
hpke-*.key (0600)   those it replaced: what was sealed for them stays readable

Who asked is written into the store before anything is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firmware.journal import sealed
from firmware.journal.kinds import KEY_KEY_NO, KEY_SEALED, KEY_WRAPPED, KIND_DAY_KEY
from firmware.journal.record import Record, RecordError
from firmware.journal.sealed import SealedError
from office import keys, secretfile
from office.errors import OfficeError
from office.folder import Folder
from office.link_commands import AddAct, office_of

KEY_LENGTH = 32


def add(act: AddAct) -> None:
    """Its arguments; act: one of the parser's acts, by name, function and text."""
    one = act("reveal", _reveal, "个人信息 · the personal values of one record; it is logged")
    one.add_argument("unit", metavar="UNIT")
    one.add_argument("number", metavar="NUMBER", type=int, nargs="?")
    one.add_argument("--log", action="store_true", help="who asked for which, instead")
    one.add_argument("--json", action="store_true")


def _reveal(arguments: argparse.Namespace) -> int:
    if arguments.log == (arguments.number is not None):
        raise OfficeError(925, "reveal UNIT NUMBER, or reveal UNIT --log")
    with office_of(arguments) as office:
        if arguments.log:
            asked = log_of(office, arguments.unit)
            for number, who, time_ms in asked:
                print(json.dumps({"number": number, "who": who, "time_ms": time_ms}))
            return 0
        found = reveal(office, arguments.unit, arguments.number, _who(), int(time.time() * 1000))
    told = _readable(found)
    if arguments.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        for name, value in told.items():
            print(f"{name}: {json.dumps(value, ensure_ascii=False)}")
    return 0


def reveal(office: Folder, unit: str, number: int, who: str, now_ms: int) -> dict[str, Any]:
    """The values sealed in that record.  Raises OfficeError 910, 925, 926."""
    found = _record(office, unit, number)
    if found is None or KEY_SEALED not in found.body or KEY_KEY_NO not in found.body:
        raise OfficeError(925, f"record {number} of {unit}")
    office.store.write(
        "INSERT INTO reveals VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", unit, number, who, now_ms
    )
    why = "its DAY_KEY is not here"
    for day_key in _day_keys(office, found):
        for private_key in private_keys(office.path):
            try:
                opened = sealed.unwrap(day_key.body[KEY_WRAPPED], private_key, unit)
                return sealed.open_sealed(found.body[KEY_SEALED], opened, unit, number)
            except SealedError as error:
                why = str(error)
    raise OfficeError(926, f"record {number} of {unit}: {why}")


def log_of(office: Folder, unit: str) -> list[tuple[int, str, int]]:
    """(record number, who, ms) of everybody who asked, in order."""
    sql = "SELECT number, who, asked_ms FROM reveals WHERE unit = ? ORDER BY asked_ms, number"
    return [tuple(row) for row in office.store.rows(sql, unit)]


def private_keys(folder: Path) -> list[bytes]:
    """The office's X25519 keys, the present one first.  Raises OfficeError 910."""
    found = []
    for path in [folder / "hpke.key", *sorted(folder.glob("hpke-*.key"))]:
        raw = secretfile.read(path, KEY_LENGTH)
        if len(raw) != KEY_LENGTH:
            raise OfficeError(910, f"{path}: not {KEY_LENGTH} bytes")
        found.append(raw)
    return found


def _day_keys(office: Folder, found: Record) -> Iterator[Record]:
    """The DAY_KEY records of its number, the newest before the record first."""
    sql = "SELECT number FROM records WHERE unit = ? AND kind = ? AND number < ? ORDER BY number"
    rows = office.store.rows(sql, found.unit, KIND_DAY_KEY, found.number)
    for (number,) in reversed(rows):
        each = _record(office, found.unit, number)
        if each is not None and each.body.get(KEY_KEY_NO) == found.body[KEY_KEY_NO]:
            yield each


def _record(office: Folder, unit: str, number: int) -> Record | None:
    raw = office.store.record(unit, number)
    try:
        return None if raw is None else keys.read(raw, keys.keys_of(office.store, unit))
    except RecordError as error:
        raise OfficeError(926, f"record {number} of {unit}: {error}") from None


def _who() -> str:
    """The user of this process, as the system knows him, not as the environment says."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _readable(each) for key, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, list) else value
