"""Acts on a unit that runs: what it says of itself, its self-test, its log."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.technician import finding, ident
from tools.technician.desk import Desk
from tools.technician.errors import DONE, FlashError
from tools.technician.line import ANSWER_S
from tools.technician.place import Place
from tools.technician.remote import Remote

IDENT_S, SELF_TEST_S, LOGS_S = 10.0, 170.0, 110.0


def remote(arguments: argparse.Namespace, desk: Desk) -> Remote:
    """The unit that TARGET names.  Raises FlashError 1422, 1450, 1451."""
    found = _named(finding.locate(arguments.target))
    desk.note(f"unit {found.unit or '?'} at {found}")
    return Remote(found, arguments.key, desk.state)


def _named(found: Place) -> Place:
    """With the unit's id, which its ident line claims: its host key is remembered under that, for
    addresses change hands.  One that does not answer is met again by ssh."""
    if found.unit:
        return found
    try:
        if found.kind == "serial":
            said = ident.ask_line(found.address, found.port, ANSWER_S)
        else:
            said = ident.ask_address(found.address.strip("[]"), found.port, IDENT_S)
    except FlashError:
        return found
    return found if said is None else replace(found, unit=said.unit)


def info(arguments: argparse.Namespace, desk: Desk) -> int:
    told = remote(arguments, desk).ask("info", {})
    for name, value in sorted(told.items()):
        desk.say(f"{name}: {json.dumps(value, ensure_ascii=False)}")
    desk.result(told)
    return DONE


def selftest(arguments: argparse.Namespace, desk: Desk) -> int:
    """Raises FlashError 1415 when a part does not work."""
    told = remote(arguments, desk).ask("selftest", {}, SELF_TEST_S)
    bad = tell_parts(told, desk)
    if bad or told.get("ok") is not True:
        raise FlashError(1415, ", ".join(bad))
    desk.result(told)
    return DONE


def tell_parts(told: dict[str, Any], desk: Desk) -> list[str]:
    """Each part of a self-test on its line; the names of those that do not work."""
    parts = told.get("parts")
    parts = parts if isinstance(parts, dict) else {}
    for name, said in parts.items():
        desk.say(f"  {'正常 ok ' if said == 'ok' else '故障 NOT'}  {name:12} {said}")
    if told.get("clock", "ok") != "ok":
        desk.say(f"            {'clock':12} {told['clock']}")
    if "office" in told:
        desk.say(f"            {'office':12} {told['office']}")
    return [str(name) for name, said in parts.items() if said != "ok"]


def logs(arguments: argparse.Namespace, desk: Desk) -> int:
    """The unit's log into a file that was not there.  Raises FlashError."""
    out: Path = arguments.out
    unit = remote(arguments, desk)
    if arguments.dry_run:
        told = unit.ask("info", {})
        desk.say(f"将取 would fetch: {told.get('unit')} → {out}")
        desk.result({"unit": told.get("unit"), "would_write": str(out)})
        return DONE
    with unit.act("logs", {"lines": arguments.lines}) as conversation:
        kind, size = conversation.next(LOGS_S)
        if kind != "bytes" or not isinstance(size, int) or not 0 <= size <= 64 << 20:
            raise FlashError(1404, "logs")
        text = b"".join(conversation.talk.bytes(size))
        conversation.result()
    try:
        out.write_bytes(text)
    except OSError as error:
        raise FlashError(1203, f"{out}: {error.strerror}") from None
    desk.say(f"{out}: {len(text)} B")
    desk.result({"file": str(out), "bytes": len(text)})
    return DONE
