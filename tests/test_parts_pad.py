"""From board.toml to a pad: its key file, and payments whose PIN comes through it (M1, M14)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware import board as boards
from firmware import parts
from firmware.__main__ import main
from firmware.drivers.gpio import open_pins
from firmware.drivers.pad import Pad
from simulator.entry import register_inprocess
from simulator.epp_device import EppDevice
from tests.rig import Rig
from tests.test_pin_secrecy import traces

KEY = "9c1f0377a2d85be4613a90cc2e7748d1"
PIN, NEW = "80427196", "46802975"  # among those that test_pin_secrecy.py searches for


class PadRig(Rig):
    """A terminal whose PINs come from an emulated encrypting pad, opened as board.toml names it."""

    def __init__(self, folder: Path, form: int):
        super().__init__(folder)
        self.device = EppDevice(self.world.holder, bytes.fromhex(KEY), form)
        key_file = folder / "pad.key"
        key_file.write_text(KEY + "\n")
        key_file.chmod(0o600)
        self.pad_board = board_of(folder, self.device.path, f"format = {form}")
        self.unit.pad = parts.pad(self.pad_board, open_pins())
        self.seen: list[int] = []
        self.unit.typed = lambda stars, left_s: self.seen.append(stars)


def board_of(folder: Path, device: str, more: str = "", profile: str = "") -> boards.Board:
    text = (folder / "board.toml").read_text()
    address = f'[pad]\naddress = "epp:{device}"\nkey_file = "pad.key"\n{more}\n'
    text = text.replace('[pad]\naddress = "sim:inprocess:test#pad"\n', address)
    for part in ("user", "contactless", "psam") if profile else ():
        text = text.replace(f"sim:inprocess:test#{part}", f"pcsc:{part}")
    path = folder / "epp.toml"
    path.write_text(text.replace("development", profile or "development"))
    return boards.load(path)


@pytest.fixture(params=[3, 4])
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PadRig]:
    rig = PadRig(tmp_path, request.param)
    rig.psam()
    yield rig
    rig.device.close()


def test_m14_a_payment_with_the_pin_from_an_encrypting_pad(
    rig: PadRig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        card = rig.card(pin=PIN)
        assert rig.pay(pin=PIN).name == "APPROVED"
        assert card.balance_fen == 99_000
        assert max(rig.seen) == len(PIN)
        assert rig.pay(pin="1234").name == "PIN_NOT_ENTERED"
        assert rig.result()["state"] == "DECLINED"
    line = bytes(rig.device.sent + rig.device.received)
    rig.unit.journal.flush()
    files = b"".join(each.read_bytes() for each in rig.folder.rglob("*") if each.is_file())
    assert traces(line + caplog.text.encode() + repr(rig.unit).encode()) == []
    assert traces(files) == []


def test_a_pad_that_goes_mute_declines_and_takes_no_try(
    rig: PadRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware.drivers.epp.ANSWER_S", 0.05)
    card = rig.card(pin=PIN)
    rig.device.is_mute = True
    assert rig.pay(pin=None).name == "PIN_PAD_MISSING"
    rig.device.is_mute = False
    assert rig.pay(pin=PIN).name == "APPROVED"
    assert card.balance_fen == 99_000


def test_check_asks_the_pad_what_it_is(
    rig: PadRig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m firmware --check`."""
    monkeypatch.setattr("firmware.drivers.epp.ANSWER_S", 0.05)
    register_inprocess("test", rig.world)
    for mute, said in ((False, "ok   pad"), (True, "NOT  pad")):
        rig.device.is_mute = mute
        main(["--check", "--board", str(rig.folder / "epp.toml")])
        (line,) = [each for each in capsys.readouterr().out.splitlines() if " pad " in each]
        assert said in line
        assert ("an encrypting pad, PIN blocks" in line) == (not mute)


# -- the key file ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Rig(tmp_path).unit.journal.close()
    (tmp_path / "pad.key").write_text(KEY)
    (tmp_path / "pad.key").chmod(0o600)
    return tmp_path


def opened(board: boards.Board) -> Pad | None:
    return parts.pad(board, open_pins())


def refusal(board: boards.Board) -> str:
    with pytest.raises(parts.AddressError) as caught:
        parts.pad(board, open_pins())
    assert KEY[:8] not in str(caught.value)
    return str(caught.value)


def test_a_key_that_others_can_read_is_refused(folder: Path) -> None:
    board = board_of(folder, "/dev/none")
    assert parts.pad(board, open_pins()) is not None, "the device itself may come later"
    (folder / "pad.key").chmod(0o640)
    assert "mode 0640" in refusal(board)
    (folder / "pad.key").unlink()
    assert "No such file" in refusal(board)


def test_a_file_without_a_key_is_refused(folder: Path) -> None:
    (folder / "pad.key").write_text("hello")
    assert "not hexadecimal" in refusal(board_of(folder, "/dev/none"))


def test_production_takes_no_published_key(folder: Path) -> None:
    assert opened(board_of(folder, "/dev/none", profile="production")) is not None
    (folder / "pad.key").write_text("00112233445566778899aabbccddeeff")
    assert opened(board_of(folder, "/dev/none")) is not None
    assert "test key" in refusal(board_of(folder, "/dev/none", profile="production"))
