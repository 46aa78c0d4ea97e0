"""The command line of flash.py: one act, one result; texts for people or one JSON object."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from tools.technician import acts, live, looking, moving, updating
from tools.technician.desk import Desk
from tools.technician.errors import FAILED, USAGE, FlashError
from tools.technician.release import BOARDS

UNIT = "usb, HOST, HOST:PORT, serial:DEVICE, or a unit's id"
Act = Callable[[argparse.Namespace, Desk], int]


class Parser(argparse.ArgumentParser):
    """Usage errors end with their own status, 64 (sysexits.h EX_USAGE), not that of a refusal."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """The exit status (errors.py, docs/flash.md)."""
    arguments = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name or a terminal that is not UTF-8
    with _log(arguments) as log, _ended_gently():
        desk = Desk(arguments.json, sys.stdout, sys.stderr, log, arguments.state)
        desk.note(f"flash.py {' '.join(sys.argv[1:] if argv is None else argv)}")
        try:
            status = arguments.run(arguments, desk)
        except FlashError as error:
            desk.failed(error)
            status = error.row.status
        except OSError as error:  # those of a card were told by whoever met them
            desk.failed(FlashError(1208, str(error)))
            status = FAILED
        except KeyboardInterrupt:
            desk.failed(FlashError(1205))
            status = FAILED
        desk.note(f"exit status {status}")
        return status


@contextmanager
def _ended_gently() -> Iterator[None]:
    """SIGTERM and SIGHUP end an act as Ctrl-C does: what writes for it is ended with it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [
        each
        for each in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(each) is not signal.SIG_IGN  # as nohup(1) left it
    ]
    before = {each: signal.signal(each, interrupt) for each in wanted}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _log(arguments: argparse.Namespace) -> TextIO:
    """Lines are added to flash.log in the state folder, or to --log; nowhere if that cannot be."""
    path = arguments.log or arguments.state / "flash.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print(f"没有日志 no log: {error}", file=sys.stderr)
        return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")


