"""M18: a signed, fresh, single-use statement that this card was here, genuine, its PIN verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.authorize.limits import check_psam
from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.clock import TRUST_RTC
from firmware.host import sscterm
from firmware.host.rpc import RpcServer
from firmware.journal import cose, kinds
from firmware.journal.cose import Ed25519Signer
from firmware.journal.enrolment import make_enrolment
from firmware.journal.presence import (
    CONTENT_TYPE,
    PAYLOAD,
    Presence,
    PresenceError,
    claimed_presence,
    make_presence,
    verify_presence,
)
from firmware.journal.record import digest_of
from office import presence as offices
from office.__main__ import main
from office.errors import OfficeError
from office.folder import Folder
from tests.rig import Rig

NOW_MS = 1_795_320_000_000
SERVICE = SERVICES["presence.proof"]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    (tmp_path / "unit").mkdir()
    made = Rig(tmp_path / "unit")
    made.psam()
    return made


@pytest.fixture
def office(tmp_path: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """It has enrolled the rig's unit."""
    monkeypatch.setenv("SSCOFFICE_DIR", str(tmp_path / "office"))
    assert main(["init", str(tmp_path / "office")]) == 0
    request = tmp_path / "enrolment.cose"
    unit = rig.board.unit
    request.write_bytes(
        make_enrolment(unit=unit.id, region=unit.region, time_ms=NOW_MS, signer=rig.key)
    )
    assert main(["enrol", str(request), "--yes"]) == 0
    return Folder(tmp_path / "office")


def prove(
    rig: Rig, request_no: str, nonce: bytes, pin: str | None = "123456"
) -> tuple[str, dict[str, Any]]:
    if pin is not None:
        rig.world.holder.type_pin(pin)
    assert check_psam(rig.unit) is None
    params = {"request_no": request_no, "office_nonce": nonce.hex()}
    SERVICE.check(params)
    reader = rig.unit.cards_in_reach()[0]
    result, told = serve(rig.unit, reader, "presence.proof", SERVICE, params)
    return result.name, told


def statement(rig: Rig, asked: offices.Request) -> bytes:
    result, told = prove(rig, asked.request_no, asked.nonce)
    assert result == "SERVED"
    return bytes.fromhex(told["statement"])


def refusal(office: Folder, raw: bytes, now_ms: int = NOW_MS + 5000) -> int:
    with pytest.raises(OfficeError) as caught:
        offices.verify(office, raw, now_ms)
    return caught.value.number


# -- the whole way --------------------------------------------------------------------------------


def test_m18_a_proof_answers_its_request_once_and_a_replay_is_refused(
    rig: Rig, office: Folder
) -> None:
    card = rig.card()
    asked = offices.make_request(office, "R-1", NOW_MS)
    raw = statement(rig, asked)
    proof = offices.verify(office, raw, NOW_MS + 5000)
    assert (proof.unit, proof.request_no, proof.nonce) == ("TEST-UNIT", "R-1", asked.nonce)
    assert proof.card_id == card.memory.files["SSSE/05"][0][2:]
    assert proof.time_ms == rig.unit.clock.now().epoch_ms
    assert (proof.trust, proof.profile) == (TRUST_RTC, kinds.PROFILE_DEVELOPMENT)
    assert refusal(office, raw) == 914
    office.close()
    again = Folder(office.path)  # kept in the store, not in memory
    assert refusal(again, raw) == 914
    again.close()


def test_m18_the_unit_journals_the_request_and_the_proofs_digest(rig: Rig, office: Folder) -> None:
    rig.card()
    raw = statement(rig, offices.make_request(office, "R-1", NOW_MS))
    rig.unit.journal.flush()
    (record,) = rig.unit.journal.records(0, 10)
    assert (record.kind_name, record.body[kinds.KEY_REQUEST_NO]) == ("SERVICE", "R-1")
    assert record.body[kinds.KEY_STATEMENT] == digest_of(raw)


@pytest.mark.parametrize(
    ("pin", "how", "result"),
    [
        ("999999", {"tries": 1}, "PIN_LOCKED"),
        (None, {}, "PIN_NOT_ENTERED"),
        (None, {"pin": None}, "PIN_NOT_SET"),
    ],
)
def test_m18_nothing_is_signed_without_card_and_pin(
    rig: Rig, pin: str | None, how: dict[str, Any], result: str
) -> None:
    rig.card(**how)
    assert prove(rig, "R-1", bytes(16), pin) == (result, {})


def test_m18_a_card_without_a_pin_proves_nobody_even_where_it_may_pay(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={"[purchase]\n": "[purchase]\nallow_pin_unset = true\n"})
    rig.psam()
    rig.card(pin=None)
    assert prove(rig, "R-1", bytes(16), None) == ("PIN_NOT_SET", {})


def test_m18_a_copied_card_gets_no_proof(rig: Rig) -> None:
    card = rig.card()
    card.memory.keys["IRK"] = bytes(16)
    assert prove(rig, "R-1", bytes(16)) == ("CARD_NOT_GENUINE", {})


