"""One file of a card, whole, with the fewest bytes: runs of records, or record by record.

READ RECORD 101 (P1 to last) carries as many whole records as fit 256 bytes (SPEC-P5).  A card that
refuses it is read by number, one that refuses numbers by identifier and next occurrence.
"""

from __future__ import annotations

from firmware.apdu import SW_OK, ResponseApdu
from firmware.card import commands
from firmware.card.items import Ef
from firmware.card.session import CardSession
from firmware.card.values import split
from firmware.outcome import ProtocolError, StatusError

MOST = 256  # bytes of one answer
MOST_RECORDS = 254  # 255 is no record number (ISO 7816-4 7.3.1)
MOST_BINARY = 0x8000  # a 15-bit offset

_ENDS = (commands.SW_RECORD_NOT_FOUND,)
_PAST_END = (0x6B00, 0x6A86)
_REFUSED_MODES = (0x6700, 0x6981, 0x6A81, 0x6A86, 0x6B00, 0x6D00)

Record = tuple[int, bytes]
"""Tag and value."""


class Absent(Exception):
    """The file is not on this card."""


class FileReader:
    """Remembers what this card refused.  Every read raises Absent, StatusError, ProtocolError or
    TransportError; StatusError 6982 means that an authentication is missing."""

    def __init__(self, session: CardSession, version: str):
        self._session = session
        self._version = version
        self._takes_runs = True
        self._takes_numbers = True

    # -- variable records ------------------------------------------------------------------------

    def items(self, ef: Ef) -> list[Record]:
        """Every item of a variable-record file, those no table knows too, in the card's order."""
        lengths = [2 + row.length for row in ef.rows(self._version) for _ in range(row.count)]
        found: list[Record] = []
        if self._takes_runs and self._run(ef, lengths, found):
            return found
        if self._takes_numbers and self._numbered(ef, lengths, found):
            return found
        return self._by_tag(ef)

    def _run(self, ef: Ef, lengths: list[int], found: list[Record]) -> bool:
        """Fill `found` from runs; False when this card takes none."""
        while len(found) < MOST_RECORDS:
            want = _run_length(lengths[len(found) :])
            answer = self._read(ef, len(found) + 1, commands.READ_TO_LAST, want)
            if answer.sw in _ENDS:
                return True
            if answer.sw in _REFUSED_MODES and not found:
                self._takes_runs = False
                return False
            records, rest = split(_data(answer))
            found += records
            if rest:
                found.append(self._cut(ef, len(found) + 1, rest))
                continue
            left = lengths[len(found) :]
            if not records or (lengths and self._is_whole(len(answer.data), want, left)):
                return True
        raise ProtocolError("a file without an end")

    def _is_whole(self, got: int, want: int, left: list[int]) -> bool:
        """Was that the last run?  A 1.0 card may cut in silence: there 6A83 has to say it."""
        if self._version == "1.0" or got > want:
            return False
        return not left or (got < want and got + left[0] <= MOST)

    def _cut(self, ef: Ef, number: int, rest: bytes) -> Record:
        """A record that the run's end cut off, read by its number at its own length."""
        length = 2 + rest[1] if len(rest) > 1 else MOST
        answer = self._read(ef, number, commands.READ_NUMBER, min(length, MOST))
        records, cut = split(_data(answer))
        if len(records) != 1 or cut:
            raise ProtocolError(f"record {number} is cut off")
        return records[0]

    def _numbered(self, ef: Ef, lengths: list[int], found: list[Record]) -> bool:
        for number in range(1, MOST_RECORDS + 1):
            want = lengths[number - 1] if number <= len(lengths) else MOST
            answer = self._read(ef, number, commands.READ_NUMBER, want)
            if answer.sw in _ENDS:
                return True
            if answer.sw in _REFUSED_MODES and not found:
                self._takes_numbers = False
                return False
            records, rest = split(_data(answer))
            found += records
            if rest:
                found.append(self._cut(ef, number, rest))
        raise ProtocolError("a file without an end")

    def _by_tag(self, ef: Ef) -> list[Record]:
        """Every tag that any version's table has in this file; a group's next ones as well."""
        found: list[Record] = []
        rows = {row.tag: row for row in (*ef.items, *ef.rows(self._version))}
        for row in rows.values():
            mode = commands.READ_FIRST
            while len(found) < MOST_RECORDS:
                answer = self._read(ef, row.tag, mode, 2 + row.length)
                if answer.sw in _ENDS:
                    break
                records, rest = split(_data(answer))
                if len(records) != 1 or rest:
                    raise ProtocolError(f"tag {row.tag:02X} is cut off")
                found += records
                mode = commands.READ_NEXT
                if row.form != "tlv":
                    break
        return found

    # -- cyclic records --------------------------------------------------------------------------

    def records(self, ef: Ef) -> list[bytes]:
        """Every record of a cyclic file, record 1 (the newest) first."""
        found: list[bytes] = []
        size = ef.size
        while len(found) < MOST_RECORDS:
            want = MOST // size * size if self._takes_runs else size
            mode = commands.READ_TO_LAST if self._takes_runs else commands.READ_NUMBER
            answer = self._read(ef, len(found) + 1, mode, want)
            if answer.sw in _ENDS:
                return found
            if answer.sw in _REFUSED_MODES and not found and self._takes_runs:
                self._takes_runs = False
                continue
            data = _data(answer)
            if not found:
                size = self._record_size(ef, data)
            whole = len(data) // size * size
            if not whole:
                raise ProtocolError(f"a record of {len(data)} bytes instead of {size}")
            found += [data[at : at + size] for at in range(0, whole, size)]
        return found

    def _record_size(self, ef: Ef, data: bytes) -> int:
        fitting = [size for size in (ef.size, *ef.other_sizes) if not len(data) % size]
        if len(fitting) < 2:
            return fitting[0] if fitting else ef.size
        size = len(_data(self._read(ef, 1, commands.READ_NUMBER, ef.size)))
        return size if size in fitting else ef.size

    # -- transparent files -----------------------------------------------------------------------

    def binary(self, ef: Ef) -> bytes:
        """A transparent file to its last byte: a card's file may be longer than the table says."""
        out = b""
        while len(out) < MOST_BINARY:
            want = min(MOST, ef.size - len(out)) if len(out) < ef.size else MOST
            answer = self._session.read_binary(ef.sfi, len(out), want)
            _check_there(answer)
            if answer.sw in _PAST_END and out:
                break
            data = _data(answer, "READ BINARY")
            out += data
            if len(data) < want:
                break
        return out

    def _read(self, ef: Ef, p1: int, mode: int, ne: int) -> ResponseApdu:
        answer = self._session.read_record(ef.sfi, p1, mode, ne)
        _check_there(answer)
        return answer


def _run_length(lengths: list[int]) -> int:
    """Bytes of the next run: as many whole records as one answer carries; 256 if unknown."""
    total = 0
    for length in lengths:
        if total + length > MOST:
            break
        total += length
    return total or MOST


def _check_there(answer: ResponseApdu) -> None:
    if answer.sw == commands.SW_FILE_NOT_FOUND:
        raise Absent


def _data(answer: ResponseApdu, command: str = "READ RECORD") -> bytes:
    if answer.sw != SW_OK:
        raise StatusError(command, answer.sw)
    return answer.data
