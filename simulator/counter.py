"""The counter of a pharmacy: what clerk, holders and cash register do there, act by act.

Each public function is an act of a scene (morning.py): it does one thing, prints it, and waits for
what must follow.  Raises Failed, TerminalRefused, ControlError, OSError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.cashier import Asked, Cashier
from simulator.client import ControlClient
from simulator.narrator import GREEN, RED, YELLOW, Narrator, yuan
from simulator.stage import Actor, Failed, Stage

DEBIT_INS = 0x2C
OPERATOR = "07"
_STATE_STYLE = {"DONE": GREEN, "VOID": YELLOW, "DECLINED": YELLOW}
_AMOUNTS = ("账户 account", "自付 self-pay", "统筹 pooled")


@dataclass(frozen=True)
class Person:
    """A card holder; label: of the card.  has_antenna: the card is tapped, not inserted."""

    label: str
    name: str
    pin: str
    generation: str
    has_antenna: bool = False

    @property
    def slot(self) -> str:
        return "contactless" if self.has_antenna else "user"


@dataclass
class Counter:
    """One terminal and who stands around it.  book: order number -> state it came to."""

    stage: Stage
    narrator: Narrator
    unit: str
    control: ControlClient
    terminal: Actor
    cashier: Cashier
    book: dict[str, str] = field(default_factory=dict)
    asked: Asked | None = None
    slot: str = "user"
    seen: int = 0

    def answer(self, order_no: str, told: dict[str, Any], state: str) -> None:
        """Take down what the terminal answered; Failed when it is not the state expected."""
        outcome = told["outcome"]
        again = " (重复订单 repeated: from the journal)" if told.get("repeated") else ""
        self.narrator.says(
            "host",
            f"{order_no} → {told['state']}, {outcome['number']:03d} {outcome['name']}{again}",
            _STATE_STYLE.get(told["state"], RED),
        )
        if told["state"] != state:
            raise Failed(f"order {order_no} came to {told['state']}, expected was {state}")
        self.book[order_no] = told["state"]


Amounts = tuple[int, int, int]
"""From the account, self-pay, from the pooled fund; in fen."""


def charges(at: Counter, order_no: str, amounts: Amounts) -> None:
    """The clerk rings it up; the answer comes later."""
    parts = "  ".join(
        f"{name} {yuan(amount)}" for name, amount in zip(_AMOUNTS, amounts, strict=True)
    )
    total = yuan(sum(amounts))
    at.narrator.says("clerk", f"收款 charges {total} yuan, order {order_no}\n{parts}")
    at.asked = _ask(at, order_no, amounts)


def _ask(at: Counter, order_no: str, amounts: Amounts) -> Asked:
    names = ("account_fen", "self_fen", "pooled_fen")
    fens = dict(zip(names, amounts, strict=True))
    return at.cashier.ask("purchase", order_no=order_no, amounts=fens, operator=OPERATOR)


def answers(at: Counter, order_no: str, state: str) -> None:
    """The terminal tells the cash register what became of the order."""
    if at.asked is None:
        raise Failed(f"nobody has asked for {order_no}")
    told = at.asked.answer()
    at.asked = None
    at.answer(order_no, told, state)


def asks_again(at: Counter, order_no: str, amounts: Amounts, state: str) -> None:
    """The same order number once more: it must give the first result and take nothing."""
    at.narrator.says("clerk", f"重复提交 sends {order_no} once more")
    told = _ask(at, order_no, amounts).answer()
    if not told.get("repeated"):
        raise Failed(f"the repeated order {order_no} was taken for a new one")
    at.answer(order_no, told, state)


def shows(at: Counter, message_id: str) -> None:
    """Wait for that message on the display; everything up to it is printed."""

    def new() -> bool | None:
        for shown in at.cashier.call("status", shown_after=at.seen)["shown"]:
            at.seen = shown["count"]
            at.narrator.display(shown)
            if shown["id"] == message_id:
                return True
        return None

    at.stage.until(f"the display of {at.unit} shows {message_id}", new)


def inserts(at: Counter, person: Person) -> None:
    at.slot = person.slot
    how = "贴卡 taps" if person.has_antenna else "插卡 inserts"
    at.narrator.says("holder", f"{how} the card of {person.name}, SSC {person.generation}")
    at.control.insert(slot=person.slot, label=person.label)


def enters_pin(at: Counter, person: Person) -> None:
    at.narrator.says("holder", f"输入密码 enters the PIN {'•' * len(person.pin)}")
    at.control.type_pin(digits=person.pin)


def enters_wrong_pin(at: Counter, person: Person) -> None:
    wrong = person.pin[::-1]
    at.narrator.says("holder", f"输错密码 enters a wrong PIN {'•' * len(wrong)}")
    at.control.type_pin(digits=wrong)


def takes_card(at: Counter) -> None:
    at.narrator.says("holder", "取卡 takes the card")
    at.control.remove(slot=at.slot)


def will_pull(at: Counter, person: Person, when: str) -> None:
    """The card will leave around DEBIT: "after" it took effect (the answer is lost) or "before"."""
    words = {
        "after": "扣款后拔卡 will pull the card: debited, the answer not yet seen",
        "before": "扣款前拔卡 will pull the card just before the debit reaches it",
    }
    at.narrator.says("holder", words[when], YELLOW)
    at.control.arm_cut(slot=person.slot, ins=DEBIT_INS, when=when)


def will_lose_power(at: Counter, person: Person) -> None:
    """The DEBIT command will stop on its way to the card."""
    at.control.hold(slot=person.slot, ins=DEBIT_INS, when="before")


def loses_power(at: Counter) -> None:
    """kill -9 while the DEBIT is on its way; the card and the PSAM live on, in their process."""

    def held() -> bool | None:
        return at.control.wait_held(slot=at.slot, timeout_s=0.2) or None

    at.stage.until("the DEBIT is on its way", held)
    at.stage.ended(at.terminal)
    at.terminal.kill_9()
    at.narrator.says("power", f"断电 kill -9 {at.terminal.pid}: INTENT written, no DEBIT yet", RED)
    at.stage.until(
        "the uplink process notices that its parent is gone",
        lambda: at.terminal.is_session_empty or None,
    )
    if at.asked is not None:
        try:
            at.asked.answer()
        except ConnectionError:
            at.narrator.says("host", "无应答 no answer: the terminal is gone", RED)
        else:
            raise Failed("a killed terminal answered")
    at.asked = None


def gets_power(at: Counter) -> None:
    at.terminal, at.cashier = at.stage.start_terminal(at.unit)
    at.seen = 0
    at.narrator.says("power", f"恢复供电 started again, pid {at.terminal.pid}", GREEN)
