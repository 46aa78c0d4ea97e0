"""tools/verify_records.py as a command: chains, hostile files, what the firmware seals."""

from __future__ import annotations

import json
import os
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_maker import (
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    UNIT,
    open_journal,
    purchase,
    receipt_for,
)

from firmware.journal.batch import seal, take_apart
from firmware.journal.kinds import KIND_TAMPER
from firmware.journal.proof import make_proof
from tests.batch_cases import OFFICE, Case, payload_of
from tests.batch_writer import (
    RECORD,
    Raw,
    Signer,
    cbor,
    file_of,
    pack_parts,
    proof,
    receipt,
    sha,
    sign,
)
from tests.verify_rig import (
    CASES,
    FIRST,
    flipped,
    folder_of,
    packed_of,
    proof_verdict,
    right,
    run,
    verdict_of,
)
from tools import verify_records as tool

# -- several batches of a unit -------------------------------------------------------------------


def morning(unit: str = "pharmacy-7", batches: int = 4) -> list[tuple[Any, list[bytes]]]:
    """Batches of three records that follow each other, and the leaves of the tree so far."""
    made: list[tuple[Any, list[bytes]]] = []
    previous, before, leaves = bytes(32), bytes(32), [sha(b"another unit")]
    for number in range(1, batches + 1):
        records = []
        for each in range(3 * number - 2, 3 * number + 1):
            payload = cbor(payload_of(unit, each, before, 19, {50: "x"}))
            records.append(sign(FIRST.signers[1], payload, RECORD))
            before = sha(records[-1].raw)
        batch = replace(
            FIRST.batch, records=records, first=3 * number - 2, last=3 * number,
            batch=number, previous=previous, damaged=[],
        )  # fmt: skip
        previous = sha(batch.statement().raw)
        leaves = [*leaves, sha(b"\0", batch.statement().raw)]
        made.append((batch, leaves))
    return made


def files_of(made: list[tuple[Any, list[bytes]]]) -> dict[str, bytes]:
    files, old = {}, 0
    for batch, leaves in made:
        name = f"{batch.batch:03}"
        files[f"{name}.batch"] = file_of(batch.statement(), pack_parts(batch.records))
        files[f"{name}.receipt"] = receipt(OFFICE, batch, leaves, len(leaves) - 1, old)
        old = len(leaves)
    return files


def findings(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in run("--json", folder).stdout.splitlines()]
    assert all(line.get("ok", True) for line in lines)
    return [line["finding"] for line in lines if "finding" in line]


def chain_cases() -> dict[str, tuple[Callable[[list[Any]], Any], list[str]]]:
    def fork(made: list[Any]) -> list[Any]:
        other = replace(made[1][0], time=made[1][0].time + 1)
        return [*made, (replace(other, batch=2), made[1][1])]

    def skip(made: list[Any]) -> None:
        made.pop(1)

    def lie(made: list[Any]) -> None:
        batch, leaves = made[-1]
        made[-1] = replace(batch, previous=sha(b"x")), leaves

    def records_lie(made: list[Any]) -> None:
        records = [*made[-1][0].records]
        other = payload_of("pharmacy-7", 10, sha(b"x"), 19, {50: "x"})
        records[0] = sign(FIRST.signers[1], cbor(other), RECORD)
        previous = sha(records[0].raw)
        for n in (1, 2):
            payload = cbor(payload_of("pharmacy-7", 10 + n, previous, 19, {50: "x"}))
            records[n] = sign(FIRST.signers[1], payload, RECORD)
            previous = sha(records[n].raw)
        made[-1] = replace(made[-1][0], records=records), made[-1][1]

    def rebuilt(made: list[Any]) -> None:
        made[-1] = replace(made[-1][0], batch=260, previous=bytes(32)), made[-1][1]

    def rewritten(made: list[Any]) -> None:
        made[-1][1][1] = sha(b"another")

    return {
        "right": (lambda made: None, []),
        "rebuilt": (rebuilt, []),
        "fork": (fork, ["batch-chain"]),
        "one missing": (skip, ["batch-gap"]),
        "another before": (lie, ["batch-chain"]),
        "records do not follow": (records_lie, ["record-chain"]),
        "rewritten tree": (rewritten, ["tree"]),
    }


