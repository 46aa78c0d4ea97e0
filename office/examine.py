"""The verdict on one batch file: sound, or the class of the first wrong thing and its place.

The classes, their order and the places are those of docs/records.md, "Verdict".  What is sound is
read by the code that everything else uses; only what is not is read again, to find its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from firmware.journal import cose, merkle, packing, record, statement
from firmware.journal.batch import MAX_BATCH
from firmware.journal.cose import CoseError
from firmware.journal.kinds import ENVELOPE
from firmware.journal.packing import MAX_HEADS, PackingError
from firmware.journal.receipt import ReceiptError, parse_receipt
from firmware.journal.record import MAX_RECORD, RecordError
from office import shape
from office.cborplace import ARRAY, BYTES, UINT, Item, Offence, read
from office.knownkeys import ALGORITHMS, KnownKeys

FILE, PACKED = "file", "packed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """why: the class, None when sound.  space: "file" or "packed".  offset: in that space.
    record: the number that was due where it went wrong.  records: how many the file holds."""

    why: str | None
    space: str | None
    offset: int | None
    record: int | None
    records: int

    @property
    def is_sound(self) -> bool:
        return self.why is None

    def to_json(self, name: str) -> dict[str, Any]:
        return {
            "file": name,
            "ok": self.is_sound,
            "class": self.why,
            "space": self.space,
            "offset": self.offset,
            "record": self.record,
            "records": self.records,
        }


def examine(raw: bytes, keys: KnownKeys, receipt: bytes | None = None) -> Verdict:
    """The verdict on a batch file, and on the receipt beside it if there is one."""
    one = _Examination(raw, keys)
    try:
        one.container()
        one.statement()
        one.packed()
        one.records()
        one.root()
        if receipt is not None:
            one.receipt(receipt)
    except _Wrong as wrong:
        return Verdict(wrong.why, wrong.space, wrong.offset, wrong.record, one.count)
    return Verdict(None, None, None, None, one.count)


class _Wrong(Exception):
    def __init__(self, why: str, space: str, offset: int, number: int | None = None):
        super().__init__(why)
        self.why, self.space, self.offset, self.record = why, space, offset, number


@contextmanager
def _wrong(why: str, space: str) -> Iterator[None]:
    try:
        yield
    except Offence as offence:
        raise _Wrong(why, space, offence.place) from None


_CONTAINER = (shape.major(UINT), shape.major(BYTES), shape.major(UINT), shape.major(BYTES))
_SIGN1_PARTS = 4
_PACKED_PARTS = 5
_STATEMENT_HEADER = shape.protected(ALGORITHMS, statement.CONTENT_TYPE)
_RECORD_HEADER = shape.protected(ALGORITHMS, record.CONTENT_TYPE)
_RECORD_HEADERS = {
    cose.encode({cose.HEADER_ALGORITHM: n, cose.HEADER_CONTENT_TYPE: record.CONTENT_TYPE}): n
    for n in ALGORITHMS
}


def _parts(item: Item, count: int) -> list[Item]:
    if item.major != ARRAY or len(item.items) != count:
        raise Offence(item.start)
    return item.items


class _Examination:
    """One file; the methods are called in the order of the classes.  They raise _Wrong."""

    def __init__(self, raw: bytes, keys: KnownKeys):
        self._raw = raw
        self._keys = keys
        self.count = 0

    # -- file: classes 1 to 4 --------------------------------------------------------------------

    def container(self) -> None:
        if len(self._raw) > MAX_BATCH:
            raise _Wrong("container", FILE, MAX_BATCH)
        with _wrong("container", FILE):
            parts = _parts(read(self._raw, 0, len(self._raw)), len(_CONTAINER))
            for item, check in zip(parts, _CONTAINER, strict=True):
                check(item)
            if parts[0].value != 1:
                raise Offence(parts[0].start)
            _, self._statement, self._codec, self._content = parts

    def statement(self) -> None:
        """Classes 2 to 4."""
        whole = self._statement
        with _wrong("statement", FILE):
            message = self._message(whole)
            protected, unprotected, payload, signature = _parts(message, _SIGN1_PARTS)
            headers = shape.inside(protected, self._raw, _STATEMENT_HEADER, read)
            shape.key_id(unprotected)
            self._said = shape.inside(payload, self._raw, shape.statement, read)
            self._numbers()
            shape.sized(64)(signature)
        self._unit: str = self._value(1)
        kid = unprotected.items[1]
        algorithm = headers.items[1].value
        if self._unit not in self._keys.units:
            raise _Wrong("stranger", FILE, self._place(1))
        first, last = self._value(3), self._value(4)
        key = self._keys.of_statement(self._unit, kid.value, algorithm, first, last)
        if key is None:
            raise _Wrong("stranger", FILE, kid.start)
        if not _is_signed(algorithm, key, signature.value, protected.value, payload.value):
            raise _Wrong("statement-signature", FILE, whole.content)

    def _message(self, whole: Item) -> Item:
        if whole.content == whole.end:
            raise Offence(whole.end)
        if self._raw[whole.content] != cose.TAG_SIGN1:
            raise Offence(whole.content)
        return read(self._raw, whole.content + 1, whole.end)

    def _numbers(self) -> None:
        batch, first, last, damaged = map(self._value, (2, 3, 4, 8))
        if batch < 1:
            raise Offence(self._place(2))
        if first < 1:
            raise Offence(self._place(3))
        if not first <= last < first + statement.MAX_COVERED:
            raise Offence(self._place(4))
        end = first - 1
        for one, two in damaged:
            if not end < one <= two:
                raise Offence(self._place(8))
            end = two
        if damaged and end >= last:
            raise Offence(self._place(8))

    def _value(self, key: int) -> Any:
        """Of the statement; of `damaged` its pairs."""
        item = self._said.get(key)
        assert item is not None  # every key of a statement is required
        if item.major == ARRAY:
            return [[end.value for end in pair.items] for pair in item.items]
        return item.value

    def _place(self, key: int) -> int:
        item = self._said.get(key)
        assert item is not None
        return item.start

    # -- packed: classes 5 and 6 -----------------------------------------------------------------

    def packed(self) -> None:
        if self._codec.value not in (packing.CODEC_NONE, packing.CODEC_ZLIB):
            raise _Wrong("codec", FILE, self._codec.start)
        try:
            self._packed = packing.decompress(self._codec.value, self._content.value)
        except PackingError:
            raise _Wrong("codec", FILE, self._content.content) from None
        self._tree: Item | None = None
        try:
            parts = packing.parts_of(self._packed)
            is_sound = all(head in _RECORD_HEADERS for head, _ in parts[0])
        except PackingError:
            is_sound = False
        if not is_sound:
            with _wrong("packed", PACKED):
                self._check_packed(self._items())
            parts = packing.parts_of(self._packed)
        self._heads, self._which, self._whole, self._payloads, self._signatures = parts
        self._check_marks()
        self.count = len(self._payloads)

    def _items(self) -> Item:
        """The packed records with their places; raises Offence."""
        if self._tree is None:
            self._tree = read(self._packed, 0, len(self._packed))
        return self._tree

    def _check_packed(self, tree: Item) -> None:
        heads, which, whole, payloads, signatures = _parts(tree, _PACKED_PARTS)
        self._check_heads(heads)
        shape.major(BYTES)(which)
        if not which.value or max(which.value) >= len(heads.items):
            raise Offence(which.start)
        count = len(which.value)
        shape.array(shape.any_item, 1)(whole)
        before = -1
        for each in whole.items:
            is_first = before < 0
            if each.major != UINT or not before < each.value < count:
                raise Offence(each.start)
            if is_first and each.value != 0:
                raise Offence(each.start)
            before = each.value
        shape.array(shape.major(BYTES), count, count)(payloads)
        shape.sized(64 * count)(signatures)

    def _check_heads(self, heads: Item) -> None:
        shape.array(shape.any_item, 1, MAX_HEADS)(heads)
        seen = set()
        for pair in heads.items:
            protected, kid = _parts(pair, 2)
            shape.inside(protected, self._packed, _RECORD_HEADER, read)
            shape.sized(cose.KEY_ID_LENGTH)(kid)
            if (protected.value, kid.value) in seen:
                raise Offence(pair.start)
            seen.add((protected.value, kid.value))

    def _check_marks(self) -> None:
        whole = set(self._whole)
        for place, payload in enumerate(self._payloads):
            if place not in whole and packing.MARK not in payload:
                raise _Wrong("packed", PACKED, self._payload_item(place).start)

    def _payload_item(self, place: int) -> Item:
        return self._items().items[3].items[place]

    # -- records: classes 7 to 11 ----------------------------------------------------------------

    def records(self) -> None:
        self._leaves: list[bytes] = []
        whole = set(self._whole)
        due = _numbers(self._value(3), self._value(4), self._value(8))
        before: tuple[int, bytes] | None = None  # number and digest
        for place, sent in enumerate(self._payloads):
            cut = None if place in whole else sent.find(packing.MARK) + len(packing.MARK)
            payload = sent if cut is None else sent[:cut] + before[1] + sent[cut:]  # type: ignore[index]
            one = _Record(place, next(due, None), payload, cut)
            raw = self._bytes(one)
            number, previous = self._read(one, len(raw))
            if number != one.due:
                offset = self._items().items[3].start if one.due is None else self._at(one, 2)
                raise _Wrong("numbers", PACKED, offset, one.due)
            self._check_signature(one)
            if before is not None and number == before[0] + 1 and previous != before[1]:
                raise _Wrong("chain", PACKED, self._at(one, 8), number)
            before = number, hashlib.sha256(raw).digest()
            self._leaves.append(merkle.leaf(raw))
        if next(due, None) is not None:
            raise _Wrong("numbers", PACKED, self._items().items[3].start)

    def _bytes(self, one: _Record) -> bytes:
        head = packing.start_of(*self._heads[self._which[one.place]])
        payload = packing.bytes_head(len(one.payload)) + one.payload
        return head + payload + b"\x58\x40" + self._signature(one.place)

    def _signature(self, place: int) -> bytes:
        return self._signatures[64 * place : 64 * place + 64]

    def _read(self, one: _Record, length: int) -> tuple[int, bytes]:
        """Class 7; the record's number and `previous`."""
        if length > MAX_RECORD:
            raise _Wrong("record", PACKED, self._payload_item(one.place).start, one.due)
        try:
            envelope = cose.decode(one.payload)
            record.check_payload(envelope)
            if envelope.keys() == ENVELOPE.keys() and envelope[1] == self._unit:
                return envelope[2], envelope[8]
        except (CoseError, RecordError):
            pass
        try:
            item = read(one.payload, 0, len(one.payload), body=9)
            shape.envelope(item)
            values = {key.value: value for key, value in item.pairs()}
            if values[6].value in shape.bodies:
                shape.bodies[values[6].value](values[9])
            if values[1].value != self._unit:
                raise Offence(values[1].start)
        except Offence as offence:
            raise _Wrong("record", PACKED, self._in_packed(one, offence.place), one.due) from None
        return values[2].value, values[8].value

    def _check_signature(self, one: _Record) -> None:
        """Classes 9 and 10."""
        assert one.due is not None
        which = self._which[one.place]
        protected, kid = self._heads[which]
        algorithm = _RECORD_HEADERS[protected]
        key = self._keys.of_record(self._unit, kid, algorithm, one.due)
        if key is None:
            pair = self._items().items[0].items[which]
            raise _Wrong("stranger", PACKED, pair.items[1].start, one.due)
        if not _is_signed(algorithm, key, self._signature(one.place), protected, one.payload):
            offset = self._payload_item(one.place).start
            raise _Wrong("record-signature", PACKED, offset, one.due)

    def _at(self, one: _Record, key: int) -> int:
        """Where the value of an envelope's key stands in `packed`."""
        value = read(one.payload, 0, len(one.payload), body=9).get(key)
        assert value is not None  # the envelope was found right
        return self._in_packed(one, value.start)

    def _in_packed(self, one: _Record, offset: int) -> int:
        """Where that byte of the rebuilt payload stands; one left out: where it was left out."""
        content = self._payload_item(one.place).content
        if one.cut is None or offset <= one.cut:
            return content + offset
        return content + max(one.cut, offset - merkle.HASH_LENGTH)

    # -- the tree and the receipt: classes 12 and 13 ---------------------------------------------

    def root(self) -> None:
        if merkle.root(self._leaves) != self._value(5):
            raise _Wrong("root", FILE, self._place(5))

    def receipt(self, raw: bytes) -> None:
        for key in self._keys.office:
            try:
                receipt = parse_receipt(raw, key.public_key, self._statement.value)
            except ReceiptError:
                continue
            algorithm = cose.read_detached(raw).protected[cose.HEADER_ALGORITHM]
            names = receipt.unit, receipt.batch
            if key.signs_with(algorithm) and names == (self._unit, self._value(2)):
                return
        raise _Wrong("receipt", FILE, 0)


@dataclass(frozen=True, slots=True)
class _Record:
    """place: in the batch, from 0.  due: the number it must have.  payload: rebuilt.
    cut: where the 32 bytes were left out, None if given whole."""

    place: int
    due: int | None
    payload: bytes
    cut: int | None


def _numbers(first: int, last: int, damaged: list[list[int]]) -> Iterator[int]:
    """first..last without the damaged ranges."""
    at = first
    for start, end in [*damaged, [last + 1, last + 1]]:
        yield from range(at, start)
        at = end + 1


def _is_signed(
    algorithm: int, key: bytes, signature: bytes, protected: bytes, payload: bytes
) -> bool:
    try:
        cose.check_signature(algorithm, key, signature, cose.to_be_signed(protected, payload))
    except CoseError:
        return False
    return True
