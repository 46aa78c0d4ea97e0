"""`sscoffice enrol` and `certificate`: who a unit is, and the certificates that say so."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from firmware.journal.cose import key_id
from firmware.journal.enrolment import (
    MAX_ENROLMENT,
    Enrolment,
    EnrolmentError,
    verify_enrolment,
)
from firmware.journal.spool import write_atomic
from office import ca, files, keys, quarantine, status
from office.day import now_ms
from office.errors import OfficeError
from office.folder import Folder
from office.link_commands import AddAct, office_of

DEVICE, TLS = "device", "tls"


def add(act: AddAct) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    one = act("enrol", _enrol, "登记终端 · enrol a unit by its request")
    one.add_argument("request", type=Path, metavar="REQUEST_FILE")
    one.add_argument("--yes", action="store_true", help="the key id was compared already")
    one.add_argument("--new-key", action="store_true", help="another key than the one before")
    one.add_argument("--old-key-until", type=int, metavar="N",
                     help="it was lost, not stolen: its records to N are good")  # fmt: skip
    _add_out(one)

    one = act("certificate", _certificate, "证书 · show or renew a unit's certificates")
    one.add_argument("unit", metavar="UNIT")
    one.add_argument("--renew", action="store_true", help="issue them again")
    _add_out(one)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="put device.crt, tls.crt, ca.crt there"
    )
    parser.add_argument("--json", action="store_true")


def _enrol(arguments: argparse.Namespace) -> int:
    raw = files.read(arguments.request, MAX_ENROLMENT)
    request = _request(raw)
    ident = key_id(request.public_key)
    with office_of(arguments) as office:
        known = keys.keys_of(office.store, request.unit)
        same = next((each for each in known if each.key_id == ident), None)
        if same is not None and same.last is not None:
            raise OfficeError(923, f"{request.unit}, {ident.hex()}, to record {same.last}")
        if same is not None and same.request == raw:
            _hand_out(office, _stored(office, request.unit), arguments.out)
            text = f"已登记 · already enrolled: {request.unit}, {ident.hex()}"
            status.tell(arguments, _told(request, is_new=False), text)
            return status.NOTHING if arguments.out is None else status.DONE
        if known and same is None and not arguments.new_key:
            raise OfficeError(904, f"{request.unit}, key id {ident.hex()}")
        made = _issued(office, request, now_ms())  # a request that cannot be certified is refused
        who = f"终端 unit: {request.unit}\n地区 region: {request.region}"
        if _retires(office, request):
            who += f"\n替换并退役 replaces and retires: {request.replaces}"
        where = sys.stderr if arguments.json else sys.stdout
        print(f"{who}\n密钥标识 key id: {ident.hex()}", file=where)
        if not arguments.yes and not _confirmed():
            raise OfficeError(905, request.unit)
        if same is None:
            new = keys.enrol(office.store, request, raw, now_ms(), arguments.old_key_until)
            if known:
                print(f"旧密钥至记录 the old key ends at record {new.first - 1}", file=sys.stderr)
        else:  # the same device key asks for another TLS key
            keys.keep_request(office.store, request.unit, ident, raw)
        _keep(office, request.unit, made)
        if _retires(office, request):
            quarantine.revoke(office.store, str(request.replaces), now_ms())
        _hand_out(office, made, arguments.out)
    status.tell(arguments, _told(request, is_new=True), "已登记 · enrolled")
    return status.DONE


def _retires(office: Folder, request: Enrolment) -> bool:
    """Whether this request ends another unit: its records up to the enrolment stay good and
    may still come, later ones go into quarantine.  Raises OfficeError 801 for an unknown one.
    """
    if request.replaces is None:
        return False
    if request.replaces == request.unit or not keys.keys_of(office.store, request.replaces):
        raise OfficeError(801, request.replaces)
    row = office.store.row("SELECT revoked_ms FROM units WHERE unit = ?", request.replaces)
    return row is None or row[0] is None


def _told(request: Enrolment, *, is_new: bool) -> dict[str, object]:
    ident = key_id(request.public_key).hex()
    return {"unit": request.unit, "region": request.region, "key_id": ident, "new": is_new}


def _certificate(arguments: argparse.Namespace) -> int:
    with office_of(arguments) as office:
        made = _stored(office, arguments.unit)
        if arguments.renew or not made:
            made = _issued(office, _newest(office, arguments.unit), now_ms())
            _keep(office, arguments.unit, made)
        _hand_out(office, made, arguments.out)
        if arguments.out is None:
            text = "".join([*made.values(), office.authority().certificate.decode()])
            status.tell(arguments, made, text.rstrip("\n"))
    return status.DONE


def _newest(office: Folder, unit: str) -> Enrolment:
    """Its newest enrolment request, under the key in force now; raises OfficeError 924."""
    known = keys.keys_of(office.store, unit)
    for each in known:
        try:
            found = verify_enrolment(each.request)
        except EnrolmentError:
            continue  # a KEY_CHANGE brought this key
        now = known[0]
        return Enrolment(
            unit, now.algorithm, now.public_key, found.region, found.time_ms, found.tls_request
        )
    raise OfficeError(924, unit)


def _issued(office: Folder, request: Enrolment, now_ms: int) -> dict[str, str]:
    """Name -> PEM of the certificates this request is worth; raises OfficeError 910, 920, 921."""
    authority = office.authority()
    public_key = ca.public_key(request.public_key)
    made = {DEVICE: authority.device(request.unit, public_key, now_ms).decode()}
    if request.tls_request is not None:
        made[TLS] = authority.tls(request.unit, request.tls_request, now_ms).decode()
    return made


def _keep(office: Folder, unit: str, made: dict[str, str]) -> None:
    with office.store.transaction():
        for what, pem in made.items():
            sql = "INSERT INTO certificates VALUES (?, ?, ?, ?, ?)"
            office.store.write(sql, unit, ca.serial_of(pem), what, pem, now_ms())


def _stored(office: Folder, unit: str) -> dict[str, str]:
    """The newest of each kind; {} when there is none."""
    sql = "SELECT what, pem FROM certificates WHERE unit = ? ORDER BY issued_ms, serial"
    return dict(office.store.rows(sql, unit))


def _hand_out(office: Folder, made: dict[str, str], out: Path | None) -> None:
    """As files that a person carries to the unit.  Raises OfficeError 906."""
    if out is None:
        return
    files = {f"{what}.crt": pem.encode() for what, pem in made.items()}
    files[ca.CERTIFICATE] = office.authority().certificate
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(out / name, content)
    except OSError as error:
        raise OfficeError(906, f"{out}: {error.strerror}") from None
    print(f"{out}: {', '.join(files)}", file=sys.stderr)


def _request(raw: bytes) -> Enrolment:
    try:
        return verify_enrolment(raw)
    except EnrolmentError as error:
        raise OfficeError(903, str(error)) from None


def _confirmed() -> bool:
    print("与终端所示一致? · Is this the key id the unit shows? [yes/no] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
