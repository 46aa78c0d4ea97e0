"""A whole card as data: every file that the rights at hand open, with the fewest bytes.

Needs a card that is powered up.  Authentication is handed in: card and PSAM do not know each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from firmware.card import values
from firmware.card.codes import meaning
from firmware.card.commands import SW_FILE_NOT_FOUND, SW_SECURITY_STATUS
from firmware.card.items import CYCLIC, FREE, FROM_2, NEVER, TRANSPARENT, Df, Ef, Item, Rule
from firmware.card.reading import Absent, FileReader
from firmware.card.session import CardSession
from firmware.card.ssse import SSSE
from firmware.card.standard import APPLICATIONS
from firmware.card.text import text
from firmware.outcome import ProtocolError, StatusError
from firmware.tlv import TlvError, parse

Authenticate = Callable[[str], bool]
"""EXTERNAL AUTHENTICATE with the key of that name (card/keys.py); False when it cannot be done.
Raises TransportError or ProtocolError only."""

FORMAT = 1
_VERSION = SSSE.item(0x05, 0x03)
_DIRECTORY = Ef(0, "directory", "目录文件", FREE, NEVER, source="SPEC-P3")


def dump(
    session: CardSession,
    authenticate: Authenticate,
    pin_verified: bool = False,
    applications: tuple[Df, ...] = APPLICATIONS,
) -> dict[str, Any]:
    """Everything readable, JSON-able.  pin_verified: VERIFY succeeded, or no PIN is set.

    applications: the standard's, or region.py's with a region's own.  Raises TransportError when
    the card leaves, StatusError or ProtocolError when it is no social security card; what goes
    wrong in one file is told in that file's entry.
    """
    return _Dump(session, authenticate, pin_verified, applications).all()


class _Dump:
    def __init__(
        self,
        session: CardSession,
        authenticate: Authenticate,
        pin_verified: bool,
        applications: tuple[Df, ...],
    ):
        self._session = session
        self._authenticate = authenticate
        self._pin = {"PIN"} if pin_verified else set()
        self._applications = applications
        self._held: set[str] = set()
        self._failed: set[str] = set()
        self._version = FROM_2[0]
        self._files = FileReader(session, self._version)
        self._directory: list[dict[str, str]] | None = None

    def all(self) -> dict[str, Any]:
        algorithm = self._session.select_environment()
        told = [self._environment(self._applications[0])]
        told += [self._application(df) for df in self._applications[1:]]
        return {
            "format": FORMAT,
            "version": self._version,
            "algorithm": algorithm,
            "directory": self._directory,
            "applications": told,
        }

    # -- applications ----------------------------------------------------------------------------

    def _environment(self, df: Df) -> dict[str, Any]:
        issuer, *others = df.files
        files = [self._file(issuer)]
        self._version = version_of(_raw(files[0], _VERSION.tag))
        self._files = FileReader(self._session, self._version)
        files += self._all_files(others)
        if self._session.directory_sfi is not None:
            self._directory = self._read_directory(self._session.directory_sfi)
        return _told(df, "read", files=files)

    def _application(self, df: Df) -> dict[str, Any]:
        self._held.clear()
        if self._version not in df.versions or self._is_ruled_out(df):
            return _told(df, "absent")
        try:
            self._session.select_df(df.fid_bytes, df.aid)
        except StatusError as error:
            if error.sw == SW_FILE_NOT_FOUND:
                return _told(df, "absent")
            return _told(df, "refused", str(error))
        return _told(df, "read", files=self._all_files(df.files))

    def _all_files(self, files: Iterable[Ef]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        absent: set[int] = set()
        for ef in files:
            if self._version not in ef.versions or (ef.instead_of and ef.instead_of not in absent):
                continue
            file = self._file(ef)
            if file["state"] == "absent":
                absent.add(ef.sfi)
            if file["state"] != "absent" or not ef.instead_of:
                told.append(file)
        return told

    def _is_ruled_out(self, df: Df) -> bool:
        """The directory lists every application that has an AID; one without may be there."""
        if not self._directory or not df.aid:
            return False
        return df.aid.hex().upper() not in {entry["aid"] for entry in self._directory}

    def _read_directory(self, sfi: int) -> list[dict[str, str]] | None:
        """[{aid, label}]; None when the file cannot be read: then all applications are assumed."""
        ef = Ef(sfi, _DIRECTORY.name, _DIRECTORY.label, FREE, NEVER)
        try:
            records = self._files.items(ef)
        except (Absent, StatusError, ProtocolError):
            return None
        return [entry for tag, raw in records if tag == 0x61 for entry in _entry(raw)]

    # -- files -----------------------------------------------------------------------------------

    def _file(self, ef: Ef) -> dict[str, Any]:
        try:
            return self._opened(ef)
        except Absent:
            return _file_told(ef, "absent")
        except (StatusError, ProtocolError) as error:
            return _file_told(ef, "unreadable", str(error))

    def _opened(self, ef: Ef) -> dict[str, Any]:
        rule = ef.readable(self._version)
        if self._satisfied(rule):
            try:
                return self._content(ef)
            except StatusError as error:
                if error.sw != SW_SECURITY_STATUS:
                    raise
        for alternative in _others(ef, rule):
            if not self._authenticated(alternative):
                continue
            try:
                return self._content(ef)
            except StatusError as error:
                if error.sw != SW_SECURITY_STATUS:
                    raise
        return _file_told(ef, "refused", "needs " + shown_rule(rule))

    def _satisfied(self, rule: Rule) -> bool:
        """Is one alternative fulfilled, or can it be made so?"""
        if any(set(each) <= self._pin | self._held for each in rule):
            return True
        return any(self._authenticated(each) for each in rule)

    def _authenticated(self, alternative: tuple[str, ...]) -> bool:
        """Authenticate anew with every key of the alternative: a card may keep only the last."""
        keys = [name for name in alternative if name != "PIN"]
        if not set(alternative) - set(keys) <= self._pin or self._failed.intersection(keys):
            return False
        for name in keys:
            if not self._authenticate(name):
                self._failed.add(name)  # never twice: a wrong key loses its tries
                return False
            self._held.add(name)
        return True

    def _content(self, ef: Ef) -> dict[str, Any]:
        if ef.structure == TRANSPARENT:
            return _file_told(ef, "read", data=self._files.binary(ef).hex().upper())
        if ef.structure == CYCLIC:
            records = [_record(ef, raw) for raw in self._files.records(ef)]
            return _file_told(ef, "read", records=records)
        items = [_item(ef, tag, raw, self._version) for tag, raw in self._files.items(ef)]
        return _file_told(ef, "read", items=items)


def version_of(raw: bytes | None) -> str:
    """ "1.0", "2.0" or "3.0" from EF05 tag 03: the first three characters count, empty is 1.0."""
    found = text(raw or b"")[:1]
    return {"": "1.0", "1": "1.0", "3": "3.0"}.get(found, "2.0")


def shown_rule(rule: Rule) -> str:
    """ "PIN or RK1DF01"."""
    return " or ".join(" and ".join(each) for each in rule) or "nobody"


def _others(ef: Ef, tried: Rule) -> list[tuple[str, ...]]:
    """What else may open the file: its rule again, other versions' rules, the draft's."""
    rules = (tried, ef.read, *(rule for _, rule in ef.read_in), ef.draft_read or ())
    unique = dict.fromkeys(each for rule in rules for each in rule)
    return [each for each in unique if set(each) - {"PIN"}]


# -- entries --------------------------------------------------------------------------------------


def _told(
    df: Df, state: str, reason: str = "", files: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    told = {"name": df.name, "label": df.label, "state": state}
    if reason:
        told["reason"] = reason
    return told | {"files": files or []}


def _file_told(ef: Ef, state: str, reason: str = "", **content: Any) -> dict[str, Any]:
    told = {"name": f"EF{ef.sfi:02X}", "what": ef.name, "label": ef.label, "state": state}
    if reason:
        told["reason"] = reason
    return told | content


def _item(ef: Ef, tag: int, raw: bytes, version: str) -> dict[str, Any]:
    """One item: raw always; value and meaning as far as a table knows them."""
    told: dict[str, Any] = {"tag": f"{tag:02X}", "raw": raw.hex().upper()}
    try:
        row, value = values.decode_found(ef, tag, raw, version)
    except values.FormError as error:
        row, value = ef.row(tag, version, len(raw)), None
        told["problem"] = str(error)
    if row is None:
        return told | {"what": "in no table", "label": ""}
    told |= {"what": row.name, "label": row.label, "value": value}
    if row.parts and isinstance(value, dict):
        told["parts"] = _parts(row.parts, value)
    return told | _said(row, value)


def _said(row: Item, value: values.Value) -> dict[str, Any]:
    """What its kind adds to a value: the meaning of a code, the unit of an amount."""
    if row.kind == "fen":
        return {"unit": "fen"}
    said = meaning(row.kind, value)
    return {"meaning": list(said)} if said else {}


def _parts(rows: tuple[Item, ...], value: dict[str, values.Value]) -> list[dict[str, Any]]:
    by_tag = {f"{row.tag:02X}": row for row in rows}
    told = []
    for tag, each in value.items():
        row = by_tag.get(tag)
        part: dict[str, Any] = {"tag": tag, "value": each}
        if row is not None:
            part |= {"what": row.name, "label": row.label} | _said(row, each)
        told.append(part)
    return told


def _record(ef: Ef, raw: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"raw": raw.hex().upper()}
    try:
        record = values.decode_record(ef, raw)
    except values.FormError as error:
        return told | {"problem": str(error)}
    if record is None:
        return told | {"fields": []}
    fields = []
    for row in ef.items:
        if row.name in record:
            value = record[row.name]
            field = {"what": row.name, "label": row.label, "value": value}
            fields.append(field | _said(row, value))
    return told | {"fields": fields}


def _entry(raw: bytes) -> list[dict[str, str]]:
    """What one entry template of the directory says: 4F a name, 50 a label (SPEC-P3)."""
    try:
        parts = dict(parse(raw))
    except (TlvError, IndexError):
        return [{"aid": "", "label": "‹" + raw.hex().upper() + "›"}]
    return [{"aid": parts.get(0x4F, b"").hex().upper(), "label": text(parts.get(0x50, b""))}]


def _raw(told: dict[str, Any], tag: int) -> bytes | None:
    for item in told.get("items", ()):
        if item["tag"] == f"{tag:02X}":
            return bytes.fromhex(item["raw"])
    return None
