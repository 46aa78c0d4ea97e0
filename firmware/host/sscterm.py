"""`sscterm`: the terminal from a command line, on its socket or over the network.

sscterm status | purchase ORDER_NO --account 12.34 --operator 07 | balance | records | cancel
sscterm pin change | pin remove | operator logon CODE | operator logoff CODE
sscterm pin unblock | pin reload | card block | application block DF04 --operator A --second B
sscterm tamper clear --operator A
sscterm card dump [--json] | presence REQUEST_NO NONCE
sscterm ... --host ADDRESS:PORT --certificate FILE --key FILE --ca FILE
"""

from __future__ import annotations

import argparse
import getpass
import ipaddress
import json
import re
import sys
from pathlib import Path
from typing import Any

from firmware.board import BoardError, load
from firmware.card.dump_table import table
from firmware.host import operators_cli
from firmware.host.client import AnswerLost, Remote, TlsFiles, Unreachable, call

EXIT_OK, EXIT_NOT_TAKEN, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_OPEN = 0, 1, 2, 3, 4
"""EXIT_OPEN: whether money was taken is not known (yet): ask again with the same order number."""
_OPEN = (
    "PAYMENT_UNCERTAIN", "PAYMENT_SUSPECT", "PUT_CARD_BACK", "UNIT_FAULT", "JOURNAL_DAMAGED",
    "ANSWER_LOST",
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        answer = call(_where(arguments), _method(arguments), _params(arguments))
    except (BoardError, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except Unreachable as error:
        print(error, file=sys.stderr)
        return EXIT_UNREACHABLE
    except AnswerLost as error:
        print(error, file=sys.stderr)
        return EXIT_OPEN
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
    elif "card" in answer:
        print(table(answer["card"]), end="")
    elif "statement" in answer:
        print(answer["statement"])
    else:
        _print(answer)
    return _exit_status(answer)


def _where(arguments: argparse.Namespace) -> Path | Remote:
    """Raises BoardError, ValueError."""
    files = (arguments.certificate, arguments.key, arguments.ca)
    if arguments.host is None:
        if any(files):
            raise ValueError("--certificate, --key and --ca go with --host")
        return Path(arguments.socket or load(arguments.board).host.socket)
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", arguments.host)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise ValueError(f"--host {arguments.host!r}: write ADDRESS:PORT")
    host = found[1].strip("[]")
    if all(files):
        return Remote(host, int(found[2]), TlsFiles(*files))
    if any(files) or not _is_loopback(host):
        raise ValueError("--host needs --certificate, --key and --ca; without them loopback only")
    return Remote(host, int(found[2]), None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _exit_status(answer: dict[str, Any]) -> int:
    told = (answer["error"].get("data") or {}) if "error" in answer else answer
    result = told.get("outcome")
    if result is None:  # a method that serves no card
        return EXIT_NOT_TAKEN if "error" in answer else EXIT_OK
    if result["name"] in _OPEN:
        return EXIT_OPEN
    if result["name"] == "TERMINAL_AWAY":
        return EXIT_UNREACHABLE
    return EXIT_OK if result["number"] < 100 else EXIT_NOT_TAKEN


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--socket", help="the unit's socket (else the one board.toml names)")
    common.add_argument("--board", default="board.toml")
    common.add_argument("--host", metavar="ADDRESS:PORT", help="a unit's [host.lan], instead")
    for name in ("certificate", "key", "ca"):
        common.add_argument(f"--{name}", type=Path, help="a file for --host, PEM")
    common.add_argument("--json", action="store_true", help="print one JSON object")
    parser = argparse.ArgumentParser(prog="sscterm", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", parents=[common])
    commands.add_parser("balance", parents=[common])
    commands.add_parser("cancel", parents=[common])
    records = commands.add_parser("records", parents=[common])
    records.add_argument("--after", type=int, default=0)
    records.add_argument("--limit", type=int, default=100)
    purchase = commands.add_parser("purchase", parents=[common])
    purchase.add_argument("order_no")
    for name, what in (("account", "account"), ("self", "self-pay"), ("pooled", "pooled fund")):
        purchase.add_argument(f"--{name}", default="0", help=f"yuan from the {what}")
    purchase.add_argument("--operator", required=True)
    purchase.add_argument("--special", help="1 injury, 2 maternity, 3 relief, 9 other")
    pin = commands.add_parser("pin").add_subparsers(dest="act", required=True)
    for act, what in (("change", "change it, or set one"), ("remove", "remove it")):
        asked = pin.add_parser(act, parents=[common], help=f"the holder's PIN, at the pad: {what}")
        asked.add_argument("--operator", default=None, help="as it is journaled (else the login)")
    card = commands.add_parser("card").add_subparsers(dest="act", required=True)
    dump = card.add_parser("dump", parents=[common], help="every readable item of the card")
    presence = commands.add_parser("presence", parents=[common], help="prove card and PIN")
    presence.add_argument("request_no")
    presence.add_argument("nonce", help="the office's, in hex")
    dump.add_argument("--operator", default=None, help="as it is journaled (else the login name)")
    receipt = commands.add_parser("receipt", parents=[common], help="print it; a copy from then on")
    receipt.add_argument("order_no")
    receipt.add_argument(
        "--operator", default=None, help="as it is journaled (else the login name)"
    )
    operators_cli.add_commands(commands, pin, card, common)
    return parser.parse_args(argv)


def _method(arguments: argparse.Namespace) -> str:
    if "method" in arguments:
        return str(arguments.method)
    if arguments.command == "pin":
        return f"pin.{arguments.act}"
    names = {"card": "card.dump", "presence": "presence.proof", "receipt": "receipt.print"}
    return names.get(arguments.command, str(arguments.command))


def _params(arguments: argparse.Namespace) -> dict[str, Any]:
    if "given" in arguments:
        return operators_cli.given(arguments)
    if arguments.command in ("card", "pin"):
        return {"operator": arguments.operator or getpass.getuser()}
    if arguments.command == "receipt":
        who = arguments.operator or getpass.getuser()
        return {"order_no": arguments.order_no, "operator": who}
    if arguments.command == "presence":
        return {"request_no": arguments.request_no, "office_nonce": arguments.nonce}
    if arguments.command == "records":
        return {"after": arguments.after, "limit": arguments.limit}
    if arguments.command != "purchase":
        return {}
    names = ("account", "self", "pooled")
    return {
        "order_no": arguments.order_no,
        "operator": arguments.operator,
        "amounts": {f"{each}_fen": _fen(getattr(arguments, each)) for each in names},
        **({} if arguments.special is None else {"special": arguments.special}),
    }


def _fen(yuan: str) -> int:
    found = re.fullmatch(r"([0-9]{1,8})(?:\.([0-9]{1,2}))?", yuan)
    if found is None:
        raise ValueError(f"{yuan!r} is no amount in yuan and fen, as in 12.34")
    whole, part = found.groups()
    return int(whole) * 100 + int((part or "").ljust(2, "0"))


def _print(answer: dict[str, Any]) -> None:
    if "error" in answer:
        error = answer["error"]
        print(error["message"])
        for text in (error.get("data") or {}).get("outcome", {}).values():
            print(f"  {text}")
        return
    for name, value in answer.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for inner, each in value.items():
                print(f"  {inner:16} {_brief(each)}")
        elif name == "shown":
            continue  # the newest stands under display; --json has them all
        elif name == "records" and value and isinstance(value[0], dict):
            for each in value:
                print(f"{each['number']:6} {each['kind']:16} {_brief(each['body'])}")
        else:
            print(f"{name:18} {_brief(value)}")


def _brief(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
