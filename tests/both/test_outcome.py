"""firmware/outcome.py: numbers that never change, and the faults a conversation can end in."""

from firmware import outcome
from tests.both.expect import raises

ACTORS = (outcome.CLERK, outcome.HOLDER, outcome.TECHNICIAN, outcome.OFFICE)
# Some of those that are printed on pages and kept in journals.
FROZEN = (
    (1, "APPROVED"),
    (102, "TWO_CARDS"),
    (116, "INSUFFICIENT_FUNDS"),
    (201, "PIN_WRONG"),
    (306, "PSAM_SILENT"),
    (401, "OVER_TRANSACTION_LIMIT"),
    (502, "PAYMENT_UNCERTAIN"),
    (603, "READER_MISSING"),
    (699, "UNIT_FAULT"),
)


def test_numbers_and_names_are_used_once_and_in_order():
    every = outcome.outcomes()
    numbers = [each.number for each in every]
    assert numbers == sorted(set(numbers))
    assert len({each.name for each in every}) == len(every)
    for each in every:
        assert each.actor in ACTORS
        assert 1 <= each.number <= 699


def test_frozen_numbers():
    for number, name in FROZEN:
        found = outcome.outcome(name)
        assert (found.number, found.name) == (number, name)
        assert repr(found) == "Outcome(%d, %s)" % (number, name)
    raises(KeyError, outcome.outcome, "NO_SUCH_OUTCOME")


def test_each_fault_is_a_fault_and_says_what():
    removed = outcome.TransportError("the card left", "removed")
    assert (removed.what, removed.kind) == ("the card left", "removed")
    assert str(removed) == "the card left"
    assert outcome.TransportError("the line was cut").kind == "reader"
    assert outcome.ProtocolError("an endless 61xx").what == "an endless 61xx"
    refused = outcome.StatusError("verify", 0x6984)
    assert (refused.command, refused.sw, str(refused)) == (
        "verify",
        0x6984,
        "verify answered 6984",
    )


def test_faults_are_caught_as_one():
    def throw(error):
        raise error

    for error in (
        outcome.TransportError("x"),
        outcome.ProtocolError("x"),
        outcome.StatusError("x", 0x6A82),
    ):
        assert raises(outcome.Fault, throw, error) is error
