"""`sscoffice units` and `receipt`: what is known of a unit, and what proves its records."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from firmware.journal.batch import take_apart
from firmware.journal.kinds import (
    KEY_FIRMWARE,
    KEY_TERMINAL,
    KIND_PSAM_SEEN,
    KIND_START,
)
from firmware.journal.proof import make_proof
from firmware.journal.receipt import read_receipt
from firmware.journal.statement import claimed_statement
from office import day, files, status
from office.errors import OfficeError
from office.ledger import stored_fact
from office.link_commands import AddAct, office_of
from office.store import Store


def add(act: AddAct) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    one = act("units", _units, "终端一览 · every unit: last seen, release, PSAM, gaps")
    one.add_argument("--json", action="store_true")

    one = act("receipt", _receipt, "回执 · the receipt of a batch, or the proof of one record")
    one.add_argument("unit")
    one.add_argument("batch", type=int, nargs="?")
    one.add_argument("--record", type=int, metavar="NUMBER", help="a proof of this record instead")
    one.add_argument("--out", type=Path, metavar="FILE")
    one.add_argument("--json", action="store_true")


# --- units ---


def _units(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        found = [about(office.store, each) for each in office.store.units()]
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    elif found:
        heads = ["终端 unit", "最近收到 last seen", "版本 release", "PSAM", "批次 batches",
                 "记录 records", "缺号 missing", "状态 state"]  # fmt: skip
        print(day.aligned([heads, *map(_line, found)], right={4, 5, 6}))
    return status.DONE if found else status.NOTHING


def about(store: Store, unit: str) -> dict[str, Any]:
    """What the books say of one unit; times in ms, None where nothing came yet."""
    (row,) = store.rows(
        "SELECT count(*), max(received_ms), max(batch), coalesce(sum(records), 0) FROM batches"
        " WHERE unit = ? AND quarantined IS NULL",
        unit,
    )
    batches, received_ms, newest, records = row
    revoked = store.row("SELECT revoked_ms FROM units WHERE unit = ?", unit)
    holes = store.holes(unit)
    return {
        "unit": unit,
        "last_seen_ms": received_ms,
        "release": _newest(store, unit, KIND_START, KEY_FIRMWARE),
        "psam": _newest(store, unit, KIND_PSAM_SEEN, KEY_TERMINAL),
        "batches": batches,
        "newest_batch": newest,
        "records": int(records),
        "missing": sum(last - first + 1 for _, first, last in holes),
        "revoked_ms": None if revoked is None else revoked[0],
    }


def _newest(store: Store, unit: str, kind: int, key: int) -> str | None:
    """One field of the unit's newest record of that kind, bytes as hex."""
    row = store.row("SELECT max(number) FROM records WHERE unit = ? AND kind = ?", unit, kind)
    fact = None if row is None or row[0] is None else stored_fact(store, unit, row[0])
    value = None if fact is None else fact.body.get(key)
    return value.hex() if isinstance(value, bytes) else value


def _line(each: dict[str, Any]) -> list[str]:
    seen = each["last_seen_ms"]
    revoked = each["revoked_ms"]
    return [
        each["unit"],
        "-" if seen is None else f"{day.local(seen):%Y-%m-%d %H:%M:%S}",
        each["release"] or "-",
        each["psam"] or "-",
        str(each["batches"]),
        str(each["records"]),
        str(each["missing"]),
        "正常 in force" if revoked is None else f"停用 revoked {day.local(revoked):%Y-%m-%d}",
    ]


# --- receipt, proof ---


def _receipt(arguments: argparse.Namespace) -> int:
    if (arguments.batch is None) == (arguments.record is None):
        raise OfficeError(918, "receipt UNIT BATCH, or receipt UNIT --record NUMBER")
    with office_of(arguments) as office:
        found = _wanted(office.store, arguments)
    if found is None:
        named = f"batch {arguments.batch}" if arguments.record is None else arguments.record
        print(OfficeError(918, f"{arguments.unit}: {named}").lines, file=sys.stderr)
        return status.NOT_FOUND
    content, told = found
    files.write(arguments.out, content)
    if arguments.json or arguments.out is None:
        print(json.dumps(told | {"hex": content.hex()}))
    else:
        print(f"{arguments.out}: " + ", ".join(f"{name} {value}" for name, value in told.items()))
    return status.DONE


def _wanted(store: Store, arguments: argparse.Namespace) -> tuple[bytes, dict[str, Any]] | None:
    if arguments.record is not None:
        return proof(store, arguments.unit, arguments.record)
    row = store.batch(arguments.unit, arguments.batch)
    if row is None or row.receipt is None:
        return None
    return row.receipt, _about_receipt(row.receipt)


def proof(store: Store, unit: str, number: int) -> tuple[bytes, dict[str, Any]] | None:
    """The *.proof file of one record, and what it says; None for a record that is not here."""
    row = store.row("SELECT batch FROM records WHERE unit = ? AND number = ?", unit, number)
    batch = None if row is None else store.batch(unit, row[0])
    file = None if row is None else store.file(unit, row[0])
    if batch is None or file is None:
        return None
    statement, raws, _ = take_apart(file)
    numbers = list(claimed_statement(statement)[0].numbers())
    content = make_proof(raws, numbers.index(number), statement, batch.receipt)
    told = {"unit": unit, "record": number, "batch": batch.batch}
    return content, told | ({} if batch.receipt is None else _about_receipt(batch.receipt))


def _about_receipt(raw: bytes) -> dict[str, Any]:
    found = read_receipt(raw)
    return {
        "tree": found.issuer,
        "batch": found.batch,
        "size": found.size,
        "leaf": found.index,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.time_ms / 1000)),
    }
