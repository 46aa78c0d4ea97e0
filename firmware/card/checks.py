"""Check characters of numbers, and region codes.

A citizen number must verify (GB 11643).  A card number need not: the rule of V2.0 fails for cards
in the field (A21472424, AI666666X), so it is only ever a warning.
"""

from __future__ import annotations

import datetime

from firmware.board import PROVINCES

_CITIZEN_WEIGHTS = tuple(2**at % 11 for at in range(17, 0, -1))
_CITIZEN_CHECKS = "10X98765432"
_CARD_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CARD_CHECKS = "0123456789X0"  # of 11 minus the sum modulo 11: 10 is X, 11 is 0


def citizen_check(first17: str) -> str:
    """The eighteenth character (GB 11643, ISO 7064 MOD 11-2).  Raises ValueError."""
    if len(first17) != 17 or not (first17.isascii() and first17.isdigit()):
        raise ValueError("a citizen number begins with 17 digits")
    total = sum(
        int(digit) * weight for digit, weight in zip(first17, _CITIZEN_WEIGHTS, strict=True)
    )
    return _CITIZEN_CHECKS[total % 11]


def citizen_number_problem(number: str) -> str | None:
    """Why that is no citizen number of 18 characters; None when it is one."""
    try:
        check = citizen_check(number[:17])
    except ValueError as error:
        return str(error)
    if number[17:] != check:
        return "the check character is wrong"
    if not is_region(number[:6]):
        return "the region code begins with no province"
    try:
        datetime.datetime.strptime(number[6:14], "%Y%m%d")
    except ValueError:
        return "the birth date is no date"
    return None


def card_check(first8: str) -> str:
    """The ninth character of a card number: letters count A=10 to Z=35 (V2.0).

    Raises ValueError.
    """
    if len(first8) != 8 or not (first8.isascii() and first8.isalnum()):
        raise ValueError("a card number begins with 8 letters or digits")
    values = (int(character, 36) for character in first8)
    total = sum(value * weight for value, weight in zip(values, _CARD_WEIGHTS, strict=True))
    return _CARD_CHECKS[11 - total % 11]


def card_number_warning(number: str) -> str | None:
    """What is odd about a card number; never a reason to refuse a card.  None when nothing is."""
    try:
        check = card_check(number[:8])
    except ValueError as error:
        return str(error)
    if number[8:] != check:
        return "the check character does not verify"
    if not "A" <= number[0] <= "Z":
        return "the first character is no capital letter"
    return None


def is_region(code: str) -> bool:
    """Six digits that begin with a province (GB/T 2260); the counties change too often to list."""
    return len(code) == 6 and code.isascii() and code.isdigit() and code[:2] in PROVINCES.split()
