"""TACs verified with DTK, by an office that holds it (formulas: SPEC-P7, SPEC-P9).

A terminal cannot check a TAC: its PSAM has no DTK.  The key file is TOML, mode 0600:

    [[root]]
    algorithm = "3des"      # or "sm4"
    level = "nation"        # "province" or "city": how far down the root already is
    region = "51"           # of a province's root two digits, of a city's six; none for nation
    version = 1             # as INITIALIZE answers it
    key = "..."             # 32 hex digits
    [city_factors]
    510100 = "..."          # 16 hex digits, where a region has its own level-2 factor
"""

from __future__ import annotations

import hmac
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.journal.kinds import (
    KEY_ACCOUNT_BALANCE_FEN,
    KEY_ALGORITHM,
    KEY_AMOUNTS_SENT,
    KEY_CARD_ID,
    KEY_HISTORICAL,
    KEY_KEY_VERSION,
    KEY_LOAD_FEN,
    KEY_LOAD_SERIAL,
    KEY_TAC,
    KEY_TERMINAL,
    KEY_TERMINAL_SERIAL,
    KEY_TIME7,
    KEY_TYPE,
    KIND_DONE,
    KIND_LOAD_DONE,
    KIND_SUSPECT,
)
from firmware.journal.record import Record, RecordError, whole_intent
from firmware.psam import keys
from firmware.psam.cipher import DES_BLOCK, SM4_BLOCK, des_encrypt, sm4_encrypt
from office.errors import OfficeError

VERIFIED, WRONG, NOT_CHECKED, LOST = "verified", "WRONG", "not checked", "lost"
STATES = {VERIFIED: "相符 verified", WRONG: "不符 WRONG", NOT_CHECKED: "未核 not checked"}
STATES[LOST] = "无 lost"

TAC_KINDS = (KIND_DONE, KIND_SUSPECT, KIND_LOAD_DONE)

_CIPHERS = {"3des": (des_encrypt, DES_BLOCK), "sm4": (sm4_encrypt, SM4_BLOCK)}
_ALGORITHMS = {0: "3des", 1: "3des", 3: "sm4"}
"""The byte of the INITIALIZE answer; 2, SSF33, is not published."""
_LEVELS = {"nation": (0, 0), "province": (1, 2), "city": (2, 6)}
"""Levels the root has come down, digits of the region it then belongs to."""

Body = dict[int, Any]


@dataclass(frozen=True)
class Root:
    """One DTK.  done: diversifications behind it; region: the code its cards' codes begin with."""

    algorithm: str
    version: int
    done: int
    region: str
    key: bytes

    def __repr__(self) -> str:
        return f"Root({self.algorithm}, version {self.version}, {self.region or 'nation'})"


class TacKeys:
    """What an office holds to verify TACs; no roots: nothing is checked."""

    def __init__(self, roots: tuple[Root, ...] = (), city_factors: dict[str, bytes] | None = None):
        self.roots = roots
        self._city_factors = city_factors or {}
        self._city_keys: dict[tuple[Root, str], bytes] = {}

    def state(self, record: Record, about: Body | None) -> str | None:
        """VERIFIED, WRONG, NOT_CHECKED or LOST; None for a record that can have no TAC.

        about: the body of the INTENT that the record names, None where it is not at hand.
        """
        if record.kind not in TAC_KINDS:
            return None
        tac = record.body.get(KEY_TAC)
        if tac is None:
            return LOST
        try:
            expected = [] if about is None else self._expected(whole_intent(about))
        except RecordError:  # no terminal sends such amounts
            expected = []
        if not expected:
            return NOT_CHECKED
        return VERIFIED if any(hmac.compare_digest(tac, each) for each in expected) else WRONG

    def _expected(self, about: Body) -> list[bytes]:
        """The TACs that the card of this INTENT may give; none without the key of that card."""
        region = about[KEY_CARD_ID][:3].hex()
        root = self._root(about, region)
        if root is None or not region.isdigit():
            return []
        cipher, block = _CIPHERS[root.algorithm]
        card_factor = about[KEY_HISTORICAL][5:]
        dtk = keys.diversify(cipher, self._city_key(root, region), card_factor, block)
        key = keys.tac_key(dtk, block)
        return [keys.mac(cipher, key, message, block) for message in _messages(about)]

    def _root(self, about: Body, region: str) -> Root | None:
        wanted = (_ALGORITHMS.get(about[KEY_ALGORITHM]), about[KEY_KEY_VERSION])
        for root in self.roots:
            if (root.algorithm, root.version) == wanted and region.startswith(root.region):
                return root
        return None

    def _city_key(self, root: Root, region: str) -> bytes:
        asked = (root, region)
        if asked not in self._city_keys:
            cipher, block = _CIPHERS[root.algorithm]
            city = self._city_factors.get(region) or keys.city_factor(region)
            factors = (keys.province_factor(region), city)[root.done :]
            self._city_keys[asked] = keys.diversify_levels(cipher, root.key, factors, block)
        return self._city_keys[asked]


