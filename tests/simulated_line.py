"""A serial line in virtual time: an asker and a unit, and a line that does what it is told.

Bytes of both sides travel as whole writes; `fate` says for each frame what becomes of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path

from firmware.uplink.serial import SerialServer
from firmware.uplink.spool import Spool
from office.asker import Asker
from office.window import Job

RATE = 11520.0
DELAY_S = 0.005
TICK_S = 0.02  # how often an asker looks at a silent line

Fate = Callable[[bytes], list[tuple[float, bytes]]]
"""A frame -> what arrives instead, each with how many seconds it is late."""


def whole(frame: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, frame)]


class SimulatedLine:
    """One unit at one end; the asker may be replaced, as by a new process of the office."""

    def __init__(self, data_dir: Path, fate: Fate = whole, delay_s: float = DELAY_S):
        self.now_s = 0.0
        self.fate = fate
        self.frames = 0  # that have entered the line
        self._delay_s = delay_s
        self._data_dir = data_dir
        self._free_s = {"up": 0.0, "down": 0.0}
        self._coming: list[tuple[float, int, str, bytes]] = []
        self._serial = 0
        self.restart_unit()

    def restart_unit(self) -> None:
        self.server = SerialServer("unit-1", Spool(self._data_dir))

    def run(self, asker: Asker, job: Job, longest_s: float) -> None:
        """Until the job is done; LinkError as the asker raises it, AssertionError when too long."""
        asker.was_away(self.now_s)
        end_s = self.now_s + longest_s
        while not job.is_done:
            assert self.now_s < end_s, f"not done after {longest_s} s"
            if job.error is not None:
                raise job.error
            self.send("down", asker.to_write(self.now_s))
            self._next_arrival(asker)

    def send(self, way: str, data: bytes) -> None:
        """Frame by frame, at the line's rate, one behind the other."""
        for piece in _frames(data):
            start_s = max(self.now_s, self._free_s[way])
            self._free_s[way] = start_s + len(piece) / RATE
            self.frames += 1
            for late_s, arriving in self.fate(piece):
                self._serial += 1
                at_s = self._free_s[way] + self._delay_s + late_s
                heapq.heappush(self._coming, (at_s, self._serial, way, arriving))

    def _next_arrival(self, asker: Asker) -> None:
        if not self._coming or self._coming[0][0] > self.now_s + TICK_S:
            self.now_s += TICK_S
            return
        at_s, _, way, data = heapq.heappop(self._coming)
        self.now_s = max(self.now_s, at_s)
        if way == "up":
            asker.feed(data, self.now_s)
            return
        for reply in self.server.replies(data):
            self.send("up", reply)


def _frames(data: bytes) -> list[bytes]:
    return [b"\x00" + each + b"\x00" for each in data.split(b"\x00") if each]
