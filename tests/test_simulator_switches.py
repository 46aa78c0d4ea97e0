"""Issue section 2: wherever the sources disagree the simulator has a switch, in one table."""

from pathlib import Path

import pytest
from simulated_talk import amounts, in_df04, in_psam, purchase

from simulator.region import Region
from simulator.switches import TABLE, Switches, markdown


def test_the_page_is_the_table():
    page = Path(__file__).parents[1] / "docs" / "simulator-switches.md"
    assert page.read_text(encoding="utf-8") == markdown(), (
        "run: python -m simulator.switches > docs/simulator-switches.md"
    )


def test_every_value_stands_once_beside_the_defaults():
    every = list(Switches.every())
    assert len(every) == len(set(every)) == 1 + sum(len(row.values) - 1 for row in TABLE)
    assert every[0] == Switches()
    assert all(len(each.changed()) == 1 for each in every[1:])


def test_product():
    made = list(Switches.product("proof_serial", "proof_type"))
    assert len(set(made)) == 4
    assert {each.mac2_failure for each in made} == {"63CF"}
    with pytest.raises(ValueError, match="no switch 'nonsense'; there are: ssse_position"):
        list(Switches.product("nonsense"))


def test_unknown_names_and_values_name_the_legal_ones():
    with pytest.raises(ValueError, match="no switch 'proof'; there are: ssse_position"):
        Switches(proof="same")
    with pytest.raises(ValueError, match="proof_serial is one of same, plus_one, not 'minus'"):
        Switches(proof_serial="minus")


def test_frozen():
    switches = Switches()
    with pytest.raises(AttributeError):
        switches.proof_serial = "plus_one"
    with pytest.raises(AttributeError):
        _ = switches.nonsense


@pytest.mark.parametrize("switches", list(Switches.every()), ids=repr)
def test_every_value_is_played_by_a_card_that_still_pays_and_is_kept(switches):
    region = Region()
    card = region.issue_card(1, balance_fen=1000, switches=switches)
    psam = in_psam(region.issue_psam(switches=switches))
    in_df04(card)
    purchase(card, psam, amounts(1))
    assert card.balance_fen == 999
    assert type(card).from_state(card.to_state()).switches == switches
