"""The act `update`: a bundle goes to a unit, is installed beside what runs, tried, kept or left.

Every step looks first at what the unit has: after a line that was cut, the same command goes on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from tools.technician import bundles
from tools.technician.bundles import Bundle
from tools.technician.desk import Desk
from tools.technician.errors import DONE, FlashError
from tools.technician.live import remote, tell_parts
from tools.technician.remote import Remote
from tools.update import version

INSTALL_S, TRY_S = 3700.0, 1100.0
BACK_S, BETWEEN_S = 1200.0, 5.0
"""So long a unit may be away: a slow start, the self-test for 4 minutes, another start if it falls
back; and the time between two questions."""
NOT_YET = (1401, 1414, 1405)
"""What a unit that starts may answer."""


def update(arguments: argparse.Namespace, desk: Desk) -> int:
    if arguments.ca is None:
        raise FlashError(1423, "--ca")
    unit = remote(arguments, desk)
    progress = desk.progress()
    path: Path = arguments.bundle
    progress.begin("check", path.stat().st_size if path.exists() else 0)
    bundle = bundles.load(path, Path(arguments.ca), progress.at)
    progress.end()
    found = unit.ask("info", {})
    desk.say(f"终端 unit {found.get('unit')}: {found.get('version')} → {bundle.version}")
    _check_version(bundle, found)
    if _runs(bundle, found):
        desk.say("终端已在运行此版本 · the unit runs this release already")
        desk.result({"unit": found.get("unit"), "version": bundle.version, "kept": True})
        return DONE
    if arguments.dry_run:
        have = _have(bundle, found)
        desk.say(f"将发送 would send {bundle.size - have} B")
        desk.result({"unit": found.get("unit"), "would_send": bundle.size - have})
        return DONE
    if not _is_tried(found):
        if not _is_installed(bundle, found):
            if not _is_there(bundle, found):
                _send(unit, bundle, desk)
            _install(unit, bundle, desk)
        _try(unit, desk)
    ended = _wait(unit, bundle, str(found.get("boot_id")), _is_tried(found), desk)
    return _told(ended, bundle, desk)


def _check_version(bundle: Bundle, found: dict[str, Any]) -> None:
    """The unit checks it again, and whatever the signature says (docs/updates.md)."""
    try:
        floor = version.parse(str(found["floor"]))
    except (KeyError, ValueError):
        raise FlashError(1404, "the unit names no version floor") from None
    if version.parse(bundle.version) < floor:
        raise FlashError(1418, f"{bundle.version} < {version.told(floor)}")


def _runs(bundle: Bundle, found: dict[str, Any]) -> bool:
    return found.get("version") == bundle.version and found.get("on_trial") is None


def _is_tried(found: dict[str, Any]) -> bool:
    """The unit runs the slot on trial: it judges itself now."""
    return found.get("on_trial") is not None and found.get("on_trial") == found.get("running")


def _is_installed(bundle: Bundle, found: dict[str, Any]) -> bool:
    there = found.get("installed")
    return (
        isinstance(there, dict)
        and there.get("sha256") == bundle.sha256
        and there.get("slot") == found.get("on_trial")
    )


def _lying(bundle: Bundle, found: dict[str, Any]) -> dict[str, Any]:
    lying = [each for each in found.get("incoming") or [] if each.get("sha256") == bundle.sha256]
    return lying[0] if lying else {}


def _is_there(bundle: Bundle, found: dict[str, Any]) -> bool:
    return _lying(bundle, found).get("whole") is True


def _have(bundle: Bundle, found: dict[str, Any]) -> int:
    """Bytes of it that the unit holds."""
    if _is_installed(bundle, found):
        return bundle.size
    return min(int(_lying(bundle, found).get("size", 0)), bundle.size)


def _send(unit: Remote, bundle: Bundle, desk: Desk) -> None:
    progress = desk.progress()
    with unit.act("receive", {"sha256": bundle.sha256, "size": bundle.size}) as conversation:
        _, said = conversation.next(120)
        have = said.get("have") if isinstance(said, dict) else None
        if not isinstance(have, int) or not 0 <= have <= bundle.size:
            raise FlashError(1404, "receive")
        desk.note(f"the unit has {have} of {bundle.size} bytes")
        progress.begin("send", bundle.size - have)
        with bundle.path.open("rb") as file:
            file.seek(have)
            while piece := file.read(bundles.PIECE // 16):
                conversation.talk.send(piece)
                progress.at(file.tell() - have)
        conversation.result(600)  # it reads all of it once more
        progress.end()


def _install(unit: Remote, bundle: Bundle, desk: Desk) -> None:
    progress = desk.progress()
    progress.begin("install", bundle.size)
    request = {"sha256": bundle.sha256, "version": bundle.version}
    with unit.act("install", request) as conversation:
        while True:
            kind, said = conversation.next(INSTALL_S)
            if kind == "result":
                break
            if isinstance(said, dict) and isinstance(said.get("per_cent"), int):
                progress.at(bundle.size * said["per_cent"] // 100)
    progress.end()


def _try(unit: Remote, desk: Desk) -> None:
    """The machine goes down while it answers: a line cut after it began is what was asked for."""
    desk.say("等交易结束后重启试用 · it restarts into the trial when no payment is under way")
    begun = False
    try:
        with unit.act("try", {}) as conversation:
            while conversation.next(TRY_S)[0] == "say":
                begun = True
    except FlashError as error:
        if not begun or error.number != 1414:
            raise


def _wait(
    unit: Remote, bundle: Bundle, boot_id: str, was_tried: bool, desk: Desk
) -> dict[str, Any]:
    """What the unit says once it has judged.  Raises FlashError 1420."""
    desk.say("等待终端自检 · waiting for the unit and its self-test")
    until, last = time.monotonic() + BACK_S, ""
    while time.monotonic() < until:
        try:
            found = unit.ask("info", {})
        except FlashError as error:
            if error.number not in NOT_YET:
                raise
            last = error.detail
        else:
            is_new = was_tried or found.get("boot_id") != boot_id
            if is_new and found.get("on_trial") is None:
                return found
            last = f"runs {found.get('running')}, on trial: {found.get('on_trial')}"
        time.sleep(BETWEEN_S)
    raise FlashError(1420, last)


def _told(found: dict[str, Any], bundle: Bundle, desk: Desk) -> int:
    """Raises FlashError 1419 when the unit fell back."""
    ended = found.get("last_update")
    ended = ended if isinstance(ended, dict) else {}
    told = ended.get("self_test")
    bad = tell_parts(told, desk) if isinstance(told, dict) else []
    kept = ended.get("kept", found.get("version") == bundle.version) is True
    if not kept:
        why = ended.get("why") or ", ".join(bad) or f"it runs {found.get('version')}"
        raise FlashError(1419, str(why)[:200])
    desk.say(f"已留用 kept: {bundle.version}")
    told = told if isinstance(told, dict) else None
    desk.result(
        {"unit": found.get("unit"), "version": bundle.version, "kept": True, "self_test": told}
    )
    return DONE
