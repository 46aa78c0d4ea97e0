"""The pages name only what exists: files, functions, tests, make targets, methods, keys, messages.

Issue, section 9: a person who reads README and architecture alone finds any line of the purchase.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from firmware.authorize.services import SERVICES
from firmware.board import Board
from firmware.display.messages import MESSAGES, PROGRESS
from firmware.host import desk, rpc
from firmware.outcome import outcomes
from tests.rig import Rig

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PAGE_IDS = [page.name for page in PAGES]

# Short names stand on a page whose subject is that folder.
FOLDERS = (".", "docs", "firmware", "firmware/authorize", "firmware/journal", "firmware/display")
SOURCES = (".py", ".md", ".toml", ".sh", ".svg", ".png", ".jsonl", ".txt")
NOT_OURS = {"pip.whl/pip", "unifont.hex", "demo.txt", "office.toml"}
NOT_OURS |= {"autoboot.txt", "cmdline.txt", "config.txt", "slot.txt"}  # of a unit's card


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def page(name: str) -> str:
    return text_of(ROOT / "docs" / name)


# -- what a page names ---------------------------------------------------------------------------


def fenced(text: str) -> list[str]:
    return re.findall(r"(?ms)^```[^\n]*\n(.*?)^```", text)


def marked(text: str) -> list[str]:
    """What stands in backticks, outside fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def is_path(mark: str) -> bool:
    """A name of a file in the tree; not one with a wildcard, and not a file that a unit makes."""
    if not re.fullmatch(r"[\w.-][\w./-]*", mark) or mark in NOT_OURS:
        return False
    first, slash, _ = mark.partition("/")
    is_in_a_folder = bool(slash) and first != "build" and (ROOT / first).is_dir()
    return mark.endswith(SOURCES) or is_in_a_folder


def found(name: str) -> Path | None:
    for folder in FOLDERS:
        for path in (ROOT / folder / name, (ROOT / folder / name).with_suffix(".py")):
            if path.exists():
                return path
    return None


def missing_paths(text: str) -> list[str]:
    names = {mark.partition("::")[0] for mark in marked(text)}
    return sorted(n for n in names if is_path(n) and found(n) is None)


def missing_names(text: str) -> list[str]:
    """`path::name` and `path::Class::name` whose file defines no such thing."""
    wrong = []
    for mark in marked(text):
        name, *inner = mark.split("::")
        path = found(name) if inner and is_path(name) else None
        if inner and (path is None or tuple(inner) not in definitions(path)):
            wrong.append(mark)
    return wrong


@cache
def definitions(path: Path) -> set[tuple[str, ...]]:
    """Functions, and methods both with and without their class; those of tests only with it."""
    names: set[tuple[str, ...]] = set()
    for node in ast.parse(text_of(path)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add((node.name,))
        if isinstance(node, ast.ClassDef):
            inner = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
            names |= {(node.name, each) for each in inner}
            if not path.name.startswith("test_"):
                names |= {(each,) for each in inner}
    return names


def broken_links(path: Path) -> list[str]:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text_of(path)):
        name, _, anchor = "".join(target).partition("#")
        if re.match(r"[a-z]+:", name):
            continue
        linked = path.parent / name if name else path
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            wrong.append("".join(target))
    return wrong


def anchors(path: Path) -> set[str]:
    """As code-hosting sites make them of headings: lower case, no punctuation, hyphens."""
    headings = re.findall(r"(?m)^#+ (.+)$", text_of(path))
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row but heads and rules."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if line.startswith("|") and "---" not in line and not after.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


