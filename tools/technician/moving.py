"""The acts `backup` and `restore`: a unit moves to a new card, and the old one is retired."""

from __future__ import annotations

import argparse
from typing import Any

from firmware.journal import cose
from tools.technician import acts, backup, card, place
from tools.technician.backup import Backup
from tools.technician.desk import Desk
from tools.technician.errors import DONE, FlashError
from tools.technician.live import remote

MAX_LIVE = 256 << 20  # bytes of what a unit sends


def save(arguments: argparse.Namespace, desk: Desk) -> int:
    """Of a unit that runs, or of its card."""
    if place.is_live(arguments.target):
        found, batches = _of_unit(arguments, desk)
    else:
        found, batches = backup.of_card(card.open_card(arguments.target))
    told: dict[str, Any] = {
        "unit": found.unit,
        "files": sorted(found.files),
        "batches": len(batches),
    }
    desk.say(f"{found.unit}: {', '.join(sorted(found.files))}; 批次 batches: {len(batches)}")
    if not arguments.dry_run:
        backup.write(found, arguments.recipient, arguments.file)
        if batches:
            backup.put_batches(found.unit, batches, arguments.records)
            desk.say(f"{arguments.records}: sscoffice pull --folder {arguments.records}")
        desk.say(f"{arguments.file}: 旧卡不得再用 the old card must not be used any more")
        told |= {"file": str(arguments.file), "records": str(arguments.records)}
    desk.result(told)
    return DONE


def _of_unit(arguments: argparse.Namespace, desk: Desk) -> tuple[Backup, dict[str, bytes]]:
    """Raises FlashError 1404, 1430 and those of a unit that runs."""
    with remote(arguments, desk).act("backup", {}) as conversation:
        kind, size = conversation.next(200)
        if kind != "bytes" or not isinstance(size, int) or not 0 < size <= MAX_LIVE:
            raise FlashError(1404, "backup")
        raw = b"".join(conversation.talk.bytes(size))
        conversation.result()
    try:
        told = cose.decode(raw, MAX_LIVE)
    except cose.CoseError as error:
        raise FlashError(1404, f"backup: {error}") from None
    match told:
        case {1: dict() as files, 2: dict() as batches} if all(
            isinstance(name, str) and isinstance(data, bytes)
            for name, data in [*files.items(), *batches.items()]
        ):
            wanted = {k: v for k, v in batches.items() if backup.BATCH.fullmatch(k)}
            return backup.backup_of(backup.may_travel(files)), wanted
    raise FlashError(1404, "backup")


def restore(arguments: argparse.Namespace, desk: Desk) -> int:
    """The identity of a new unit, which replaces the old one, onto a card written anew."""
    found = backup.read(arguments.file, arguments.open)
    files = backup.moved(found, arguments.unit)
    desk.say(f"{found.unit} → {arguments.unit}: 新卡自制密钥 the new card makes its own key")
    desk.say(f"登记新终端时旧终端退役 enrolling {arguments.unit} retires {found.unit}")
    return acts.put_identity(arguments, files, desk)
