"""Shapes of maps and lists, and where an item departs from one (cborplace.py read it).

A shape is a function of an item: it returns, or raises Offence with the place of what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import firmware.journal.cose as cose
from firmware.journal.kinds import ENVELOPE, KEYS, KINDS
from office.cborplace import ARRAY, BYTES, MAP, OTHER, TEXT, UINT, Item, Offence

Shape = Callable[[Item], None]


def any_item(_: Item) -> None:
    """Whatever is canonical."""


def major(*expected: int) -> Shape:
    """An item of one of these major types."""

    def check(item: Item) -> None:
        if item.major not in expected:
            raise Offence(item.start)

    return check


def boolean(item: Item) -> None:
    if item.major != OTHER or item.value is None:
        raise Offence(item.start)


def sized(*lengths: int) -> Shape:
    """A byte string of one of these lengths."""

    def check(item: Item) -> None:
        if item.major != BYTES or len(item.value) not in lengths:
            raise Offence(item.start)

    return check


def array(of: Shape, at_least: int = 0, at_most: int | None = None) -> Shape:
    """An array of so many elements of one shape."""

    def check(item: Item) -> None:
        if item.major != ARRAY or len(item.items) < at_least:
            raise Offence(item.start)
        if at_most is not None and len(item.items) > at_most:
            raise Offence(item.start)
        for each in item.items:
            of(each)

    return check


def mapping(key: Shape, value: Shape) -> Shape:
    """A map whose keys, and whose values, have one shape."""

    def check(item: Item) -> None:
        if item.major != MAP:
            raise Offence(item.start)
        for one, two in item.pairs():
            key(one)
            value(two)

    return check


def keyed(known: Mapping[int, Shape], required: Iterable[int], *, is_exact: bool = False) -> Shape:
    """A map with the required keys; keys it does not know pass unless it is exact."""
    wanted = sorted(required)

    def check(item: Item) -> None:
        if item.major != MAP:
            raise Offence(item.start)
        missing = [key for key in wanted if item.get(key) is None]
        for key, value in item.pairs():
            if missing and _is_behind(key, missing[0]):
                raise Offence(item.start)
            if key.major == UINT and key.value in known:
                known[key.value](value)
            elif is_exact or key.major not in (UINT, TEXT):
                raise Offence(key.start)
        if missing:
            raise Offence(item.start)

    return check


def _is_behind(key: Item, number: int) -> bool:
    """Whether the key comes after this uint in the bytewise order."""
    return key.major != UINT or bool(key.value > number)


def inside(item: Item, data: bytes, shape: Shape, read: Callable[[bytes, int, int], Item]) -> Item:
    """The item encoded in a byte string, canonical and of that shape."""
    if item.major != BYTES:
        raise Offence(item.start)
    inner = read(data, item.content, item.end)
    shape(inner)
    return inner


# --- records ---

UINTS = major(UINT)
TEXTS = major(TEXT)
_TYPES: dict[str, Shape] = {
    "text": TEXTS,
    "uint": UINTS,
    "bool": boolean,
    "bytes": major(BYTES),
    "32 or 65 bytes": sized(32, 65),
    "map": major(MAP),
    "{text: any}": mapping(TEXTS, any_item),
    "{uint: uint}": mapping(UINTS, UINTS),
    "[text, ...]": array(TEXTS),
    "[uint, uint, uint]": array(UINTS, 3, 3),
}


def _of(type_name: str) -> Shape:
    length = re.fullmatch(r"(\d+) bytes", type_name)
    return _TYPES[type_name] if length is None else sized(int(length[1]))


_BODY_KEYS = {key: _of(type_name) for key, (_, type_name) in KEYS.items()}
_ENVELOPE_KEYS = {key: _of(type_name) for key, (_, type_name) in ENVELOPE.items()}

envelope = keyed(_ENVELOPE_KEYS, ENVELOPE)
bodies = {number: keyed(_BODY_KEYS, kind.required) for number, kind in KINDS.items()}

# --- statements ---

PAIR = array(UINTS, 2, 2)
statement = keyed(
    {1: TEXTS, 2: UINTS, 3: UINTS, 4: UINTS, 5: sized(32), 6: sized(32), 7: UINTS, 8: array(PAIR)},
    range(1, 9),
)
key_id = keyed({cose.HEADER_KEY_ID: sized(cose.KEY_ID_LENGTH)}, [cose.HEADER_KEY_ID], is_exact=True)


def protected(algorithms: Iterable[int], content_type: str) -> Shape:
    """Exactly {1: one of the algorithms, 3: the content type}."""
    allowed = set(algorithms)

    def algorithm(item: Item) -> None:
        if type(item.value) is not int or item.value not in allowed:
            raise Offence(item.start)

    def is_type(item: Item) -> None:
        if item.major != TEXT or item.value != content_type:
            raise Offence(item.start)

    return keyed({1: algorithm, 3: is_type}, [1, 3], is_exact=True)
