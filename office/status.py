"""How an act of `sscoffice` ends: its exit status, and its result for people or as one object."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping

DONE = 0
FAILED = 1  # not done, or done and something must be looked at
NOTHING = 2  # there was nothing to do
NOT_FOUND = 3  # what was named is not there

_NOT_FOUND_ERRORS = frozenset({801, 901, 918, 924, 925})


def of_error(number: int) -> int:
    """Of an act that ended with that error (errors.py)."""
    return NOT_FOUND if number in _NOT_FOUND_ERRORS else FAILED


def worst(several: Iterable[int]) -> int:
    """Of several acts in one: failed if one failed, nothing only if all had nothing."""
    found = set(several)
    for each in (FAILED, NOT_FOUND, DONE):
        if each in found:
            return each
    return NOTHING


def tell(arguments: argparse.Namespace, told: Mapping[str, object], text: str) -> None:
    """The result on standard output: one object with --json, else the text."""
    print(json.dumps(told, ensure_ascii=False) if arguments.json else text)
