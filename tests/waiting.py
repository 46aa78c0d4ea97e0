"""Waiting for what other threads and processes do.

A deadline here is reached only when something is broken, so it is far beyond what a busy machine
needs; what is waited for is seen soon after it came, so a long deadline makes no test longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
SOON_S = 60.0
_LOOK_S = 0.005


def until(
    probe: Callable[[], Found], why: Callable[[], object] = str, within_s: float = SOON_S
) -> Found:
    """What `probe` gives once that is true.  why: said when it never is."""
    ends = time.monotonic() + within_s
    while not (found := probe()):
        assert time.monotonic() < ends, f"not in time: {why()}"
        time.sleep(_LOOK_S)
    return found