@pytest.mark.parametrize("name", chain_cases())
def test_the_chain_of_batches_and_receipts_is_followed(tmp_path, name):
    change, expected = chain_cases()[name]
    made = morning()
    made = change(made) or made
    last, leaves = made[-1]
    if name not in ("fork", "rewritten tree"):
        made[-1] = last, [*leaves[:-1], sha(b"\0", last.statement().raw)]
    files = files_of(made[:4])
    if name == "fork":
        files["other.batch"] = file_of(last.statement(), pack_parts(last.records))
    assert findings(folder_of(tmp_path, files)) == expected


# -- the command ---------------------------------------------------------------------------------


def test_exit_statuses_and_one_object_a_file(tmp_path):
    folder_of(tmp_path, files_of(morning()) | {"x.proof": proof(FIRST.batch, 1, None)})
    done = run("--json", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [*(f"{n:03}.batch" for n in range(1, 5)), "x.proof"]
    assert lines[0] == {
        "file": "001.batch", "ok": True, "class": None, "space": None, "offset": None,
        "record": None, "records": 3,
    }  # fmt: skip
    (tmp_path / "002.batch").write_bytes(right(FIRST)[:-1])
    done = run("--keys", tmp_path / "keys.json", tmp_path / "002.batch", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["class"] == "container"
    (tmp_path / "none").mkdir()
    assert run("--keys", tmp_path / "keys.json", tmp_path / "none").returncode == 2
    assert run("--keys", tmp_path / "keys.json", tmp_path / "nowhere").returncode == 3
    assert run(tmp_path / "none").returncode == 3


def test_every_record_is_told_with_signature_chain_inclusion_and_receipt(tmp_path):
    folder_of(tmp_path, files_of(morning(batches=1)))
    done = run("--json", "--records", tmp_path)
    _, first, second, _ = [json.loads(line) for line in done.stdout.splitlines()]
    assert first == {
        "in": "001.batch", "record": 1, "kind": "TAMPER", "signature": True, "chain": None,
        "inclusion": True, "receipt": True,
    }  # fmt: skip
    assert second["chain"] is True
    table = run("--records", tmp_path).stdout
    assert "right, receipted" in table
    assert "TAMPER" in table


def test_a_list_of_keys_that_is_none_is_named(tmp_path):
    folder_of(tmp_path, files_of(morning()))
    bad = [{"algorithm": -8, "public_key": "00"}, {"algorithm": -65540, "public_key": "00" * 65}]
    for text in ("", "[]", "{}", '{"units": []}', *(
        json.dumps({"units": {"a": [row]}, "office": []}) for row in bad
    )):  # fmt: skip
        (tmp_path / "keys.json").write_text(text)
        done = run(tmp_path)
        assert done.returncode == 1
        assert "no list of keys" in done.stderr
        assert "Traceback" not in done.stderr


# -- hostile files -------------------------------------------------------------------------------


def hostile() -> dict[str, bytes]:
    statement = FIRST.batch.statement()
    many = b"\x9a\x00\x3f\xff\x00" + bytes(0x3FFF00)
    ten = sha(b"x")
    return {
        "bomb.batch": cbor([1, statement.raw, 1, zlib.compress(bytes(1 << 28))]),
        "whole.batch": file_of(statement, b"\x85\x81\x82\x40\x48" + ten[:8] + b"\x40" + many),
        "deep.batch": b"\x81" * (4 << 20),
        "maps.batch": b"\xbb" + b"\xff" * 8 + b"\x00\x00" * 1000,
        "counts.batch": b"\x9b" + b"\xff" * 8 + bytes(1 << 20),
        "length.batch": b"\x84\x01\x5b" + b"\xff" * 8 + bytes(9),
        "deep.proof": b"\x86\x01" + b"\x84" * 4_000_000,
        "numbers.proof": cbor([1, b"", statement.raw, 0, Raw(many), None]),
    }


def test_hostile_files_cost_little_memory_and_time(tmp_path):
    """Within 320 MiB of address space (the interpreter itself needs about 100), no traceback."""
    folder_of(tmp_path, hostile())
    limit = 320 << 20

    def confine() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = run("--json", tmp_path, preexec_fn=confine)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["file"] for each in verdicts} == set(hostile())
    assert not any(each["ok"] for each in verdicts)


def test_a_name_that_is_no_file_is_passed_over(tmp_path):
    folder_of(tmp_path, files_of(morning(batches=1)))
    os.mkfifo(tmp_path / "fifo.batch")
    (tmp_path / "folder.batch").mkdir()
    (tmp_path / "away.batch").symlink_to(tmp_path / "nowhere")
    assert run(tmp_path).returncode == 0


def test_a_units_name_cannot_write_on_the_screen(tmp_path):
    unit = "a\x1b[2J\nok"
    signer = Signer("s")
    case = Case(unit, 1, 4, {1: signer}, 3)
    (tmp_path / "keys.json").write_text(json.dumps({"units": {unit: [signer.row()]}, "office": []}))
    (tmp_path / "1.batch").write_bytes(right(case))
    assert "\x1b" not in run(tmp_path).stdout


@given(st.binary(max_size=200))
def test_any_bytes_are_wrong_within_themselves(data):
    kind, space, at = verdict_of(data)
    assert (kind, space) == ("container", "file")
    assert 0 <= at <= len(data)
    assert proof_verdict(data) == "container"


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_any_change_of_a_right_batch_is_found(seed: int, rng: random.Random):
    data = bytearray(right(CASES[seed % len(CASES)]))
    at = seed % len(data)
    data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(1, 3))
    kind, _, offset = verdict_of(bytes(data))
    if kind is None:
        assert bytes(data) == right(CASES[seed % len(CASES)])
    else:
        assert offset is not None
        assert offset >= 0


