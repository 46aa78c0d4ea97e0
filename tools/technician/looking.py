"""The act `find`: one line for each thing that is there, and what to do with it."""

from __future__ import annotations

import argparse

from tools.door.line import BAUD
from tools.technician import finding, usb
from tools.technician.desk import Desk
from tools.technician.errors import DONE, FlashError
from tools.technician.finding import BOOT, SILENT, STORAGE, UNKNOWN, Found

STATES = {
    "provisioned": "有身份 has its identity",
    "waiting": "待写入身份 waits for its identity",
    "refused": "身份无效 its identity is refused",
}
WORDS = {
    BOOT: "主板等待启动程序 a board in boot mode: sudo rpiboot, flash.py list",
    STORAGE: "存储设备 a card reader or disk: flash.py list",
    UNKNOWN: "不是本终端 not known to be a terminal",
    SILENT: "无应答 no answer",
}
ASK = "未询问 not asked: flash.py find serial:{}"
_ASKED_S = 5.0
"""How long one serial line or address is waited for."""


def find(arguments: argparse.Namespace, desk: Desk) -> int:
    """Named places alone, or all around; --serial, --usb, --lan choose.  Status 0 also for none."""
    kinds = [kind for kind in ("usb", "serial", "lan") if getattr(arguments, kind)]
    kinds = kinds or ([] if arguments.where else ["usb", "serial", "lan"])
    found: list[Found] = []
    missed: list[FlashError] = []
    if arguments.dry_run:
        kinds = [kind for kind in kinds if kind == "usb"]  # sysfs alone: nothing is sent or opened

    def tell(each: Found) -> None:
        found.append(each)
        desk.say(line_of(each))

    for target in [] if arguments.dry_run else arguments.where:
        tell(named(target))
    if "usb" in kinds or "serial" in kinds:
        plugged = list(finding.on_usb(usb.devices()))
        wanted = plugged if "usb" in kinds else [each for each in plugged if each.place]
        if "serial" in kinds:  # the next step knows them as well
            wanted = [each for each in wanted if each.what != UNKNOWN]
        for each in wanted:
            tell(each)
    if "serial" in kinds:
        known = {each.place.address for each in found if each.place}
        for device in finding.lines():
            if device not in known:
                tell(_line(device, arguments.all_serial, missed))
    if "lan" in kinds:
        try:
            for each in finding.on_lan(arguments.seconds, interfaces=arguments.interface):
                tell(each)
        except FlashError as error:
            missed.append(error)
    if not found:
        desk.say("没有找到 nothing was found")
    for left in missed:
        desk.say(left.lines())
    desk.result(
        {"found": [each.told() for each in found], "missed": [each.told() for each in missed]}
    )
    return DONE


def named(target: str) -> Found:
    """Raises FlashError."""
    place = finding.locate(target)
    if place.kind == finding.SERIAL:
        return finding.on_line(place.address, place.port, _ASKED_S)
    return finding.on_address(place.address, place.port, _ASKED_S)


def _line(device: str, is_asked: bool, missed: list[FlashError]) -> Found:
    if not is_asked:
        return Found(UNKNOWN, device, ASK.format(device))
    try:
        return finding.on_line(device, BAUD, _ASKED_S)
    except FlashError as error:
        missed.append(error)
        return Found(UNKNOWN, device)


def line_of(found: Found) -> str:
    if found.said is None:
        return "  ".join(word for word in (found.where, WORDS[found.what], found.detail) if word)
    name = found.said.unit or f"({found.serial or '?'})"
    text = f"{found.where}  终端 terminal {name}  {found.said.version}  {STATES[found.said.state]}"
    return text if found.where == str(found.place) else f"{text}  {found.place}"