def test_m18_a_unit_that_does_not_know_the_time_signs_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={"rtc = true": "rtc = false"})
    rig.psam()
    rig.card()
    assert prove(rig, "R-1", bytes(16)) == ("CLOCK_NOT_TRUSTED", {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_no": ""},
        {"request_no": "x" * 65},
        {"request_no": "a\nb"},
        {"office_nonce": "00" * 15},
        {"office_nonce": "00" * 33},
        {"office_nonce": "0" * 33},
        {"office_nonce": "zz" * 16},
    ],
)
def test_what_is_no_request_is_refused_before_any_card(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"request_no|office_nonce"):
        SERVICE.check({"request_no": "R-1", "office_nonce": "00" * 16, **wrong})


# -- the office -----------------------------------------------------------------------------------


def test_m18_a_proof_of_another_request_or_too_late_is_refused(rig: Rig, office: Folder) -> None:
    rig.card()
    asked = offices.make_request(office, "R-1", NOW_MS)
    late = NOW_MS + offices.WINDOW_S * 1000 + 1
    raw = statement(rig, asked)
    other = statement(rig, asked._replace(nonce=bytes(16)))
    assert refusal(office, statement(rig, asked._replace(request_no="R-2"))) == 913
    assert refusal(office, other) == 913
    assert refusal(office, raw, late) == 915
    assert refusal(office, raw, NOW_MS - 1) == 915
    assert offices.verify(office, raw, late - 1).request_no == "R-1"


def claim(**changed: Any) -> Presence:
    fields = {
        "unit": "TEST-UNIT", "request_no": "R-1", "nonce": bytes(16), "card_id": bytes(16),
        "card_number": "A1", "time_ms": NOW_MS, "trust": 1, "profile": 1,
    }  # fmt: skip
    return Presence(**{**fields, **changed})


def test_m18_only_the_key_the_unit_was_enrolled_with_counts(rig: Rig, office: Folder) -> None:
    asked = offices.make_request(office, "R-1", NOW_MS)
    thief = Ed25519Signer(bytes(32))
    assert refusal(office, make_presence(claim(nonce=asked.nonce), thief)) == 913
    of_no_unit = claim(nonce=asked.nonce, unit="OTHER")
    assert refusal(office, make_presence(of_no_unit, rig.key)) == 913
    own = make_presence(claim(nonce=asked.nonce), rig.key)
    for at in range(len(own)):
        spoilt = own[:at] + bytes((own[at] ^ 1,)) + own[at + 1 :]
        assert refusal(office, spoilt) == 913, at
    assert offices.verify(office, own, NOW_MS).card_number == "A1"


def test_a_request_number_is_used_once(office: Folder) -> None:
    offices.make_request(office, "R-1", NOW_MS)
    for number in ("R-1", "", "x" * 65):
        with pytest.raises(OfficeError) as caught:
            offices.make_request(office, number, NOW_MS)
        assert caught.value.number == 912


def test_m18_the_commands_of_the_office(
    rig: Rig, office: Folder, tmp_path: Path, capsys: Any
) -> None:
    rig.card()
    capsys.readouterr()
    assert main(["presence", "make-request", "R-1"]) == 0
    made = json.loads(capsys.readouterr().out)
    _, told = prove(rig, made["request_no"], bytes.fromhex(made["nonce"]))
    proof = tmp_path / "proof.hex"
    proof.write_text(told["statement"] + "\n")
    assert main(["presence", "verify", str(proof), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["card_number"], found["profile"]) == (told["card_number"], "development")
    assert main(["presence", "verify", str(proof)]) == 1
    assert "914" in capsys.readouterr().err


def test_sscterm_prints_the_proof_as_the_office_takes_it(tmp_path: Path, capsys: Any) -> None:
    asked: list[dict[str, Any]] = []

    def answer(**params: Any) -> dict[str, Any]:
        asked.append(params)
        return {"outcome": {"number": 9, "name": "SERVED"}, "statement": "d284"}

    server = RpcServer(tmp_path / "unit.sock", 0o600, {"presence.proof": answer})
    server.start()
    try:
        argv = ["presence", "R-1", "00" * 16, "--socket", str(tmp_path / "unit.sock")]
        assert sscterm.main(argv) == 0
    finally:
        server.close()
    assert asked == [{"request_no": "R-1", "office_nonce": "00" * 16}]
    assert offices.statement_bytes(capsys.readouterr().out.encode()) == b"\xd2\x84"


# -- bad input ------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 1 << 63), st.binary(max_size=40), st.text(max_size=80)
)
SIGNER = Ed25519Signer(bytes([7] * 32))


@given(st.dictionaries(st.sampled_from([*PAYLOAD, 11]), VALUES))
@settings(max_examples=200)
def test_any_payload_is_a_proof_or_refused(changed: dict[int, Any]) -> None:
    sound = cose.decode(cose.peek1(make_presence(claim(), SIGNER)).payload)
    raw = cose.sign1(cose.encode({**sound, **changed}), SIGNER, CONTENT_TYPE)
    try:
        found = verify_presence(raw, SIGNER.public_key)
    except PresenceError:
        return
    assert make_presence(found, SIGNER) == raw
    offices.told(found)


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_are_a_proof_or_refused(raw: bytes) -> None:
    with pytest.raises(PresenceError):
        claimed_presence(raw)


@pytest.mark.parametrize("key", PAYLOAD)
def test_each_key_is_required(key: int) -> None:
    payload = cose.decode(cose.peek1(make_presence(claim(), SIGNER)).payload)
    del payload[key]
    with pytest.raises(PresenceError, match="lacks a key"):
        claimed_presence(cose.sign1(cose.encode(payload), SIGNER, CONTENT_TYPE))
