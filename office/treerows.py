"""The hashes of a collector's tree (tree.py) as rows, the recent ones also in memory."""

from __future__ import annotations

from office.errors import OfficeError
from office.store import Store
from office.tree import Tree

_KEPT = 100_000


class TreeRows:
    """One tree of the store.  Only `open` to `close` inside a transaction may append.

    After a rollback `forget` must be called: memory would hold what the store does not.
    """

    def __init__(self, store: Store, name: str):
        self._store = store
        self.name = name
        self._held: dict[tuple[int, int], bytes] = {}
        self._fresh: dict[tuple[int, int], bytes] = {}
        self._size: int | None = None

    def open(self) -> Tree:
        """The tree, nobody else's until the transaction ends."""
        store = self._store
        store.write("INSERT INTO trees VALUES (?, 0) ON CONFLICT DO NOTHING", self.name)
        store.database.lock_rows("trees", "tree", [self.name])
        row = store.row("SELECT size FROM trees WHERE tree = ?", self.name)
        size = 0 if row is None else int(row[0])
        if size != self._size or len(self._held) > _KEPT:
            self._held.clear()
        self._fresh.clear()
        return Tree(self, size)

    def close(self, tree: Tree) -> None:
        """Write what was appended."""
        rows = [(self.name, *place, value) for place, value in self._fresh.items()]
        self._store.write_all("INSERT INTO nodes VALUES (?, ?, ?, ?)", rows)
        self._store.write("UPDATE trees SET size = ? WHERE tree = ?", tree.size, self.name)
        self._size = tree.size
        self._fresh.clear()

    def forget(self) -> None:
        self._size = None

    def get(self, level: int, index: int) -> bytes:
        found = self._held.get((level, index))
        if found is None:
            row = self._store.row(
                "SELECT hash FROM nodes WHERE tree = ? AND level = ? AND place = ?",
                *(self.name, level, index),
            )
            if row is None:
                raise OfficeError(909, f"tree {self.name} lacks hash {index} of level {level}")
            found = self._held[level, index] = bytes(row[0])
        return found

    def put(self, level: int, index: int, value: bytes) -> None:
        self._held[level, index] = self._fresh[level, index] = value
