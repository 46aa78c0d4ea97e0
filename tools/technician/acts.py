"""Each act of flash.py: from its arguments to what is said, and an exit status."""

from __future__ import annotations

import argparse
import json
import threading
from contextlib import ExitStack
from pathlib import Path

from tools.technician import batch as batches
from tools.technician import (
    card,
    device,
    enrolments,
    identity,
    live,
    place,
    readback,
    release,
    sheet,
    technicians,
    wiping,
    writing,
)
from tools.technician.desk import Desk, stamp
from tools.technician.device import Target
from tools.technician.errors import DONE, ROWS, FlashError
from tools.technician.holding import Held, held
from tools.technician.release import Image
from tools.technician.writing import Written

_SAFE = "可安全取出 · safe to remove"


def list_(arguments: argparse.Namespace, desk: Desk) -> int:
    found = device.disks(release.length(arguments.image) if arguments.image else 0)
    for each in found:
        text = f"{each.path}  {each.name}  {each.model}  {each.size / 1e9:.1f} GB"
        if each.why_not is None:
            desk.say(f"{text}  可写 · may be written")
        else:
            row = ROWS[each.why_not]
            desk.say(f"{text}  不可写 · no: {each.why_not} {row.cause_zh} · {row.cause_en}")
    if not found:
        desk.say("没有存储设备 · no disk at all")
    desk.result({"devices": [each.told() for each in found]})
    return DONE


def _image(arguments: argparse.Namespace, desk: Desk) -> Image:
    """The release, checked; raises FlashError before anything is touched."""
    if arguments.ca is None:
        raise FlashError(1002, "--ca")
    image = release.load(arguments.image, Path(arguments.ca), arguments.board)
    writing.check_version(image, desk.state, arguments.older)
    boards = " ".join(image.boards)
    desk.say(f"镜像 image {image.version}，机型 for {boards}，签名 signed by {image.signer}")
    if image.has_sbom:
        desk.say("组成清单与签名一致 · its list of parts (SBOM) is the one that was signed")
    return image


def _named(target: Target) -> str:
    return f"{target.path}  {target.model}  {target.size / 1e9:.1f} GB  序列号 serial {target.name}"


def write(arguments: argparse.Namespace, desk: Desk) -> int:
    image = _image(arguments, desk)
    if arguments.dry_run:
        target = device.target(arguments.target, image.block_map.image_size)
        desk.say(f"将写入 would write {image.block_map.mapped} B: {_named(target)}")
        desk.result({"would_write": image.block_map.mapped, "target": target.told()})
        return DONE

    def confirm(target: Target) -> bool:
        question = (
            f"将清除 This will erase: {_named(target)}\n输入序列号以继续 type its serial to go on:"
        )
        return desk.confirms(question, target.name, arguments.confirm)

    sheet.prepare(arguments.sheets)
    with held(arguments.target, image.block_map.image_size) as card:
        done = writing.write(image, card, confirm, desk.progress(), not arguments.no_verify)
    writing.remember_version(image, desk.state)
    place = _sheet(done, arguments)
    _tell(done, place, desk)
    desk.result(done.told() | {"sheet": str(place)})
    return DONE


def _tell(done: Written, place: Path, desk: Desk) -> None:
    if done.written == 0:
        desk.say("卡上已有全部内容，未写入 · everything was there, nothing was written")
    how = f"已校验 read back ({done.read_by})" if done.verified else "未校验 not read back"
    desk.say(f"{done.target.name}: {how}; {_SAFE}\n记录单 sheet: {place}")


def _sheet(done: Written, arguments: argparse.Namespace) -> Path:
    when = stamp()
    verdict = sheet.GOOD if done.verified else sheet.UNREAD
    text = sheet.render(
        sheet.rows_of(done.told(), when, arguments.unit), verdict, is_good=bool(done.verified)
    )
    return sheet.save(arguments.sheets, done.target.name, when, text)


def verify(arguments: argparse.Namespace, desk: Desk) -> int:
    image = _image(arguments, desk)
    device.readable(arguments.target)
    how = writing.verified(arguments.target, image, desk.progress())
    desk.say(f"{arguments.target}: 与镜像一致 is the image ({how})")
    desk.result({"verified": image.block_map.mapped, "read_by": how})
    return DONE


def batch(arguments: argparse.Namespace, desk: Desk) -> int:
    image = _image(arguments, desk)
    targets = [device.target(each, image.block_map.image_size) for each in arguments.targets]
    if len({Path(each.path).resolve() for each in targets}) != len(targets):
        raise FlashError(1107, "one card is named twice")
    for each in targets:
        desk.say(_named(each))
    if arguments.dry_run:
        desk.result({"would_write": [each.told() for each in targets]})
        return DONE
    sheet.prepare(arguments.sheets)
    with ExitStack() as all_held:
        cards = [
            all_held.enter_context(held(each, image.block_map.image_size))
            for each in arguments.targets
        ]
        written = _write_all(image, cards, arguments, desk)
    return _tell_all(image, [each.target for each in cards], written, arguments, desk)


def _write_all(
    image: Image, cards: list[Held], arguments: argparse.Namespace, desk: Desk
) -> list[Written | FlashError]:
    """One question for all; raises FlashError 1108."""
    question = "将全部清除，输入各序列号以继续 · all will be erased; type their serials to go on:"
    wanted = " ".join(each.target.name for each in cards)
    if not desk.confirms(question, wanted, arguments.confirm):
        raise FlashError(1108, wanted)

    stop = threading.Event()

    def one(card: Held) -> Written:
        progress = desk.progress(f"{card.target.path}  ", stop)
        return writing.write(image, card, lambda _: True, progress)

    return batches.run(cards, one, stop)


