"""What the store asks of a database; SQLite (sqlite.py) and PostgreSQL (postgres.py) answer alike.

SQL is written once, with `?` for each value; what both understand, or almost, is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from office.errors import OfficeError

RecordRow = tuple[int, int, int, int, int, "int | None", "int | None"]
"""number, kind, time_ms, boot, trust, intent, outcome: as in `records`."""

PaymentRow = tuple[int, int, bytes, int, int, int, int, "int | None", "int | None"]
"""intent, time_ms, card_id, purchase_serial, account_fen, self_fen, pooled_fen, state, settled."""


class Derived(NamedTuple):
    """The rows of one batch that are loaded at once: `payments` only those no other batch knows."""

    unit: str
    batch: int
    records: Sequence[RecordRow]
    payments: Sequence[PaymentRow]


class StoreLost(OfficeError):
    """909: the database went away; whether the last commit took place is not known."""

    def __init__(self, detail: str):
        super().__init__(909, detail)


class AlreadyThere(OfficeError):
    """909: a row with this key is stored; the transaction is lost."""

    def __init__(self, detail: str):
        super().__init__(909, detail)


class Database(Protocol):
    """Every method raises OfficeError 909, StoreLost or AlreadyThere among them."""

    def execute(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...

    def execute_all(self, sql: str, rows: Iterable[Sequence[object]]) -> None: ...

    def load(self, several: Sequence[Derived]) -> None:
        """The rows into `records` and `payments`, inside a transaction, as fast as it goes."""

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Never raises: a connection that is gone has rolled back."""

    def lock_rows(self, table: str, column: str, values: Sequence[str]) -> None:
        """Hold these rows until the transaction ends; two that lock them in turn never deadlock."""

    def prefer_indexes(self) -> None:
        """For the rest of the transaction, whatever the statistics say."""

    def reconnect(self) -> None:
        """A new connection in the place of a lost one; raises StoreLost."""

    def close(self) -> None: ...
