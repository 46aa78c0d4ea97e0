"""`sscterm`'s commands for operators: log-on, the acts that need two of them, the case."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

_TWO = ("operator", "second")
_SEEN = ("id_kind", "id_tail")


def add_commands(commands: Any, pin: Any, card: Any, common: argparse.ArgumentParser) -> None:
    """commands, pin, card: sub-parsers.  Each command sets `method` and `given`, its parameters."""
    operator = commands.add_parser("operator").add_subparsers(dest="act", required=True)
    for act, given in (("logon", ("code", "password")), ("logoff", ("code",))):
        one = operator.add_parser(act, parents=[common])
        one.add_argument("code")
        one.set_defaults(method=f"operator.{act}", given=given)
    for act, what in (("unblock", "its tries back"), ("reload", "a new PIN, typed at the pad")):
        one = _for_two(pin, act, common, f"the holder's PIN, by two operators: {what}")
        one.add_argument("--id-kind", required=True, help="what was shown: citizen, passport, ...")
        one.add_argument("--id-tail", required=True, help="the last four characters of its number")
        one.set_defaults(method=f"pin.{act}", given=_TWO + _SEEN)
    one = _for_two(card, "block", common, "the whole card, for ever")
    one.set_defaults(method="card.block", given=_TWO)
    tamper = commands.add_parser("tamper").add_subparsers(dest="act", required=True)
    one = tamper.add_parser("clear", parents=[common], help="the case is shut and as it should be")
    one.add_argument("--operator", required=True)
    one.set_defaults(method="tamper.clear", given=("operator",))
    application = commands.add_parser("application").add_subparsers(dest="act", required=True)
    one = _for_two(application, "block", common, "one application of the card, for ever")
    one.add_argument("application", help="DF03 or DF04")
    one.set_defaults(method="application.block", given=(*_TWO, "application"))


def _for_two(acts: Any, name: str, common: argparse.ArgumentParser, what: str) -> Any:
    one = acts.add_parser(name, parents=[common], help=what)
    for each in _TWO:
        one.add_argument(f"--{each}", required=True)
    return one


def given(arguments: argparse.Namespace) -> dict[str, str]:
    """A password is typed or comes on standard input, never from the command line."""
    return {
        name: _password() if name == "password" else getattr(arguments, name)
        for name in arguments.given
    }


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("密码 · password: ")
    return sys.stdin.readline().rstrip("\r\n")
