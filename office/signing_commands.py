"""`sscoffice officekey`, `parameters` and `update`: signed files that every unit fetches."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

from firmware.journal import cose
from firmware.journal.signedfile import PARAMETER_NAMES, PARAMETERS, UPDATE, claimed_file
from office import files, rekey, signedfiles, status
from office.errors import OfficeError
from office.link_commands import AddAct, office_of

_MAX_VERSION = 64


def add(act: AddAct) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    one = act("officekey", _office_key, "后台密钥 · change the office's signing key")
    one.add_argument("act", choices=("rotate", "resign"))
    text = "the tree of receipts is lost for good: units forget the one they knew"
    one.add_argument("--new-tree", action="store_true", help=text)
    _add_out(one)

    one = act("parameters", _parameters, "参数 · limits and rules for every unit")
    text = f"one of {', '.join(PARAMETER_NAMES)}; none: show what is in force"
    one.add_argument("set", nargs="*", metavar="SECTION.KEY=NUMBER", help=text)
    one.add_argument("--clear", action="store_true", help="board.toml's own values again")
    _add_out(one)

    one = act("update", _update, "升级公告 · announce a release to every unit")
    one.add_argument("version")
    one.add_argument("bundle", type=Path, metavar="FILE")
    _add_out(one)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", help="the signed file, for push")
    parser.add_argument("--json", action="store_true")


def _office_key(arguments: argparse.Namespace) -> int:
    now_ms = int(time.time() * 1000)
    with office_of(arguments) as office:
        if arguments.act == "rotate":
            raw = rekey.rotate(office, now_ms, is_new_tree=arguments.new_tree)
            _tell(arguments, raw, {"key": cose.key_id(office.signer.public_key).hex()})
            return status.DONE
        done = rekey.resign(office, now_ms)
    print(json.dumps({"signed": done}) if arguments.json else f"重新签名 signed anew: {done}")
    return status.DONE if done else status.NOTHING


def _parameters(arguments: argparse.Namespace) -> int:
    chosen = dict(map(_parameter, arguments.set))
    with office_of(arguments) as office:
        raw = signedfiles.newest(office.store, PARAMETERS)
        if not chosen and not arguments.clear:
            held = {} if raw is None else signedfiles.body_of(raw)
            print(json.dumps(held) if arguments.json else _lines(held))
            return status.DONE if held else status.NOTHING
        with office.store.transaction():
            raw = signedfiles.sign(office, PARAMETERS, chosen, int(time.time() * 1000))
    _tell(arguments, raw, {"parameters": chosen})
    return status.DONE


def _lines(held: dict[str, int]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in sorted(held.items())) or "-"


def _parameter(text: str) -> tuple[str, int]:
    """Raises OfficeError 917."""
    name, _, value = text.partition("=")
    if name not in PARAMETER_NAMES or not value.isascii() or not value.isdigit():
        raise OfficeError(917, f"{text!r:.80}")
    return name, int(value)


def _update(arguments: argparse.Namespace) -> int:
    if not 0 < len(arguments.version) <= _MAX_VERSION:
        raise OfficeError(917, f"a version has 1 to {_MAX_VERSION} characters")
    try:
        with arguments.bundle.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        size = arguments.bundle.stat().st_size
    except OSError as error:
        raise OfficeError(906, f"{arguments.bundle}: {error.strerror}") from None
    with office_of(arguments) as office, office.store.transaction():
        body = {1: arguments.version, 2: digest, 3: size}
        raw = signedfiles.sign(office, UPDATE, body, int(time.time() * 1000))
    _tell(arguments, raw, {"version": arguments.version, "sha256": digest.hex(), "size": size})
    return status.DONE


def _tell(arguments: argparse.Namespace, raw: bytes, more: dict[str, object]) -> None:
    """What was signed, and the file itself where it was asked for.  Raises OfficeError 906."""
    files.write(arguments.out, raw)
    signed = claimed_file(raw)
    told = {"what": signed.what, "number": signed.number} | more
    if arguments.json:
        print(json.dumps(told))
    else:
        print(", ".join(f"{name} {value}" for name, value in told.items()))
