"""Two verifiers that share no code say the same of 10,000 changed batches (issue C, "done when").

`sscoffice verify` and tools/verify_records.py each run once over the folder; they must agree on
verdict, class and first wrong byte, accept every harmless change and refuse every other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.mutations import COUNT, mutant, write_corpus

pytestmark = pytest.mark.timeout(600)  # both commands over 10,000 files, on a busy machine

ROOT = Path(__file__).resolve().parents[1]
SAME = ("ok", "class", "space", "offset")
COMMANDS = {
    "office": ["-m", "office", "verify"],
    "independent": ["-I", str(ROOT / "tools" / "verify_records.py")],
}
CLASSES = {
    None, "container", "statement", "stranger", "statement-signature", "codec", "packed", "record",
    "numbers", "record-signature", "chain", "root", "receipt",
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[str, bool]]]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, write_corpus(folder)


@pytest.fixture(scope="module")
def verdicts(corpus) -> dict[str, dict[str, dict[str, Any]]]:
    """Name of the command -> file -> its verdict; both commands at once, each one run."""
    folder, _ = corpus
    running = {
        name: subprocess.Popen(
            [sys.executable, *command, str(folder), "--keys", str(folder / "keys.json"), "--json"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name, command in COMMANDS.items()
    }  # fmt: skip
    said = {}
    for name, process in running.items():
        try:
            out, errors = process.communicate(timeout=500)
        finally:
            process.kill()
        assert process.returncode == 1, errors
        assert "Traceback" not in errors
        lines = [json.loads(line) for line in out.splitlines()]
        said[name] = {line["file"]: line for line in lines if "file" in line}
    return said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_harmless_change_is_accepted_and_every_other_refused(corpus, verdicts, name):
    _, labels = corpus
    said = verdicts[name]
    assert set(said) == set(labels)
    assert len(labels) == COUNT == 10_000
    assert sum(harmless for _, harmless in labels.values()) >= 2000
    wrong = [(file, label) for file, label in labels.items() if said[file]["ok"] != label[1]]
    assert wrong == []


def test_both_name_the_same_class_and_the_same_first_wrong_byte(verdicts, capsys):
    one, other = verdicts.values()
    apart = [
        (file, [one[file][each] for each in SAME], [other[file][each] for each in SAME])
        for file in one
        if any(one[file][each] != other[file][each] for each in SAME)
    ]
    counts = Counter(each["class"] for each in one.values())
    with capsys.disabled():
        print("\n" + ", ".join(f"{kind or 'right'} {n}" for kind, n in counts.most_common()))
    assert apart[:20] == []
    assert set(counts) == CLASSES
    assert min(counts.values()) >= 40


def test_the_corpus_is_the_same_on_every_run(corpus):
    folder, labels = corpus
    for number in range(0, COUNT, 499):
        name, harmless, data, receipt = mutant(number)
        file = folder / f"{number:05}.batch"
        assert file.read_bytes() == data
        assert labels[file.name] == (name, harmless)
        beside = file.with_suffix(".receipt")
        assert (beside.read_bytes() if beside.exists() else None) == receipt
