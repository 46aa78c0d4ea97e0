"""The scenes of the demo as data: who the people are, and what happens at which counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.counter import (
    Amounts,
    Person,
    answers,
    asks_again,
    charges,
    enters_pin,
    enters_wrong_pin,
    gets_power,
    inserts,
    loses_power,
    shows,
    takes_card,
    will_lose_power,
    will_pull,
)

REGION = "510100"

ZHANG = Person("zhang", "张三", "246810", "2.0")
LI = Person("li", "李四", "135790", "1.0")
WANG = Person("wang", "王五", "112358", "3.0")
ZHAO = Person("zhao", "赵六", "314159", "3.0", has_antenna=True)
QIAN = Person("qian", "钱七", "271828", "2.0")
SUN = Person("sun", "孙八", "161803", "3.0")
STOPPED = QIAN

PEOPLE: dict[Person, dict[str, Any]] = {
    ZHANG: {"balance_fen": 50_000, "yearly_self_fen": 12_300, "yearly_pooled_fen": 45_600},
    LI: {"balance_fen": 120_000, "yearly_self_fen": 800, "yearly_pooled_fen": 0},
    WANG: {"balance_fen": 8_000, "yearly_self_fen": 0, "yearly_pooled_fen": 0},
    ZHAO: {"balance_fen": 33_350, "yearly_self_fen": 990, "yearly_pooled_fen": 2_010},
    QIAN: {"balance_fen": 66_600, "yearly_self_fen": 0, "yearly_pooled_fen": 0},
    SUN: {"balance_fen": 25_000, "yearly_self_fen": 5_000, "yearly_pooled_fen": 7_000},
}
"""What each card holds in the morning."""

Act = tuple[Any, ...]
"""A function of counter.py and its arguments."""


@dataclass(frozen=True)
class Scene:
    zh: str
    en: str
    acts: tuple[Act, ...]


def pays(order_no: str, amounts: Amounts, person: Person) -> tuple[Act, ...]:
    """A payment that nothing disturbs."""
    return (
        (charges, order_no, amounts),
        (shows, "INSERT_CARD"),
        (inserts, person),
        (shows, "ENTER_PIN"),
        (enters_pin, person),
        (shows, "APPROVED"),
        (answers, order_no, "DONE"),
        (takes_card,),
    )


PHARMACY = (
    Scene(
        "一笔成功的付款", "A payment that succeeds",
        (
            *pays("R-1001", (2_550, 1_000, 1_450), ZHANG),
            (asks_again, "R-1001", (2_550, 1_000, 1_450), "DONE"),
            (shows, "READY"),
        ),
    ),
    Scene(
        "先输错密码，再输对", "A wrong PIN, then the right one (tapped)",
        (
            (charges, "R-1002", (3_350, 500, 150)),
            (shows, "INSERT_CARD"),
            (inserts, ZHAO),
            (shows, "ENTER_PIN"),
            (enters_wrong_pin, ZHAO),
            (shows, "PIN_WRONG_RETRY"),
            (enters_pin, ZHAO),
            (shows, "APPROVED"),
            (answers, "R-1002", "DONE"),
            (takes_card,),
        ),
    ),
    Scene(
        "停用名单上的卡", "A card on the stop list",
        (
            (charges, "R-1003", (1_200, 0, 0)),
            (shows, "INSERT_CARD"),
            (inserts, STOPPED),
            (shows, "CARD_ON_STOP_LIST"),
            (answers, "R-1003", "DECLINED"),
            (takes_card,),
        ),
    ),
    Scene(
        "超过限额的付款", "A payment over the limit",
        (
            (charges, "R-1004", (100_000, 20_000, 8_000)),
            (shows, "OVER_TRANSACTION_LIMIT"),
            (answers, "R-1004", "DECLINED"),
        ),
    ),
    Scene(
        "扣款后拔卡：已扣款", "Pulled out after DEBIT: it happened",
        (
            (will_pull, LI, "after"),
            (charges, "R-1005", (6_480, 320, 1_200)),
            (shows, "INSERT_CARD"),
            (inserts, LI),
            (shows, "ENTER_PIN"),
            (enters_pin, LI),
            (shows, "PUT_CARD_BACK"),
            (inserts, LI),
            (shows, "APPROVED_FOUND_LATER"),
            (answers, "R-1005", "DONE"),
            (takes_card,),
        ),
    ),
    Scene(
        "扣款前拔卡：未扣款", "Pulled out before DEBIT: it did not",
        (
            (will_pull, WANG, "before"),
            (charges, "R-1006", (1_700, 180, 120)),
            (shows, "INSERT_CARD"),
            (inserts, WANG),
            (shows, "ENTER_PIN"),
            (enters_pin, WANG),
            (shows, "PUT_CARD_BACK"),
            (inserts, WANG),
            (shows, "NOT_TAKEN"),
            (answers, "R-1006", "VOID"),
            (takes_card,),
            *pays("R-1007", (1_700, 180, 120), WANG),
        ),
    ),
    Scene(
        "扣款前断电与恢复", "kill -9 before DEBIT, and the recovery",
        (
            (will_lose_power, ZHANG),
            (charges, "R-1008", (4_000, 500, 0)),
            (shows, "INSERT_CARD"),
            (inserts, ZHANG),
            (shows, "ENTER_PIN"),
            (enters_pin, ZHANG),
            (loses_power,),
            (gets_power,),
            (shows, "RECOVERY_PIN"),
            (enters_pin, ZHANG),
            (shows, "NOT_TAKEN"),
            (asks_again, "R-1008", (4_000, 500, 0), "VOID"),
            (charges, "R-1009", (4_000, 500, 0)),
            (shows, "REMOVE_CARD"),
            (takes_card,),
            (shows, "INSERT_CARD"),
            (inserts, ZHANG),
            (shows, "ENTER_PIN"),
            (enters_pin, ZHANG),
            (shows, "APPROVED"),
            (answers, "R-1009", "DONE"),
            (takes_card,),
        ),
    ),
)  # fmt: skip

NEXT_DOOR = (
    Scene(
        "全国口径的付款", "National mapping: the yearly totals carry it",
        (
            *pays("N-2001", (3_000, 1_200, 5_800), SUN),
            *pays("N-2002", (0, 450, 1_050), SUN),
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A terminal and what is played at it."""

    unit: str
    mapping: str
    terminal_number: str
    scenes: tuple[Scene, ...]


PLACES = (
    Place("pharmacy-1", "literal", "510100000001", PHARMACY),
    Place("pharmacy-2", "national", "510100000002", NEXT_DOOR),
)
STEPS = sum(len(place.scenes) for place in PLACES)
