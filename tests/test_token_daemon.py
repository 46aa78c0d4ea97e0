"""A unit whose device key is in a PKCS #11 token, as processes, and the office behind it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware.journal.algorithms import ES256
from office.__main__ import main
from office.folder import Folder
from office.keys import keys_of
from tests.test_daemon import DEBIT, SOON_S, Stand, purchase, told
from tests.token_rig import LABEL, MODULE, PIN, SoftToken, needs_softhsm, soft_token
from tests.waiting import until

pytestmark = needs_softhsm

UNIT = "DAEMON-1"


class TokenStand(Stand):
    """The stand of test_daemon, its board naming a token and an office."""

    def __init__(self, folder: Path, token: SoftToken):
        super().__init__(folder)
        self.token = token
        self.office = folder / "office"
        self.said: list[str] = []
        assert main(["init", str(self.office)]) == 0
        self.board.write_text(
            self.board.read_text()
            + f'[office]\npublic_key = "{self.office}/office.pub"\n'
            + f'[signer]\nkind = "pkcs11"\nmodule = "{MODULE}"\ntoken = "{LABEL}"\n'
            + f'pin_file = "{token.settings.pin_file}"\n'
        )

    def pay(self, order_no: str, status: int = 0) -> dict:
        """With a card that comes, and leaves afterwards."""
        assert self.control is not None
        until(lambda: self.status()["state"] == "idle")
        self.control.type_pin(digits="123456")
        paying = purchase(self, order_no)
        self.shows("INSERT_CARD")
        self.control.insert(slot="user", label="card-1")
        found = told(paying, status)
        self.control.remove(slot="user")
        return found

    def stop(self, daemon: subprocess.Popen[str]) -> None:
        daemon.send_signal(signal.SIGTERM)
        out, err = daemon.communicate(timeout=SOON_S)
        self.said += [out, err]
        assert daemon.returncode == 0, err

    def firmware(self, *argv: str) -> tuple[int, str]:
        """The daemon's program until it ends by itself."""
        process = self.start("firmware", "--board", str(self.board), *argv)
        out, err = process.communicate(timeout=SOON_S)
        self.said += [out, err]
        return process.returncode, out + err

    def sscoffice(self, *argv: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "office", *argv, "--dir", str(self.office), "--json"],
            capture_output=True, text=True, timeout=SOON_S,
        )  # fmt: skip
        assert done.returncode in (0, 2), done.stderr  # 2: nothing to do yet
        return json.loads(done.stdout)

    def pull(self) -> dict:
        port = re.search(r'listen = "127.0.0.1:(\d+)"', self.board.read_text())
        assert port is not None
        return self.sscoffice("pull", "--http", f"http://127.0.0.1:{port[1]}", "--unit", UNIT)


@pytest.fixture
def stand(tmp_path, monkeypatch):
    token = soft_token(tmp_path / "hsm", monkeypatch)
    made = TokenStand(tmp_path, token)
    yield made
    made.end()


def test_a_unit_with_a_token_pays_changes_its_key_and_the_office_proves_it(stand):
    stand.start_simulator()
    daemon = stand.start_daemon()
    old = stand.status()["device_key"]
    request = stand.folder / "data" / "enrolment.cose"
    assert main(["enrol", str(request), "--yes", "--dir", str(stand.office)]) == 0
    assert stand.pay("A-1")["state"] == "DONE"
    stand.stop(daemon)

    status, out = stand.firmware("--rotate-key")
    assert (status, old in out) == (0, True)
    daemon = stand.start_daemon()
    new = stand.status()["device_key"]
    assert new != old
    assert new in out
    assert stand.pay("A-2")["state"] == "DONE"
    newest = stand.status()["journal"]["records"]
    pulled, ends = 0, time.monotonic() + 3 * SOON_S
    while pulled < newest:
        pulled += stand.pull()["records"]
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.1)
    stand.stop(daemon)
    assert not (stand.folder / "data" / "device.key").exists()

    proved = stand.sscoffice("check")
    assert proved["ok"] is True
    assert proved["purchases"]["done"] == 2
    with_keys = Folder(stand.office)
    known = keys_of(with_keys.store, UNIT)
    with_keys.close()
    assert [each.key_id.hex() for each in known] == [new, old]
    assert {each.algorithm for each in known} == {ES256}
    assert known[0].first == known[1].last

    kept = b"".join(p.read_bytes() for p in (stand.folder / "data").rglob("*") if p.is_file())
    assert PIN.encode() not in kept
    assert PIN not in "".join(stand.said)


def test_a_wrong_pin_starts_nothing_and_says_what_to_do(stand):
    stand.token.write_pin("wrong-4712")
    for told_why in ("refuses the PIN", "was refused: write the right one"):
        status, out = stand.firmware()
        assert status == 1
        assert "608 DEVICE_KEY_REFUSED" in out
        assert told_why in out
        assert "wrong-4712" not in out
        assert "Traceback" not in out


def test_a_token_taken_out_stops_payments_until_it_is_back(stand):
    control = stand.start_simulator()
    daemon = stand.start_daemon()
    assert stand.pay("A-1")["state"] == "DONE"
    stand.token.take_out()
    refused = stand.pay("A-2", status=4)
    assert refused["state"] != "DONE"
    assert control.card(label="card-1")["balance_fen"] == 99_000, "nothing was taken"
    stand.token.put_back()
    assert stand.pay("A-3")["state"] == "DONE"
    stand.stop(daemon)
    log = "".join(stand.said)
    assert "put it back" in log
    assert PIN not in log


def test_a_token_taken_out_after_the_debit_loses_no_payment(stand):
    """DONE cannot be signed: the INTENT stays open, and the card settles it when it comes back."""
    control = stand.start_simulator()
    daemon = stand.start_daemon()
    stand.shows("READY")
    control.hold(slot="user", ins=DEBIT, when="after")
    control.type_pin(digits="123456")
    paying = purchase(stand)
    stand.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert control.wait_held(slot="user", timeout_s=SOON_S)
    stand.token.take_out()
    control.release(slot="user")
    left_open = told(paying, 4)
    assert (left_open["state"], left_open["outcome"]["name"]) == ("OPEN", "PUT_CARD_BACK")
    control.remove(slot="user")
    stand.token.put_back()
    until(lambda: not stand.status()["card_present"])
    control.type_pin(digits="123456")
    control.insert(slot="user", label="card-1")
    until(lambda: not stand.status()["journal"]["open_intents"])
    assert told(purchase(stand))["state"] == "DONE"  # asked again it is told, not taken twice
    stand.stop(daemon)
    assert control.card(label="card-1")["balance_fen"] == 99_000