# -- batches that the firmware sealed ------------------------------------------------------------


def test_what_the_firmware_seals_is_right_and_each_flipped_byte_is_found(tmp_path):
    journal = open_journal(tmp_path)
    for turn in range(4):
        purchase(journal, f"order-{turn}")
    journal.append(KIND_TAMPER, {50: "the case was opened"})
    files = {}
    while (sealed := seal(journal, max_records=5)) is not None:
        files[f"{sealed.number}.batch"] = sealed.raw
        files[f"{sealed.number}.receipt"] = receipt_for(sealed)
        statement = sealed.statement
        files[f"{sealed.number}.proof"] = make_proof(
            take_apart(sealed.raw).raws, 1, statement.raw, files[f"{sealed.number}.receipt"]
        )
    journal.close()
    keys = {
        "units": {UNIT: [row_of(TEST_DEVICE_KEY.public_key)]},
        "office": [row_of(TEST_OFFICE_KEY.public_key)],
    }
    folder = tmp_path / "export"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "keys.json").write_text(json.dumps(keys))
    done = run("--json", folder)
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) == 6
    known_keys = tool.read_keys(folder / "keys.json")
    data = files["1.batch"]
    packed, harmless = packed_of(data), 0
    zlib_at = tool.head(data, list(tool.elements(data, 0))[3])[2]
    for at in range(len(data)):
        wrong = flipped(data, at)
        if at >= zlib_at and unpacks_to(wrong, packed):
            harmless += 1  # a match that points at the same bytes elsewhere
            continue
        with pytest.raises(tool.Offence):
            tool.verify_batch(wrong, None, known_keys, tool.Verdict("x"))
    assert harmless < 4


def unpacks_to(data: bytes, packed: bytes) -> bool:
    try:
        tool.check_all(data, 0, len(data))
        return packed_of(data) == packed
    except (tool.Wrong, zlib.error, IndexError):
        return False


def row_of(public_key: bytes) -> dict[str, Any]:
    return {"algorithm": -8, "public_key": public_key.hex(), "first": 1, "last": None}
