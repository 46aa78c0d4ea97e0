"""A card for the machine, made as a technician makes one: the image, and an identity on it; and the
world of cards that goes with it."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
from pathlib import Path

from simulator.region import Region
from simulator.world import World
from tests.board_text import PAYS
from tests.host_rig import HostAuthority
from tests.machine import pad
from tools.flash import main as flash

TECHNICIAN = "technician-for-tests"
"""File in the folder: a private SSH key that the unit lets in."""
HOSTS, HIS, HOST_PORT = "hosts", "his-1", 8790
"""Folder with the certificate of the host that the unit serves; where it listens."""
UNIT, TERMINAL, CARD = "qemu-0001", "510100000001", "card-1"
START_FEN = 500_000
BOARD = f"""
[unit]
id = "qemu"
profile = "development"
region = "510100"
data_dir = "data"
[[reader]]
name = "counter"
address = "pcsc:* 00 00"
kind = "contact"
[psam]
address = "pcsc:* 01 00"
[pad]
address = "epp:{pad.DEVICE}"
key_file = "pad.key"
key_s = 60
[host.lan]
listen = "0.0.0.0:{HOST_PORT}"
certificate = "host.crt"
key = "host.key"
ca = "host-ca.crt"
hosts = ["{HIS}"]
[uplink]
seal_after_s = 1
[uplink.serial]
device = "/dev/ttyS0"
baud = 115200
[timing]
exchange_s = 20
card_wait_s = 600
pin_s = 300
removal_s = 600
""" + PAYS.replace("day_fen = 1000000", "day_fen = 5000000").replace(
    "card_day_fen = 300000", "card_day_fen = 5000000"
)


def new_world(folder: Path) -> World:
    """One card in no slot, the PSAM in its own."""
    region = Region("510100", seed="MACHINE")
    region.issue_card(1, balance_fen=START_FEN, label=CARD)
    psam = region.issue_psam(terminal_number=TERMINAL)
    world = World(region, folder / "region.json")
    world.insert("psam", psam.label)
    world.save()
    return world


def provision(image: Path, folder: Path) -> Path:
    """A card written with the image and given its identity by flash.py."""
    card, board, key = folder / "card.img", folder / "qemu.toml", folder / "pad.key"
    subprocess.run(["cp", "--sparse=always", image, card], check=True, timeout=600)
    board.write_text(BOARD)
    key.write_text(pad.KEY.hex())
    technician = folder / TECHNICIAN
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", TECHNICIAN, "-f", technician],
        check=True, timeout=60,
    )  # fmt: skip
    authority = HostAuthority(folder / HOSTS)
    authority.issue(HIS)
    certificate, own_key = authority.issue("unit", is_server=True)
    served = {"host.crt": certificate, "host.key": own_key, "host-ca.crt": authority.certificate}
    for name, made in served.items():
        shutil.copyfile(made, folder / name)
    files = [word for name in served for word in ("--file", folder / name)]
    words = (
        "provision", card, "--board", board, "--file", key, *files, "--unit", UNIT,
        "--terminal-number", TERMINAL, "--technician", f"{technician}.pub",
        "--confirm", card.name, "--state", folder / "flash",
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as told:
        assert flash([str(each) for each in words]) == 0, told.getvalue()
    return card
