"""`boot.ready_s` and its parts: a unit of the image just made starts in QEMU, to READY.

Emulated (TCG), so it says how the parts stand to each other and whether they grow; a board is
another machine.  Needs what `make test-image` makes; rows without a value say so.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.figure import Figure
from tests.machine import image, vm
from tests.machine.provisioned import new_world, provision
from tests.machine.unit import Unit

PHASES = {
    "kernel": "to the initrd's first program",
    "initrd": "the verified root is opened, to systemd's start",
    "userspace": "systemd, the identity, the devices, to the card process's start",
    "daemon": "the card process, to its READY",
}
ROWS = {"boot.ready_s", *(f"boot.{each}_s" for each in PHASES)}


def measure(folder: Path, is_measured: bool) -> dict[str, Figure]:
    """is_measured: False for a quick bench, for a start takes minutes."""
    reason = image.missing() if is_measured else "--quick"
    if reason is not None:
        return {name: Figure(None, "s", None, f"not measured: {reason}") for name in sorted(ROWS)}
    took = start(folder)
    rows = {
        f"boot.{name}_s": Figure(took[name], "s", None, f"in QEMU: {what}")
        for name, what in PHASES.items()
    }
    note = "in QEMU (TCG, 2 cores), the first start of a provisioned card, power to READY"
    return {"boot.ready_s": Figure(sum(took.values()), "s", None, note)} | rows


def start(folder: Path) -> dict[str, float]:
    new_world(folder)
    card = provision(image.IMAGE, folder)
    unit = Unit(folder, vm.overlay(card, folder / "disk.qcow2"))
    try:
        unit.wait_ready()
        return unit.phases()
    finally:
        unit.close()
