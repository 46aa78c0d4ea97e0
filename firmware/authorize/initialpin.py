"""Initial PINs as data (M2): what an issuer gives out follows a rule, and a rule can be checked.

A rule is one of RULES, which read the card, or the digits themselves.  The items it reads are
compared and forgotten: no log, record or screen has them, nor which rule it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from firmware.authorize.pin import PinBuffer
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit
from firmware.card import files, values
from firmware.card.items import Item
from firmware.card.text import text
from firmware.secret import Pin


def last_8(citizen_number: bytes) -> list[str]:
    """The last 8 characters of tag 08, a final X as 1: the ministry's rule (M2)."""
    return _ending(citizen_number, 8)


def last_6(citizen_number: bytes) -> list[str]:
    """The last 6, a final X as 1: a rule of many cities."""
    return _ending(citizen_number, 6)


def _ending(citizen_number: bytes, length: int) -> list[str]:
    number = text(citizen_number).upper()
    if number.endswith("X"):
        number = number[:-1] + "1"
    return [number[-length:]] if re.fullmatch("[0-9]{18}", number) else []


def birth_date(item: bytes) -> list[str]:
    """YYYYMMDD and YYMMDD of tag 0D; a year alone is no birth date."""
    try:
        shown = values.digits(item)
    except ValueError:
        return []
    return [shown, shown[2:]] if len(shown) == 8 and shown[:2] in ("19", "20") else []


@dataclass(frozen=True)
class Rule:
    """pins: the item's bytes -> digits of PINs, none when the item is not in its form."""

    item: Item
    pins: Callable[[bytes], list[str]]


RULES = {
    "last_8": Rule(files.CITIZEN_NUMBER, last_8),
    "last_6": Rule(files.CITIZEN_NUMBER, last_6),
    "birth_date": Rule(files.BIRTH_DATE, birth_date),
}


def learn(unit: Unit, visit: Visit, buffer: PinBuffer) -> None:
    """Fill buffer.initial, unless the policy is to ignore them.

    In the SSC environment, where EF06 can be read: after identify.read_holder.
    """
    asked = unit.board.initial_pin
    if asked.policy != "ignore":
        buffer.initial = initial_pins(asked.rules, visit.session.read_item)


def initial_pins(rules: Iterable[str], read_item: Callable[[Item], bytes | None]) -> list[Pin]:
    """What these rules give for one card; each item is read once, and only if a rule needs it."""
    read: dict[Item, bytes] = {}
    found: list[str] = []
    for name in rules:
        rule = RULES.get(name)
        if rule is None:
            found.append(name)  # the digits themselves
            continue
        if rule.item not in read:
            read[rule.item] = read_item(rule.item) or b""
        found += rule.pins(read[rule.item])
    return [Pin.from_digits(each) for each in found]
