"""The ways from the demo's terminals to its office: their board.toml, what runs, who pulls.

serial   two ends of a pty; `sscoffice pull --serial` fetches
https    `sscoffice serve` on loopback; the terminals send
nats     a nats-server on loopback; the terminals publish, `sscoffice pull --nats` takes
drop     a folder in the place of a USB stick, carried to and fro
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from simulator.cable import Cable

NAMES = ("serial", "https", "nats", "drop")
_LOOK_S = 15.0  # for a terminal to see the stick


class LinkFailed(Exception):
    """The way cannot be had here, or a terminal did not serve it; the text says which."""


class Hands(Protocol):
    """What a way needs of the stage (stage.py)."""

    folder: Path

    def start(self, name: str, *argv: str) -> Any: ...

    def start_program(self, name: str, *command: str) -> Any: ...

    def office_json(self, *argv: str) -> dict[str, Any]: ...

    def until(self, what: str, probe: Callable[[], Any]) -> Any: ...


class Serial:
    told = ("串口", "over the serial line")

    def __init__(self, stage: Hands):
        self._stage = stage
        self._cable = Cable()

    def start(self, office: Path) -> None:
        """Nothing: the cable is there."""

    def board(self, unit: str) -> str:
        return f'[uplink.serial]\ndevice = "{self._cable.unit}"\n'

    def pull(self, unit: str) -> dict[str, Any]:
        return self._stage.office_json("pull", "--serial", self._cable.office, "--unit", unit)

    def deliver(self, unit: str) -> None:
        """Receipts go by themselves."""

    def close(self) -> None:
        self._cable.close()


class Https:
    told = ("HTTPS", "over HTTPS: the terminal sends, the collector answers")

    def __init__(self, stage: Hands):
        self._stage = stage
        self._url = ""
        self._office = Path()
        self._held = 0

    def start(self, office: Path) -> None:
        self._office = office
        where = ("--dir", str(office), "--listen", "127.0.0.1:0")
        actor = self._stage.start("collector", "office", "serve", *where)
        said = self._stage.until(
            "the collector listens",
            lambda: re.search(r"(?m)^https (\S+)$", actor.log.read_text(encoding="utf-8")),
        )
        self._url = f"https://{said[1]}"

    def board(self, unit: str) -> str:
        return f'[uplink.https]\nurl = "{self._url}"\n'

    def pull(self, unit: str) -> dict[str, Any]:
        """What has come by itself since the last time; a terminal looks once a second."""
        time.sleep(0.5)
        records = self._stage.office_json("check")["records"]
        came, self._held = records - self._held, records
        refused = [each.name for each in (self._office / "refused").glob("*.json")]
        return {"batches": int(came > 0), "records": came, "refused": refused, "duplicates": []}

    def deliver(self, unit: str) -> None:
        """Receipts go by themselves."""

    def close(self) -> None:
        """The collector ends with the stage."""


class Nats:
    told = ("NATS", "over NATS JetStream")

    def __init__(self, stage: Hands):
        self._stage = stage
        self._url = ""

    def start(self, office: Path) -> None:
        beside = Path(sys.executable).parent / "nats-server"
        program = str(beside) if beside.exists() else shutil.which("nats-server")
        if program is None:
            raise LinkFailed("nats-server is not installed; `make environment-dev` brings it")
        config = self._stage.folder / "nats.conf"
        ports = self._stage.folder / "nats"
        ports.mkdir()
        config.write_text(
            f'listen: "127.0.0.1:-1"\nports_file_dir: "{ports}"\nmax_payload: 8MB\n'
            f'jetstream {{ store_dir: "{ports}", sync_interval: always }}\n',
            encoding="utf-8",
        )
        self._stage.start_program("nats", program, "-c", str(config))
        file = self._stage.until("NATS listens", lambda: next(ports.glob("*.ports"), None))
        self._url = self._stage.until("NATS tells its port", lambda: _first_url(file))
        self.pull("")  # makes the streams

    def board(self, unit: str) -> str:
        return f'[uplink.nats]\nurl = "{self._url}"\n'

    def pull(self, unit: str) -> dict[str, Any]:
        return self._stage.office_json("pull", "--nats", self._url)

    def deliver(self, unit: str) -> None:
        """Receipts go by themselves."""

    def close(self) -> None:
        """The server ends with the stage."""


class Drop:
    """The stick lies in at-UNIT/ or in at-office/; whoever carries it moves its one folder."""

    told = ("U 盘", "on a USB stick")

    def __init__(self, stage: Hands):
        self._stage = stage
        self._at_office = stage.folder / "at-office"
        self._trips = 0

    def start(self, office: Path) -> None:
        (self._at_office / "ssc-drop").mkdir(parents=True)

    def board(self, unit: str) -> str:
        self._at(unit).mkdir()
        return f'[uplink.drop]\nfolder = "{self._at(unit)}"\n'

    def pull(self, unit: str) -> dict[str, Any]:
        """Once to the terminal and back: receipts go there, batches come."""
        self._trips += 1
        stick, there = self._at_office / "ssc-drop", self._at(unit) / "ssc-drop"
        (stick / "plugged").write_text(str(self._trips), encoding="ascii")
        stick.rename(there)
        done = there / unit / "done"
        ends = time.monotonic() + _LOOK_S
        while not (done.exists() and done.read_text(encoding="ascii") == str(self._trips)):
            if time.monotonic() > ends:
                raise LinkFailed(f"{unit} did not serve the stick")
            time.sleep(0.05)
        there.rename(stick)
        return self._stage.office_json("pull", "--folder", str(self._at_office))

    def deliver(self, unit: str) -> None:
        """One more trip."""
        self.pull(unit)

    def close(self) -> None:
        """The folders go with the stage's."""

    def _at(self, unit: str) -> Path:
        return self._stage.folder / f"at-{unit}"


Way = Serial | Https | Nats | Drop


def way(name: str, stage: Hands) -> Way:
    """name: one of NAMES."""
    kinds: dict[str, type[Way]] = {"serial": Serial, "https": Https, "nats": Nats, "drop": Drop}
    return kinds[name](stage)


def _first_url(ports: Path) -> str | None:
    """Of the file in which nats-server tells its ports; None while it is being written."""
    try:
        return str(json.loads(ports.read_text(encoding="utf-8"))["nats"][0])
    except (ValueError, KeyError):
        return None
