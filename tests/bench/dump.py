"""Reading a whole card: the bytes it takes over the least that the tables allow, and its time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from firmware.card.dump import dump
from firmware.card.session import CardSession
from firmware.channel import open_channel
from firmware.secret import Pin
from simulator.keytable import KEYS
from simulator.region import Region
from simulator.world import World
from tests.bench.figure import Figure, percentile

MOST = 256  # bytes of one answer
_RUNS = 15
_REFERENCES = {row.name: row.reference for row in KEYS}


class Reading:
    """One card in a simulated slot, PIN verified, and what its dump exchanged.

    exchanges: (command, answer) as they crossed the reader, T=0 GET RESPONSEs among them.
    """

    def __init__(self, region: Region, label: str, pin: str | None = "123456"):
        self.card = region.cards[label]
        world = World(region)
        self.slot = world.slot("contactless" if self.card.contactless else "user")
        world.insert(self.slot.name, label)
        self.slot.power_on()
        self.exchanges: list[tuple[bytes, bytes]] = []
        self.session = CardSession(
            open_channel(self.slot, 5.0, lambda *each: self.exchanges.append(each))
        )
        self.session.select_environment()
        self.pin_verified = pin is None or self._verify(pin)
        self.asked: list[str] = []

    def _verify(self, pin: str) -> bool:
        with Pin.from_digits(pin) as typed:
            return self.session.verify(typed) == -1

    def authenticate(self, name: str) -> bool:
        """As a terminal whose PSAM holds every key."""
        self.asked.append(name)
        reference = _REFERENCES.get(name)
        if reference is None:
            return False
        algorithm, key = self.card.algorithm, self.card.memory.keys[name]
        session = algorithm.session_key(key, self.session.get_challenge())
        proof = algorithm.authentication_data(session, bytes(8))
        self.session.external_authenticate(reference, proof, bytes(8))
        return True

    def run(self, **how: Any) -> dict[str, Any]:
        """The dump; `exchanges` then holds nothing else."""
        self.exchanges.clear()
        return dump(self.session, self.authenticate, self.pin_verified, **how)

    @property
    def bytes_exchanged(self) -> int:
        return sum(len(command) + len(answer) for command, answer in self.exchanges)


def minimum_bytes(card: Any, asked: list[str]) -> int:
    """The least that reads every file of that card over T=0: no choice of commands beats it.

    Counted as they cross the reader, status words in, procedure bytes out: SELECT of the
    environment by name with its FCI (it tells algorithm and directory); SELECT of each DF by FID
    without fetching the FCI; GET CHALLENGE and EXTERNAL AUTHENTICATE for each key that a file
    needs; one READ RECORD or READ BINARY for each run of whole records, or of bytes, of at most 256
    bytes, the directory's among them.
    """
    dfs = {place[:4] for place in card.memory.files} - {"SSSE"}
    fci = 0x1E if card.memory.generation == "3.0" else 0x18
    select = (20 + 2) + (5 + fci + 2) + len(dfs) * (7 + 2)
    authenticate = len(asked) * ((5 + 8 + 2) + (5 + 16 + 2))
    return select + authenticate + sum(_read(card, place) for place in card.memory.files)


def _read(card: Any, place: str) -> int:
    records = card.memory.files[place]
    ef = card.structure[place[:4], int(place[5:], 16)]
    if ef.is_transparent:
        return ef.size + 7 * -(-ef.size // MOST)
    runs, room = 0, 0
    for record in records:
        if len(record) > room:
            runs, room = runs + 1, MOST
        room -= len(record)
    return sum(len(record) for record in records) + 7 * max(1, runs)


def full_card(generation: str = "3.0", **how: Any) -> tuple[Region, str]:
    """A card with every file of its generation filled, DF05 and DF06 too, and a full log."""
    region = Region("510100", seed="TEST")
    if generation != "1.0":
        how.setdefault("optional", ("DF05", "DF06"))
    how.setdefault("purchase_serial", 40)
    card = region.issue_card(1, generation=generation, full=True, **how)
    return region, card.label


def measure(folder: Path) -> dict[str, Figure]:
    """Rows of a full 3.0 card on a contact reader.  folder: unused, nothing is written."""
    del folder
    region, label = full_card()
    reading = Reading(region, label)
    reading.run()
    least = minimum_bytes(reading.card, reading.asked)
    whole = reading.bytes_exchanged
    ratio_note = f"{whole} bytes both ways over the least that the tables allow, {least}"
    times_ms = sorted(_terminal_ms() for _ in range(_RUNS))
    time_note = f"without the time inside the simulated card; median of {_RUNS}"
    return {
        "card.dump_bytes_over_minimum": Figure(whole / least, "times", 1.05, ratio_note),
        "card.dump_terminal_ms": Figure(percentile(times_ms, 50), "ms", 60, time_note),
    }


def _terminal_ms() -> float:
    """One dump's time outside the card; authentication counts as the card's."""
    region, label = full_card()
    reading = Reading(region, label)
    slot = reading.slot
    slot.reset_counters()
    begun = time.perf_counter_ns()
    reading.run()
    return (time.perf_counter_ns() - begun - slot.counters.inside_ns) / 1e6
