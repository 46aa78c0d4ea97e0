"""`sscoffice verify` and `keys`: batch files judged by keys known beforehand, without a store."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from firmware.journal.algorithms import written
from firmware.journal.batch import MAX_BATCH
from firmware.journal.receipt import MAX_RECEIPT
from office import files, knownkeys, status
from office.errors import OfficeError
from office.examine import examine
from office.folder import Folder
from office.keys import keys_of
from office.knownkeys import KnownKey, KnownKeys
from office.link_commands import office_of
from office.verdict import Verdict

Act = Callable[[argparse.Namespace], int]
AddAct = Callable[..., argparse.ArgumentParser]

_MAX_KEYS = 64 << 20  # bytes


def add(act: AddAct) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    text = "核验批次文件 · judge batch files: class and place of what is wrong"
    one = act("verify", _verify, text, office=False)
    one.add_argument("path", type=Path, metavar="FOLDER|FILE")
    one.add_argument("--keys", type=Path, required=True, metavar="keys.json")
    one.add_argument("--json", action="store_true", help="one object a file, no summary")

    one = act("keys", _keys, "导出密钥清单 · the keys by which others verify")
    one.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    one.add_argument("--json", action="store_true", help="on one line")


def _verify(arguments: argparse.Namespace) -> int:
    for each in (arguments.path, arguments.keys):
        if not each.exists():
            print(f"找不到 · not found: {each}", file=sys.stderr)
            return status.NOT_FOUND
    keys = _read_keys(arguments.keys)
    found = batch_files(arguments.path)
    classes: Counter[str] = Counter()
    for done, path in enumerate(found, 1):
        verdict = verdict_on(path, keys)
        classes[verdict.why or ""] += 1
        if arguments.json or not verdict.is_sound:
            print(json.dumps(verdict.to_json(path.name), ensure_ascii=False))
        _progress(done, len(found))
    sound, count = classes.pop("", 0), len(found)
    if not arguments.json:
        print(f"文件 files {count}, 无误 sound {sound}, 有误 wrong {count - sound}")
        for why, number in sorted(classes.items()):
            print(f"  {why} {number}")
    if not found:
        return status.NOTHING
    return status.DONE if sound == count else status.FAILED


def batch_files(path: Path) -> list[Path]:
    """The file, or the *.batch files in the folder, by name."""
    return sorted(path.glob("*.batch")) if path.is_dir() else [path]


def verdict_on(path: Path, keys: KnownKeys) -> Verdict:
    """On the file and on the receipt of the same name beside it; raises OfficeError 906."""
    receipt = path.with_suffix(".receipt")
    beside = files.read(receipt, MAX_RECEIPT) if receipt != path and receipt.exists() else None
    return examine(files.read(path, MAX_BATCH), keys, beside)


def _progress(done: int, count: int) -> None:
    """A line that moves, where a person looks on."""
    if sys.stderr.isatty() and (done % 50 == 0 or done == count):
        end = "\n" if done == count else "\r"
        print(f"{done}/{count}", end=end, file=sys.stderr, flush=True)


def _read_keys(path: Path) -> KnownKeys:
    try:
        return knownkeys.parse(json.loads(files.read(path, _MAX_KEYS)))
    except ValueError as error:  # of JSON and of UTF-8, too
        raise OfficeError(940, f"{path}: {error}") from None


def _keys(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        indent = None if arguments.json else 1
        text = json.dumps(known_keys(office).to_json(), ensure_ascii=False, indent=indent)
    if arguments.out is None:
        print(text)
        return status.DONE
    files.write(arguments.out, f"{text}\n".encode())
    return status.DONE


def known_keys(office: Folder) -> KnownKeys:
    """Every key the office knows, each with its range: its units' and its own."""
    units = {
        unit: [
            KnownKey(written(key.algorithm), key.public_key, key.first, key.last)
            for key in keys_of(office.store, unit)
        ]
        for unit in office.store.units()
    }
    mine = [*office.former_keys(), office.signer.public_key]
    return KnownKeys(units, [KnownKey(written(office.signer.algorithm), each) for each in mine])
