"""The office's certificate authority (issue: "device certificate (X.509) issued at provisioning").

Its certificates are judged by OpenSSL, through Python's ssl, in a handshake as the links make it.
"""

from __future__ import annotations

import datetime
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from office import ca, folder
from office.errors import OfficeError

NOW_MS = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
UNIT = "pharmacy-7"
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("office") / "office"
    folder.init(path, "Test office 测试")
    return path


@pytest.fixture(scope="module")
def authority(made):
    return ca.load(made)


def request_of(key, name="anything") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, digest)
    return made.public_bytes(serialization.Encoding.DER)


def pem_of(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def parsed(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def test_the_authority_is_made_once_and_its_key_is_the_offices_alone(made):
    assert stat.S_IMODE((made / "ca.key").stat().st_mode) == 0o600
    own = parsed((made / "ca.crt").read_bytes())
    own.verify_directly_issued_by(own)
    constraints = own.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    with pytest.raises(OfficeError, match="902"):
        folder.init(made, "again")


@pytest.mark.parametrize("kind", ["Ed25519", "P-256"])
def test_a_device_certificate_names_the_unit_and_its_key(authority, kind):
    if kind == "Ed25519":
        key = ed25519.Ed25519PrivateKey.generate().public_key()
        raw = key.public_bytes_raw()
    else:
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        point = serialization.PublicFormat.UncompressedPoint
        raw = key.public_bytes(serialization.Encoding.X962, point)
    found = parsed(authority.device(UNIT, ca.public_key(raw), NOW_MS))
    found.verify_directly_issued_by(parsed(authority.certificate))
    assert found.public_key() == key
    assert found.subject.rfc4514_string() == f"CN={UNIT}"
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:ssc:unit:{UNIT}"]
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    life = found.not_valid_after_utc - found.not_valid_before_utc
    assert life == (ca.DEVICE_DAYS + ca.EARLY_DAYS) * DAY
    assert found.serial_number.bit_length() > 100


def test_two_certificates_never_share_a_serial_number(authority):
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    serials = {parsed(authority.device(UNIT, key, NOW_MS)).serial_number for _ in range(20)}
    assert len(serials) == 20


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> dict:
    """TLS over memory; what the server learns of the client.  Raises ssl.SSLError."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(into, out, server_side=True),
        client.wrap_bio(out, into, server_hostname=host),
    ]
    done = set()
    for _ in range(20):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
        if len(done) == 2:
            return ends[0].getpeercert()
    raise AssertionError("the handshake never ended")


def context(tmp_path, side, certificate, key, trusted) -> ssl.SSLContext:
    paths = [tmp_path / f"{side}.{end}" for end in ("crt", "key")]
    for path, content in zip(paths, (certificate, key), strict=True):
        path.write_bytes(content)
    purpose = ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT
    made = ssl.SSLContext(purpose)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_cert_chain(*paths)
    made.load_verify_locations(cadata=trusted.decode())
    return made


@pytest.mark.parametrize("host", ["office.example", "127.0.0.1"])
def test_mutual_tls_1_3_between_a_unit_and_a_server(authority, tmp_path, host):
    key = ec.generate_private_key(ec.SECP256R1())
    unit = authority.tls(UNIT, request_of(key), NOW_MS)
    issued = authority.issue_server(["office.example", "127.0.0.1"], NOW_MS)
    trusted = authority.certificate
    server = context(tmp_path, "server", issued.certificate, issued.key, trusted)
    client = context(tmp_path, "client", unit, pem_of(key), trusted)
    peer = handshake(server, client, host)
    assert peer["subject"] == ((("commonName", UNIT),),)
    assert peer["subjectAltName"] == (("DNS", UNIT),)
    assert "PRIVATE" not in repr(issued)


def test_a_unit_of_another_authority_and_a_server_under_another_name_are_refused(
    authority, tmp_path
):
    ca.create(tmp_path, "stranger", NOW_MS)
    stranger = ca.load(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.issue_server(["office.example"], NOW_MS)
    server = context(tmp_path, "server", issued.certificate, issued.key, authority.certificate)
    foreign = stranger.tls(UNIT, request_of(key), NOW_MS)
    client = context(tmp_path, "client", foreign, pem_of(key), authority.certificate)
    with pytest.raises(ssl.SSLError):
        handshake(server, client, "office.example")
    own = authority.tls(UNIT, request_of(key), NOW_MS)
    client = context(tmp_path, "client", own, pem_of(key), authority.certificate)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "other.example")


def test_a_units_certificate_signs_no_other(authority, tmp_path):
    """A unit's key, though certified, makes no certificate that a link would take."""
    key = ec.generate_private_key(ec.SECP256R1())
    middle = parsed(authority.tls(UNIT, request_of(key), NOW_MS))
    forged = ca.Authority(key, middle).issue_server(["office.example"], NOW_MS)
    issued = authority.issue_server(["office.example"], NOW_MS)
    chain = forged.certificate + middle.public_bytes(serialization.Encoding.PEM)
    server = context(tmp_path, "server", chain, forged.key, authority.certificate)
    client = context(tmp_path, "client", issued.certificate, issued.key, authority.certificate)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "office.example")


def test_a_request_is_refused_that_proves_nothing(authority):
    sound = request_of(ec.generate_private_key(ec.SECP256R1()))
    spoilt = sound[:-1] + bytes([sound[-1] ^ 1])
    wrong = {
        "no certificate request": b"0\x03\x02\x01\x00",
        "not signed by its own key": spoilt,
        "not P-256": request_of(ed25519.Ed25519PrivateKey.generate()),
    }
    for told, request in wrong.items():
        with pytest.raises(OfficeError, match=told):
            authority.tls(UNIT, request, NOW_MS)


@pytest.mark.parametrize("name", ["", "a" * 33, "a b", "a.b", "../x", "单元"])
def test_a_name_that_no_unit_has_is_not_certified(authority, name):
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(OfficeError, match="921"):
        authority.device(name, key.public_key(), NOW_MS)
    with pytest.raises(OfficeError, match="921"):
        authority.tls(name, request_of(key), NOW_MS)


@pytest.mark.parametrize("names", [[], [""], ["a b"], ["*"], ["x" * 64]])
def test_a_server_has_a_host_name_or_an_address(authority, names):
    with pytest.raises(OfficeError, match="921"):
        authority.issue_server(names, NOW_MS)


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(65), b"\x04" + bytes(64)])
def test_what_is_no_public_key_is_not_certified(raw):
    with pytest.raises(OfficeError, match="921"):
        ca.public_key(raw)


def test_key_and_certificate_must_belong_together(made, tmp_path):
    ca.create(tmp_path, "one", NOW_MS)
    (tmp_path / "ca.crt").write_bytes((made / "ca.crt").read_bytes())
    with pytest.raises(OfficeError, match="920"):
        ca.load(tmp_path)
    (tmp_path / "ca.crt").write_bytes(b"spoilt")
    with pytest.raises(OfficeError, match="920"):
        ca.load(tmp_path)
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(OfficeError, match="920"):
        ca.load(tmp_path)
    (tmp_path / "ca.key").chmod(0o640)
    with pytest.raises(OfficeError, match="910"):
        ca.load(tmp_path)
