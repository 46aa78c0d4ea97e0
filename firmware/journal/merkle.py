"""The Merkle tree of RFC 9162 2.1 over SHA-256: root, inclusion, consistency.

A batch's root is that of its records; the office's tree has the statements of batches as leaves.
Every hash is 32 bytes; a path lists hashes from the leaf's side to the root's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

HASH_LENGTH = 32
MAX_SIZE = 1 << 62  # leaves; bounds the length of a path that a stranger sends

_sha256 = hashlib.sha256

EMPTY = _sha256(b"").digest()
"""The root of a tree without leaves (RFC 9162 2.1.1)."""


def leaf(entry: bytes) -> bytes:
    """The hash of one entry's exact bytes."""
    return _sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two hashes."""
    return _sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below size (>= 2): how many leaves the left side has."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; level by level, an odd last one moves up as it is."""
    sha256 = _sha256
    level = list(leaves)
    if not level:
        return EMPTY
    while len(level) > 1:
        odd = level.pop() if len(level) & 1 else None
        pairs = iter(level)
        level = [sha256(b"\x01" + left + next(pairs)).digest() for left in pairs]
        if odd is not None:
            level.append(odd)
    return level[0]


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The path of leaf `index` (RFC 9162 2.1.3.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    path: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(root(leaves[middle:end]))
            end = middle
        else:
            path.append(root(leaves[start:middle]))
            start = middle
    return path[::-1]


def root_from_inclusion(
    leaf_hash: bytes, index: int, size: int, path: Iterable[bytes]
) -> bytes | None:
    """The root that the path leads to, None when it is no path of that place (2.1.3.2)."""
    if not 0 <= index < size <= MAX_SIZE:
        return None
    at, last, found = index, size - 1, leaf_hash
    for each in path:
        if last == 0 or len(each) != HASH_LENGTH:
            return None
        if at & 1 or at == last:
            found = node(each, found)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            found = node(found, each)
        at >>= 1
        last >>= 1
    return found if last == 0 else None


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """The proof that the tree of all leaves begins with that of the `first` (2.1.4.1)."""
    if not 0 < first <= len(leaves):
        raise IndexError(f"a tree of {first} leaves inside one of {len(leaves)}")
    path: list[bytes] = []
    start, end, is_whole = 0, len(leaves), True
    while first != end:
        middle = start + split(end - start)
        if first <= middle:
            path.append(root(leaves[middle:end]))
            end = middle
        else:
            path.append(root(leaves[start:middle]))
            start, is_whole = middle, False
    if not is_whole:
        path.append(root(leaves[start:end]))
    return path[::-1]


def is_consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the path leads from the root at size `first` to that at size `second` (2.1.4.2)."""
    if not 0 < first <= second <= MAX_SIZE or any(len(each) != HASH_LENGTH for each in path):
        return False
    if first == second:
        return not path and first_root == second_root
    nodes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not nodes:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old = new = nodes[0]
    for each in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node(each, old), node(each, new)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            new = node(new, each)
        at >>= 1
        last >>= 1
    return last == 0 and old == first_root and new == second_root
