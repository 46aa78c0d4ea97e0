"""Who this unit is to the office: its device key, its enrolment request, the change of the key."""

from __future__ import annotations

from pathlib import Path

from firmware.board import Board
from firmware.clock import Clock
from firmware.journal import rotation, spool
from firmware.journal.algorithms import Signer, key_id
from firmware.journal.devicekey import FileKeys
from firmware.journal.enrolment import (
    MAX_ENROLMENT,
    EnrolmentError,
    make_enrolment,
    verify_enrolment,
)
from firmware.journal.rotation import KeyStore
from firmware.journal.store import Journal

ENROLMENT = "enrolment.cose"


def key_store(board: Board) -> KeyStore:
    """Where board.toml says that the device key lives."""
    data_dir, signer = board.unit.data_dir, board.signer
    if signer.kind == "file":
        return FileKeys(data_dir / "device.key")
    assert signer.module is not None  # board.py
    assert signer.token is not None
    assert signer.pin_file is not None
    from firmware.journal.pkcs11 import TokenKeys, TokenSettings  # only where there is a token

    settings = TokenSettings(
        signer.module, signer.token, signer.key, signer.pin_file, signer.timeout_s
    )
    return TokenKeys(settings, may_create=not (data_dir / ENROLMENT).exists())


def write_enrolment(board: Board, key: Signer, clock: Clock) -> None:
    """The request a person carries to the office; written again only when a key is another."""
    path = board.unit.data_dir / ENROLMENT
    tls_path = board.unit.data_dir / "tls.key"
    if tls_path.exists() and _names(path, key):
        return
    from firmware.journal import tlskey  # X.509 takes memory, and is needed once

    request = make_enrolment(
        unit=board.unit.id,
        region=board.unit.region,
        time_ms=clock.now().epoch_ms,
        signer=key,
        tls_request=tlskey.certificate_request(board.unit.id, tls_path),
        replaces=board.unit.replaces,
    )
    spool.write_atomic(path, request)


def _names(path: Path, key: Signer) -> bool:
    """Whether there is a request there of this very key."""
    try:
        with path.open("rb") as file:
            found = verify_enrolment(file.read(MAX_ENROLMENT + 1))
    except (OSError, EnrolmentError):
        return False
    return found.public_key == key.public_key and found.tls_request is not None


def change_key(board: Board, journal: Journal, keys: KeyStore, clock: Clock) -> str:
    """Rotate the device key; one line that says so.  Raises JournalError and what `keys` raises."""
    old = key_id(journal.signer.public_key).hex()
    change = rotation.rotate(journal, keys)
    write_enrolment(board, journal.signer, clock)
    new = key_id(journal.signer.public_key).hex()
    return (
        f"设备密钥已更换（记录 {change.number}）：{old} → {new}\n"
        f"the device key was changed in record {change.number}: {old} -> {new}"
    )
