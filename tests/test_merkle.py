"""The tree of RFC 9162: against published vectors and against an independent implementation."""

from __future__ import annotations

import random

import pytest
from scitt_cose import merkle as theirs

from firmware.journal import merkle
from office.tree import Tree

# The entries, roots and paths of the merkle tests of github.com/google/certificate-transparency.
ENTRIES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Kept(dict):
    """The office's hashes in a dict; none is ever written twice."""

    def get(self, level: int, index: int) -> bytes:
        return self[level, index]

    def put(self, level: int, index: int, value: bytes) -> None:
        assert (level, index) not in self
        self[level, index] = value


def grown(leaves: list[bytes]) -> Tree:
    tree = Tree(Kept(), 0)
    assert [tree.append(each) for each in leaves] == list(range(len(leaves)))
    return tree


def test_the_published_roots_and_paths():
    leaves = list(map(merkle.leaf, ENTRIES))
    assert merkle.root([]).hex() == grown([]).root().hex() == EMPTY
    tree = grown(leaves)
    for size, expected in enumerate(ROOTS, 1):
        assert merkle.root(leaves[:size]).hex() == tree.root(size).hex() == expected
    assert [each.hex() for each in merkle.inclusion(leaves, 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [each.hex() for each in merkle.consistency(leaves, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [each.hex() for each in merkle.consistency(leaves[:5], 2)] == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


def sizes() -> list[int]:
    rnd = random.Random(9162)
    return [*range(1, 71), *(rnd.randrange(71, 1001) for _ in range(4))]


@pytest.mark.parametrize("size", sizes())
def test_every_root_and_proof_is_that_of_the_independent_package(size):
    rnd = random.Random(size)
    entries = [rnd.randbytes(rnd.randrange(40)) for _ in range(size)]
    in_hex = [each.hex() for each in entries]
    leaves = list(map(merkle.leaf, entries))
    tree = grown(leaves)
    root = theirs.merkle_root(in_hex)
    assert merkle.root(leaves).hex() == tree.root().hex() == root
    places = range(size) if size <= 70 else [0, size - 1, *(rnd.randrange(size) for _ in range(3))]
    for index in places:
        path = merkle.inclusion(leaves, index)
        in_hex_path = [each.hex() for each in path]
        assert path == tree.inclusion(index)
        assert in_hex_path == theirs.inclusion_proof(in_hex, index)
        assert merkle.root_from_inclusion(leaves[index], index, size, path).hex() == root
        assert theirs.verify_inclusion(in_hex[index], index, size, in_hex_path, root)
        first = index + 1
        steps = merkle.consistency(leaves, first)
        in_hex_steps = [each.hex() for each in steps]
        assert steps == tree.consistency(first)
        assert in_hex_steps == theirs.consistency_proof(in_hex, first, size)
        earlier = tree.root(first)
        assert merkle.is_consistent(first, earlier, size, tree.root(), steps)
        assert theirs.verify_consistency(earlier.hex(), root, first, size, in_hex_steps)
