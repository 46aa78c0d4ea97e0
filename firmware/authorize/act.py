"""One service act at a card: show, write whole items, read again, compare (M15, M16, M17).

Every right is proved and every old value read before anything is written.  A record is on the disk
before the first write; after a tear the same act asked again finds each item old or new, and writes
only what is still old.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from firmware.authorize import acts
from firmware.authorize.acts import Change, ServiceAct
from firmware.authorize.cardkeys import KeyRefused, authenticate, can_authenticate
from firmware.authorize.pin import prove_holder
from firmware.authorize.service import Desk
from firmware.card.commands import SW_SECURITY_STATUS
from firmware.card.dump import dump, version_of
from firmware.card.items import Df
from firmware.card.ssse import SSSE
from firmware.journal import kinds
from firmware.outcome import Fault, Outcome, ProtocolError, StatusError, outcome

Held = dict[str, bytes]
"""Place -> the item's value, or the newest record of a cyclic file (empty: none yet)."""

_Read = TypeVar("_Read")


def act(desk: Desk) -> Outcome | None:
    """Tells `card` (what the act shows, before), `written` and `found_written` (places)."""
    asked = acts.ACTS[desk.params["code"]]
    desk.record[kinds.KEY_ACT] = asked.code
    try:
        wanted = acts.changes(
            asked, desk.params.get("values", {}), version_of(desk.visit.version.encode())
        )
    except ValueError as error:
        desk.told["problem"] = str(error)
        return outcome("VALUES_REFUSED")
    refused = prove_holder(desk.unit, desk.visit, desk.buffer)
    if refused is not None:
        return refused
    prove = partial(can_authenticate, desk.unit, desk.visit)
    desk.told["card"] = dump(desk.visit.session, prove, True, _shown(asked))
    try:
        return _write_all(desk, wanted) if wanted else None
    except KeyRefused as refusal:
        desk.told["key"] = refusal.key
        desk.record[kinds.KEY_DETAIL] = f"act: {refusal.what}"
        return refusal.outcome


def _shown(asked: ServiceAct) -> tuple[Df, ...]:
    """The applications with the act's files only, behind EF05 which names the version."""
    chosen: dict[str, Df] = {SSSE.name: replace(SSSE, files=SSSE.files[:1])}
    for place in asked.shows:
        df, ef = acts.file_of(place)
        found = chosen.setdefault(df.name, replace(df, files=()))
        chosen[df.name] = replace(found, files=(*found.files, ef))
    return tuple(chosen.values())


def _write_all(desk: Desk, wanted: list[Change]) -> Outcome | None:
    before = _old_values(desk, wanted)
    for change in wanted:
        held = before[change.place]
        if change.item is not None and len(held) != change.item.length:
            desk.told["problem"] = f"{change.place}: this card holds {len(held)} bytes"
            return outcome("VALUES_REFUSED")
    after = {change.place: change.raw for change in wanted}
    todo = [change for change in wanted if before[change.place] != change.raw]
    desk.told |= {"written": [], "found_written": [p for p in after if before[p] == after[p]]}
    desk.record[kinds.KEY_ITEMS] = list(after)
    desk.personal |= {"before": before, "after": after}
    if not todo:
        return None
    _journal_begun(desk)
    try:
        _write(desk, todo)
    except Fault as fault:
        if desk.told["written"] or not _is_refusal(fault):
            desk.record[kinds.KEY_DETAIL] = f"act: {fault.what}"
            return outcome("UPDATE_OPEN")
        # The card refused the very first write: it holds what it held.
        key = todo[0].write_key
        raise KeyRefused(key, fault.what, outcome("CARD_REFUSED")) from None
    return None


def _is_refusal(fault: Fault) -> bool:
    """Did the card refuse to write, changing nothing?  65xx says that its memory failed."""
    if isinstance(fault, StatusError):
        return fault.command == "UPDATE RECORD" and fault.sw >> 8 in (0x67, 0x69, 0x6A)
    return isinstance(fault, KeyRefused)


def _old_values(desk: Desk, wanted: list[Change]) -> Held:
    """Read each item; prove each write key, while a refusal still changes nothing."""
    before: Held = {}
    for df in _dfs(wanted):
        _select(desk, df)
        of_df = [change for change in wanted if change.df is df]
        for change in of_df:
            before[change.place] = _readable(desk, change, partial(_read, desk, change))
        for key in dict.fromkeys(change.write_key for change in of_df):
            authenticate(desk.unit, desk.visit, key)
    return before


def _write(desk: Desk, todo: list[Change]) -> None:
    """Raises a Fault; told `written` names what was written and read back."""
    session = desk.visit.session
    for df in _dfs(todo):
        _select(desk, df)
        for change in (each for each in todo if each.df is df):
            authenticate(desk.unit, desk.visit, change.write_key)
            if change.item is None:
                session.append_record(change.ef.sfi, change.raw)
            else:
                session.update_item(change.item, change.raw)
            if _readable(desk, change, partial(_read, desk, change)) != change.raw:
                raise ProtocolError(f"{change.place} reads back otherwise than written")
            desk.told["written"].append(change.place)


def _dfs(of: list[Change]) -> list[Df]:
    return list({change.df.name: change.df for change in of}.values())


def _select(desk: Desk, df: Df) -> None:
    desk.visit.session.select_df(df.fid_bytes, df.aid)


def _read(desk: Desk, change: Change) -> bytes:
    session = desk.visit.session
    if change.item is None:
        return session.read_cyclic(change.ef.sfi, 1, change.ef.size) or b""
    return session.read_item(change.item) or b""


def _readable(desk: Desk, change: Change, read: Callable[[], _Read]) -> _Read:
    """Read; where the PIN is not enough for this card, with the file's read keys."""
    try:
        return read()
    except StatusError as error:
        if error.sw != SW_SECURITY_STATUS:
            raise
    rules = (*change.ef.read, *(change.ef.draft_read or ()))
    for key in dict.fromkeys(name for each in rules for name in each if name != "PIN"):
        authenticate(desk.unit, desk.visit, key)
    return read()


def _journal_begun(desk: Desk) -> None:
    body: dict[int, Any] = {
        kinds.KEY_OPERATOR: desk.params["operator"],
        kinds.KEY_DETAIL: "act: begun",
        kinds.KEY_OUTCOME: outcome("UPDATE_OPEN").number,
        kinds.KEY_CARD_ID: desk.visit.card_id,
        kinds.KEY_CARD_NUMBER: desk.visit.card_number,
    }
    desk.unit.sealer.append(kinds.KIND_SERVICE, body | desk.record, desk.personal)
