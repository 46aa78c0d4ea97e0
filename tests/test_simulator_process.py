"""The simulator as a process: its sockets, its file, its command line (issue A, 2 and 3)."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from firmware.outcome import TransportError
from simulator.__main__ import main
from simulator.client import ControlClient, ControlError
from simulator.entry import open_pad, open_reader, register_inprocess
from simulator.region import Region
from simulator.world import World
from tests.waiting import SOON_S

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
GET_RESPONSE = bytes.fromhex("00C0000018")
VERIFY = 0x20
# The cards are issued with another PIN: each VERIFY takes a try, which is easy to see from outside.
WRONG_PIN = bytes.fromhex("0020000003999999")
TRIES = 6
# Generous: reached only when something is broken.


_SERVE = (sys.executable, "-m", "simulator", "serve")


class Simulator:
    """`sscsim serve` as a child process."""

    def __init__(self, folder: Path):
        self.state = folder / "state.json"
        self.socket = folder / "s"
        if not self.state.exists():
            region = Region()
            for serial in (1, 2):
                region.issue_card(serial, tries=TRIES, contactless=True)
            region.issue_card(3, contactless=False)
            region.issue_psam()
            region.save(self.state)
        self.process = subprocess.Popen(
            [*_SERVE, "--state", str(self.state), "--socket", str(self.socket)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"ready: {self.socket}\n"
        self.control = ControlClient(str(self.socket))

    def reader(self, slot: str = "user"):
        return open_reader(f"{self.socket}#{slot}")

    def tries(self, label: str = "card-1") -> int:
        return self.control.card(label=label)["pin_tries"]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(SOON_S)
        self.process.stdout.close()
        self.control.close()
        return self.process.returncode


@pytest.fixture
def simulator(tmp_path):
    started = Simulator(tmp_path)
    yield started
    started.end()


def fault_of(reader, command: bytes, deadline_s: float = SOON_S) -> str:
    with pytest.raises(TransportError) as caught:
        reader.exchange(command, deadline_s)
    return caught.value.kind


def talk(reader) -> list[bytes]:
    atr = reader.power_on()
    assert not reader.is_block_protocol
    answers = [reader.exchange(each, SOON_S) for each in (SELECT, GET_RESPONSE)]
    reader.power_off()
    return [atr, *answers]


def test_a_card_answers_alike_in_process_and_over_the_socket(simulator):
    """Issue A, section 3: `sim:` in process or over a socket to a simulator process."""
    world = World(Region.load(simulator.state))
    register_inprocess("here", world)
    world.insert("user", "card-1")
    simulator.control.insert(slot="user", label="card-1")
    reader = simulator.reader()
    assert reader.cards_in_reach() == 1
    over_socket = talk(reader)
    assert over_socket == talk(open_reader("inprocess:here#user"))
    assert over_socket[0].startswith(b"\x3b\x6d")
    assert over_socket[1:] == [b"\x61\x18", over_socket[2]]
    assert over_socket[2].startswith(b"\x6f\x16\x84\x0f")
    counted = simulator.control.counters(slot="user")
    assert (counted["exchanges"], counted["bytes_out"]) == (2, len(SELECT + GET_RESPONSE))
    assert counted["bytes_in"] == len(over_socket[1] + over_socket[2])
    reader.close()


def test_what_a_card_did_survives_sigterm_and_even_kill_9(simulator, tmp_path):
    """Issue A, section 2: "State persists to a file, survives a restart"."""
    for left, number in ((TRIES - 1, signal.SIGTERM), (TRIES - 2, signal.SIGKILL)):
        simulator.control.insert(slot="user", label="card-1")
        reader = simulator.reader()
        reader.power_on()
        assert reader.exchange(WRONG_PIN, SOON_S) == bytes((0x63, 0xC0 | left))
        assert simulator.end(number) == (0 if number == signal.SIGTERM else -number)
        assert simulator.socket.exists() is (number == signal.SIGKILL)
        assert fault_of(reader, WRONG_PIN) == "reader"
        simulator.__init__(tmp_path)  # a socket left behind by the dead one is replaced
        assert simulator.tries() == left
        with pytest.raises(TransportError, match="no card"):
            reader.power_on()  # the reader found the new process by itself
        reader.close()


_CLIENT = """
import sys
from simulator.entry import open_reader
reader = open_reader(sys.argv[1])
reader.power_on()
reader.exchange(bytes.fromhex(sys.argv[2]), 60)
"""


@pytest.mark.parametrize(("when", "left"), [("before", TRIES), ("after", TRIES - 1)])
def test_a_held_command_is_dropped_when_its_client_is_killed(simulator, when, left):
    """Issue A: "a kill -9 of the daemon between INTENT and DEBIT"."""
    control = simulator.control
    control.insert(slot="user", label="card-1")
    control.hold(slot="user", ins=VERIFY, when=when)
    address = f"{simulator.socket}#user"
    with subprocess.Popen([sys.executable, "-c", _CLIENT, address, WRONG_PIN.hex()]) as client:
        assert control.wait_held(slot="user", timeout_s=SOON_S)
        client.kill()
    with contextlib.suppress(ControlError):  # refused once it has noticed
        control.release(slot="user")  # comes too late
    assert simulator.tries() == left
    reader = simulator.reader()
    reader.power_on()
    assert reader.exchange(WRONG_PIN, SOON_S) == bytes((0x63, 0xC0 | left - 1))
    reader.close()


def test_the_card_loses_power_with_the_connection_that_powered_it(simulator):
    """A daemon that died leaves no verified PIN behind for the next one."""
    simulator.control.insert(slot="user", label="card-1")
    first, second = simulator.reader(), simulator.reader()
    first.power_on()
    assert second.cards_in_reach() == 1
    assert second.exchange(SELECT, SOON_S) == b"\x61\x18"  # still powered by the first
    first.close()
    kind, ends = "", time.monotonic() + SOON_S
    while not kind and time.monotonic() < ends:
        try:
            second.exchange(SELECT, SOON_S)
        except TransportError as fault:
            kind = fault.kind
    assert kind == "reader"
    first.power_on()
    second.power_on()
    first.close()  # no longer its business
    time.sleep(0.1)
    assert second.exchange(SELECT, SOON_S) == b"\x61\x18"
    second.close()


def test_a_released_command_goes_on(simulator):
    control = simulator.control
    control.insert(slot="user", label="card-1")
    control.hold(slot="user", ins=VERIFY)
    reader = simulator.reader()
    reader.power_on()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(reader.exchange(WRONG_PIN, SOON_S)))
    thread.start()
    assert control.wait_held(slot="user", timeout_s=SOON_S)
    assert simulator.tries() == TRIES
    control.release(slot="user")
    thread.join(SOON_S)
    assert answers == [bytes((0x63, 0xC0 | TRIES - 1))]
    reader.close()


def test_an_answer_after_the_deadline_is_not_taken_for_the_next_one(simulator):
    """Issue A, bad input: silence (a deadline per exchange)."""
    simulator.control.insert(slot="user", label="card-1")
    simulator.control.hold(slot="user", ins=VERIFY)
    reader = simulator.reader()
    atr = reader.power_on()
    assert fault_of(reader, WRONG_PIN, deadline_s=0.1) == "silent"
    with contextlib.suppress(ControlError):  # refused once the simulator has dropped it
        simulator.control.release(slot="user")
    assert reader.power_on() == atr
    assert reader.exchange(SELECT, SOON_S) == b"\x61\x18"
    assert simulator.tries() == TRIES
    reader.close()


@pytest.mark.parametrize(
    ("when", "kind", "left"),
    [("before", "removed", TRIES), ("after", "removed", TRIES - 1), ("lost", "silent", TRIES - 1)],
)
def test_a_cut_over_the_socket(simulator, when, kind, left):
    """Issue A: a card pulled out before or after the command took effect; a lost answer."""
    control = simulator.control
    control.insert(slot="user", label="card-1")
    control.arm_cut(slot="user", ins=VERIFY, when=when)
    reader = simulator.reader()
    reader.power_on()
    assert fault_of(reader, WRONG_PIN, deadline_s=0.3) == kind
    assert simulator.tries() == left
    assert reader.cards_in_reach() == (1 if when == "lost" else 0)
    reader.close()


def test_a_mute_card_lets_the_deadline_pass_and_answers_after_a_reset(simulator):
    """Issue A, bad input: silence (a deadline per exchange)."""
    control = simulator.control
    control.misbehave(label="card-1", how="mute_before", ins=VERIFY)
    control.insert(slot="user", label="card-1")
    reader = simulator.reader()
    reader.power_on()
    started = time.monotonic()
    assert fault_of(reader, WRONG_PIN, deadline_s=0.2) == "silent"
    assert time.monotonic() - started >= 0.2
    reader.power_on()
    assert reader.exchange(SELECT, SOON_S) == b"\x61\x18"
    control.remove(slot="user")
    control.misbehave(label="card-1")
    control.insert(slot="user", label="card-1")
    reader.power_on()
    assert reader.exchange(WRONG_PIN, SOON_S) == bytes((0x63, 0xC0 | TRIES - 1))
    reader.close()


def test_the_field_holds_cards_with_antennas_one_or_two(simulator):
    """Issue A, bad input: two cards."""
    control = simulator.control
    with pytest.raises(ControlError, match="antenna"):
        control.insert(slot="contactless", label="card-3")
    reader = simulator.reader("contactless")
    assert reader.cards_in_reach() == 0
    watcher = threading.Thread(target=reader.wait_change, args=(SOON_S,))
    watcher.start()
    control.insert(slot="contactless", label="card-1")
    watcher.join(SOON_S)
    assert not watcher.is_alive()
    reader.power_on()
    assert reader.is_block_protocol
    assert reader.exchange(SELECT, SOON_S).endswith(b"\x90\x00")
    with pytest.raises(ControlError, match="card-1 is in slot contactless"):
        control.insert(slot="user", label="card-1")
    control.remove(slot="contactless")
    control.put_two(labels=["card-1", "card-2"])
    assert reader.cards_in_reach() == 2
    with pytest.raises(TransportError, match="2 cards"):
        reader.power_on()
    reader.close()


def test_the_pad_types_cancels_and_times_out(simulator):
    """Issue A: PIN from the pad (M1)."""
    pad = open_pad(f"{simulator.socket}#pad")
    simulator.control.type_pin(digits="123456")
    simulator.control.cancel_pin()
    assert pad.digits(SOON_S, lambda: False) == b"123456"
    assert pad.digits(SOON_S, lambda: False) is None
    with pytest.raises(TimeoutError):
        pad.digits(0.05, lambda: False)
    clerk = threading.Event()
    threading.Timer(0.1, clerk.set).start()
    assert pad.digits(SOON_S, clerk.is_set) is None
    simulator.control.type_pin(digits="7654")
    simulator.control.forget_pins()
    with pytest.raises(TimeoutError):
        pad.digits(0.05, lambda: False)
    simulator.end()
    with pytest.raises(ConnectionError):
        pad.digits(SOON_S, lambda: False)


def test_the_simulator_refuses_with_a_reason(simulator):
    control = simulator.control
    for request, parameters, reason in (
        ("fly", {}, "no request 'fly'"),
        ("insert", {"slot": "user"}, "label"),
        ("insert", {"slot": "drawer", "label": "card-1"}, "no slot 'drawer'"),
        ("insert", {"slot": "user", "label": "card-9"}, "no chip 'card-9'"),
        ("issue_card", {"serial": 1}, "issued already"),
        ("issue_card", {"serial": 8, "switches": {"proof_serial": "2"}}, "proof_serial"),
        ("issue_card", {"serial": 8, "colour": "red"}, "colour"),
        ("arm_cut", {"slot": "user", "when": "soon"}, "before"),
        ("release", {"slot": "user"}, "no command is held"),
        ("misbehave", {"label": "card-1", "how": "rude"}, "no misbehaviour"),
        ("card", {"label": "psam-510100000001"}, "no card"),
    ):
        with pytest.raises(ControlError, match=reason):
            control.call(request, **parameters)
    issued = control.issue_card(serial=8, balance_fen=700, switches={"proof_serial": "plus_one"})
    assert issued["balance_fen"] == 700
    assert control.switches(label="card-8") == {"proof_serial": "plus_one"}
    assert [row["label"] for row in control.cards()] == ["card-1", "card-2", "card-3", "card-8"]
    assert control.psams()[0]["terminal_number"] == "510100000001"
    assert "card-8" in Region.load(simulator.state).cards


@pytest.mark.parametrize(
    "greeting",
    [b"reader drawer\n", b"x" * 5000, b"\xff\n", b"control\n{", b"control\n[]\nnull\n\xff\n"]
    + [b"reader user\n" + tail for tail in (b"\x00", b"\x00\x00", b"\x00\x01Q", b"\x00\x02W1")]
    + [b"pad\n\x00\x02P1"],
)
def test_nonsense_on_the_socket_harms_nobody(simulator, greeting):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(SOON_S)
        link.connect(str(simulator.socket))
        link.sendall(greeting)
        link.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while link.recv(4096):
                pass
    assert simulator.tries() == TRIES


def test_one_socket_has_one_simulator(simulator, capsys):
    argv = ["serve", "--state", str(simulator.state), "--socket", str(simulator.socket)]
    assert main(argv) == 1
    assert "another simulator listens" in capsys.readouterr().err
    assert simulator.tries() == TRIES


def test_stop_ends_the_process(simulator):
    simulator.control.stop()
    assert simulator.process.wait(SOON_S) == 0
    assert not simulator.socket.exists()


@pytest.mark.parametrize("address", ["", "#user", "/tmp/s", "/tmp/s#", "inprocess:nobody#user"])
def test_an_address_that_leads_nowhere_is_refused(address):
    with pytest.raises(ValueError, match=r"PATH#SLOT|register_inprocess"):
        open_reader(address)


def test_a_pad_is_called_pad():
    with pytest.raises(ValueError, match="#pad"):
        open_pad("/tmp/s#user")


def test_a_reader_whose_process_is_gone_says_what_to_do(tmp_path):
    reader = open_reader(f"{tmp_path}/nobody#user")
    for call in (reader.cards_in_reach, reader.power_on, lambda: reader.wait_change(0.1)):
        with pytest.raises(TransportError, match="sscsim serve") as caught:
            call()
        assert caught.value.kind == "reader"
    reader.power_off()  # quietly


def test_the_command_line_makes_and_shows_a_region(tmp_path, capsys):
    state = tmp_path / "state.json"
    assert main(["show", "--state", str(state)]) == 1
    assert f"sscsim new --state {state}" in capsys.readouterr().err
    assert main(["new", "--state", str(state), "--region", "430100"]) == 0
    assert main(["new", "--state", str(state)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["show", "--state", str(state), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [card["generation"] for card in shown["cards"]] == ["1.0", "2.0", "3.0"]
    assert [card["balance_fen"] for card in shown["cards"]] == [50_000, 120_000, 8_000]
    assert shown["psams"][0]["terminal_number"] == "430100000001"
    assert main(["show", "--state", str(state)]) == 0
    table = capsys.readouterr().out.splitlines()
    # Columns stay straight beside Chinese names, each character two wide.
    assert table[0].index("generation") == table[3].index("3.0") + len("王五")
    assert "120000" in table[2]
    assert main(["plug", "--state", str(state), "--card", "card-7", "--port", "1"]) == 1
    both = tmp_path / "both.json"
    assert main(["new", "--state", str(both), "--algorithm", "both"]) == 0
    region = Region.load(both)
    families = [card.memory.algorithm for card in region.cards.values()]
    assert families == ["3des", "3des", "sm4"]
    assert all(card.memory.files["DF01/15"][1][2:].strip(b"\0") for card in region.cards.values())
    assert "card-1, card-2, card-3" in capsys.readouterr().err
    state.write_text("{}")
    assert main(["show", "--state", str(state)]) == 1
    assert "not a region" in capsys.readouterr().err
