"""Proves the office's trees: each has every leaf it gave a receipt for, and the root it signed."""

from __future__ import annotations

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


def check(store: Store, public_key: bytes) -> list[str]:
    """What is wrong.  public_key: the office's; receipts of an earlier one count by their tree."""
    problems = []
    for name, size in store.rows("SELECT tree, size FROM trees ORDER BY tree"):
        problems += [f"tree {name}: {each}" for each in _tree(store, name, size, public_key)]
    return problems


def _tree(store: Store, name: str, size: int, public_key: bytes) -> list[str]:
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
            _check(receipt, statement, public_key, tree, leaf)
        except (BatchError, ReceiptError, IndexError) as error:
            problems.append(f"{unit}: batch {batch}: receipt: {error}")
    if found != set(range(size)):
        problems.append(f"{size} leaves, but the batches of {len(found)}")
    return problems


def _check(raw: bytes, statement: bytes, public_key: bytes, tree: Tree, leaf: int) -> None:
    """Raises ReceiptError."""
    receipt = read_receipt(raw)
    if receipt.index != leaf or receipt.root(statement) != tree.root(receipt.size):
        raise ReceiptError("it leads to another tree")
    if read_detached(raw).protected[HEADER_KEY_ID] == id_of(public_key):
        parse_receipt(raw, public_key, statement)
