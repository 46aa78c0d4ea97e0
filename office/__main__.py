"""`sscoffice`: the back office's one command.  Every act is a function of the parsed arguments.

Exit status (status.py): 0 done, 1 not done or something must be looked at, 2 there was nothing to
do, 3 what was named is not there.  An error has a number, a cause and a next step.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from firmware.journal.signedfile import MAX_FILE
from office import (
    day,
    enrolling,
    files,
    ledger_commands,
    link_commands,
    operators,
    presence,
    reveal,
    signing_commands,
    status,
    stoplist,
    stoprows,
    store_commands,
    tac,
    unit_commands,
    verify_commands,
)
from office.day import now_ms
from office.errors import OfficeError
from office.folder import Folder

Act = Callable[[argparse.Namespace], int]


def main(argv: list[str] | None = None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        return int(arguments.run(arguments))
    except OfficeError as error:
        print(error.lines, file=sys.stderr)
        return status.of_error(error.number)
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Its own status for words it does not understand is that of "nothing to do"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(status.FAILED, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="sscoffice", description="后台 · the back office")
    acts = parser.add_subparsers(required=True, metavar="ACT")

    def act(name: str, run: Act, text: str, office: bool = True) -> argparse.ArgumentParser:
        one = acts.add_parser(name, help=text, description=text)
        one.set_defaults(run=run)
        if office:
            default = os.environ.get("SSCOFFICE_DIR", ".")
            one.add_argument("--dir", type=Path, default=Path(default), help="the office's folder")
        return one

    store_commands.add(act)
    enrolling.add(act)
    reveal.add(act)
    link_commands.add(act)
    verify_commands.add(act)

    one = act("day", _day, "日报 · the records of a day")
    one.add_argument("--date", help="YYYY-MM-DD; default: the day of the newest record")
    one.add_argument("--json", action="store_true")

    one = act("stop-list", _stop_list, "止付名单 · change and sign the stop list")
    one.add_argument("act", choices=("make", "add", "remove", "import"))
    card, several = "ID[:NUMBER[:STATE]]", "FROM-TO[:STATE]"
    one.add_argument("--card", type=stoplist.card_entry, action="append", metavar=card)
    one.add_argument("--range", type=stoplist.range_entry, action="append", metavar=several)
    one.add_argument("--psam", type=stoplist.terminal_entry, action="append", metavar="TERMINAL")
    one.add_argument("--csv", type=Path, metavar="FILE", help="import: every card of the list")
    one.add_argument("--since", type=int, default=0, metavar="N", help="what changed since list N")
    one.add_argument("--out", type=Path, required=True, metavar="FILE")
    one.add_argument("--json", action="store_true")

    one = act("operators", _operators, "操作员名单 · change and sign the operator list")
    one.add_argument("act", choices=("make", "add", "remove"))
    one.add_argument("--code", default="", help="what the operator logs on with")
    one.add_argument("--name", default="")
    one.add_argument("--right", action="append", choices=operators.RIGHTS)
    one.add_argument("--out", type=Path, required=True, metavar="FILE")
    one.add_argument("--json", action="store_true")

    one = act("presence", _presence, "到场证明 · ask for and verify proofs of presence")
    one.add_argument("act", choices=("make-request", "verify"))
    one.add_argument("what", metavar="REQUEST_NO|FILE")
    one.add_argument("--window", type=int, default=presence.WINDOW_S, metavar="SECONDS")
    one.add_argument("--json", action="store_true")

    one = act("tac-key", _tac_key, "TAC 密钥 · take over DTK, to verify TACs")
    one.add_argument("--file", type=Path, required=True, metavar="KEY_FILE")
    one.add_argument("--json", action="store_true")

    ledger_commands.add(act)
    signing_commands.add(act)
    unit_commands.add(act)
    return parser


def _day(arguments: argparse.Namespace) -> int:
    with _office(arguments.dir) as office:
        date = arguments.date or day.newest_day(office.store)
        listed = [] if date is None else _rows(office, date)
    totals = day.summary(listed)
    if arguments.json:
        print(json.dumps({"date": date, "rows": listed, "summary": totals}, ensure_ascii=False))
    else:
        print(f"{date or ''} (UTC+8)\n{day.table(listed)}")
        sums = ", ".join(f"{name} {day.yuan(fen)}" for name, fen in totals["done_fen"].items())
        kinds = ", ".join(f"{kind} {count}" for kind, count in totals["kinds"].items())
        print(f"记录 records {totals['records']}, 已核对 verified {totals['verified']}: {kinds}")
        print(f"完成金额 done, yuan: {sums}")
        print("TAC: " + (", ".join(f"{state} {n}" for state, n in totals["tac"].items()) or "-"))
    if not listed:
        return status.NOTHING
    is_sound = totals["records"] == totals["verified"] and tac.WRONG not in totals["tac"]
    return status.DONE if is_sound else status.FAILED


def _stop_list(arguments: argparse.Namespace) -> int:
    named = [e for each in (arguments.card, arguments.range, arguments.psam) for e in each or []]
    is_change = arguments.act in ("add", "remove")
    if bool(named) != is_change or (arguments.csv is None) == (arguments.act == "import"):
        raise OfficeError(907, f"{arguments.act}: {len(named)}")
    with _office(arguments.dir) as office:
        if arguments.csv is not None:
            cards, odd = stoprows.import_cards(office, arguments.csv, _done)
            text = f"{arguments.csv}: 卡 cards {cards}, 校验位不符 odd check characters {odd}"
            print(text, file=sys.stderr if arguments.json else sys.stdout)
        elif named:
            adding = arguments.act == "add"
            stoplist.change(office, named if adding else [], [] if adding else named)
        made = stoplist.make(office, now_ms(), arguments.since, _done)
        count = stoplist.count(office)
    files.write(arguments.out, made.raw)
    since = f", 自 since {made.base}" if made.base else ""
    number = made.signed.number
    told = {"what": "stoplist", "number": number, "since": made.base, "entries": count}
    text = f"{arguments.out}: stoplist {number}{since}, 条目 entries {count}"
    status.tell(arguments, told, text)
    return status.DONE


def _operators(arguments: argparse.Namespace) -> int:
    if bool(arguments.code) == (arguments.act == "make"):
        raise OfficeError(
            916, f"{arguments.act} {'takes no' if arguments.code else 'needs'} --code"
        )
    added = None
    if arguments.act == "add":
        name, rights = arguments.name or arguments.code, arguments.right or []
        added = operators.person(arguments.code, name, rights, _password())
    with _office(arguments.dir) as office:
        removed = arguments.code if arguments.act == "remove" else None
        signed = operators.change(office, now_ms(), added, removed)
    files.write(arguments.out, signed.raw)
    count = len(signed.body[operators.PEOPLE])
    told = {"what": "operators", "number": signed.number, "people": count}
    text = f"{arguments.out}: operators {signed.number}, 人员 people {count}"
    status.tell(arguments, told, text)
    return status.DONE


def _password() -> str:
    """Never from the command line, where others could read it."""
    prompt = "密码 · password: "
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first, again = getpass.getpass(prompt), getpass.getpass(f"再次输入 · once more, {prompt}")
    if first != again:
        raise OfficeError(916, "the two passwords differ")
    return first


def _done(what: str, count: int) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{what}: {count}", end=end, file=sys.stderr, flush=True)


def _tac_key(arguments: argparse.Namespace) -> int:
    with _office(arguments.dir) as office:
        keys = office.keep_tac_keys(arguments.file)
    roots = [(root.algorithm, root.region or "", root.version) for root in keys.roots]
    lines = [f"DTK: {a}, 地区 region {r or '全国 nation'}, 版本 version {v}" for a, r, v in roots]
    status.tell(arguments, {"roots": [list(each) for each in roots]}, "\n".join(lines))
    return status.DONE


def _presence(arguments: argparse.Namespace) -> int:
    if arguments.act == "make-request":
        with _office(arguments.dir) as office:
            made = presence.make_request(office, arguments.what, now_ms())
        print(json.dumps({"request_no": made.request_no, "nonce": made.nonce.hex()}))
        return status.DONE
    raw = presence.statement_bytes(files.read(Path(arguments.what), MAX_FILE))
    with _office(arguments.dir) as office:
        proof = presence.verify(office, raw, now_ms(), arguments.window)
    told = presence.told(proof)
    if arguments.json:
        print(json.dumps(told))
    else:
        mark = "" if told["profile"] == "production" else ", 开发 DEVELOPMENT"
        print(
            f"{told['request_no']}: 卡号 card {told['card_number']}, "
            f"终端 unit {told['unit']}, {told['time']}{mark}"
        )
    return status.DONE


def _rows(office: Folder, date: str | None) -> list[day.Row]:
    return list(day.rows(office.store, date, office.tac_keys()))


@contextlib.contextmanager
def _office(path: Path) -> Iterator[Folder]:
    with contextlib.closing(Folder(path)) as office:
        yield office


if __name__ == "__main__":
    sys.exit(main())
