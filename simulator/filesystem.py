"""SELECT, READ RECORD, UPDATE RECORD (SPEC-P5, ISO 7816-4 7.1.1, 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware.apdu import CommandApdu
from firmware.tlv import encode
from simulator import files, security
from simulator.chip import Refusal
from simulator.files import FREE, NEVER, PSE_NAME, SSSE_NAME, Df, Ef

if TYPE_CHECKING:
    from simulator.card import CardMemory, SimulatedCard

MF_FID = 0x3F00
_MOST = 256  # bytes of one answer
_ROOM = 32  # records that a file may grow to
_BY_NUMBER, _TO_LAST, _FROM_LAST = 4, 5, 6
_FIRST, _LAST, _NEXT, _PREVIOUS = 0, 1, 2, 3


def structure_of(memory: CardMemory) -> dict[tuple[str, int], Ef]:
    """The files of this card, its directory among them."""
    switches = memory.switches
    out = files.structure(
        memory.generation,
        switches.access_rules,
        memory.account_only,
        memory.has_ef06,
        tuple(memory.optional),
        memory.meanings,
        memory.local,
    )
    if switches.directory == "present":
        out["SSSE", files.directory_sfi(memory.generation)] = Ef(FREE, NEVER)
    return out


def applications_of(memory: CardMemory) -> dict[str, Df]:
    """The applications of this card, by name ("DF01")."""
    return files.applications(memory.generation, tuple(memory.optional), memory.local)


def environment_fci(directory_sfi: int | None, algorithm: int | None) -> bytes:
    """6F { 84 name; A5 { 88 SFI of the directory; 9F0C { 86 algorithm } } } (SPEC-P3, SPEC-P6)."""
    own = encode(0x88, bytes((directory_sfi,))) if directory_sfi else b""
    if algorithm:
        own += encode(0x9F0C, encode(0x86, bytes((algorithm,))))
    return encode(0x6F, encode(0x84, SSSE_NAME) + (encode(0xA5, own) if own else b""))


def _fci(card: SimulatedCard, df: str) -> bytes:
    if df == "MF":
        return encode(0x6F, encode(0x84, PSE_NAME))
    if df != "SSSE":
        row = card.dfs[df]
        own = encode(0x84, row.aid) if row.aid else encode(0x83, row.fid.to_bytes(2, "big"))
        return encode(0x6F, own)
    generation, selector = card.memory.generation, card.algorithm.selector
    sfi = files.directory_sfi(generation) if card.switches.directory == "present" else None
    return environment_fci(sfi, selector if generation == "3.0" or selector != 1 else None)


def select(card: SimulatedCard, command: CommandApdu) -> bytes:
    """By name (P1 04), or a FID: an EF (P1 02 or 00), the MF or a DF (P1 00).  Answers the FCI."""
    if not command.data:
        raise Refusal(0x6700)
    if command.p1 == 0x04 and command.p2 in (0x00, 0x02):
        return _enter(card, _named(card, command.data, command.p2 == 0x02))
    if command.p1 not in (0x00, 0x02) or command.p2:
        raise Refusal(0x6A86)
    if len(command.data) != 2:
        raise Refusal(0x6700)
    fid = int.from_bytes(command.data, "big")
    if fid >> 8 == 0xEF:
        return _select_ef(card, command.p1, fid)
    if command.p1 == 0x02:
        raise Refusal(0x6A82 if card.switches.ef_select != "p1_00" else 0x6A86)
    if fid == MF_FID:
        card.session.mf_selected = True
        return _enter(card, card.root_df)
    for df, row in card.dfs.items():
        if row.fid == fid and card.session.df != "MF":
            return _enter(card, df)
    raise Refusal(0x6A82)


def _named(card: SimulatedCard, name: bytes, following: bool) -> str:
    """The DF whose name begins so; `following`: the next one after the current DF."""
    if not 5 <= len(name) <= 16:
        raise Refusal(0x6700)
    if card.switches.mf_before_name == "yes" and not card.session.mf_selected:
        raise Refusal(0x6A82)
    names = {"SSSE": SSSE_NAME} | {df: row.aid for df, row in card.dfs.items() if row.aid}
    found = [df for df, full in names.items() if full.startswith(name)]
    if following and card.session.df in found:
        found = found[found.index(card.session.df) + 1 :]
    if not found:
        raise Refusal(0x6A82)
    return found[0]


def _enter(card: SimulatedCard, df: str) -> bytes:
    session = card.session
    if df in card.memory.blocked_dfs:
        raise Refusal(0x9303)
    if df != session.df:
        session.keys.clear()
    session.df, session.ef, session.pointer, session.challenge = df, None, None, b""
    return _fci(card, df)


def _select_ef(card: SimulatedCard, p1: int, fid: int) -> bytes:
    legal = card.switches.ef_select
    if p1 == 0x02 and legal == "p1_00":
        raise Refusal(0x6A86)
    if p1 == 0x00 and legal == "p1_02":
        raise Refusal(0x6A82)
    if (card.session.df, fid & 0xFF) not in card.structure:
        raise Refusal(0x6A82)
    card.session.ef, card.session.pointer = fid & 0xFF, None
    return encode(0x6F, encode(0x83, fid.to_bytes(2, "big")))


def addressed(card: SimulatedCard, sfi: int) -> tuple[Ef, list[bytes]]:
    """The file of that SFI, or the current one for 0, and its records."""
    session = card.session
    if sfi:
        if card.switches.sfi_addressing == "no" or sfi == 31:
            raise Refusal(0x6A86)
        if (session.df, sfi) not in card.structure:
            raise Refusal(0x6A82)
        if sfi != session.ef:
            session.ef, session.pointer = sfi, None
    if session.ef is None:
        raise Refusal(0x6986)
    place = files.place(session.df, session.ef)
    return card.structure[session.df, session.ef], card.memory.files[place]


def _records(card: SimulatedCard, command: CommandApdu) -> tuple[Ef, list[bytes]]:
    """The file that P2 speaks of; 6981 when it has no records."""
    ef, records = addressed(card, command.p2 >> 3)
    if ef.is_transparent:
        raise Refusal(0x6981)
    return ef, records


def _occurrence(card: SimulatedCard, ef: Ef, records: list[bytes], tag: int, mode: int) -> int:
    """Index of the first, last, next or previous record with that identifier; 00 = any record."""
    at = card.session.pointer
    found = [
        index
        for index, record in enumerate(records)
        if not tag or (not ef.is_cyclic and record[0] == tag)
    ]
    if mode == _NEXT and at is not None:
        found = [index for index in found if index > at]
    if mode == _PREVIOUS and at is not None:
        found = [index for index in found if index < at]
    if not found:
        raise Refusal(0x6A83)
    return found[-1] if mode in (_LAST, _PREVIOUS) else found[0]


def read_record(card: SimulatedCard, command: CommandApdu) -> bytes:
    """One record by number or identifier, or whole records from P1 on, at most 256 bytes."""
    if command.data:
        raise Refusal(0x6700)
    ef, records = _records(card, command)
    if not card.may(ef.read):
        raise Refusal(0x6982)
    mode, number = command.p2 & 7, command.p1
    if mode == 7:
        raise Refusal(0x6A86)
    if mode <= _PREVIOUS:
        at = _occurrence(card, ef, records, number, mode)
        data = card.fit(records[at], command.ne)
        card.session.pointer = at
        return data
    if mode == _BY_NUMBER and number == 0 and card.session.pointer is not None:
        number = card.session.pointer + 1
    if not 1 <= number <= len(records):
        raise Refusal(0x6A83)
    if mode == _BY_NUMBER:
        return card.fit(records[number - 1], command.ne)
    run = records[number - 1 :]
    return card.fit(_whole_records(run if mode == _TO_LAST else run[::-1]), command.ne)


def _whole_records(records: list[bytes]) -> bytes:
    out = b""
    for record in records:
        if len(out) + len(record) > _MOST:
            break
        out += record
    return out


def update_record(card: SimulatedCard, command: CommandApdu) -> bytes:
    """A whole record in place, the next number to append, or a new record of a cyclic file.

    CLA 04: with a MAC under the STK of the current DF.
    """
    ef, records = _records(card, command)
    if not card.may(ef.write):
        raise Refusal(0x6982)
    data = security.unwrapped(card, command) if command.cla == 0x04 else command.data
    if ef.is_cyclic:
        _update_cyclic(card, ef, records, command, data)
    else:
        _update_variable(card, ef, records, command, data)
    card.changed()
    return b""


def _update_cyclic(
    card: SimulatedCard, ef: Ef, records: list[bytes], command: CommandApdu, data: bytes
) -> None:
    if len(data) != ef.size:
        raise Refusal(0x6700)
    if command.p2 & 7 != _PREVIOUS or command.p1:
        raise Refusal(0x6A86)
    records.insert(0, data)
    del records[ef.records :]
    card.session.pointer = 0


def _update_variable(
    card: SimulatedCard, ef: Ef, records: list[bytes], command: CommandApdu, data: bytes
) -> None:
    mode = command.p2 & 7
    if len(data) < 2 or data[1] != len(data) - 2:
        raise Refusal(0x6A85)
    if mode == _BY_NUMBER:
        at = command.p1 - 1
    elif mode <= _PREVIOUS:
        at = _occurrence(card, ef, records, command.p1, mode)
    else:
        raise Refusal(0x6A86)
    if at == len(records) and card.session.df != "SSSE":
        if at >= _ROOM:
            raise Refusal(0x6A84)
        records.append(data)
        return
    if not 0 <= at < len(records):
        raise Refusal(0x6A83)
    if data[0] != records[at][0]:
        raise Refusal(0x6A80)
    if len(data) != len(records[at]):
        raise Refusal(0x6A85)  # an item is written at its full length
    records[at] = data
    if mode <= _PREVIOUS:
        card.session.pointer = at
