"""The habits of the project's files (issue, section 10): short, pinned, and at home anywhere."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MADE = {".git", ".venv", "build", "__pycache__", ".hypothesis"}
MADE_SUFFIXES = ("_cache", ".egg-info")

MOST_LINES = 400
LONG_BY_INTENT = {"tools/verify_records.py"}

# Bracketed, so that this file does not name them itself.
NOT_TO_BE_NAMED = re.compile(
    r"pypi[.]org|python[h]osted|pi[w]heels|deb[.]debian[.]org|registry[.]npmjs"
    r"|https?://[^\s\"']+/(simple|debian|debian-security)[/\s\"']"
    r"|(?<![\w.$}/-])/(wor[k]|roo[t])/|/hom[e]/[a-z]"
)

PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9][0-9a-z.]*)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of every text file under `root` that is not made by a tool."""
    for folder, folders, names in os.walk(root):
        folders[:] = [n for n in folders if n not in MADE and not n.endswith(MADE_SUFFIXES)]
        for name in names:
            if name in MADE:  # a second working tree has a file of that name
                continue
            path = Path(folder, name)
            try:
                yield str(path.relative_to(root)), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def too_long(root: Path) -> list[str]:
    return [
        path
        for path, text in texts(root)
        if path.endswith((".py", ".sh", ".c"))
        and path not in LONG_BY_INTENT
        and len(text.splitlines()) > MOST_LINES
    ]


def named(root: Path) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts(root)
        for number, line in enumerate(text.splitlines(), 1)
        if NOT_TO_BE_NAMED.search(line)
    ]


def unpinned(text: str) -> list[str]:
    """The lines of a requirements file that are no exact version, or stand without a hash."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    wrong = [line for line in lines if not (PIN.fullmatch(line) or HASH.fullmatch(line))]
    followers = [*lines[1:], ""]
    bare = [a for a, b in zip(lines, followers, strict=True) if "==" in a and "--hash" not in b]
    return wrong + bare


def test_no_file_is_longer_than_a_head_can_hold():
    assert too_long(ROOT) == []


def test_no_file_names_a_package_registry_or_a_path_of_a_development_machine():
    assert named(ROOT) == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_with_hashes(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.count("==") >= 8
    assert unpinned(text) == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_that_pyproject_names_is_pinned(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {
        "requirements.txt": project["project"]["dependencies"]
        + project["build-system"]["requires"],
        "requirements-dev.txt": project["dependency-groups"]["dev"],
    }[name]
    pinned = {match["name"] for match in PIN.finditer((ROOT / name).read_text(encoding="utf-8"))}
    assert {re.split(r"[<>=]", each)[0] for each in wanted} <= pinned


def test_the_checks_see_a_breach(tmp_path):
    (tmp_path / "long.py").write_text("x = 1\n" * (MOST_LINES + 1))
    (tmp_path / "short.py").write_text("x = 1\n" * MOST_LINES)
    slash = "/"
    for number, breach in enumerate(
        [
            f"--index-url https://mirror.example{slash}simple{slash}",
            "https://files.python" + "hosted.org/x.whl",
            slash + "work" + slash + "main",
            f'cd "{slash}root{slash}x"',
        ]
    ):
        (tmp_path / f"note{number}.md").write_text(breach + "\n")
    (tmp_path / "fine.md").write_text(
        "framework/main, .venv/bin, https://example.org/simple-words\n"
    )
    assert too_long(tmp_path) == ["long.py"]
    assert sorted(line.split(":")[0] for line in named(tmp_path)) == [
        f"note{number}.md" for number in range(4)
    ]
    digest = "    --hash=sha256:" + "0" * 64
    assert unpinned(f"cobs==1.2.0 \\\n{digest}\n") == []
    assert unpinned("cobs==1.2.0 \\\n") == ["cobs==1.2.0 \\"]
    assert unpinned(f"cobs>=1.2.0 \\\n{digest}\n") == ["cobs>=1.2.0 \\"]
    assert unpinned("--index-url somewhere\n") == ["--index-url somewhere"]