def _state() -> Path:
    """What this computer remembers between two runs."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base, "sscterm")


def parser() -> Parser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object · 输出 JSON")
    common.add_argument(
        "--dry-run", action="store_true", help="check everything, write nothing · 只检查不写"
    )
    common.add_argument("--log", type=Path, help="the log file · 日志文件")
    common.add_argument("--state", type=Path, default=_state(), help=argparse.SUPPRESS)
    sheets = argparse.ArgumentParser(add_help=False)
    sheets.add_argument(
        "--sheets",
        type=Path,
        default=Path("sheets"),
        help="folder of the protocol sheets · 记录单文件夹",
    )
    sheets.add_argument("--unit", default="", help="the unit's name on the sheet · 终端编号")
    confirm = argparse.ArgumentParser(add_help=False)
    confirm.add_argument("--confirm", metavar="SERIAL", help="instead of typing it · 免输入确认")
    authority = argparse.ArgumentParser(add_help=False)
    authority.add_argument(
        "--ca",
        type=Path,
        default=os.environ.get("SSCFLASH_CA"),
        help="certificate of the release CA; or SSCFLASH_CA · 发布证书",
    )
    image = argparse.ArgumentParser(add_help=False, parents=[authority])
    image.add_argument("image", type=Path, help="IMG or IMG.zst")
    image.add_argument("--for", dest="board", choices=BOARDS, help="the board · 机型")
    image.add_argument("--older", action="store_true", help="an older version is meant · 允许旧版")
    key = argparse.ArgumentParser(add_help=False)
    key.add_argument(
        "--key",
        type=Path,
        default=os.environ.get("SSCFLASH_KEY"),
        help="your private key; or SSCFLASH_KEY; else ssh's own · 技术员私钥",
    )
    top = Parser(prog="flash.py", description="终端写卡工具 · from an empty card to a terminal")
    made = top.add_subparsers(required=True, metavar="ACT", parser_class=Parser)

    def act(name: str, run: Act, text: str, *parents: argparse.ArgumentParser) -> Parser:
        one: Parser = made.add_parser(name, help=text, description=text, parents=[common, *parents])
        one.set_defaults(run=run)
        return one

    one = act("list", acts.list_, "可写的设备 · devices that may be written, and why not")
    one.add_argument("--image", type=Path, help="must fit this image's size · 按镜像判断容量")
    one = act("write", acts.write, "写卡并校验 · write and read back", image, confirm, sheets)
    one.add_argument("target", help="a disk, as /dev/sdb, or a file")
    one.add_argument("--no-verify", action="store_true", help="do not read back · 不校验")
    one = act("verify", acts.verify, "只校验 · read back and compare", image)
    one.add_argument("target")
    one = act("batch", acts.batch, "多卡同写 · several cards at once", image, confirm, sheets)
    one.add_argument("targets", nargs="+", help="disks or files")
    one = act("find", looking.find, "查找终端 · terminals on USB, serial lines and the network")
    _find(one)
    one = act(
        "info",
        acts.info,
        "镜像、卡或终端的信息 · what an image, a card or a unit is",
        key,
        authority,
    )
    one.add_argument("target", help=f"a disk, a file, or {UNIT}")
    one = act("selftest", live.selftest, "终端自检 · whether all of a unit works", key)
    one.add_argument("target", help=UNIT)
    one = act("logs", live.logs, "取终端日志 · a unit's log as a file", key)
    one.add_argument("target", help=UNIT)
    one.add_argument("--out", type=Path, default=Path("unit.log"), help="file · 保存为")
    one.add_argument("--lines", type=int, default=5000, help="the newest so many · 最新行数")
    one = act("provision", acts.provision, "写入终端身份 · the unit's identity", confirm)
    _provision(one)
    one = act("enrolment", acts.enrolment, "取登记请求 · the unit's enrolment request")
    one.add_argument("target")
    one.add_argument("--out", type=Path, default=Path("enrolment.cose"), help="file · 保存为")
    one = act("update", updating.update, "升级终端 · a release for a running unit", key, authority)
    one.add_argument("target", help=UNIT)
    one.add_argument("bundle", type=Path, help="BUNDLE.raucb")
    one = act("backup", moving.save, "备份终端 · a unit's settings and batches", key)
    _backup(one)
    one = act("restore", moving.restore, "迁到新卡 · a backup onto a new card", confirm)
    _restore(one)
    one = act("wipe", acts.wipe, "清零 · zeros over the whole card", confirm)
    one.add_argument("target")
    return top


def _find(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "where", nargs="*", help="HOST, serial:DEVICE@BAUD or a unit's id · 地址或编号"
    )
    one.add_argument("--usb", action="store_true", help="only there · 只查 USB")
    one.add_argument("--serial", action="store_true", help="only there · 只查串口")
    one.add_argument("--lan", action="store_true", help="only there · 只查局域网")
    one.add_argument(
        "--all-serial", action="store_true", help="ask on every serial line · 询问所有串口"
    )
    one.add_argument(
        "--interface",
        action="append",
        metavar="ADDRESS",
        help="an address of this computer to search from; all of them · 本机地址",
    )
    one.add_argument(
        "--seconds", type=_seconds, default=3.0, help="for the network, 3 · 局域网等待秒数"
    )


def _seconds(text: str) -> float:
    """0.1 to 60."""
    if not 0.1 <= (found := float(text)) <= 60:
        raise argparse.ArgumentTypeError("0.1 to 60")
    return found


def _backup(one: Parser) -> None:
    one.add_argument("target", help=f"its card or card image, or {UNIT}")
    one.add_argument("file", type=Path, help="FILE, encrypted · 备份文件")
    one.add_argument(
        "--for", dest="recipient", type=Path, required=True, metavar="CERT.pem",
        help="who may open it · 可解密者的证书",
    )  # fmt: skip
    one.add_argument(
        "--records", type=Path, default=Path("records"), metavar="FOLDER",
        help="batches not yet receipted, as on a USB stick · 未回执的批次",
    )  # fmt: skip


def _restore(one: Parser) -> None:
    one.add_argument("file", type=Path, help="FILE of backup · 备份文件")
    one.add_argument("target", help="the new card or image file, not mounted")
    one.add_argument("--unit", required=True, help="the new unit's id · 新终端编号")
    one.add_argument(
        "--open", type=Path, required=True, metavar="KEY.pem", help="private key · 解密私钥"
    )


def _provision(one: Parser) -> None:
    one.add_argument("target", help="a card or an image file, not mounted")
    one.add_argument("--board", type=Path, required=True, help="board.toml to begin with")
    for name, text in (
        ("unit", "the unit's id · 终端编号"),
        ("region", "region code · 地区代码"),
        ("terminal-number", "of the PSAM expected · 应装 PSAM 的终端号"),
        ("office-url", "the collector's https:// address · 后台地址"),
        ("site", "the site, 1 to 64 characters · 网点"),
    ):
        one.add_argument(f"--{name}", help=text)
    one.add_argument(
        "--technician", type=Path, action="append", default=[], metavar="KEY.pub",
        help="a public key that opens the running unit · 技术员公钥",
    )  # fmt: skip
    one.add_argument(
        "--door-line", metavar="TTY",
        help="a serial line for technicians, as ttyAMA0 · 技术员用的串口",
    )  # fmt: skip
    one.add_argument(
        "--file", type=Path, action="append", default=[],
        help="a file that board.toml names: certificates, keys, lists · 证书、密钥、名单",
    )  # fmt: skip
