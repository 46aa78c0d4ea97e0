"""How long a link that pushes waits before it tries again: full jitter, capped.

A uniform draw between nothing and a limit that doubles with every failure in a row: units that
failed together do not come back together.  After a success the caller begins at attempt 0 again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

BASE_S = 1.0
CAP_S = 300.0
_MOST_DOUBLINGS = 30  # beyond any cap; keeps the power small


def limit_s(attempt: int, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """The longest wait after `attempt` failures in a row before this one."""
    return min(cap_s, base_s * float(2 ** min(attempt, _MOST_DOUBLINGS)))


def delay_s(
    attempt: int,
    base_s: float = BASE_S,
    cap_s: float = CAP_S,
    draw: Callable[[], float] = random.random,
) -> float:
    """draw: uniform in [0, 1)."""
    return draw() * limit_s(attempt, base_s, cap_s)