def _tell_all(
    image: Image,
    targets: list[Target],
    written: list[Written | FlashError],
    arguments: argparse.Namespace,
    desk: Desk,
) -> int:
    results = []
    failed = 0
    for target, done in zip(targets, written, strict=True):
        if isinstance(done, FlashError):
            failed += 1
            desk.note(done.lines())
            place = _bad_sheet(target, done, arguments)
            desk.say(f"{target.name}: {done.lines()}\n记录单 sheet: {place}")
            results.append({"target": target.told(), "error": done.told(), "sheet": str(place)})
        else:
            place = _sheet(done, arguments)
            _tell(done, place, desk)
            results.append(done.told() | {"sheet": str(place)})
    if failed < len(results):
        writing.remember_version(image, desk.state)
    desk.result({"cards": results})
    if failed:
        if desk.is_json:
            return ROWS[1206].status
        raise FlashError(1206, f"{failed} / {len(results)}")
    return DONE


def _bad_sheet(target: Target, error: FlashError, arguments: argparse.Namespace) -> Path:
    when = stamp()
    row = error.row
    rows = sheet.rows_of({"target": target.told()}, when, arguments.unit)
    rows.append(("原因", "cause", f"{error.number} {error.detail}"))
    verdict = (
        f"未完成：{row.cause_zh}。{row.next_zh}",
        f"Not done: {row.cause_en}. {row.next_en}",
    )
    text = sheet.render(rows, verdict, is_good=False)
    return sheet.save(arguments.sheets, target.name, when, text)


def info(arguments: argparse.Namespace, desk: Desk) -> int:
    if place.is_live(arguments.target):
        return live.info(arguments, desk)
    found = card.describe(arguments.target)
    file = Path(arguments.target)
    if arguments.ca is not None and release.beside(file, ".manifest").exists():
        image = release.load(file, Path(arguments.ca), None)
        found["release"] = {
            "version": image.version, "boards": list(image.boards), "signer": image.signer,
            "sbom": image.has_sbom,
        }  # fmt: skip
    for name, value in found.items():
        desk.say(f"{name}: {json.dumps(value, ensure_ascii=False)}")
    desk.result(found)
    return DONE


def provision(arguments: argparse.Namespace, desk: Desk) -> int:
    files = identity.collect(arguments.board, arguments.file, _settings(arguments))
    if arguments.site is not None:
        files |= identity.site_file(arguments.site)
    files |= technicians.collect(arguments.technician) | technicians.line(arguments.door_line)
    return put_identity(arguments, files, desk)


def put_identity(arguments: argparse.Namespace, files: dict[str, bytes], desk: Desk) -> int:
    """Onto the card arguments.target, once it is confirmed; read back.  Raises FlashError."""
    with held(arguments.target, is_alone=True) as there:
        return _put_identity(there, arguments, files, desk)


def _put_identity(
    there: Held, arguments: argparse.Namespace, files: dict[str, bytes], desk: Desk
) -> int:
    target = there.target
    found = card.open_card(target.path)
    raw = identity.pack(files)
    told: dict[str, object] = {"target": target.told(), "files": sorted(files), "size": len(raw)}
    desk.say(f"{_named(target)}\n{', '.join(sorted(files))}: {len(raw)} B")
    if arguments.dry_run:
        desk.result(told)
        return DONE
    question = "输入序列号以继续 · type its serial to go on:"
    if not desk.confirms(question, target.name, arguments.confirm):
        raise FlashError(1108, target.name)
    there.check(1112)
    found.put_drop(raw)
    readback.drop_cache(target.path)
    if card.open_card(target.path).take_drop() != raw:
        raise FlashError(1302, target.path)
    desk.say(f"身份已写入，首次启动时生效 · the first start takes it; {_SAFE}")
    desk.result(told)
    return DONE


def _settings(arguments: argparse.Namespace) -> dict[str, str]:
    """ "section.key" of board.toml -> value as TOML writes it."""
    named = {
        "unit.data_dir": identity.DATA_DIR,
        "unit.id": arguments.unit,
        "unit.region": arguments.region,
        "psam.terminal_number": arguments.terminal_number,
        "uplink.https.url": arguments.office_url,
    }
    return {key: json.dumps(value) for key, value in named.items() if value is not None}


def enrolment(arguments: argparse.Namespace, desk: Desk) -> int:
    found = enrolments.read(card.open_card(arguments.target))
    request = enrolments.of(found)
    told = {"unit": request.unit, "region": request.region, "key_id": enrolments.key_of(request)}
    desk.say(f"{request.unit}  {request.region}  {told['key_id']}")
    if not arguments.dry_run:
        arguments.out.write_bytes(found)
        desk.say(f"{arguments.out}: sscoffice enrol {arguments.out}")
    desk.result(told)
    return DONE


def wipe(arguments: argparse.Namespace, desk: Desk) -> int:
    if arguments.dry_run:
        target = device.target(arguments.target)
        desk.say(f"将清零 would be wiped: {_named(target)}")
        desk.result({"would_wipe": target.told()})
        return DONE

    def confirm(target: Target) -> bool:
        question = f"将全部清零 all of it goes: {_named(target)}\n输入序列号 type its serial:"
        return desk.confirms(question, target.name, arguments.confirm)

    with held(arguments.target) as there:
        target = wiping.wipe(there, confirm, desk.progress())
    desk.say(f"{target.name}: 已清零并回读 zero, read back; {_SAFE}")
    desk.result({"wiped": target.told()})
    return DONE
