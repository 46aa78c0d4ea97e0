"""Simulated cards in a real pcscd (issue A, sections 2 and 3, "Real components")."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest

from firmware.apdu import CommandApdu
from firmware.channel import open_channel
from firmware.drivers.pcsc import open_pcsc
from firmware.outcome import TransportError
from simulator import vpcd
from simulator.client import ControlClient
from simulator.region import Region
from simulator.slot import LOST, Cut
from simulator.world import World
from tests import pcscd_rig
from tests.waiting import SOON_S

USER = pcscd_rig.USER_READER + " 00 00"
PSAM = pcscd_rig.PSAM_READER + " 00 00"
SSSE_NAME = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
VERIFY = 0x20
WRONG_PIN = CommandApdu(0x00, VERIFY, 0x00, 0x00, bytes.fromhex("999999"))
TRIES = 6
# Generous: reached only when something is broken.

TALK = (
    CommandApdu(0x00, 0xA4, 0x04, 0x00, SSSE_NAME),  # answered with 61xx, then GET RESPONSE
    CommandApdu(0x00, 0xB2, 0x07, 0x28, b"", 0x0B),
    CommandApdu(0x00, 0x84, 0x00, 0x00, b"", 8),  # the card's random numbers, too
    CommandApdu(0x00, 0xB2, 0x01, 0x28, b"", 256),  # answered with 6Cxx
    WRONG_PIN,
)


def make_region() -> Region:
    region = Region()
    region.issue_card(1, tries=TRIES)
    region.issue_card(2, tries=TRIES)
    region.issue_card(3, contactless=True)
    region.issue_psam()
    return region


class Served:
    """`sscsim serve` whose slots sit in the rig's pcscd."""

    def __init__(self, rig, folder):
        self.state = folder / "state.json"
        make_region().save(self.state)
        argv = [sys.executable, "-m", "simulator", "serve", "--state", str(self.state)]
        argv += ["--socket", str(folder / "s")]
        argv += ["--vpcd-user", str(rig.user_port), "--vpcd-psam", str(rig.psam_port)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("ready")
        self.control = ControlClient(str(folder / "s"))

    def tries(self, label: str = "card-1") -> int:
        return self.control.card(label=label)["pin_tries"]

    def end(self) -> None:
        self.control.close()
        self.process.terminate()
        assert self.process.wait(SOON_S) == 0
        self.process.stdout.close()


@pytest.fixture
def served(tmp_path):
    started = Served(pcscd_rig.shared(), tmp_path)
    yield started
    started.end()
    for name in (USER, PSAM):  # no card of this test is left for the next one
        reader = open_pcsc(name)
        wait_for(reader, 0)
        reader.close()


@pytest.fixture
def user(served):
    reader = open_pcsc(USER)
    yield reader
    reader.close()


def wait_for(reader, cards: int) -> None:
    ends = time.monotonic() + SOON_S
    while reader.cards_in_reach() != cards and time.monotonic() < ends:
        reader.wait_change(0.5)
    assert reader.cards_in_reach() == cards


def transcript(reader, commands=TALK) -> list[tuple[str, str]]:
    """ATR, then command and answer as they crossed the wire."""
    lines = [("", reader.power_on().hex())]
    channel = open_channel(
        reader, SOON_S, lambda command, answer: lines.append((command.hex(), answer.hex()))
    )
    for command in commands:
        channel.transmit(command)
    return lines


pcscd = pytest.mark.pcscd


@pcscd
def test_a_talk_through_pcscd_is_byte_for_byte_the_one_in_process(served, user):
    """Issue A: "the transcript through pcscd and through sim: is identical as APDUs"."""
    world = World(make_region())
    world.insert("user", "card-1")
    served.control.insert(slot="user", label="card-1")
    wait_for(user, 1)
    for _ in range(2):  # the second time after a reset
        through_pcscd = transcript(user)
        assert through_pcscd == transcript(world.slots["user"])
        assert len(through_pcscd) == 1 + len(TALK) + 2  # one GET RESPONSE, one 6Cxx
    assert served.tries() == TRIES - 2


@pcscd
def test_card_and_psam_sit_side_by_side(served, user):
    """Issue A: pcscd with two virtual readers, card and PSAM."""
    served.control.insert(slot="user", label="card-1")
    served.control.insert(slot="psam", label="psam-510100000001")
    psam = open_pcsc(PSAM)
    wait_for(psam, 1)
    wait_for(user, 1)
    df01 = CommandApdu(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("D15600000590"))
    assert transcript(psam, [df01])[-1][1].endswith("d156000005909000")
    assert transcript(user)[2][1].endswith("9000")
    psam.close()


@pcscd
@pytest.mark.parametrize(("when", "left"), [("before", TRIES), ("after", TRIES - 1)])
def test_a_cut_pulls_the_card_out_of_pcscd(served, user, when, left):
    """Issue A: cuts before and after the command took effect, and the card put back."""
    served.control.insert(slot="user", label="card-1")
    served.control.arm_cut(slot="user", ins=VERIFY, when=when)
    wait_for(user, 1)
    with pytest.raises(TransportError) as caught:
        transcript(user)
    assert caught.value.kind == "removed"
    assert served.tries() == left
    wait_for(user, 0)
    served.control.insert(slot="user", label="card-1")
    wait_for(user, 1)
    assert transcript(user, [WRONG_PIN])[-1][1] == f"63c{left - 1}"


@pcscd
def test_a_card_swapped_in_no_time_is_seen_to_go_and_another_to_come(served, user):
    """Issue A, bad input: another card re-inserted."""
    served.control.insert(slot="user", label="card-1")
    wait_for(user, 1)
    first = user.power_on()
    served.control.remove(slot="user")
    served.control.insert(slot="user", label="card-2")
    with pytest.raises(TransportError):
        user.exchange(bytes.fromhex("0084000008"), SOON_S)
    wait_for(user, 0)
    wait_for(user, 1)
    second = user.power_on()
    assert (first[-1], second[-1]) == (1, 2)  # the serial in the historical bytes


@pcscd
def test_a_lost_answer_is_silence_and_the_reader_recovers(monkeypatch):
    """Issue A, bad input: silence (a deadline per exchange)."""
    monkeypatch.setattr(vpcd, "MUTE_S", 1.0)
    world = World(make_region())
    slot, card = world.slots["user"], world.region.cards["card-1"]
    world.insert("user", "card-1")
    slot.arm(Cut(ins=VERIFY, when=LOST))
    plug = vpcd.Plug(slot, pcscd_rig.shared().user_port)
    plug.start()
    user = open_pcsc(USER)
    try:
        wait_for(user, 1)
        user.power_on()
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            user.exchange(WRONG_PIN.to_tpdu(), 0.3)
        assert caught.value.kind == "silent"
        assert time.monotonic() - started < SOON_S / 2
        assert card.memory.pin_tries == TRIES - 1
        answer = None
        while answer is None and time.monotonic() - started < SOON_S:
            with contextlib.suppress(TransportError):  # the reader has not given it up yet
                answer = transcript(user, [WRONG_PIN])[-1][1]
            time.sleep(0.1)
        assert answer == f"63c{TRIES - 2}"
    finally:
        plug.stop()
        wait_for(user, 0)
        user.close()


@contextlib.contextmanager
def plugging(argv):
    """The process, ended whatever becomes of the test."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@pcscd
def test_plug_puts_one_card_into_pcscd(tmp_path):
    """`sscsim plug`, here with a contactless card: it shows PC/SC's ATR and speaks T=CL."""
    rig = pcscd_rig.shared()
    state = tmp_path / "state.json"
    make_region().save(state)
    argv = [sys.executable, "-m", "simulator", "plug", "--state", str(state)]
    argv += ["--card", "card-3", "--port", str(rig.user_port)]
    with plugging(argv) as process:
        assert process.stdout.readline().startswith("plugged")
        reader = open_pcsc(USER)
        wait_for(reader, 1)
        lines = transcript(reader, TALK[:1])
        assert reader.is_block_protocol
        assert lines[0][1].startswith("3b8d8001")
        assert [command for command, _ in lines[1:]] == [TALK[0].to_apdu().hex()]
        assert lines[1][1].endswith("9000")
        process.terminate()
        assert process.wait(SOON_S) == 0
    wait_for(reader, 0)
    reader.close()


def test_the_atr_of_a_contactless_card_carries_its_historical_bytes():
    """PC/SC part 3, 3.1.3.2.3.1: 3B 8n 80 01, the historical bytes, their check byte."""
    historical = bytes(range(0x51, 0x5E))
    ats = bytes((2 + 3 + 13, 0x78, 0x80, 0xA0, 0x02)) + historical
    atr = vpcd.pcsc_atr(ats, True)
    assert atr[:-1] == bytes.fromhex("3B8D8001") + historical
    check = 0
    for byte in atr[1:]:
        check ^= byte
    assert check == 0
    assert vpcd.pcsc_atr(b"\x01", True) == bytes.fromhex("3B80800101")  # an empty ATS
    assert vpcd.pcsc_atr(b"\x3b\x00", False) == b"\x3b\x00"


def test_the_rig_says_what_is_missing(monkeypatch, tmp_path):
    """Tests that need a pcscd are skipped with the reason."""
    monkeypatch.setattr(pcscd_rig.os, "geteuid", lambda: 1000)
    assert "root" in pcscd_rig.missing()
    monkeypatch.setattr(pcscd_rig.os, "geteuid", lambda: 0)
    monkeypatch.setattr(pcscd_rig, "_path", lambda: str(tmp_path))
    assert "tools/install_test_packages.sh" in pcscd_rig.missing()
