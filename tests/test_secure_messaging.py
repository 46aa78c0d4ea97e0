"""Vectors: PIN reload, PIN unblock and application block, from the PSAM to the card and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firmware.apdu import CommandApdu
from firmware.card import commands
from firmware.channel import open_channel
from firmware.psam import keys
from firmware.psam.cipher import des_decrypt, des_encrypt, sm4_decrypt, sm4_encrypt
from firmware.psam.keytable import STK
from firmware.psam.session import PsamSession
from firmware.secret import Pin
from simulator.keytable import KEYS
from simulator.region import Region
from simulator.world import World

VECTORS = json.loads((Path(__file__).parent / "vectors" / "card.json").read_text())
COMPUTED = VECTORS["computed"]
CIPHERS = {"3des": (8, des_encrypt, des_decrypt), "sm4": (16, sm4_encrypt, sm4_decrypt)}
ALGORITHM = {"3des": 1, "sm4": 3}
NEW = Pin.from_digits("654321")


def bytes_of(name: str) -> bytes:
    return bytes.fromhex(COMPUTED[name])


@pytest.fixture(params=["3des", "sm4"])
def name(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def psam(name: str) -> PsamSession:
    roots = {row.name: bytes_of("root") for row in KEYS}
    region = Region(COMPUTED["region"], algorithm="both", root_keys=roots)
    world = World(region)
    world.insert("psam", region.issue_psam().label)

    def power_on() -> Any:
        world.slot("psam").power_on()
        return open_channel(world.slot("psam"), 1.0)

    session = PsamSession(power_on)
    session.start()
    session.select(ALGORITHM[name])
    return session


def message(psam: PsamSession, header: bytes, plain: bytes = b"") -> bytes:
    factors = (bytes_of("card_factor"), bytes_of("level2_factor"), bytes_of("level1_factor"))
    data = psam.secure_message(STK, factors, bytes_of("process_factor"), header, plain)
    command = commands.secured(header, data)
    assert isinstance(command, CommandApdu)
    return header + bytes((len(command.data),)) + command.data


def test_pin_reload(name: str, psam: PsamSession) -> None:
    block = commands.pin_block(NEW.reveal(), psam.block)
    found = message(psam, commands.PIN_RELOAD, block)
    assert found.hex().upper() == COMPUTED[name]["pin_reload_654321"]


def test_pin_reload_read_back(name: str) -> None:
    """The other way: what the card makes of the vector."""
    block, encrypt, decrypt = CIPHERS[name]
    session = bytes.fromhex(COMPUTED[name]["session_key"])
    raw = bytes.fromhex(COMPUTED[name]["pin_reload_654321"])
    assert keys.mac(encrypt, session, raw[:-4], block) == raw[-4:]
    assert decrypt(session, raw[5:-4]) == commands.pin_block(NEW.reveal(), block)


def test_pin_unblock(name: str, psam: PsamSession) -> None:
    found = message(psam, commands.PIN_UNBLOCK)
    assert found.hex().upper() == "8424000004" + COMPUTED[name]["pin_unblock_mac"]


def test_application_block(name: str, psam: PsamSession) -> None:
    found = message(psam, commands.APPLICATION_BLOCK)
    assert found.hex().upper() == "841E000104" + COMPUTED[name]["application_block_mac"]


@pytest.mark.parametrize(
    ("digits", "block", "shown"),
    [
        ("123456", 8, "0312345680000000"),
        ("12345", 8, "0312345F80000000"),
        ("12345678901234", 8, "0712345678901234"),  # full: no 80
        ("1234567890123456", 8, "08123456789012345680000000000000"),
        ("123456", 16, "03123456800000000000000000000000"),
        ("123456789012", 16, "06123456789012800000000000000000"),
    ],
)
def test_pin_block(digits: str, block: int, shown: str) -> None:
    assert commands.pin_block(Pin.from_digits(digits).reveal(), block).hex().upper() == shown
