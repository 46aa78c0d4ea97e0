"""The requests of a control connection: what a demo, a test or a person may do to the world.

Each public function here is one request; its parameters are those of the JSON object
`{"do": NAME, ...}`, and what it returns is the JSON result.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from simulator.slot import AFTER, BEFORE, Cut
from simulator.switches import Switches
from simulator.world import World

_NAME_TAG = 0x09
_NAME_FILLINGS = b"\x00\x20\xff"


class Refused(Exception):
    """The request cannot be done; the words say why."""


def perform(world: World, name: str, parameters: dict[str, Any]) -> Any:
    """Do one request.  Raises Refused for whatever is wrong with it."""
    request = REQUESTS.get(name)
    if request is None:
        raise Refused(f"no request {name!r}; there are {', '.join(REQUESTS)}, stop")
    try:
        inspect.signature(request).bind(world, **parameters)
    except TypeError as error:
        raise Refused(f"{name}: {error}") from None
    try:
        return request(world, **parameters)
    except (ValueError, TypeError, OSError) as error:
        raise Refused(f"{name}: {error}") from None


def issue_card(world: World, **data: Any) -> dict[str, Any]:
    """Region.issue_card by JSON: `switches` is an object, byte strings are hex; the new card."""
    with world.lock:
        issued = world.region.issue_card(**_from_json(data))
        world.save()
        return card(world, issued.label)


def issue_psam(world: World, **data: Any) -> dict[str, Any]:
    """Region.issue_psam by JSON; the new PSAM."""
    with world.lock:
        issued = world.region.issue_psam(**_from_json(data))
        world.save()
        return _psam_row(world, issued.label)


def insert(world: World, slot: str, label: str) -> None:
    world.insert(slot, label)


def put_two(world: World, labels: list[str], slot: str = "contactless") -> None:
    """Several cards into one field."""
    for label in labels:
        world.insert(slot, label)


def remove(world: World, slot: str) -> None:
    world.slot(slot).remove()


def arm_cut(
    world: World, slot: str, ins: int | None = None, nth: int = 1, when: str = AFTER
) -> None:
    """The nth command of that INS (None: any) goes wrong: when is before, after or lost."""
    world.slot(slot).arm(Cut(ins, nth, when))


def hold(world: World, slot: str, ins: int, when: str = BEFORE) -> None:
    world.slot(slot).hold(ins, when)


def wait_held(world: World, slot: str, timeout_s: float = 10.0) -> bool:
    return world.slot(slot).wait_held(timeout_s)


def release(world: World, slot: str) -> None:
    world.slot(slot).release()


def disarm(world: World, slot: str) -> None:
    world.slot(slot).disarm()


def type_pin(world: World, digits: str) -> None:
    """What the holder will type when next asked."""
    world.holder.type_pin(digits)


def press_keys(world: World, keys: list[str]) -> None:
    """Keys the holder presses while no PIN is asked for: "menu", "confirm", "1" ..."""
    world.holder.press(*map(str, keys))


def cancel_pin(world: World) -> None:
    """The holder will press the cancel key when next asked."""
    world.holder.cancel()


def forget_pins(world: World) -> None:
    """The holder types nothing of what was said before."""
    world.holder.forget()


def misbehave(world: World, label: str, how: str | None = None, **parameters: Any) -> None:
    world.misbehave(label, how, **parameters)


def switches(world: World, label: str) -> dict[str, str]:
    """The switches of that chip that do not stand at their default."""
    return world.chip(label).switches.changed()


def card(world: World, label: str) -> dict[str, Any]:
    """One row of cards(), and the card's own log (hex, newest first)."""
    with world.lock:
        if label not in world.region.cards:
            there = ", ".join(world.region.cards) or "none"
            raise ValueError(f"no card {label!r}; there are {there}")
        log = [record.hex() for record in world.region.cards[label].log]
        return _card_row(world, label) | {"log": log}


def cards(world: World) -> list[dict[str, Any]]:
    """Every card with its money, in fen."""
    with world.lock:
        return [_card_row(world, label) for label in world.region.cards]


def psams(world: World) -> list[dict[str, Any]]:
    """Every PSAM with its terminal number and its transaction serial."""
    with world.lock:
        return [_psam_row(world, label) for label in world.region.psams]


def counters(world: World, slot: str) -> dict[str, int]:
    """Since this was last asked: exchanges, bytes_out, bytes_in, inside_ns of that slot."""
    return dataclasses.asdict(world.slot(slot).reset_counters())


def _card_row(world: World, label: str) -> dict[str, Any]:
    chip = world.region.cards[label]
    name = chip.item("SSSE", 0x06, _NAME_TAG).rstrip(_NAME_FILLINGS)
    return {
        "label": label,
        "card_number": chip.card_number,
        "name": name.decode("gb18030"),
        "generation": chip.memory.generation,
        "balance_fen": chip.balance_fen,
        "yearly_self_fen": chip.yearly_self_fen,
        "yearly_pooled_fen": chip.yearly_pooled_fen,
        "purchase_serial": chip.purchase_serial,
        "pin_tries": chip.memory.pin_tries,
        "slot": world.slot_of(label),
        "card_id": chip.card_id.hex(),
    }


def _psam_row(world: World, label: str) -> dict[str, Any]:
    psam = world.region.psams[label]
    return {
        "label": label,
        "terminal_number": psam.terminal_number.hex(),
        "serial": psam.terminal_serial,
        "slot": world.slot_of(label),
    }


def _from_json(data: dict[str, Any]) -> dict[str, Any]:
    """Switches from an object, `historical` and `card_id` from hex."""
    made = dict(data)
    if "switches" in made:
        made["switches"] = Switches(**made["switches"])
    for name in ("historical", "card_id"):
        if name in made:
            made[name] = bytes.fromhex(made[name])
    return made


REQUESTS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        issue_card,
        issue_psam,
        insert,
        put_two,
        remove,
        arm_cut,
        hold,
        wait_held,
        release,
        disarm,
        type_pin,
        press_keys,
        cancel_pin,
        forget_pins,
        misbehave,
        switches,
        card,
        cards,
        psams,
        counters,
    )
}
