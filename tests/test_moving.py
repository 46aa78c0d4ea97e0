"""Issue E.2, `backup` and `restore`: a unit moves to a new card; no key travels, no record is lost,
the office retires the old one with the enrolment of the new one."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware import board as boards
from firmware import identity as unit_identity
from firmware.clock import Clock
from firmware.journal import batch, spool
from firmware.journal import kinds as rec
from firmware.journal.devicekey import DeviceKey
from firmware.journal.enrolment import make_enrolment, verify_enrolment
from firmware.journal.store import Journal
from office import folder as office_folder
from office.__main__ import main as sscoffice
from office.folder import Folder
from tests import door_rig, flash_rig, update_rig
from tests.door_rig import Door
from tests.flash_rig import Release
from tests.test_daemon import Stand
from tests.test_flash_provision import with_file
from tests.waiting import until
from tools.technician import backup, card, identity
from tools.technician.errors import FlashError

REASON = door_rig.missing() or update_rig.missing() or flash_rig.NO_IMAGE
pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]
SECRET = b"0123456789abcdef0123456789abcdef\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


@pytest.fixture
def sd(made: Release, tmp_path: Path) -> Path:
    """A card written anew."""
    return Path(shutil.copy(made.image, tmp_path / "new.img"))


@pytest.fixture
def recipient(tmp_path: Path) -> tuple[Path, Path]:
    """(certificate, private key) of whoever keeps backups."""
    key, certificate = tmp_path / "keeper.key", tmp_path / "keeper.crt"
    update_rig.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-keyout", key, "-out", certificate, "-days", "30", "-subj", "/CN=keeper"),
    )
    return certificate, key


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    (tmp_path / "unit").mkdir()
    found = Stand(tmp_path / "unit")
    yield found
    found.end()


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_running_unit_moves_to_a_new_card_and_the_office_retires_it(
    stand: Stand, sd: Path, recipient: tuple[Path, Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    door = _door(tmp_path, stand)
    stand.start_simulator()
    stand.start_daemon()
    certificate, key = recipient
    saved, records = tmp_path / "unit.backup", tmp_path / "records"
    with door.lan() as at:
        words = ("backup", at, saved, "--for", certificate, "--records", records, "--json")
        assert door.flash(*words, "--dry-run") == 0
        assert not saved.exists()
        assert door.flash(*words) == 0
    said = told(capsys)
    assert said["unit"] == "DAEMON-1"
    assert said["files"] == ["board.toml", "nats.creds", "technicians"]
    assert said["batches"] >= 1
    sealed = saved.read_bytes()
    assert SECRET.strip() not in sealed
    assert b"DAEMON-1" not in sealed

    office = tmp_path / "office"
    office_folder.init(office, "Test office")
    old_request = stand.folder / "data" / "enrolment.cose"
    assert sscoffice(["enrol", str(old_request), "--yes", "--dir", str(office)]) == 0

    restore = ("restore", saved, sd, "--open", key, "--confirm", sd.name, "--json")
    assert flash_rig.flash(tmp_path, *restore, "--unit", "DAEMON-2") == 0
    files = identity.unpack(card.open_card(str(sd)).take_drop() or b"")
    assert files["nats.creds"] == SECRET
    new = _start(files, tmp_path / "new")
    request = verify_enrolment((new / "enrolment.cose").read_bytes())
    assert (request.unit, request.replaces) == ("DAEMON-2", "DAEMON-1")
    old_key = verify_enrolment(old_request.read_bytes()).public_key
    assert request.public_key != old_key

    assert sscoffice(["enrol", str(new / "enrolment.cose"), "--yes", "--dir", str(office)]) == 0
    assert sscoffice(["pull", "--dir", str(office), "--folder", str(records), "--json"]) == 0
    with contextlib.closing(Folder(office)) as books:
        units = dict(books.store.rows("SELECT unit, revoked_ms FROM units"))
        assert units["DAEMON-1"] is not None  # retired
        assert units.get("DAEMON-2") is None
        sql = "SELECT batch FROM batches WHERE unit = ? AND quarantined IS NULL"
        booked = len(books.store.rows(sql, "DAEMON-1"))
    assert booked == said["batches"]  # what it had made before is in the books all the same


def _door(folder: Path, stand: Stand) -> Door:
    """That unit's own."""
    made = Door(folder, {"board": stand.board})
    (made.etc / "nats.creds").write_bytes(SECRET)
    shutil.copy(stand.board, made.etc / "board.toml")
    return made


def _start(files: dict[str, bytes], etc: Path) -> Path:
    """The new unit's first start, as far as its identity goes; its data_dir."""
    etc.mkdir()
    for name, data in files.items():
        (etc / name).write_bytes(data)
    board = boards.load(etc / "board.toml")
    board.unit.data_dir.mkdir()
    clock = Clock(has_rtc=True, trust_h=48, utc_offset_minutes=480)
    key = DeviceKey.load_or_create(board.unit.data_dir / "device.key")
    unit_identity.write_enrolment(board, key, clock)
    return board.unit.data_dir


