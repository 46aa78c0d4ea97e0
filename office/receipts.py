"""Proves the office's trees: each has every leaf it gave a receipt for, and the root it signed."""

from __future__ import annotations

from collections.abc import Iterable

from firmware.journal import merkle
from firmware.journal.batch import open_file
from firmware.journal.cose import HEADER_KEY_ID, read_detached
from firmware.journal.cose import key_id as id_of
from firmware.journal.receipt import ReceiptError, parse_receipt, read_receipt
from firmware.journal.statement import BatchError
from office.store import Store
from office.tree import Tree


class _Rows:
    """The stored hashes, read only (tree.Hashes)."""

    def __init__(self, store: Store, name: str):
        rows = store.rows("SELECT level, place, hash FROM nodes WHERE tree = ?", name)
        self.held = {(level, place): bytes(value) for level, place, value in rows}

    def get(self, level: int, index: int) -> bytes:
        return self.held.get((level, index), b"")

    def put(self, level: int, index: int, value: bytes) -> None:
        self.held[level, index] = value


def check(store: Store, public_keys: Iterable[bytes]) -> list[str]:
    """What is wrong.  public_keys: those the office signs and ever signed with."""
    keys = {id_of(each): each for each in public_keys}
    problems = []
    for name, size in store.rows("SELECT tree, size FROM trees ORDER BY tree"):
        problems += [f"tree {name}: {each}" for each in _tree(store, name, size, keys)]
    return problems


def _tree(store: Store, name: str, size: int, keys: dict[bytes, bytes]) -> list[str]:
    rows = _Rows(store, name)
    leaves = [rows.get(0, at) for at in range(size)]
    tree = Tree(rows, size)
    problems = []
    if b"" in leaves or merkle.root(leaves) != tree.root():
        problems.append("its hashes do not belong together")
    found = set()
    sql = "SELECT unit, batch, leaf, receipt FROM batches WHERE tree = ? ORDER BY leaf"
    for unit, batch, leaf, receipt in store.rows(sql, name):
        found.add(leaf)
        try:
            statement = open_file(store.file(unit, batch) or b"").statement.raw
            _check(receipt, statement, keys, tree, leaf)
        except (BatchError, ReceiptError, IndexError) as error:
            problems.append(f"{unit}: batch {batch}: receipt: {error}")
    if found != set(range(size)):
        problems.append(f"{size} leaves, but the batches of {len(found)}")
    return problems


def _check(raw: bytes, statement: bytes, keys: dict[bytes, bytes], tree: Tree, leaf: int) -> None:
    """Raises ReceiptError."""
    receipt = read_receipt(raw)
    if receipt.index != leaf or receipt.root(statement) != tree.root(receipt.size):
        raise ReceiptError("it leads to another tree")
    signed_by = keys.get(read_detached(raw).protected[HEADER_KEY_ID])
    if signed_by is None:
        raise ReceiptError("its key was never the office's")
    parse_receipt(raw, signed_by, statement)
