"""Who may import whom (issue: "tests/test_imports.py walks the code and holds the rule")."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.import_rule import BELOW, FLOORS, MAY_USE, breaches

ROOT = Path(__file__).resolve().parents[1]


def tree(folder: Path, *files: tuple[str, str]) -> Path:
    for path, source in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")
    return folder


def test_the_project_keeps_the_rule():
    assert breaches(ROOT) == []


def test_every_unit_of_firmware_has_a_floor():
    """Read from the folders, not by the walk: a walk over nothing would be content for ever."""
    source = {path.stem for path in (ROOT / "firmware").glob("*.py")} - {"__init__"}
    source |= {path.parent.name for path in (ROOT / "firmware").glob("*/__init__.py")}
    units = set().union(*FLOORS.values())
    assert {unit for unit in source if not unit.startswith("board_")} <= units
    assert {"apdu", "channel", "psam", "card"} <= source


def test_floors_point_down_only():
    """Floor numbers sink along every arrow; 1c counts as 1 and stands beside drivers."""
    height = {floor: int(floor.rstrip("c")) for floor in FLOORS}
    for floor, below in BELOW.items():
        assert all(height[other] < height[floor] for other in below)
    assert [floor for floor, below in BELOW.items() if "1" in below] == ["5", "6"]


BREACHES = {
    # Floors of firmware/.
    "up": ("firmware/psam/session.py", "import firmware.journal.store\n", "floor 2"),
    "same floor": ("firmware/card/session.py", "from firmware.psam import keys\n", "floor 2"),
    "floor 0 to floor 0": ("firmware/tlv.py", "from firmware.apdu import x\n", "floor 0"),
    "channel to drivers": ("firmware/channel.py", "from firmware.drivers import sim\n", "floor 1"),
    "drivers to channel": ("firmware/drivers/sim.py", "import firmware.channel\n", "floor 1c"),
    "terminal to drivers": ("firmware/terminal.py", "import firmware.drivers\n", "floor 1"),
    "uplink to authorize": ("firmware/uplink/x.py", "import firmware.authorize\n", "floor 3"),
    "to __main__": ("firmware/host/x.py", "import firmware.__main__\n", "floor 6"),
    "no floor": ("firmware/helpers.py", "", "has no floor"),
    # Every way to write an import.
    "TYPE_CHECKING": (
        "firmware/psam/session.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from firmware.card import x\n",
        "session.py:3: imports firmware.card",
    ),
    "inside a function": (
        "firmware/psam/session.py",
        "def f():\n    try:\n        import firmware.card\n    except ImportError:\n        pass\n",
        "session.py:3: imports firmware.card",
    ),
    "relative": ("firmware/psam/session.py", "from ..card import session\n", "firmware.card"),
    "relative, bare": ("firmware/psam/session.py", "from .. import card\n", "firmware.card"),
    "relative, out of the root": ("firmware/tlv.py", "from ... import card\n", "imports ..."),
    "renamed": ("firmware/psam/session.py", "import os, firmware.card as c\n", "firmware.card"),
    "import_module": (
        "firmware/psam/session.py",
        "import importlib\nimportlib.import_module('firmware.card.session')\n",
        "firmware.card.session",
    ),
    "import_module by name": (
        "firmware/psam/session.py",
        "from importlib import import_module\nimport_module(name='firmware.card')\n",
        "firmware.card",
    ),
    "import_module, relative": (
        "firmware/psam/session.py",
        "import importlib\nimportlib.import_module('.card', 'firmware')\n",
        "firmware.card",
    ),
    "__import__": ("firmware/psam/session.py", "__import__('firmware.card')\n", "firmware.card"),
    # Vendor packages.
    "RPi.GPIO": ("firmware/drivers/pad.py", "import RPi.GPIO as GPIO\n", "drivers.gpio"),
    "serial": ("firmware/uplink/serial.py", "import serial\n", "drivers.uart"),
    "cryptography": (
        "firmware/psam/session.py",
        "from cryptography.hazmat.primitives import hashes\n",
        "psam.cipher",
    ),
    "cryptography outside": ("simulator/card.py", "import cryptography\n", "psam.cipher"),
    "cbor2": ("firmware/journal/store.py", "import cbor2\n", "journal.cose"),
    "cobs": ("office/line.py", "from cobs import cobs\n", "uplink.frame"),
    "PIL": ("firmware/display/window.py", "from PIL import Image\n", "display.panel"),
    "a package of no table": ("office/pull.py", "import requests\n", "no package of this project"),
    "tests": ("firmware/tlv.py", "from tests import conftest\n", "no package of this project"),
    # The people outside.
    "firmware to simulator": ("firmware/drivers/sim.py", "import simulator.card\n", "names simul"),
    "firmware to office": ("firmware/host/x.py", "import office\n", "names office"),
    "firmware to tools": ("firmware/__main__.py", "import tools.bench\n", "names tools"),
    "office": ("office/pull.py", "from firmware.uplink import serial\n", "office may not"),
    "office to the whole": ("office/pull.py", "import firmware\n", "office may not"),
    "tools": ("tools/flash.py", "from firmware.psam import keys\n", "tools may not"),
    "simulator": ("simulator/card.py", "from firmware.card import session\n", "simulator may not"),
    "office to simulator": ("office/pull.py", "import simulator\n", "office may not"),
}

MODULES = (
    ("firmware/__init__.py", ""),
    ("firmware/card/__init__.py", ""),
    ("firmware/card/session.py", ""),
    ("firmware/psam/__init__.py", ""),
    ("firmware/psam/keys.py", ""),
    ("firmware/uplink/serial.py", ""),
)


@pytest.mark.parametrize("case", BREACHES)
def test_the_walk_catches(case, tmp_path):
    path, source, reason = BREACHES[case]
    root = tree(tmp_path, *MODULES, (path, source))
    found = breaches(root)
    assert len(found) == 1, found
    assert found[0].startswith(path)
    assert reason in found[0]


ALLOWED = {
    "down": ("firmware/authorize/purchase.py", "from firmware.card.session import x\n"),
    "own package": ("firmware/psam/session.py", "from . import keys\nfrom .keys import x\n"),
    "channel": ("firmware/psam/session.py", "from firmware.channel import Channel\n"),
    "main to drivers": ("firmware/__main__.py", "from firmware.drivers import sim\n"),
    "the version": ("firmware/host/x.py", "from firmware import __version__\n"),
    "standard library": ("firmware/tlv.py", "import os.path\nfrom collections import abc\n"),
    "a name like a vendor's": ("firmware/uplink/x.py", "from firmware.uplink import serial\n"),
    "vendor at its place": ("firmware/psam/cipher.py", "import cryptography.hazmat\n"),
    "board in parts": ("firmware/board.py", "from firmware.board_lines import x\n"),
    "office": ("office/pull.py", "from firmware.journal import cose\nimport office.store\n"),
    "simulator": ("simulator/card.py", "from firmware.psam import keys\nfrom . import psam\n"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_the_walk_lets_pass(case, tmp_path):
    assert breaches(tree(tmp_path, *MODULES, ALLOWED[case])) == []


@pytest.mark.parametrize("home", MAY_USE)
def test_what_outsiders_may_use_exists_or_is_a_package_of_the_plan(home):
    """A row for a module that nobody has would allow nothing and hide a misspelling."""
    for name in MAY_USE[home]:
        path = ROOT.joinpath(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