def _messages(about: Body) -> list[bytes]:
    """What the TAC of a payment or a load may cover."""
    kind, terminal, time7 = bytes((about[KEY_TYPE],)), about[KEY_TERMINAL], about[KEY_TIME7]
    if KEY_LOAD_FEN not in about:
        serial = about[KEY_TERMINAL_SERIAL]
        return [keys.tac_message(about[KEY_AMOUNTS_SENT], kind, terminal, serial, time7)]
    serial = about[KEY_LOAD_SERIAL].to_bytes(2, "big")
    before_fen, amount_fen = about[KEY_ACCOUNT_BALANCE_FEN], about[KEY_LOAD_FEN]
    amount = amount_fen.to_bytes(4, "big")
    # No public source says whether the balance is the one after the load or before it.
    return [
        keys.load_tac_message(each.to_bytes(8, "big")[4:], serial, amount, kind, terminal, time7)
        for each in (before_fen + amount_fen, before_fen)
    ]


def parse(raw: bytes, path: Path) -> TacKeys:
    """The keys of a key file; raises OfficeError 911, which never shows a value."""
    try:
        found = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise OfficeError(911, f"{path}: not TOML") from None
    unknown = found.keys() - {"root", "city_factors"}
    rows, cities = found.get("root", []), found.get("city_factors", {})
    if unknown or not isinstance(rows, list) or not rows or not isinstance(cities, dict):
        raise OfficeError(911, f"{path}: [[root]] tables and [city_factors], nothing else")
    roots = tuple(_root(row, f"{path}: root {at}") for at, row in enumerate(rows, 1))
    for region, factor in cities.items():
        if not (_is_digits(region, 6) and _is_hex(factor, 16)):
            raise OfficeError(911, f"{path}: city_factors: six digits = 16 hex digits")
    return TacKeys(roots, {region: bytes.fromhex(factor) for region, factor in cities.items()})


def _root(row: object, where: str) -> Root:
    if not isinstance(row, dict) or row.keys() - {"algorithm", "level", "region", "version", "key"}:
        raise OfficeError(911, f"{where}: algorithm, level, region, version, key, nothing else")
    if row.get("algorithm") not in _CIPHERS:
        raise OfficeError(911, f"{where}: algorithm is {' or '.join(_CIPHERS)}")
    if row.get("level") not in _LEVELS:
        raise OfficeError(911, f"{where}: level is {' or '.join(_LEVELS)}")
    done, digits = _LEVELS[row["level"]]
    region = row.get("region", "")
    if not (_is_digits(region, digits) if digits else region == ""):
        raise OfficeError(911, f"{where}: region has {digits} digits at this level")
    version = row.get("version", 1)
    if type(version) is not int or not 0 < version < 256:
        raise OfficeError(911, f"{where}: version is a number from 1 to 255")
    if not _is_hex(row.get("key"), 32):
        raise OfficeError(911, f"{where}: key has 32 hex digits")
    return Root(row["algorithm"], version, done, region, bytes.fromhex(row["key"]))


def _is_digits(value: object, length: int) -> bool:
    return isinstance(value, str) and re.fullmatch(rf"[0-9]{{{length}}}", value) is not None


def _is_hex(value: object, length: int) -> bool:
    return isinstance(value, str) and re.fullmatch(rf"[0-9A-Fa-f]{{{length}}}", value) is not None
