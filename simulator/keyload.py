"""Which keys the issuer puts into a card, and which roots into a terminal's PSAM (SPEC-P9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simulator.filesystem import applications_of
from simulator.keytable import KEYS, VERSIONED, KeyRow, factors_needed
from simulator.keytree import KeyTree
from simulator.local import Local
from simulator.psam import HeldKey
from simulator.psamkeys import key_name
from simulator.switches import Switches

if TYPE_CHECKING:
    from simulator.card import CardMemory


def keys_of_card(tree: KeyTree, memory: CardMemory) -> dict[str, bytes]:
    """Every key of the card's applications, by name; the versioned ones in the card's version."""
    dfs = {"SSSE", *applications_of(memory)}
    factor = memory.historical[-8:]
    return {
        row.name: tree.card_key(
            row.name,
            factor,
            _length(row, tree, memory.switches),
            memory.key_version if row.name in VERSIONED else 1,
        )
        for row in _rows(memory.local)
        if row.df in dfs
    }


def keys_of_psam(
    tree: KeyTree,
    kept_levels: str,
    key_versions: Sequence[int],
    switches: Switches,
    local: Local | None,
) -> dict[str, HeldKey]:
    """Every root that a terminal's PSAM holds, at the level that kept_levels says."""
    out = {}
    for row in _rows(local):
        if row.usage is None or row.key_id is None:
            continue
        count = factors_needed(row, kept_levels)
        versioned = row.name in VERSIONED
        for version in key_versions if versioned else (1,):
            root = tree.root(row.name, count, _length(row, tree, switches), version)
            key_id = version if versioned else row.key_id
            out[key_name(row.type, key_id)] = HeldKey(row.type, count, root)
    return out


def _rows(local: Local | None) -> Iterable[KeyRow]:
    return (*KEYS, *local.keys) if local else KEYS


def _length(row: KeyRow, tree: KeyTree, switches: Switches) -> int:
    short = row.name == "STKSSSE" and tree.algorithm.block == 8
    return int(switches.stk_length) if short else 16
