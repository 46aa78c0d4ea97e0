"""The packed records of a batch: their form, then each record (docs/records.md, "Verdict").

What is sound is read by the code that everything else uses; only what is not is read again, to
find its place.  Classes 6 to 11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from firmware.journal import cose, merkle, packing, record
from firmware.journal.cose import CoseError
from firmware.journal.kinds import ENVELOPE
from firmware.journal.packing import MAX_HEADS, PackingError
from firmware.journal.record import MAX_RECORD, RecordError
from office import shape
from office.cborplace import BYTES, UINT, Item, Offence, read
from office.knownkeys import ALGORITHMS, KnownKeys
from office.verdict import PACKED, Wrong, is_signed, parts, wrong

_PACKED_PARTS = 5
_HEADER = shape.protected(ALGORITHMS, record.CONTENT_TYPE)
_HEADERS = {
    cose.encode({cose.HEADER_ALGORITHM: n, cose.HEADER_CONTENT_TYPE: record.CONTENT_TYPE}): n
    for n in ALGORITHMS
}


class PackedRecords:
    """packed: after decompression.  count, leaves: how many there are, their leaf hashes, once
    `check_form` and `check_records` have passed; both raise Wrong."""

    def __init__(self, packed: bytes, unit: str, keys: KnownKeys):
        self._packed = packed
        self._unit = unit
        self._keys = keys
        self._tree: Item | None = None
        self.count = 0
        self.leaves: list[bytes] = []

    # -- the form: class 6 -----------------------------------------------------------------------

    def check_form(self) -> None:
        try:
            found = packing.parts_of(self._packed)
            is_sound = all(head in _HEADERS for head, _ in found[0])
        except PackingError:
            is_sound = False
        if not is_sound:
            with wrong("packed", PACKED):
                self._check_packed(self._items())
            found = packing.parts_of(self._packed)
        self._heads, self._which, self._whole, self._payloads, self._signatures = found
        self._check_marks()
        self.count = len(self._payloads)

    def _items(self) -> Item:
        """The packed records with their places; raises Offence."""
        if self._tree is None:
            self._tree = read(self._packed, 0, len(self._packed))
        return self._tree

    def _check_packed(self, tree: Item) -> None:
        heads, which, whole, payloads, signatures = parts(tree, _PACKED_PARTS)
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
            protected, kid = parts(pair, 2)
            shape.inside(protected, self._packed, _HEADER, read)
            shape.sized(cose.KEY_ID_LENGTH)(kid)
            if (protected.value, kid.value) in seen:
                raise Offence(pair.start)
            seen.add((protected.value, kid.value))

    def _check_marks(self) -> None:
        whole = set(self._whole)
        for place, payload in enumerate(self._payloads):
            if place not in whole and packing.MARK not in payload:
                raise Wrong("packed", PACKED, self._payload_item(place).start)

    def _payload_item(self, place: int) -> Item:
        return self._items().items[3].items[place]

    # -- records: classes 7 to 11 ----------------------------------------------------------------

    def check_records(self, due: Iterator[int]) -> None:
        """due: the numbers they must have."""
        whole = set(self._whole)
        before: tuple[int, bytes] | None = None  # number and digest
        for place, sent in enumerate(self._payloads):
            cut = None if place in whole else sent.find(packing.MARK) + len(packing.MARK)
            payload = sent if cut is None else sent[:cut] + before[1] + sent[cut:]  # type: ignore[index]
            one = _Record(place, next(due, None), payload, cut)
            raw = self._bytes(one)
            number, previous = self._read(one, len(raw))
            if number != one.due:
                offset = self._items().items[3].start if one.due is None else self._at(one, 2)
                raise Wrong("numbers", PACKED, offset, one.due)
            self._check_signature(one)
            if before is not None and number == before[0] + 1 and previous != before[1]:
                raise Wrong("chain", PACKED, self._at(one, 8), number)
            before = number, hashlib.sha256(raw).digest()
            self.leaves.append(merkle.leaf(raw))
        if next(due, None) is not None:
            raise Wrong("numbers", PACKED, self._items().items[3].start)

    def _bytes(self, one: _Record) -> bytes:
        head = packing.start_of(*self._heads[self._which[one.place]])
        payload = packing.bytes_head(len(one.payload)) + one.payload
        return head + payload + b"\x58\x40" + self._signature(one.place)

    def _signature(self, place: int) -> bytes:
        return self._signatures[64 * place : 64 * place + 64]

    def _read(self, one: _Record, length: int) -> tuple[int, bytes]:
        """Class 7; the record's number and `previous`."""
        if length > MAX_RECORD:
            raise Wrong("record", PACKED, self._payload_item(one.place).start, one.due)
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
            raise Wrong("record", PACKED, self._in_packed(one, offence.place), one.due) from None
        return values[2].value, values[8].value

    def _check_signature(self, one: _Record) -> None:
        """Classes 9 and 10."""
        assert one.due is not None
        which = self._which[one.place]
        protected, kid = self._heads[which]
        algorithm = _HEADERS[protected]
        key = self._keys.of_record(self._unit, kid, algorithm, one.due)
        if key is None:
            pair = self._items().items[0].items[which]
            raise Wrong("stranger", PACKED, pair.items[1].start, one.due)
        if not is_signed(algorithm, key, self._signature(one.place), protected, one.payload):
            offset = self._payload_item(one.place).start
            raise Wrong("record-signature", PACKED, offset, one.due)

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


@dataclass(frozen=True, slots=True)
class _Record:
    """place: in the batch, from 0.  due: the number it must have.  payload: rebuilt.
    cut: where the 32 bytes were left out, None if given whole."""

    place: int
    due: int | None
    payload: bytes
    cut: int | None