# -- paths, functions, links, targets ------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_every_file_function_and_test_named_on_a_page_exists(path: Path) -> None:
    assert missing_paths(text_of(path)) == []
    assert missing_names(text_of(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert broken_links(path) == []


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_every_make_target_named_on_a_page_exists(path: Path) -> None:
    targets = set(re.findall(r"(?m)^([\w-]+):", text_of(ROOT / "Makefile")))
    in_code = marked(text_of(path)) + fenced(text_of(path))
    named = {each for code in in_code for each in re.findall(r"(?m)^\s*make ([a-z][\w-]*)", code)}
    assert named <= targets


def test_every_package_and_module_of_firmware_stands_in_architecture() -> None:
    """A person finds any line of the purchase: no module is left out of the layout."""
    named = {mark.partition("::")[0] for mark in marked(page("architecture.md"))}
    paths = {path for each in named if is_path(each) and (path := found(each))}
    for folder in ("firmware", "firmware/authorize", "firmware/journal", "firmware/display"):
        modules = {each for each in (ROOT / folder).glob("*.py") if each.name != "__init__.py"}
        assert sorted(each.name for each in modules - paths) == []
    packages = {each.parent for each in (ROOT / "firmware").glob("*/__init__.py")}
    assert sorted(each.name for each in packages - paths) == []


def test_one_purchase_has_its_fifteen_steps_each_with_a_function() -> None:
    section = page("architecture.md").split("## One purchase")[1].split("###")[0]
    table = list(rows(section))
    assert [row[0] for row in table if row[0]] == [str(step) for step in range(16)]
    assert all("::" in row[-1] for row in table)


# -- board.toml ----------------------------------------------------------------------------------


def keys_of(kind: Any, name: str = "") -> dict[str, set[str]]:
    """Section of board.toml -> its keys."""
    hints = get_type_hints(kind)
    sections: dict[str, set[str]] = {name: set()}
    for each in fields(kind):
        key = each.metadata["spec"].key or each.name
        inner = [t for t in (hints[each.name], *get_args(hints[each.name])) if is_dataclass(t)]
        if inner:
            sections |= keys_of(inner[0], f"{name}.{key}" if name else key)
        else:
            sections[name].add(key)
    return sections


def unknown_keys(text: str) -> list[str]:
    """Marks like `[section]`, `[[section]]`, `[section] key`, `[section] key = value`."""
    known = keys_of(Board)
    wrong = []
    for mark in marked(text):
        match = re.fullmatch(r"\[{1,2}([a-z_.]+)\]{1,2}(?: ([a-z_]+)(?: = .*)?)?", mark)
        if match is None:
            continue
        section, key = match.groups()
        if section not in known or (key and key not in known[section]):
            wrong.append(mark)
    return wrong


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_every_key_of_board_toml_named_on_a_page_exists(path: Path) -> None:
    assert unknown_keys(text_of(path)) == []


def test_the_technicians_page_has_every_section_of_board_toml() -> None:
    sections = set(keys_of(Board)) - {""}
    named = set(re.findall(r"\[{1,2}([a-z_.]+)\]{1,2}", page("operate.md")))
    assert sections <= named


# -- the host's methods --------------------------------------------------------------------------

METHODS = desk.Desk.methods(desk.Desk.__new__(desk.Desk))


def test_the_integrators_page_has_every_method_and_no_other() -> None:
    text = page("integrator.md")
    assert set(re.findall(r"(?m)^### `([\w.]+)`", text)) == set(METHODS)
    assert set(re.findall(r'"method": ?"([\w.]+)"', text)) <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_the_integrators_page_has_every_parameter(name: str) -> None:
    section = page("integrator.md").split(f"### `{name}`")[1].split("```")[0]
    table = {row[0].strip("`") for row in rows(section) if row[0].startswith("`")}
    service = SERVICES.get(name)
    named = service.params.keys() | service.optional.keys() if service else None
    assert table == (inspect.signature(METHODS[name]).parameters.keys() if named is None else named)


def test_the_integrators_page_has_every_error_code_and_no_other() -> None:
    numbers = {
        value
        for module in (rpc, desk)
        for value in vars(module).values()
        if type(value) is int and -33000 < value <= -32000
    }
    assert {int(each) for each in re.findall(r"-32\d{3}", page("integrator.md"))} == numbers


ARROW = r"(?m)^(?=[→←] )"


def told(arrow: str) -> list[dict[str, Any]]:
    """The JSON objects of the integrator's page: "→" what is asked, "←" what is answered."""
    parts = [each for block in fenced(page("integrator.md")) for each in re.split(ARROW, block)]
    return [json.loads(each[1:]) for each in parts if each.startswith(arrow)]


def test_every_request_on_the_integrators_page_is_one_the_terminal_takes() -> None:
    requests = told("→")
    assert {each["method"] for each in requests} == set(METHODS)
    for each in requests:
        inspect.signature(METHODS[each["method"]]).bind(**each.get("params", {}))


def test_the_answers_on_the_integrators_page_have_the_fields_of_real_ones(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.psam()
    rig.card()
    results = [each["result"] for each in told("←") if "result" in each]
    for amount_fen, state in ((1000, "DONE"), (200_000, "DECLINED")):
        rig.pay(amount_fen)
        payments = [each for each in results if "account_fen" in each]
        (example,) = [each for each in payments if each.get("state") == state]
        assert set(example) == set(rig.result())
    named = {tuple(each["outcome"].values())[:3] for each in results if "outcome" in each}
    assert named <= {(each.number, each.name, each.actor) for each in outcomes()}


# -- what the display says -----------------------------------------------------------------------


def shortened(text: str) -> str:
    return re.sub(r"\{\w+\}", "…", text)


LANGUAGES = ("zh", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_clerks_page_quotes_the_display(language: str) -> None:
    """M1, M14: the exact texts, of the steps of a payment and, by number, of what goes wrong."""
    part = page("clerk.md").split("\n---\n")[LANGUAGES.index(language)]
    steps, wrong = part.split("\n### ", 1)
    progress = (*PROGRESS.values(), MESSAGES["APPROVED"])
    shown = {shortened(getattr(each, language)) for each in progress}
    assert [row[1] in shown for row in rows(steps)] == [True] * 6

    by_number = {str(each.number): MESSAGES[each.name] for each in outcomes()}
    told = list(rows(wrong))
    assert len(told) >= 15
    assert [row[1] for row in told] == [
        shortened(getattr(by_number[row[0]], language)) for row in told
    ]


def test_the_clerks_page_says_the_same_in_both_languages() -> None:
    chinese, english = page("clerk.md").split("\n---\n")
    assert [row[0] for row in rows(chinese)] == [row[0] for row in rows(english)]


# -- the checks themselves -----------------------------------------------------------------------


def test_the_checks_see_a_breach(tmp_path: Path) -> None:
    assert missing_paths("`firmware/nothing.py` `channel.py` `docs/img/` `psam/keys`") == [
        "firmware/nothing.py"
    ]
    assert missing_paths("`journal.db` `out/*.batch` `build/bench.json`") == []
    assert missing_names("`authorize/purchase.py::purchase` `authorize/purchase.py::refund`") == [
        "authorize/purchase.py::refund"
    ]
    assert missing_names("`nothing.py::purchase`") == ["nothing.py::purchase"]
    assert unknown_keys("`[timing] pin_s` `[timing] pin_ms` `[uplink.http]` `[limit]`") == [
        "[timing] pin_ms",
        "[limit]",
    ]
    page_file = tmp_path / "page.md"
    page_file.write_text("# One thing\n[a](page.md#one-thing) [b](page.md#two) [c](none.md)\n")
    assert broken_links(page_file) == ["page.md#two", "none.md"]
