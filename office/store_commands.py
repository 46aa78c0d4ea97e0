"""`sscoffice init`, `check`, `revoke` and `reinstate`: the acts that are about the store itself."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from office import deep, files, folder, quarantine, status, unitstop
from office.check import check
from office.day import CHINA, now_ms
from office.errors import OfficeError
from office.link_commands import office_of


def add(act: Callable[..., argparse.ArgumentParser]) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    one = act("init", _init, "建立后台 · make an office: key, store", office=False)
    one.add_argument("path", type=Path, metavar="DIR")
    one.add_argument("--name", default="office", help="as it stands in receipts")
    one.add_argument("--store", metavar="postgresql://...", help="default: office.db in DIR")
    one.add_argument("--json", action="store_true")

    one = act("check", _check, "核对完整 · prove the store complete")
    one.add_argument("--deep", action="store_true", help="every record's signature, on all cores")
    one.add_argument("--json", action="store_true")

    one = act("revoke", _revoke, "停用终端 · trust a unit no longer")
    one.add_argument("unit")
    one.add_argument("--since", required=True, metavar="TIME", help="YYYY-MM-DD[THH:MM], UTC+8")
    _add_stop(one)

    one = act("reinstate", _reinstate, "恢复终端 · take a revocation back")
    one.add_argument("unit")
    _add_stop(one)


def _add_stop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="as the unit shows it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the signed file for the unit")
    parser.add_argument("--json", action="store_true")


def _init(arguments: argparse.Namespace) -> int:
    if not 0 < len(arguments.name.encode()) <= 64:
        raise OfficeError(906, "--name has 1 to 64 bytes")
    public_hex = folder.init(arguments.path, arguments.name, arguments.store)
    text = (
        f"{arguments.path / folder.PUB}: {public_hex}\n"
        "请把 office.pub 放到每台终端 · copy office.pub to every unit, "
        "where [office] public_key of its board.toml names it"
    )
    told = {"folder": str(arguments.path), "public_key": public_hex}
    status.tell(arguments, told, text)
    return status.DONE


def _check(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        wrong = deep.verify(office.store, _progress) if arguments.deep else []
        found = check(office, _progress)
    result = found.to_json()
    if arguments.deep:
        result["deep"] = {"ok": not wrong, "wrong": [list(each) for each in wrong]}
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for name, value in result.items():
            print(f"{name:17} {json.dumps(value, ensure_ascii=False)}")
    if not found.is_whole or wrong:
        return status.FAILED
    return status.DONE if found.records else status.NOTHING


def _progress(done: int, total: int) -> None:
    end = "\r" if sys.stderr.isatty() and done < total else "\n"
    print(f"已核对 verified {done} / {total}", end=end, file=sys.stderr, flush=True)


def _revoke(arguments: argparse.Namespace) -> int:
    since_ms = _time_ms(arguments.since)
    with office_of(arguments) as office:
        batches = quarantine.revoke(office.store, arguments.unit, since_ms)
        raw = unitstop.sign(office, arguments.unit, True, arguments.reason, now_ms())
    _tell(arguments, "已停用 · revoked", batches, raw)
    return status.DONE


def _reinstate(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        batches = quarantine.reinstate(office.store, arguments.unit)
        raw = unitstop.sign(office, arguments.unit, False, arguments.reason, now_ms())
    _tell(arguments, "已恢复 · reinstated", batches, raw)
    return status.DONE


def _tell(arguments: argparse.Namespace, text: str, batches: list[int], raw: bytes) -> None:
    files.write(arguments.out, raw)
    if arguments.json:
        print(json.dumps({"unit": arguments.unit, "batches": batches}))
    else:
        told = ", ".join(map(str, batches)) or "-"
        print(f"{text}: {arguments.unit}; 批次 batches: {told}")


def _time_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)
    except ValueError:
        raise OfficeError(906, f"{text}: YYYY-MM-DD or YYYY-MM-DDTHH:MM") from None