def test_a_card_that_was_taken_out_is_backed_up_and_nothing_unsealed_is_forgotten(
    stand: Stand, sd: Path, recipient: tuple[Path, Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    stand.start_simulator()
    daemon = stand.start_daemon()
    data = stand.folder / "data"
    until(lambda: spool.batches(data))
    daemon.terminate()
    daemon.wait(60)
    certificate, key = recipient
    (tmp_path / "creds").write_bytes(SECRET)
    _put_folders(sd)
    with_file(sd, "/etc/board.toml", stand.board)
    with_file(sd, "/etc/nats.creds", tmp_path / "creds")
    with_file(sd, "/etc/ssh_host_ed25519_key", tmp_path / "creds")
    _seal_all(data)
    for path in data.glob("journal.db*"):
        if not path.name.endswith("-shm"):
            with_file(sd, f"/sscterm/{path.name}", path)
    for _, path in spool.batches(data):
        with_file(sd, f"/sscterm/out/{path.name}", path)
    saved, records = tmp_path / "card.backup", tmp_path / "records"
    words = ("backup", sd, saved, "--for", certificate, "--records", records, "--json")
    assert flash_rig.flash(tmp_path, *words) == 0
    answer = told(capsys)
    assert answer["files"] == ["board.toml", "nats.creds"]
    out = records / "ssc-drop" / "DAEMON-1" / "out"
    held = {each.name: each.read_bytes() for each in out.iterdir()}
    assert held == {path.name: path.read_bytes() for _, path in spool.batches(data)}
    assert backup.read(saved, key).files["nats.creds"] == SECRET


def _seal_all(data: Path) -> None:
    """What a start of that card would do: a record was written after the last batch."""
    journal = Journal.open(
        data / "journal.db", signer=DeviceKey.load_or_create(data / "device.key"),
        unit="DAEMON-1", profile=rec.PROFILE_DEVELOPMENT, min_free_mb=1,
        clock=Clock(has_rtc=True, trust_h=48, utc_offset_minutes=480),
    )  # fmt: skip
    start = {rec.KEY_FIRMWARE: "1.0.0", rec.KEY_BOOT_ID: bytes(16)}
    journal.append(rec.KIND_START, start | {rec.KEY_PUBLIC_KEY: journal.signer.public_key})
    copied = shutil.copytree(data, data.with_name("copy"), ignore=shutil.ignore_patterns("*-shm"))
    assert backup.unsealed(copied / "journal.db") >= 1
    while batch.seal(journal, 500) is not None:
        pass
    journal.close()


def _put_folders(sd: Path) -> None:
    at = f"{sd}?offset={card.open_card(str(sd)).starts['data']}"
    for folder in ("/etc", "/sscterm", "/sscterm/out"):
        subprocess.run(
            ["debugfs", "-w", "-R", f"mkdir {folder}", at], capture_output=True, timeout=60
        )


def test_records_that_no_batch_holds_stop_a_backup(tmp_path: Path) -> None:
    import sqlite3

    journal = tmp_path / "journal.db"
    with sqlite3.connect(journal) as base:
        base.execute("CREATE TABLE records (number INT)")
        base.execute("CREATE TABLE batches (last INT)")
        base.executemany("INSERT INTO records VALUES (?)", [(1,), (2,), (3,)])
        base.execute("INSERT INTO batches VALUES (2)")
    assert backup.unsealed(journal) == 1
    journal.write_bytes(b"no database at all, but long enough to be read as one" * 20)
    with pytest.raises(FlashError) as caught:
        backup.unsealed(journal)
    assert caught.value.number == 1434


def test_only_the_keeper_opens_a_backup_and_a_damaged_one_is_refused(
    recipient: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, key = recipient
    board = (Path(__file__).resolve().parents[1] / "board.toml").read_bytes()
    made = backup.backup_of({"board.toml": board, "site.txt": b"site\n"})
    assert made.unit == "dev-0001"
    saved = tmp_path / "saved"
    backup.write(made, certificate, saved)
    assert saved.stat().st_mode & 0o077 == 0
    assert backup.read(saved, key) == made
    other = tmp_path / "other.key"
    update_rig.run(
        *("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-out", other),
    )
    whole = saved.read_bytes()
    for spoilt, opener in (
        (whole, other), (whole[:-20], key), (whole[:300] + b"x" + whole[301:], key),
        (whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:], key), (b"", key),
    ):  # fmt: skip
        saved.write_bytes(spoilt)
        with pytest.raises(FlashError) as caught:
            backup.read(saved, opener)
        assert caught.value.number == 1432
    with pytest.raises(FlashError) as caught:
        backup.moved(made, "dev-0001")
    assert caught.value.number == 1433
    with pytest.raises(FlashError) as caught:
        backup.write(made, key, tmp_path / "none")
    assert caught.value.number == 1431


def test_a_unit_nobody_knows_is_not_retired(tmp_path: Path) -> None:
    office = tmp_path / "office"
    office_folder.init(office, "Test office")
    request = tmp_path / "request"
    for replaces in ("nobody", "unit-2"):
        request.write_bytes(
            make_enrolment(
                unit="unit-2", region="990100", time_ms=1,
                signer=DeviceKey(bytes(range(32))), replaces=replaces,
            )
        )  # fmt: skip
        assert sscoffice(["enrol", str(request), "--yes", "--dir", str(office)]) != 0
        with contextlib.closing(Folder(office)) as books:
            assert books.store.rows("SELECT unit FROM keys") == []
