"""`sscoffice report`, `resolve` and `export`: what the books say, for people and for programs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from firmware.journal.kinds import KIND_NAMES
from office import day, resolve
from office.errors import OfficeError
from office.folder import Folder
from office.link_commands import AddAct, office_of
from office.report import ALARMING, LATE_H, Report, report
from office.status import DONE, FAILED, NOT_FOUND, NOTHING

_LISTS = {
    "gaps": "缺号 gaps",
    "duplicates": "重复 duplicates",
    "psam": "PSAM 序号 serials",
    "chains": "余额不接 balances",
    "late": "迟到 late",
    "clock": "时钟 clock",
    "tampers": "机壳 case",
    "uncertain": "未定 uncertain",
}


def add(act: AddAct) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    one = act("report", _report, "对账 · sums by site and day, and what does not fit")
    one.add_argument("--date", help="YYYY-MM-DD; default: every day")
    one.add_argument("--unit", help="of this unit only")
    one.add_argument("--late-h", type=float, default=LATE_H, metavar="HOURS")
    one.add_argument("--json", action="store_true")

    one = act("resolve", _resolve, "裁定 · decide UNCERTAIN payments by the card's next one")
    one.add_argument("--json", action="store_true")

    one = act("export", _export, "导出 · write the records as CSV or Parquet")
    form = one.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", type=Path, metavar="FILE")
    form.add_argument("--parquet", type=Path, metavar="FILE")
    one.add_argument("--date", help="YYYY-MM-DD; default: every day")
    one.add_argument("--unit", help="of this unit only")
    one.add_argument("--json", action="store_true")


def _report(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        if not _knows(office, arguments.unit):
            return NOT_FOUND
        resolve.resolve(office.store, int(time.time() * 1000))
        found = report(
            office.store,
            date=_date(arguments.date),
            unit=arguments.unit,
            late_h=arguments.late_h,
            progress=_progress,
        )
    if arguments.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _show(found)
    if not found.records:
        return NOTHING
    return FAILED if found.is_alarming else DONE


def _knows(office: Folder, unit: str | None) -> bool:
    if unit is None or unit in office.store.units():
        return True
    print(OfficeError(801, unit).lines, file=sys.stderr)
    return False


def _date(text: str | None) -> str | None:
    """Raises OfficeError 906 unless it is a day."""
    if text is not None:
        day.start_ms(text)
    return text


def _show(found: Report) -> None:
    heads = ["终端 unit", "日期 day", "完成 done", "账户 account", "自付 self", "统筹 pooled"]
    heads += ["充值 loads", "撤销 void", "拒绝 declined", "可疑 suspect", "未定 uncertain"]
    lines = [heads]
    for (unit, date), each in sorted(found.sites.items()):
        fens = (each.account_fen, each.self_fen, each.pooled_fen, each.loaded_fen)
        counts = (str(each.counts[name]) for name in ("void", "declined", "suspect", "uncertain"))
        lines.append([unit, date, str(each.counts["done"]), *map(day.yuan, fens), *counts])
    print(day.aligned(lines, right=set(range(2, len(heads)))))
    for name, title in _LISTS.items():
        rows: list[dict[str, Any]] = getattr(found, name)
        mark = "✗" if rows and name in ALARMING else "!" if rows else "✓"
        print(f"{mark} {title}: {len(rows)}")
        for row in rows:
            print("   " + ", ".join(f"{key} {value}" for key, value in row.items()))


def _resolve(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        asked = len(resolve.uncertain(office.store))
        made = resolve.resolve(office.store, int(time.time() * 1000))
    if arguments.json:
        told = [each._asdict() | {"outcome": KIND_NAMES[each.outcome]} for each in made]
        print(json.dumps({"uncertain": asked, "resolved": told}, ensure_ascii=False))
    else:
        for each in made:
            print(
                f"{each.unit} {each.intent}: {KIND_NAMES[each.outcome]}, "
                f"由 by {each.by_unit} {each.by_intent} ({each.evidence})"
            )
        print(f"未定 uncertain {asked}, 已裁定 resolved {len(made)}")
    return DONE if made else NOTHING


def _export(arguments: argparse.Namespace) -> int:
    path: Path = arguments.csv or arguments.parquet
    with office_of(arguments) as office:
        if not _knows(office, arguments.unit):
            return NOT_FOUND
        listed = day.rows(office.store, _date(arguments.date), office.tac_keys(), arguments.unit)
        try:
            count = _writer(arguments)(_counted(listed), path)
        except OSError as error:
            raise OfficeError(906, f"{path}: {error.strerror or error}") from None
    if arguments.json:
        print(json.dumps({"file": str(path), "rows": count}))
    else:
        print(f"{path}: {count}")
    return DONE if count else NOTHING


def _writer(arguments: argparse.Namespace) -> Callable[[Iterator[day.Row], Path], int]:
    if arguments.csv is not None:
        return _csv
    from office import parquet  # late: pyarrow takes a second to import

    return parquet.write


def _csv(listed: Iterator[day.Row], path: Path) -> int:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        return day.write_csv(listed, file)


def _counted(listed: Iterator[day.Row]) -> Iterator[day.Row]:
    for count, row in enumerate(listed, 1):
        if count % 10_000 == 0:
            _progress(count, 0)
        yield row


def _progress(done: int, of: int) -> None:
    """On a terminal a line that moves; elsewhere every hundredth."""
    share = f"{done}/{of}" if of else str(done)
    if sys.stderr.isatty():
        print(share, end="\n" if done == of else "\r", file=sys.stderr, flush=True)
    elif done % 1000 == 0:
        print(share, file=sys.stderr)
