"""`sscterm`: the terminal's socket from a command line.

sscterm status | purchase ORDER_NO --account 12.34 --operator 07 | balance | records | cancel
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from firmware.board import BoardError, load

EXIT_OK, EXIT_NOT_TAKEN, EXIT_USAGE, EXIT_UNREACHABLE = 0, 1, 2, 3
ANSWER_S = 600.0


class Unreachable(Exception):
    pass


def call(path: Path, method: str, params: dict[str, Any], timeout_s: float = ANSWER_S) -> Any:
    """One JSON-RPC call; the result, or the error object as {"error": ...}.

    Raises Unreachable when no terminal answers on that socket.
    """
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout_s)
            link.connect(str(path))
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"no terminal answers on {path} ({error}). Start it: python -m firmware --board "
            f"board.toml\n{path} 上没有终端应答，请先启动终端程序"
        ) from None
    return answer["result"] if "result" in answer else {"error": answer["error"]}


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        path = arguments.socket or load(arguments.board).host.socket
        answer = call(Path(path), arguments.command, _params(arguments))
    except (BoardError, Unreachable) as error:
        print(error, file=sys.stderr)
        return EXIT_UNREACHABLE
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        _print(answer)
    if "error" in answer:
        return EXIT_NOT_TAKEN
    number = answer.get("outcome", {}).get("number", 0)
    return EXIT_OK if number < 100 else EXIT_NOT_TAKEN


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--socket", help="the unit's socket (else the one board.toml names)")
    common.add_argument("--board", default="board.toml")
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
    return parser.parse_args(argv)


def _params(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.command == "records":
        return {"after": arguments.after, "limit": arguments.limit}
    if arguments.command != "purchase":
        return {}
    names = ("account", "self", "pooled")
    return {
        "order_no": arguments.order_no,
        "operator": arguments.operator,
        "amounts": {f"{each}_fen": _fen(getattr(arguments, each)) for each in names},
    }


def _fen(yuan: str) -> int:
    try:
        fen = Decimal(yuan) * 100
    except InvalidOperation:
        raise ValueError(f"{yuan!r} is no amount in yuan, as in 12.34") from None
    if fen != int(fen) or fen < 0:
        raise ValueError(f"{yuan!r} is no amount in yuan and fen, as in 12.34")
    return int(fen)


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
