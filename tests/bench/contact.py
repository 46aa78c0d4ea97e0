"""What the bare contact slot carries, and what PPS saves a purchase."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from firmware.drivers.t0 import T0
from firmware.drivers.t1 import T1
from simulator.contact_atr import Nature
from simulator.contact_t1 import BlockCard
from simulator.region import Region
from tests.bench.figure import Figure
from tests.contact_rig import EchoChip, SlotChip, wired
from tests.rig import Rig

SAVED_MS = 90
_READ = bytes.fromhex("00B0950000")  # 256 bytes and the status word
_AT_115200 = 115_200 / 12  # characters a second
_LEG = (0x70, 0xC0, 0x72)  # INIT SAM FOR PURCHASE, its GET RESPONSE, CREDIT SAM FOR PURCHASE


def measure(folder: Path, exchanges: int, purchases: int) -> dict[str, Figure]:
    rows = {}
    for name, machine_rate, pieces, nature in (
        ("t0", _machine_t0(exchanges), "pieces of 64", Nature(ta1=0x18)),
        ("t1", _machine_t1(exchanges), "blocks of 254", Nature(protocol=1, ta1=0x18)),
    ):
        line_rate = _through_pty(nature, exchanges // 4)
        rows[f"{name}.bytes_per_s"] = Figure(
            machine_rate,
            "bytes/s",
            _AT_115200,
            f"the machine alone, {exchanges} answers of 256 bytes and SW in {pieces}; reference: "
            "characters a second of a line of 115,200",
        )
        rows[f"{name}.pty_bytes_per_s"] = Figure(
            line_rate,
            "bytes/s",
            _AT_115200,
            f"the whole driver through pyserial and a pty to a simulated card in the same process, "
            f"{exchanges // 4} such answers; reference: as above",
        )
    slow, fast = Nature(), Nature(ta1=0x18)
    base = _leg_ms(folder / "9600", slow, purchases)
    saved = base[0] - (quick := _leg_ms(folder / "115200", fast, purchases))[0]
    again = base[0] - _leg_ms(folder / "9600-again", slow, purchases)[0]
    how = (
        f"INIT SAM FOR PURCHASE with three factors, GET RESPONSE, CREDIT SAM FOR PURCHASE, each "
        f"character taking 12 etu; median of {purchases} purchases"
    )
    rows["pps.saved_ms"] = Figure(
        saved,
        "ms",
        SAVED_MS,
        f"{how}; PSAM with TA1 18: {quick[0]:.1f} ms, at 9,600: {base[0]:.1f} ms; all exchanges "
        f"with the PSAM in a purchase of a 2.0 card: {quick[1]:.0f} and {base[1]:.0f} ms; "
        "reference: the least it shall save",
    )
    rows["pps.saved_ms.without_ta1"] = Figure(
        again, "ms", 0, f"{how}; a PSAM without TA1 against itself; reference: nothing is saved"
    )
    return rows


def _machine_t0(exchanges: int) -> float:
    answer = b"\xb0" + bytes(256) + b"\x90\x00"
    pieces = [answer[at : at + 64] for at in range(0, len(answer), 64)]
    machine = T0()
    began = time.perf_counter()
    for _ in range(exchanges):
        machine.begin(_READ)
        for piece in pieces:
            machine.received(piece)
        if machine.answer is None:
            raise RuntimeError("T=0 did not end")
    return exchanges * (len(_READ) + len(answer)) / (time.perf_counter() - began)


def _machine_t1(exchanges: int) -> float:
    """The card's blocks are made before: only our side is measured."""
    card = BlockCard(lambda command: bytes(256) + b"\x90\x00", ifsc=254)
    machine = T1(254)
    machine.received(card.receive(machine.announce()))
    talk = []
    for _ in range(2):  # N(S) of both alternate: two exchanges are the period
        out = machine.begin(_READ)
        while not machine.is_over:
            back = card.receive(out)
            talk.append((out, back))
            out = machine.received(back)
    carried = sum(len(out) + len(back) for out, back in talk)
    began = time.perf_counter()
    for _ in range(exchanges // 2):
        blocks = iter(talk)
        for _ in range(2):
            machine.begin(_READ)
            while not machine.is_over:
                machine.received(next(blocks)[1])
    taken_s = time.perf_counter() - began
    if machine.answer != bytes(256) + b"\x90\x00":
        raise RuntimeError("T=1 did not end")
    return exchanges // 2 * carried / taken_s


def _through_pty(nature: Nature, exchanges: int) -> float:
    with wired(EchoChip(), nature) as (_, reader):
        reader.power_on()
        carried = 0
        began = time.perf_counter()
        for _ in range(exchanges):
            carried += len(_READ) + len(reader.exchange(_READ, 10))
        return carried / (time.perf_counter() - began)


class _Timed:
    """A reader whose exchanges are timed: (INS, seconds)."""

    def __init__(self, reader: Any):
        self._reader = reader
        self.times: list[tuple[int, float]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        began = time.perf_counter()
        answer: bytes = self._reader.exchange(command, deadline_s)
        self.times.append((command[1], time.perf_counter() - began))
        return answer


def _leg_ms(folder: Path, nature: Nature, purchases: int) -> tuple[float, float]:
    """(the purchase leg of the PSAM, all its exchanges of one payment) in ms, medians."""
    folder.mkdir(parents=True)
    edit = {"exchange_s = 20": "exchange_s = 5", 'ef06 = "on"': 'ef06 = "on"\ndpk_factors = 3'}
    rig = Rig(folder, Region("510100", seed="TEST", kept_levels="nation"), edit)
    chip = SlotChip(rig.world.slot("psam"))
    with wired(chip, nature, is_paced=True) as (_, reader):
        timed = _Timed(reader)
        rig.attach(rig.world.slot("user"), timed)
        rig.psam()
        rig.card()
        rig.unit.psam.start(3)
        legs, wholes = [], []
        for _ in range(purchases):
            timed.times.clear()
            if (name := rig.pay().name) != "APPROVED":
                raise RuntimeError(f"the payment ended with {name}")
            at = next(n for n, each in enumerate(timed.times) if each[0] == _LEG[0])
            leg = timed.times[at : at + 3]
            if tuple(ins for ins, _ in leg) != _LEG:
                raise RuntimeError("the purchase of the PSAM is not what it was")
            legs.append(sum(seconds for _, seconds in leg) * 1000)
            wholes.append(sum(seconds for _, seconds in timed.times) * 1000)
        rig.unit.journal.close()
    return statistics.median(legs), statistics.median(wholes)
