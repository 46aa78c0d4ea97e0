"""Both life cycles, every state with every event (issue: "Both life cycles as tables")."""

from __future__ import annotations

import itertools

import pytest

from firmware.journal import kinds, lifecycle
from firmware.journal.lifecycle import LifecycleError, next_state, next_transport

# Written out once more from docs/architecture.md "Life cycles": (state, event) -> state.
LEGAL = {
    ("NONE", "INTENT"): "INTENT",
    ("INTENT", "DONE"): "DONE",
    ("INTENT", "VOID"): "VOID",
    ("INTENT", "SUSPECT"): "SUSPECT",
    ("INTENT", "UNCERTAIN"): "UNCERTAIN",
    ("UNCERTAIN", "DONE"): "DONE",
    ("UNCERTAIN", "VOID"): "VOID",
    ("UNCERTAIN", "SUSPECT"): "SUSPECT",
    ("SUSPECT", "RULED"): "RULED",
    ("DONE", "TOTALS"): "DONE",
    ("DONE", "REFUND_REQUEST"): "DONE",
    ("NONE", "LOAD_INTENT"): "LOAD_INTENT",
    ("LOAD_INTENT", "LOAD_DONE"): "LOAD_DONE",
    ("LOAD_INTENT", "LOAD_VOID"): "LOAD_VOID",
    ("LOAD_INTENT", "LOAD_UNCERTAIN"): "LOAD_UNCERTAIN",
    ("LOAD_UNCERTAIN", "LOAD_DONE"): "LOAD_DONE",
    ("LOAD_UNCERTAIN", "LOAD_VOID"): "LOAD_VOID",
}
STATES = ("NONE", "INTENT", "DONE", "VOID", "SUSPECT", "UNCERTAIN", "RULED")
STATES += ("LOAD_INTENT", "LOAD_DONE", "LOAD_VOID", "LOAD_UNCERTAIN")
PAPER = ("RECEIPT_PRINTED", "REPRINT")  # of a payment in any state, changing none
LEGAL |= {(state, paper): state for state in STATES[1:] for paper in PAPER}

NUMBERS = {name: number for number, name in kinds.KIND_NAMES.items()} | {"NONE": 0}


EVERY_PAIR = list(itertools.product(STATES, kinds.KIND_NAMES.values()))


@pytest.mark.parametrize(("state", "kind"), EVERY_PAIR)
def test_every_state_with_every_kind(state, kind):
    expected = LEGAL.get((state, kind))
    if expected is None:
        with pytest.raises(LifecycleError, match=kind):
            next_state(NUMBERS[state], NUMBERS[kind])
    else:
        assert next_state(NUMBERS[state], NUMBERS[kind]) == NUMBERS[expected]


def test_unknown_states_and_kinds_are_errors():
    for state, kind in [(0, 99), (99, 1), (1, 99), (7, 2)]:
        with pytest.raises(LifecycleError):
            next_state(state, kind)


def test_the_tables_speak_of_known_states_only():
    assert set(lifecycle.PAYMENT) == {NUMBERS[state] for state in STATES}
    assert {after for row in lifecycle.PAYMENT.values() for after in row.values()} <= set(
        lifecycle.PAYMENT
    )
    for state in lifecycle.OPEN_STATES:
        assert NUMBERS["DONE"] in lifecycle.PAYMENT[state]


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product((None, "SEALED", "RECEIPTED"), ("seal", "receipt", "lose"))),
)
def test_every_transport_state_with_every_event(state, event):
    legal = {
        (None, "seal"): "SEALED",
        ("SEALED", "receipt"): "RECEIPTED",
        ("RECEIPTED", "receipt"): "RECEIPTED",
    }
    if (state, event) in legal:
        assert next_transport(state, event) == legal[state, event]
    else:
        with pytest.raises(LifecycleError):
            next_transport(state, event)
