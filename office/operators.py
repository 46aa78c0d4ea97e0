"""The operator list (docs/records.md): the newest one signed is the list; it has no other store."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from firmware.journal.signedfile import OPERATORS, SignedFile, make_signed_file
from office.errors import OfficeError
from office.folder import Folder
from office.stoplist import own_file

COST, PEOPLE = 1, 2  # keys of the body
N, R, P = 1 << 14, 8, 1  # scrypt: 16 MiB, about 0.2 s on a unit (RFC 7914)
RIGHTS = ("pay", "pin", "block", "tamper")
MIN_PASSWORD, MAX_PASSWORD, MAX_CODE, MAX_PEOPLE = 8, 64, 32, 1000

Person = list[Any]
"""[code, name, rights, salt 16, scrypt 32]."""


def people(folder: Folder) -> list[Person]:
    row = folder.store.row(
        "SELECT raw FROM signed_files WHERE what = ? ORDER BY number DESC LIMIT 1", OPERATORS
    )
    return [] if row is None else list(own_file(folder, row[0]).body[PEOPLE])


def person(code: str, name: str, rights: list[str], password: str) -> Person:
    """Raises OfficeError 916, which says nothing of the password but its length."""
    if not 1 <= len(code) <= MAX_CODE or not code.isprintable():
        raise OfficeError(916, f"--code has 1 to {MAX_CODE} printable characters")
    if not 1 <= len(name) <= MAX_CODE or not name.isprintable():
        raise OfficeError(916, f"--name has 1 to {MAX_CODE} printable characters")
    if not rights or not set(rights) <= set(RIGHTS):
        raise OfficeError(916, f"--right is one of {', '.join(RIGHTS)}")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or password == code:
        raise OfficeError(
            916, f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters and is not the code"
        )
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P, maxmem=64 << 20, dklen=32)
    return [code, name, sorted(set(rights)), salt, digest]


def change(
    folder: Folder, now_ms: int, add: Person | None = None, remove: str | None = None
) -> SignedFile:
    """The list with that person in place of whoever had the code, or without; signed anew."""
    store = folder.store
    with store.transaction():
        left = people(folder)
        if remove is not None and all(each[0] != remove for each in left):
            raise OfficeError(916, f"{remove!r:.80} is not on the list")
        code = remove if add is None else add[0]
        left = [each for each in left if each[0] != code] + ([] if add is None else [add])
        if len(left) > MAX_PEOPLE:
            raise OfficeError(916, f"a list has at most {MAX_PEOPLE} people")
        row = store.row("SELECT max(number) FROM signed_files WHERE what = ?", OPERATORS)
        number = (row[0] if row and row[0] else 0) + 1
        raw = make_signed_file(
            what=OPERATORS,
            number=number,
            issued_ms=now_ms,
            body={COST: [N, R, P], PEOPLE: sorted(left, key=lambda each: str(each[0]))},
            signer=folder.signer,
        )
        store.write("INSERT INTO signed_files VALUES (?, ?, ?)", OPERATORS, number, raw)
    return own_file(folder, raw)
