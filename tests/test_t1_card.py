"""Issue 6.2: the firmware's T=1 against a card written apart from it, on a line that loses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.drivers import t1_block
from firmware.drivers.t1 import MAX_BLOCKS, T1
from simulator.contact_t1 import BlockCard, Faults


class Counting:
    """Answers with what it got; remembers each command it executed."""

    def __init__(self, answer=None):
        self.executed = []
        self._answer = answer

    def __call__(self, command):
        self.executed.append(command)
        return (command if self._answer is None else self._answer) + b"\x90\x00"


def whole(block):
    return [block]


def run(machine, first, card, fate=whole, at_most=2 * MAX_BLOCKS):
    """Carry blocks until the machine is over; fate: block -> what arrives of it, [] for nothing."""
    out, count = first, 0
    while not machine.is_over:
        count += 1
        assert count <= at_most
        arrived = [back for each in fate(out) for back in fate(card.receive(each)) if back]
        out = machine.received(arrived[0]) if arrived else machine.silence()
    return count


@pytest.mark.parametrize("crc", [False, True], ids=["LRC", "CRC"])
@pytest.mark.parametrize("ifsc", [1, 7, 32, 254])
@pytest.mark.parametrize("size", [0, 1, 31, 250, 256])
def test_commands_and_answers_of_any_length_are_chained_both_ways(ifsc, size, crc):
    chip = Counting(bytes(size))
    card = BlockCard(chip, ifsc=ifsc, crc=crc)
    machine = T1(ifsc, has_crc=crc)
    run(machine, machine.announce(), card)
    assert (machine.failure, card.ifsd) == (None, 254)
    for length in (4, 5, 260):
        command = bytes(range(200))[:length].ljust(length, b"x")
        run(machine, machine.begin(command), card)
        assert machine.answer == bytes(size) + b"\x90\x00"
        assert chip.executed[-1] == command
    assert len(chip.executed) == 3


ONCE = ["wrong_edc", "lost", "cut", "garbage", "deaf", "wrong_ifs"]


@pytest.mark.parametrize("crc", [False, True], ids=["LRC", "CRC"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", ONCE)
def test_one_or_two_faults_in_a_row_are_mended(fault, times, crc):
    """Rule 7: the same block may be tried three times."""
    chip = Counting()
    card = BlockCard(chip, ifsc=8, crc=crc, faults=Faults(**{fault: times}))
    machine = T1(8, has_crc=crc)
    if fault == "wrong_ifs":
        run(machine, machine.announce(), card)
    run(machine, machine.begin(bytes(range(20))), card)
    assert machine.answer == bytes(range(20)) + b"\x90\x00"
    assert len(chip.executed) == 1


@pytest.mark.parametrize("fault", ["wrong_edc", "lost", "cut", "garbage", "deaf", "doubled"])
def test_a_fault_without_an_end_ends(fault):
    chip = Counting()
    machine = T1()
    run(machine, machine.begin(bytes(5)), BlockCard(chip, faults=Faults(**{fault: -1})))
    assert machine.answer is None
    assert machine.failure
    assert machine.state == "dead"
    assert len(chip.executed) <= 1


def test_a_doubled_block_is_damaged_as_one_and_asked_for_again():
    chip = Counting()
    machine = T1()
    run(machine, machine.begin(bytes(5)), BlockCard(chip, faults=Faults(doubled=1)))
    assert machine.answer == bytes(5) + b"\x90\x00"


def test_more_time_is_given_as_often_as_asked_within_a_bound():
    chip = Counting()
    card = BlockCard(chip, faults=Faults(wtx=3, extension=9))
    machine = T1()
    out = machine.begin(bytes(5))
    for _ in range(3):
        out = machine.received(card.receive(out))
        assert machine.waiting == 9
    machine.received(card.receive(out))
    assert machine.answer == bytes(5) + b"\x90\x00"

    endless = T1()
    run(endless, endless.begin(bytes(5)), BlockCard(chip, faults=Faults(wtx=-1)))
    assert endless.failure == "the card wants more time without an end"
    assert len(chip.executed) == 1


def test_a_chain_that_the_card_gives_up_fails_and_the_next_command_goes_through():
    chip = Counting()
    card = BlockCard(chip, ifsc=4, faults=Faults(abort=1))
    machine = T1(4)
    run(machine, machine.begin(bytes(10)), card)
    assert machine.failure == "the card gave up the command"
    assert chip.executed == []
    run(machine, machine.begin(b"\x00\x84\x00\x00\x08"), card)
    assert machine.answer == b"\x00\x84\x00\x00\x08\x90\x00"


FATES = st.lists(st.sampled_from(["whole"] * 5 + ["lost", "bit", "cut"]), max_size=60)


@settings(max_examples=300, deadline=None)
@given(FATES, st.integers(1, 20), st.integers(4, 60), st.integers(0, 60))
def test_whatever_is_lost_a_command_is_executed_once_at_most(fates, ifsc, length, size):
    """The rule of money: an answer is the answer, and none means executed once or not at all."""
    plan = iter(fates)

    def fate(block):
        kind = next(plan, "whole")
        if kind == "bit" and block:
            return [block[:-1] + bytes([block[-1] ^ 4])]
        return {"lost": [], "cut": [block[:-1]]}.get(kind, [block])

    chip = Counting(bytes(size))
    card = BlockCard(chip, ifsc=ifsc)
    machine = T1(ifsc)
    for number in range(3):
        if machine.state == "dead":
            break
        command = bytes([number]) * length
        before = len(chip.executed)
        run(machine, machine.begin(command), card, fate)
        done = chip.executed[before:]
        assert done in ([], [command])
        if machine.answer is not None:
            assert machine.answer == bytes(size) + b"\x90\x00"
            assert done == [command]
        else:
            assert machine.failure


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=12) | st.tuples(st.integers(0, 255), st.binary(max_size=4))))
def test_a_card_that_says_anything_neither_crashes_nor_holds_the_machine(said):
    """A fuzzer: raw noise, and whole blocks of any PCB."""
    machine = T1(3)
    out = machine.begin(bytes(9))
    for each in said:
        if machine.is_over:
            break
        if isinstance(each, tuple):
            each = t1_block.encode(t1_block.Block(*each), has_crc=False)
        out = machine.received(each)
        assert len(out) <= t1_block.LONGEST
    count = 0
    while not machine.is_over:
        machine.silence()
        count += 1
        assert count <= 6
    assert (machine.answer is None) == (machine.failure is not None)
