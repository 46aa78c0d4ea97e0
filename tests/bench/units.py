"""`unit.card_exposure` and its sisters: what a service of a unit could still do.

0 is nothing, 10 everything (`systemd-analyze security`, read from the files, nothing is started).
The three processes are measured with the drop-in of a board that names every kind of device.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.figure import Figure

TOOLS = Path(__file__).resolve().parents[2] / "tools"
MOST = {"card": 1.0, "uplink": 2.0, "host": 2.0, "announce": 1.0, "door": 2.5, "gadget": 2.5}
FILES = {
    **{name: f"image/units/sscterm-{name}.service" for name in ("card", "uplink", "host")},
    **{name: f"door/units/sscterm-{name}.service" for name in ("announce", "gadget")},
    "door": "door/units/sscterm-door@.service",
}
DEVICES = {
    "card": {"/dev/ttyUSB0", "/dev/ttyAMA0", "/dev/i2c-1", "/dev/spidev0.0", "char-gpiochip"},
    "uplink": {"/dev/ttyUSB1"},
    "host": {"/dev/ttyUSB2"},
}


def text(process: str) -> str:
    """The unit file of one of MOST."""
    return (TOOLS / FILES[process]).read_text()


def exposure(process: str, unit: str | None = None) -> float:
    """unit: other text than the file's."""
    from tools.image.devices import drop_in

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sscterm-{process}.service")
        path.write_text(
            (text(process) if unit is None else unit) + drop_in(DEVICES.get(process, set()))
        )
        command = ("systemd-analyze", "security", "--offline=true", "--no-pager", str(path))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"systemd-analyze says no exposure: {done.stderr.strip()}")
    return float(found[1])


def measure() -> dict[str, Figure]:
    if shutil.which("systemd-analyze") is None:
        note = "systemd-analyze is not installed: run tools/install_test_packages.sh"
        return {
            f"unit.{name}_exposure": Figure(None, "of 10", most, note)
            for name, most in MOST.items()
        }
    note = "systemd-analyze security of the unit's file with devices allowed; reference: the limit"
    return {
        f"unit.{name}_exposure": Figure(exposure(name), "of 10", most, note)
        for name, most in MOST.items()
    }
