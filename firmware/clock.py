"""Time with its trust.

Time enters MAC1, the TAC and the card's yearly totals, so a purchase asks this clock, never the
operating system.  Two sources can be trusted (docs/architecture.md "Time"): a real-time clock named
in board.toml, and the office's signed time for `trust_h` hours after it came.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

TRUST_NONE = 0
TRUST_RTC = 1
TRUST_OFFICE = 2
TRUST_NAMES = {TRUST_NONE: "none", TRUST_RTC: "rtc", TRUST_OFFICE: "office"}


@dataclass(frozen=True)
class Instant:
    """A moment: ms since 1970-01-01T00:00Z, and why it is believed (TRUST_*)."""

    epoch_ms: int
    trust: int


class Clock:
    """wall() seconds since the epoch, monotonic() seconds; both injectable for tests."""

    def __init__(
        self,
        *,
        has_rtc: bool,
        trust_h: float,
        utc_offset_minutes: int = 480,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._has_rtc = has_rtc
        self._trust_s = trust_h * 3600
        self._zone = timezone(timedelta(minutes=utc_offset_minutes))
        self._wall = wall
        self._monotonic = monotonic
        self._floor_ms = 0
        self._office: tuple[int, float] | None = None

    def set_floor(self, epoch_ms: int) -> None:
        """No trusted moment lies before the newest record of the journal."""
        self._floor_ms = max(self._floor_ms, epoch_ms)

    @property
    def floor_ms(self) -> int:
        return self._floor_ms

    def set_office_time(self, epoch_ms: int) -> None:
        """The time of a verified receipt, just arrived."""
        self._office = (epoch_ms, self._monotonic())

    def now(self) -> Instant:
        """The best time there is; trust TRUST_NONE when it may order nothing but a log line."""
        if self._office is not None:
            epoch_ms, at = self._office
            elapsed_s = self._monotonic() - at
            if elapsed_s <= self._trust_s:
                return self._checked(epoch_ms + int(elapsed_s * 1000), TRUST_OFFICE)
        trust = TRUST_RTC if self._has_rtc else TRUST_NONE
        return self._checked(int(self._wall() * 1000), trust)

    def _checked(self, epoch_ms: int, trust: int) -> Instant:
        return Instant(epoch_ms, TRUST_NONE if epoch_ms < self._floor_ms else trust)

    @property
    def is_behind(self) -> bool:
        """The clock jumped back behind the newest record."""
        return self.now().epoch_ms < self._floor_ms

    def local(self, epoch_ms: int) -> datetime:
        """The unit's local time (China has one zone, UTC+8)."""
        return datetime.fromtimestamp(epoch_ms / 1000, UTC).astimezone(self._zone)

    def seven_bytes(self, epoch_ms: int) -> bytes:
        """YYYYMMDDhhmmss as cn 7, the form in MAC1 and the card's log (V2.0)."""
        return bytes.fromhex(self.local(epoch_ms).strftime("%Y%m%d%H%M%S"))

    def day(self, epoch_ms: int) -> int:
        """The local day as the int YYYYMMDD."""
        return int(self.local(epoch_ms).strftime("%Y%m%d"))
