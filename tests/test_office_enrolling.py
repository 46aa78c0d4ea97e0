"""Enrolment and the certificates it gives out (`sscoffice enrol`, `sscoffice certificate`)."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from firmware.journal import cose, tlskey
from firmware.journal.algorithms import Ed25519Signer
from firmware.journal.enrolment import make_enrolment, verify_enrolment
from office import folder, keys
from office.__main__ import main
from office.folder import Folder
from office.keys import with_changes
from tests.test_algorithms import P256Signer
from tests.test_office_keys import change

UNIT = "unit-1"
OLD, NEW = (Ed25519Signer(bytes([each] * 32)) for each in (1, 2))
P256 = P256Signer()


@pytest.fixture
def office(tmp_path):
    folder.init(tmp_path / "office", "Test office")
    found = Folder(tmp_path / "office")
    yield found
    found.close()


def request_file(tmp_path, signer, name="unit") -> bytes:
    """An enrolment.cose as a unit writes it, and its bytes."""
    (tmp_path / name).mkdir(exist_ok=True)
    asked = tlskey.certificate_request(UNIT, tmp_path / name / "tls.key")
    raw = make_enrolment(unit=UNIT, region="110000", time_ms=1, signer=signer, tls_request=asked)
    (tmp_path / name / "enrolment.cose").write_bytes(raw)
    return raw


def sscoffice(tmp_path, *arguments) -> int:
    return main([*map(str, arguments), "--dir", str(tmp_path / "office")])


@pytest.mark.parametrize("signer", [OLD, P256], ids=["file", "token"])
def test_enrolment_hands_out_the_certificates_of_both_keys(office, tmp_path, signer, capsys):
    request_file(tmp_path, signer)
    out = tmp_path / "out"
    request = tmp_path / "unit" / "enrolment.cose"
    assert sscoffice(tmp_path, "enrol", request, "--yes", "--out", out) == 0
    found = {p.name: x509.load_pem_x509_certificate(p.read_bytes()) for p in out.iterdir()}
    assert sorted(found) == ["ca.crt", "device.crt", "tls.crt"]
    for name in ("device.crt", "tls.crt"):
        found[name].verify_directly_issued_by(found["ca.crt"])
    tls_key = serialization.load_pem_private_key((tmp_path / "unit" / "tls.key").read_bytes(), None)
    assert found["tls.crt"].public_key() == tls_key.public_key()
    capsys.readouterr()
    assert sscoffice(tmp_path, "certificate", UNIT) == 0
    shown = capsys.readouterr().out
    assert all(p.read_text() in shown for p in out.iterdir())
    assert "PRIVATE" not in shown
    assert sscoffice(tmp_path, "certificate", UNIT, "--renew", "--out", tmp_path / "new") == 0
    again = x509.load_pem_x509_certificate((tmp_path / "new" / "tls.crt").read_bytes())
    assert again.public_key() == tls_key.public_key()
    assert again.serial_number != found["tls.crt"].serial_number


def test_a_new_tls_key_under_the_same_device_key(office, tmp_path):
    request_file(tmp_path, OLD)
    request = tmp_path / "unit" / "enrolment.cose"
    assert sscoffice(tmp_path, "enrol", request, "--yes") == 0
    (tmp_path / "unit" / "tls.key").unlink()
    request_file(tmp_path, OLD)
    assert sscoffice(tmp_path, "enrol", request, "--yes", "--out", tmp_path / "out") == 0
    issued = x509.load_pem_x509_certificate((tmp_path / "out" / "tls.crt").read_bytes())
    key = serialization.load_pem_private_key((tmp_path / "unit" / "tls.key").read_bytes(), None)
    assert issued.public_key() == key.public_key()
    assert [each.last for each in keys.keys_of(office.store, UNIT)] == [None]


def test_a_certificate_of_a_changed_key_names_the_present_one(office, tmp_path):
    request_file(tmp_path, OLD)
    sscoffice(tmp_path, "enrol", tmp_path / "unit" / "enrolment.cose", "--yes")
    known = with_changes(keys.keys_of(office.store, UNIT), [change(10, OLD, P256)])
    keys.keep_changes(office.store, UNIT, known, 9_999_999_999_999)
    assert sscoffice(tmp_path, "certificate", UNIT, "--renew", "--out", tmp_path / "out") == 0
    found = x509.load_pem_x509_certificate((tmp_path / "out" / "device.crt").read_bytes())
    point = serialization.PublicFormat.UncompressedPoint
    encoded = found.public_key().public_bytes(serialization.Encoding.X962, point)
    assert encoded == P256.public_key


def test_refusals_of_enrolment(office, tmp_path, capsys):
    request_file(tmp_path, OLD)
    request = tmp_path / "unit" / "enrolment.cose"
    assert sscoffice(tmp_path, "certificate", UNIT) == 3
    assert "Error 924" in capsys.readouterr().err
    assert sscoffice(tmp_path, "enrol", request, "--yes") == 0
    request_file(tmp_path, NEW, "second")
    second = tmp_path / "second" / "enrolment.cose"
    assert sscoffice(tmp_path, "enrol", second, "--yes") == 1
    assert sscoffice(tmp_path, "enrol", second, "--yes", "--new-key") == 0
    capsys.readouterr()
    assert sscoffice(tmp_path, "enrol", request, "--yes", "--new-key") == 1
    assert "Error 923" in capsys.readouterr().err


def test_a_request_whose_tls_part_is_wrong_enrols_nobody(office, tmp_path, capsys):
    raw = make_enrolment(
        unit=UNIT, region="110000", time_ms=1, signer=OLD, tls_request=b"no request"
    )
    (tmp_path / "enrolment.cose").write_bytes(raw)
    assert verify_enrolment(raw).tls_request == b"no request"
    assert sscoffice(tmp_path, "enrol", tmp_path / "enrolment.cose", "--yes") == 1
    assert "Error 921" in capsys.readouterr().err
    assert keys.keys_of(office.store, UNIT) == []


def test_a_request_from_an_older_unit_has_no_tls_part(office, tmp_path):
    raw = make_enrolment(unit=UNIT, region="110000", time_ms=1, signer=OLD)
    assert 5 not in cose.decode(cose.peek1(raw).payload)
    (tmp_path / "enrolment.cose").write_bytes(raw)
    out = tmp_path / "out"
    assert sscoffice(tmp_path, "enrol", tmp_path / "enrolment.cose", "--yes", "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["ca.crt", "device.crt"]


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_spoilt_tls_key_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "tls.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(tlskey.DeviceKeyError, match="no P-256 key"):
        tlskey.certificate_request(UNIT, path)
    assert path.read_bytes() == content


def test_the_tls_key_is_the_units_alone(tmp_path):
    path = tmp_path / "tls.key"
    tlskey.certificate_request(UNIT, path)
    assert path.stat().st_mode & 0o7777 == 0o600
    path.chmod(0o640)
    with pytest.raises(tlskey.DeviceKeyError, match="could be read by others"):
        tlskey.certificate_request(UNIT, path)
