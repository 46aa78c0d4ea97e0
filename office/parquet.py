"""The records as Apache Parquet: the columns of the day's table, typed, written piece by piece.

The one place that knows pyarrow.  Amounts are fen; `time` is that of China, without a zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path

import pyarrow
from pyarrow import parquet

from office.day import AMOUNTS, COLUMNS, Row

ROWS_TOGETHER = 20_000

_TYPES = {
    "number": pyarrow.int64(),
    "time": pyarrow.timestamp("s"),
    "verified": pyarrow.bool_(),
    **{name: pyarrow.int64() for name in AMOUNTS},
}
SCHEMA = pyarrow.schema(
    [
        (name + "_fen" if name in AMOUNTS else name, _TYPES.get(name, pyarrow.string()))
        for name in COLUMNS
    ]
)


def write(listed: Iterable[Row], path: Path) -> int:
    """The number of rows; raises OSError, and then no file of that name is new."""
    beside = path.with_name(f".{path.name}.new")
    rows, count = iter(listed), 0
    try:
        with parquet.ParquetWriter(beside, SCHEMA, compression="zstd") as writer:
            while part := list(islice(rows, ROWS_TOGETHER)):
                writer.write_table(_table(part))
                count += len(part)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return count


def _table(part: list[Row]) -> pyarrow.Table:
    columns = []
    for name, field in zip(COLUMNS, SCHEMA, strict=True):
        values = [row[name] for row in part]
        if name == "time":
            values = [None if v is None else datetime.fromisoformat(v) for v in values]
        columns.append(pyarrow.array(values, field.type))
    return pyarrow.Table.from_arrays(columns, schema=SCHEMA)
