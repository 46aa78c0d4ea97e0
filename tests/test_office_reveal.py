"""Personal values opened at the office, and who asked (`sscoffice reveal`)."""

from __future__ import annotations

import json
import os
import pwd

import pytest

from firmware.journal import sealed
from firmware.journal.kinds import KIND_DAY_KEY, KIND_SERVICE
from office import folder, secretfile
from office.__main__ import main
from office.errors import OfficeError
from office.folder import Folder
from office.reveal import log_of, reveal
from tests.office_rig import T0_MS, Terminal, enrol, take

UNIT = "unit-1"
VALUES = {"before": {"DF01EF07|29": b"\x31"}, "after": {"DF01EF07|29": b"\x32"}}


@pytest.fixture
def office(tmp_path):
    folder.init(tmp_path / "office", "Test office")
    made = Folder(tmp_path / "office")
    yield made
    made.close()


def public_of(office) -> bytes:
    """As a unit reads it from office.pub."""
    signing, sealing = (office.path / "office.pub").read_text().split()
    assert bytes.fromhex(signing) == office.signer.public_key
    return bytes.fromhex(sealing)


def day_key(terminal, office_key, key_no=1, key=bytes(32)) -> None:
    terminal.add(KIND_DAY_KEY, {62: key_no, 63: sealed.wrap(key, office_key, UNIT)})


def service(terminal, key_no=1, key=bytes(32), number=None) -> int:
    at = number or len(terminal.records) + 1
    body = {2: "clerk", 50: "act", 36: 9, 62: key_no, 76: sealed.seal(VALUES, key, UNIT, at)}
    return terminal.add(KIND_SERVICE, body)


@pytest.fixture
def terminal(office):
    made = Terminal(UNIT)
    enrol(office, made)
    return made


def test_the_values_are_shown_and_who_asked_is_kept(office, terminal, tmp_path, capsys):
    day_key(terminal, public_of(office))
    number = service(terminal)
    plain = terminal.add(KIND_SERVICE, {2: "clerk", 50: "balance", 36: 9})
    take(office, UNIT, terminal.batch())
    where = ["--dir", str(office.path)]
    assert main(["reveal", UNIT, str(number), "--json", *where]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"before": {"DF01EF07|29": "31"}, "after": {"DF01EF07|29": "32"}}
    ((asked, who, _),) = log_of(office, UNIT)
    assert (asked, who) == (number, pwd.getpwuid(os.getuid()).pw_name)
    assert main(["reveal", UNIT, "--log", *where]) == 0
    assert json.loads(capsys.readouterr().out)["number"] == number
    for wrong in (plain, 99):
        assert main(["reveal", UNIT, str(wrong), *where]) == 3
        assert "Error 925" in capsys.readouterr().err
    assert main(["reveal", UNIT, *where]) == 3
    assert len(log_of(office, UNIT)) == 1


def test_who_asks_in_vain_is_kept_too(office, terminal):
    """The log is written before anything is opened."""
    stranger = sealed.public_of(sealed.new_private_key())
    day_key(terminal, stranger)
    number = service(terminal)
    take(office, UNIT, terminal.batch())
    with pytest.raises(OfficeError, match="926"):
        reveal(office, UNIT, number, "liu", 5)
    assert log_of(office, UNIT) == [(number, "liu", 5)]


def test_values_moved_from_another_record_are_not_shown(office, terminal):
    day_key(terminal, public_of(office))
    number = service(terminal, number=77)
    take(office, UNIT, terminal.batch())
    with pytest.raises(OfficeError, match="926"):
        reveal(office, UNIT, number, "liu", 5)


def test_without_its_day_key_it_says_so(office, terminal):
    number = service(terminal, key_no=9)
    take(office, UNIT, terminal.batch())
    with pytest.raises(OfficeError, match="its DAY_KEY is not here"):
        reveal(office, UNIT, number, "liu", 5)


def test_a_key_number_used_again_after_a_lost_database(office, terminal):
    one, two = bytes(32), bytes([2] * 32)
    day_key(terminal, public_of(office), key=one)
    first = service(terminal, key=one)
    day_key(terminal, public_of(office), key=two)
    second = service(terminal, key=two)
    take(office, UNIT, terminal.batch())
    for number in (first, second):
        assert reveal(office, UNIT, number, "liu", number) == VALUES


def test_an_older_key_of_the_office_still_opens_what_was_sealed_for_it(office, terminal):
    day_key(terminal, public_of(office))
    number = service(terminal)
    take(office, UNIT, terminal.batch())
    (office.path / "hpke.key").rename(office.path / "hpke-2026.key")
    secretfile.create(office.path / "hpke.key", sealed.new_private_key())
    assert reveal(office, UNIT, number, "liu", 5) == VALUES


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_the_offices_key_is_its_own(office, terminal, mode):
    day_key(terminal, public_of(office))
    number = service(terminal)
    take(office, UNIT, terminal.batch())
    assert (office.path / "hpke.key").stat().st_mode & 0o7777 == 0o600
    (office.path / "hpke.key").chmod(mode)
    with pytest.raises(OfficeError, match="910"):
        reveal(office, UNIT, number, "liu", 5)


def test_no_other_command_shows_them(office, terminal, tmp_path, capsys):
    day_key(terminal, public_of(office))
    body = {"id_tail": "987X"}
    number = len(terminal.records) + 1
    values = sealed.seal(body, bytes(32), UNIT, number)
    terminal.add(KIND_SERVICE, {2: "clerk", 50: "pin.reload", 36: 9, 62: 1, 76: values})
    take(office, UNIT, terminal.batch(), now_ms=T0_MS + 9)
    for act in (["day", "--json"], ["check", "--json"], ["export", "--csv", str(tmp_path / "a")]):
        assert main([*act, "--dir", str(office.path)]) == 0
    told = capsys.readouterr().out + (tmp_path / "a").read_text()
    assert "SERVICE" in told
    assert "987X" not in told
    assert reveal(office, UNIT, number, "liu", 5) == body
