"""M4, issue section 5: the office makes the operator list, the terminal logs its people on."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.authorize.operators import Operators
from firmware.journal.signedfile import SignedFile, signed_file
from firmware.secret import Password
from office.__main__ import main

SECRET = "test password of Ann"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(args..., typed=...) -> (exit status, all that was printed)."""
    monkeypatch.setenv("SSCOFFICE_DIR", str(tmp_path / "office"))

    def run(*args: str, typed: str = SECRET) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
        out = [] if args[0] == "init" else ["--out", str(tmp_path / "list.cose")]
        status = main([*args, *out])
        return status, "".join(capsys.readouterr())

    assert run("init", str(tmp_path / "office"))[0] == 0
    return run


def made(tmp_path: Path) -> SignedFile:
    key = bytes.fromhex((tmp_path / "office" / "office.pub").read_text().split()[0])
    return signed_file((tmp_path / "list.cose").read_bytes(), key)


def add(run: Run, code: str = "ann", *rights: str, typed: str = SECRET) -> tuple[int, str]:
    named = [each for right in rights or ("pay",) for each in ("--right", right)]
    return run("operators", "add", "--code", code, *named, typed=typed)


def is_right(signed: SignedFile, code: str, password: str) -> bool:
    listed = Operators(signed.number, signed.body)
    return listed.is_password_of(listed.find(code), Password(password.encode()))


def test_m4_who_was_added_logs_on_with_that_password_and_no_other(run: Run, tmp_path: Path) -> None:
    assert add(run, "ann", "pin", "pay")[0] == 0
    signed = made(tmp_path)
    found = Operators(signed.number, signed.body).find("ann")
    assert found is not None
    assert (signed.what, signed.number, found.rights) == ("operators", 1, {"pay", "pin"})
    assert is_right(signed, "ann", SECRET)
    assert not is_right(signed, "ann", SECRET + " ")


def test_every_change_has_a_higher_number_and_replaces_by_code(run: Run, tmp_path: Path) -> None:
    add(run, "ann")
    add(run, "bob")
    add(run, "ann", typed="another test password")
    signed = made(tmp_path)
    assert (signed.number, [each[0] for each in signed.body[2]]) == (3, ["ann", "bob"])
    assert is_right(signed, "ann", "another test password")
    assert run("operators", "remove", "--code", "ann")[0] == 0
    assert run("operators", "make")[0] == 0
    assert [each[0] for each in made(tmp_path).body[2]] == ["bob"]
    assert made(tmp_path).number == 5


@pytest.mark.parametrize(
    "wrong",
    [
        ["add"],
        ["add", "--code", "ann"],
        ["add", "--code", "a" * 33, "--right", "pay"],
        ["remove", "--code", "nobody"],
        ["remove"],
        ["make", "--code", "ann"],
    ],
)
def test_a_wrong_entry_changes_nothing(run: Run, tmp_path: Path, wrong: list[str]) -> None:
    status, printed = run("operators", *wrong)
    assert (status, "Error 916" in printed) == (1, True)
    assert not (tmp_path / "list.cose").exists()


@pytest.mark.parametrize("typed", ["", "1234567", "x" * 65, "the code it"])
def test_a_password_has_its_bounds_and_is_never_printed(run: Run, typed: str) -> None:
    status, printed = add(run, "the code it", typed=typed)
    assert (status, "Error 916" in printed) == (1, True)
    assert len(typed) < 8 or typed == "the code it" or typed not in printed


def test_the_password_is_in_no_file_of_the_office(run: Run, tmp_path: Path) -> None:
    assert SECRET not in add(run)[1]
    held = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"ann" in each for each in held)
    assert not any(SECRET.encode() in each for each in held)
