"""Issue section 2: the CLA B0 set with its states, balances, serials, log; every MAC checked."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from simulated_talk import (
    PIN_OK,
    SSSE,
    TIME,
    amounts,
    authenticate,
    data,
    debit,
    in_df04,
    in_psam,
    init_sam,
    purchase,
    send,
)
from simulated_talk import initialize as init_purchase

from simulator.region import Region
from simulator.settlement import _next_year
from simulator.switches import Switches

MONEY = amounts(1000, 300, 2000)
PURCHASE = "B02801011301" + MONEY + "510100000001"
BALANCES = ("B026000104", "B026000206", "B026000306")


def pair(*, switches=None, **wanted):
    region = Region()
    wanted.setdefault("balance_fen", 10_000)
    card = in_df04(region.issue_card(1, switches=switches, **wanted))
    return card, in_psam(region.issue_psam(switches=switches))


def test_purchase_moves_balance_totals_serial_and_log():
    card, psam = pair(yearly_self_fen=1, yearly_pooled_fen=2, purchase_serial=7)
    purchase(card, psam, MONEY)
    assert (card.balance_fen, card.yearly_self_fen, card.yearly_pooled_fen) == (9000, 301, 2002)
    assert card.purchase_serial == 8
    record = data(card, "00B201441C")
    assert record == "000732510100000001" + TIME + MONEY
    assert [data(card, each) for each in BALANCES] == ["00002328", "0000012D2026", "000007D22026"]
    init = init_purchase(card, MONEY)
    assert init[:28] == "00002328" + "0000012D" + "000007D2" + "2026"
    assert init[28:32] == "0008"


def test_log_is_cyclic_with_the_newest_first():
    card, psam = pair()
    for _ in range(31):
        purchase(card, psam, amounts(1))
    assert len(card.log) == 30
    assert data(card, "00B201441C")[:4] == "001F"
    assert data(card, "00B21E441C")[:4] == "0002"
    assert send(card, "00B21F441C") == "6A83"


def test_account_only_card():
    card, psam = pair(account_only=True)
    purchase(card, psam, MONEY)
    assert data(card, "00B2014414") == "000132510100000001" + TIME + MONEY[:8]
    assert (card.balance_fen, card.yearly_self_fen, card.yearly_pooled_fen) == (9000, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "command", "sw"),
    [
        ({}, "B02801011301" + amounts(10_001) + "510100000001", "9401"),
        ({}, "B02801011302" + MONEY + "510100000001", "9403"),
        ({}, PURCHASE[:-2], "6700"),
        ({}, "B0280101120100" + "00" * 16, "6700"),
        ({}, "B02802011301" + MONEY + "510100000001", "6A86"),
        ({"purchase_serial": 0xFFFF}, PURCHASE, "9402"),
        ({"card_use_mode": "1"}, PURCHASE, "6985"),
    ],
)
def test_initialize_refusals(wanted, command, sw):
    card, _ = pair(**wanted)
    assert send(card, command) == sw


def test_a_pin_is_needed_and_only_where_one_is_set():
    card = in_df04(Region().issue_card(1, balance_fen=10_000), pin=False)
    load = "B02800010B0100000001510100000001"
    assert [send(card, each) for each in (PURCHASE, load, *BALANCES)] == ["6982"] * 5
    data(card, PIN_OK)
    assert send(card, PURCHASE).endswith("9000")
    card = in_df04(Region().issue_card(1, balance_fen=10_000, pin=None), pin=False)
    assert send(card, PURCHASE).endswith("9000")


@pytest.mark.parametrize("at", [0, 4, 11, 14])
def test_debit_checks_mac1_over_every_part(at):
    """A bit wrong in terminal serial, time or MAC1: 9302, and nothing has moved."""
    card, psam = pair()
    init = init_purchase(card, MONEY)
    good = bytearray.fromhex(debit(*init_sam(psam, init, MONEY, card.factor.hex())))
    at = 2 if at == 0 else at  # the low two bytes of the serial enter the session key
    good[5 + at] ^= 1
    assert send(card, good.hex()) == "9302"
    assert (card.balance_fen, card.purchase_serial, card.log) == (10_000, 1, [])
    good[5 + at] ^= 1
    assert send(card, good.hex()) == "6901"


def test_debit_checks_the_amounts_of_initialize():
    card, psam = pair()
    init = init_purchase(card, amounts(9_000))
    assert send(card, debit(*init_sam(psam, init, amounts(1), card.factor.hex()))) == "9302"


@pytest.mark.parametrize(
    ("year", "start", "date", "want"),
    [
        ("2026", "0101", "20261231", None),
        ("2026", "0101", "20270101", "2027"),
        ("2026", "0401", "20270331", None),
        ("2026", "0401", "20270401", "2027"),
        ("2026", "0401", "20290101", "2028"),
        ("2026", "0101", "20250601", None),
    ],
)
def test_year_rule(year, start, date, want):
    """SPEC-P7: n = yyyymmdd - (year * 10000 + mmdd); n < 10000 stays in the year."""
    got = _next_year(bytes.fromhex(year), bytes.fromhex(start), bytes.fromhex(date))
    assert (got.hex() if got else None) == want


def test_totals_restart_with_the_first_purchase_of_a_new_year():
    card, psam = pair(year="2025", start_day="0701", yearly_self_fen=500, yearly_pooled_fen=600)
    assert data(card, "B056010002") == "0701"
    purchase(card, psam, MONEY, "20260630235959")
    assert (card.yearly_self_fen, card.yearly_pooled_fen) == (800, 2600)
    purchase(card, psam, MONEY, "20260701000000")
    assert (card.yearly_self_fen, card.yearly_pooled_fen) == (300, 2000)
    assert data(card, BALANCES[1]) == "0000012C2026"


def test_starting_day_is_written_only_after_dsk():
    region = Region()
    card = in_df04(region.issue_card(1))
    assert send(card, "B0560000020401") == "6982"
    assert authenticate(card, region, "DSK", 0x87) == "9000"
    assert send(card, "B0560000021301") == "6A80"
    assert send(card, "B0560000020401") == "9000"
    assert data(card, "B056010002") == "0401"


# -- switches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "switches",
    list(Switches.product("proof_serial", "proof_kept", "proof_type")),
    ids=repr,
)
def test_transaction_proof_under_every_convention(switches):
    card, psam = pair(switches=switches)
    tac, mac2 = purchase(card, psam, amounts(1))
    types = {"ascii": "32", "binary": "02"}
    serials = {"same": "0001", "plus_one": "0002"}
    for type_form, kind in types.items():
        for serial_form, serial in serials.items():
            right = (switches.proof_type, switches.proof_serial) == (type_form, serial_form)
            answer = send(card, f"B02E00{kind}02{serial}")
            assert answer == (mac2 + tac + "9000" if right else "9406")
    init_purchase(card, amounts(1))
    kept = switches.proof_kept == "last"
    asked = f"B02E00{types[switches.proof_type]}02{serials[switches.proof_serial]}"
    assert send(card, asked) == (mac2 + tac + "9000" if kept else "9406")


def test_no_proof_before_the_first_purchase():
    card, _ = pair()
    assert send(card, "B02E0032020001") == "9406"


@pytest.mark.parametrize(("keeps", "sw"), [("yes", "9000"), ("no", "6901")])
def test_queries_keep_the_state_or_drop_it(keeps, sw):
    card, psam = pair(switches=Switches(queries_keep_state=keeps))
    init = init_purchase(card, MONEY)
    sam = init_sam(psam, init, MONEY, card.factor.hex())
    assert send(card, "B026000100").startswith("6C")
    data(card, "B026000104")
    assert send(card, debit(*sam)).endswith(sw)


@pytest.mark.parametrize("between", [PIN_OK, "0084000008", SSSE, "00B207280B", "00FF000000", "00"])
def test_any_other_command_drops_the_initialize(between):
    card, psam = pair()
    sam = init_sam(psam, init_purchase(card, MONEY), MONEY, card.factor.hex())
    send(card, between)
    assert send(card, debit(*sam)) == "6901"


def test_a_failed_query_drops_the_initialize():
    card, psam = pair()
    sam = init_sam(psam, init_purchase(card, MONEY), MONEY, card.factor.hex())
    assert send(card, "B02E0032020009") == "9406"
    assert send(card, debit(*sam)) == "6901"


@pytest.mark.parametrize(("form", "byte"), [("01", "01"), ("00", "00")])
def test_algorithm_byte_of_initialize_suits_the_psam(form, byte):
    card, psam = pair(switches=Switches(init_algorithm=form))
    assert init_purchase(card, MONEY)[34:36] == byte
    purchase(card, psam, MONEY)


@pytest.mark.parametrize("balance", ["after", "before"])
def test_load_checks_mac2_and_names_its_balance(balance):
    card, _ = pair(switches=Switches(load_tac_balance=balance))
    algorithm = card.algorithm
    init = data(card, "B02800010B0100001388510100000001")
    key = algorithm.session_key(
        card.memory.keys["DLK"], bytes.fromhex(init[16:24] + init[8:12] + "8000")
    )
    message = bytes.fromhex("00001388" + "31" + "510100000001" + TIME)
    mac2 = algorithm.mac(key, message).hex()
    tac = data(card, "B02A00000B" + TIME + mac2)
    assert card.balance_fen == 15_000
    assert data(card, "00B201441C") == "000131510100000001" + TIME + "00001388" + "00" * 8
    dtk = card.memory.keys["DTK"]
    named = (15_000 if balance == "after" else 10_000).to_bytes(4, "big")
    folded = bytes(a ^ b for a, b in zip(dtk[:8], dtk[8:], strict=True))
    assert algorithm.mac(folded, named + bytes.fromhex("0001") + message).hex().upper() == tac
    data(card, "B02800010B0100001388510100000001")
    assert send(card, "B02A00000B" + TIME + mac2) == "9302"
    assert send(card, "B02A00000B" + TIME + mac2) == "6901"
    assert card.balance_fen == 15_000


# -- the state machine of 6901 --------------------------------------------------------------------


class SettlementStates(RuleBasedStateMachine):
    """Idle, load, purchase: DEBIT and CREDIT only from their state; anything odd leads to idle."""

    @initialize()
    def begin(self):
        region = Region()
        self.card = in_df04(region.issue_card(1, balance_fen=1_000_000))
        self.psam = in_psam(region.issue_psam())
        self.state, self.init, self.balance = "idle", "", 1_000_000

    @rule()
    def initialize_for_purchase(self):
        self.init, self.state = init_purchase(self.card, MONEY), "purchase"

    @rule()
    def initialize_for_load(self):
        data(self.card, "B02800010B0100000001510100000001")
        self.state = "load"

    @rule()
    def debit(self):
        if self.state == "purchase":
            sam = init_sam(self.psam, self.init, MONEY, self.card.factor.hex())
            assert send(self.card, debit(*sam)).endswith("9000")
            self.balance -= 1000
        else:
            assert send(self.card, debit("00000001", "00000000")) == "6901"
        self.state = "idle"

    @rule()
    def wrong_debit(self):
        want = "9302" if self.state == "purchase" else "6901"
        assert send(self.card, debit("00000001", "00000000")) == want
        self.state = "idle"

    @rule()
    def wrong_credit(self):
        want = "9302" if self.state == "load" else "6901"
        assert send(self.card, "B02A00000B" + TIME + "00000000") == want
        self.state = "idle"

    @rule()
    def get_balance(self):
        assert int(data(self.card, "B026000104"), 16) == self.balance

    @rule(command=st.sampled_from(["0084000008", "00B2014400", "00A4000002DF04", PIN_OK]))
    def another_command(self, command):
        send(self.card, command)
        self.state = "idle"

    @rule()
    def power_cut(self):
        in_df04(self.card)
        self.state = "idle"

    @invariant()
    def money_is_where_it_should_be(self):
        if hasattr(self, "card"):
            assert self.card.balance_fen == self.balance
            assert self.card.purchase_serial == 1 + (1_000_000 - self.balance) // 1000


TestSettlementStates = SettlementStates.TestCase
TestSettlementStates.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
