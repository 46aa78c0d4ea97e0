"""M14: the two steps of a load as its host takes them, while the card waits in the reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.load import HOST_S, host_reply
from firmware.authorize.service import ServiceCall
from firmware.host.desk import NOT_ASKED, ORDER_MISMATCH
from firmware.host.rpc import INVALID_PARAMS, RpcError
from tests.load_rig import AMOUNT_FEN, Host, credits
from tests.loop_rig import Loop, issue, name_of, with_psam
from tests.test_docs import told
from tests.torn import START_FEN
from tests.waiting import SOON_S

PARAMS = {"order_no": "L-1", "operator": "clerk-07", "amount_fen": AMOUNT_FEN}


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return with_psam(tmp_path)


def test_a_host_that_never_answers_lets_the_card_go(loop: Loop) -> None:
    card = issue(loop)
    answer = loop.jobs.submit(ServiceCall("load", PARAMS))
    assert answer is not None
    loop.world.holder.type_pin("123456")
    loop.plan(0.5, loop.insert(card.label))
    late = []
    ended = loop.unit.monotonic() + HOST_S + 1
    loop.plan(HOST_S + 2, lambda: late.append(loop.jobs.reply("L-1", {})))
    shown = loop.run(HOST_S + 3)
    assert name_of(answer) == "ASKING_HOST"
    assert shown[shown.index("ASKING_HOST") + 1] == "HOST_SILENT"
    assert loop.unit.monotonic() >= ended - 1
    assert late == [None]
    assert (credits(loop.rig), card.balance_fen) == (0, START_FEN)


def test_a_cancel_ends_the_wait_for_the_host(loop: Loop) -> None:
    card = issue(loop)
    assert loop.jobs.submit(ServiceCall("load", PARAMS)) is not None
    loop.world.holder.type_pin("123456")
    loop.plan(0.5, loop.insert(card.label))
    loop.plan(5, loop.jobs.cancel)
    assert "CANCELLED" in loop.run(6)
    assert card.balance_fen == START_FEN


@pytest.fixture
def running(loop: Loop) -> Iterator[Loop]:
    """The card loop in a thread of its own, its time near the real one."""
    wait = loop.hands.wait

    def paced(seconds: float) -> None:
        time.sleep(0.002)
        wait(min(seconds, 0.02))

    loop.terminal._pause = paced
    loop.unit.wait = paced
    thread = threading.Thread(target=loop.terminal.run, daemon=True)
    thread.start()
    yield loop
    loop.terminal.stop()
    thread.join(SOON_S)
    assert not thread.is_alive()


def begin(loop: Loop, card: Any) -> dict[str, Any]:
    loop.world.holder.type_pin("123456")
    loop.plan(0.5, loop.insert(card.label))
    return loop.desk.load(**PARAMS)


def code_of(caught: pytest.ExceptionInfo[RpcError]) -> int:
    return caught.value.code


def test_m14_a_host_loads_a_card_in_two_steps_and_asks_again_without_harm(running: Loop) -> None:
    card = issue(running)
    asked = begin(running, card)
    assert (asked["step"], asked["outcome"]["name"]) == ("mac2", "ASKING_HOST")
    assert "50.00" in asked["outcome"]["en"]
    time7, mac2 = Host(running.rig, card, is_asked=False).authorize(asked)
    for wrong in (("2026", mac2), (time7, "12"), (time7, "xyzxyzxy"), (7, mac2)):
        with pytest.raises(RpcError) as caught:
            running.desk.load_mac2("L-1", *wrong)
        assert code_of(caught) == INVALID_PARAMS
    with pytest.raises(RpcError) as caught:
        running.desk.load_mac2("L-2", time7, mac2)
    assert code_of(caught) == NOT_ASKED
    done = running.desk.load_mac2("L-1", time7, mac2)
    assert (done["state"], done["outcome"]["name"], done["amount_fen"]) == (
        "DONE",
        "LOADED",
        AMOUNT_FEN,
    )
    assert card.balance_fen == START_FEN + AMOUNT_FEN
    examples = [each["result"] for each in told("←") if "amount_fen" in each.get("result", {})]
    assert [set(each) for each in examples] == [set(asked), set(done)]  # docs/integrator.md
    assert running.desk.load(**PARAMS) == done | {"repeated": True}
    assert running.desk.load_mac2("L-1", time7, mac2) == done | {"repeated": True}
    assert credits(running.rig) == 1
    with pytest.raises(RpcError) as caught:
        running.desk.load(**PARAMS | {"amount_fen": 1})
    assert code_of(caught) == ORDER_MISMATCH
    with pytest.raises(RpcError) as caught:
        running.desk.purchase("L-1", {"account_fen": AMOUNT_FEN}, "07")
    assert code_of(caught) == ORDER_MISMATCH


def test_m14_a_wrong_mac2_is_answered_void_and_the_order_may_begin_again(running: Loop) -> None:
    card = issue(running)
    time7, mac2 = Host(running.rig, card, is_asked=False).authorize(begin(running, card))
    answer = running.desk.load_mac2("L-1", time7, f"{int(mac2, 16) ^ 1:08x}")
    assert (answer["state"], answer["outcome"]["name"]) == ("VOID", "NOT_LOADED")
    assert card.balance_fen == START_FEN


@pytest.mark.parametrize(
    "wrong", [{"amount_fen": 0}, {"amount_fen": 1 << 32}, {"amount_fen": True}, {"order_no": ""}]
)
def test_a_load_out_of_its_bounds_is_refused(loop: Loop, wrong: dict[str, Any]) -> None:
    with pytest.raises(RpcError) as caught:
        loop.desk.load(**PARAMS | wrong)
    assert code_of(caught) == INVALID_PARAMS


def test_the_hosts_reply_is_bytes() -> None:
    reply = host_reply("20261122120000", "0a0B0c0D")
    assert reply == {"time7": bytes.fromhex("20261122120000"), "mac2": bytes.fromhex("0a0b0c0d")}
