"""M12: the stop list names cards, ranges of cards and lost PSAMs; another shape is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.authorize.stoplist import STATES, StopList, state_text
from firmware.journal.stoprows import NO_STATE

CARD = bytes(range(16))
PSAM = bytes.fromhex("510100000001")


def test_a_card_is_named_by_id_and_number_together() -> None:
    found = StopList(1, {1: [[CARD, "A00000001"]]})
    assert found.names_card(CARD, "A00000001")
    assert not found.names_card(CARD, "A00000002")
    assert not found.names_card(bytes(16), "A00000001")


def test_a_range_names_its_ends_and_numbers_of_its_length_only() -> None:
    found = StopList(1, {2: [["A00000010", "A00000019"], ["A00000030", "A00000030"]]})
    named = ["A00000010", "A00000015", "A00000019", "A00000030"]
    others = ["A00000009", "A00000020", "A0000001", "A000000150", "B00000015", ""]
    assert all(found.names_card(CARD, each) for each in named)
    assert not any(found.names_card(CARD, each) for each in others)


def test_m12_a_lost_psam_is_named() -> None:
    found = StopList(1, {3: [PSAM]})
    assert found.names_psam(PSAM)
    assert not found.names_psam(bytes(6))


def test_a_card_without_a_number_is_named_under_any() -> None:
    found = StopList(1, {1: [[CARD, ""]]})
    assert found.names_card(CARD, "A00000001")
    assert not found.names_card(bytes(16), "A00000001")


def test_the_state_of_a_card_is_told_where_the_entry_has_one() -> None:
    body = {1: [[CARD, "A1", 2], [CARD, "A2"]], 2: [["B1", "B5", 9], ["C1", "C5"]]}
    found = StopList(1, body)
    numbers = ["A1", "A2", "B3", "C3", "D1"]
    assert [found.state_of(CARD, each) for each in numbers] == [2, NO_STATE, 9, NO_STATE, None]
    assert (state_text(2), state_text(NO_STATE)) == ("2 挂失 reported lost", "")
    assert [state_text(each)[0] for each in STATES] == list("012349")


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=8),
    st.integers(0, 60),
)
def test_ranges_may_overlap_and_lie_in_any_order(ranges: list[list[int]], number: int) -> None:
    found = StopList(1, {2: [[f"{first:02}", f"{last:02}"] for first, last in ranges]})
    named = any(first <= number <= last for first, last in ranges)
    assert found.names_card(CARD, f"{number:02}") == named
    assert not found.names_card(CARD, f"{number:03}")


def test_length_counts_all_kinds_and_an_empty_list_names_nobody() -> None:
    body = {1: [[CARD, "A"]], 2: [["A", "B"], ["C", "D"]], 3: [PSAM]}
    assert len(StopList(7, body)) == 4
    assert StopList(7, body).number == 7
    for empty in (StopList(), StopList(5, {}), StopList(5, {1: [], 2: [], 3: []})):
        assert len(empty) == 0
        assert not empty.names_card(CARD, "A")
        assert not empty.names_psam(PSAM)


def test_a_later_release_may_add_kinds_of_entries() -> None:
    assert len(StopList(1, {3: [PSAM], 9: "something new"})) == 1


MALFORMED = [
    None, 0, "", b"", [], [1],
    {1: None}, {1: 5}, {1: {}}, {1: [CARD]}, {1: [[CARD]]}, {1: [[CARD, 5]]},
    {1: [[CARD, "A", 10]]}, {1: [[CARD, "A", True]]}, {2: [["A", "B", -1]]},
    {1: [[CARD[:15], "A"]]}, {1: [["A", CARD]]},
    {2: "AB"}, {2: [["A"]]}, {2: [["A", "B", "C"]]}, {2: [["A", "B", 1, 2]]},
    {2: [["A", 5]]}, {2: [["A", "BB"]]},
    {2: [["B", "A"]]}, {2: [5]},
    {4: None}, {4: [0, 0, 0, 0]}, {4: [0, 0, 0, 0, b"short"]}, {4: [-1, 0, 0, 0, bytes(32)]},
    {4: [0, 0, 2_000_000, 0, bytes(32)]}, {4: [True, 0, 0, 0, bytes(32)]},
    {3: PSAM}, {3: [PSAM + b"0"]}, {3: ["510100000001"]}, {3: [[PSAM]]},
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=repr)
def test_a_malformed_list_is_refused(body: object) -> None:
    """A list that is half understood would let through whom it means to stop."""
    with pytest.raises(ValueError, match="stop list"):
        StopList(1, body)


def any_cbor() -> st.SearchStrategy[object]:
    leaves = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.binary(max_size=17)
    )
    keys = st.integers(0, 5) | st.text(max_size=2)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
    )


@given(any_cbor())
def test_whatever_is_signed_is_a_list_or_a_value_error(body: object) -> None:
    try:
        StopList(1, body)
    except ValueError:
        return
    assert isinstance(body, dict)
