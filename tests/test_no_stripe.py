"""M20: no code path reads a magnetic stripe; the chip alone transacts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STRIPE = re.compile(r"magnet|stripe|swipe|msr(?![a-z])|track_?[123]|磁条", re.IGNORECASE)


def stripe_words(source: str) -> list[str]:
    """Names and strings of a module that speak of a magnetic stripe; docstrings are not code."""
    tree = ast.parse(source)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    words = []
    for node in ast.walk(tree):
        if id(node) in docs:
            continue
        for field in ("id", "attr", "name", "arg", "value", "module"):
            word = getattr(node, field, None)
            if isinstance(word, str) and STRIPE.search(word):
                words.append(word)
    return words


def test_m20_no_code_path_reads_a_magnetic_stripe() -> None:
    modules = [
        path for part in ("firmware", "tools", "office") for path in ROOT.glob(f"{part}/**/*.py")
    ]
    assert len(modules) > 100
    assert [path.name for path in modules if stripe_words(path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "code",
    [
        "read_stripe()",
        "x = 'magstripe:'",
        "def track2(): ...",
        "import msr",
        "a.swipe",
        "x = '磁条'",
    ],
)
def test_m20_the_walk_would_see_it(code: str) -> None:
    assert stripe_words(code)
