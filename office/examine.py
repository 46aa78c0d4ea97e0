"""The verdict on one batch file: sound, or the class of the first wrong thing and its place.

The classes, their order and the places are those of docs/records.md, "Verdict".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from firmware.journal import cose, merkle, packing, statement
from firmware.journal.batch import MAX_BATCH
from firmware.journal.packing import PackingError
from firmware.journal.receipt import ReceiptError, parse_receipt
from office import shape
from office.cborplace import ARRAY, BYTES, UINT, Item, Offence, read
from office.knownkeys import ALGORITHMS, KnownKeys
from office.packedrecords import PackedRecords
from office.verdict import FILE, Verdict, Wrong, is_signed, parts, wrong

_CONTAINER = (shape.major(UINT), shape.major(BYTES), shape.major(UINT), shape.major(BYTES))
_SIGN1_PARTS = 4
_STATEMENT_HEADER = shape.protected(ALGORITHMS, statement.CONTENT_TYPE)


def examine(raw: bytes, keys: KnownKeys, receipt: bytes | None = None) -> Verdict:
    """The verdict on a batch file, and on the receipt beside it if there is one."""
    one = _Examination(raw, keys)
    count = 0
    try:
        one.container()
        one.statement()
        records = one.records()
        records.check_form()
        count = records.count
        records.check_records(one.numbers())
        one.root(records.leaves)
        if receipt is not None:
            one.receipt(receipt)
    except Wrong as found:
        return Verdict(found.why, found.space, found.offset, found.record, count)
    return Verdict(None, None, None, None, count)


class _Examination:
    """One file; the methods are called in the order of the classes.  They raise Wrong."""

    def __init__(self, raw: bytes, keys: KnownKeys):
        self._raw = raw
        self._keys = keys

    # -- file: classes 1 to 4 --------------------------------------------------------------------

    def container(self) -> None:
        if len(self._raw) > MAX_BATCH:
            raise Wrong("container", FILE, MAX_BATCH)
        with wrong("container", FILE):
            items = parts(read(self._raw, 0, len(self._raw)), len(_CONTAINER))
            for item, check in zip(items, _CONTAINER, strict=True):
                check(item)
            if items[0].value != 1:
                raise Offence(items[0].start)
            _, self._statement, self._codec, self._content = items

    def statement(self) -> None:
        """Classes 2 to 4."""
        whole = self._statement
        with wrong("statement", FILE):
            message = self._message(whole)
            protected, unprotected, payload, signature = parts(message, _SIGN1_PARTS)
            headers = shape.inside(protected, self._raw, _STATEMENT_HEADER, read)
            shape.key_id(unprotected)
            self._said = shape.inside(payload, self._raw, shape.statement, read)
            self._check_numbers()
            shape.sized(64)(signature)
        self._unit: str = self._value(1)
        kid = unprotected.items[1]
        algorithm = headers.items[1].value
        if self._unit not in self._keys.units:
            raise Wrong("stranger", FILE, self._place(1))
        first, last = self._value(3), self._value(4)
        key = self._keys.of_statement(self._unit, kid.value, algorithm, first, last)
        if key is None:
            raise Wrong("stranger", FILE, kid.start)
        if not is_signed(algorithm, key, signature.value, protected.value, payload.value):
            raise Wrong("statement-signature", FILE, whole.content)

    def _message(self, whole: Item) -> Item:
        if whole.content == whole.end:
            raise Offence(whole.end)
        if self._raw[whole.content] != cose.TAG_SIGN1:
            raise Offence(whole.content)
        return read(self._raw, whole.content + 1, whole.end)

    def _check_numbers(self) -> None:
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

    # -- what the file holds: classes 5, 12 and 13 -----------------------------------------------

    def records(self) -> PackedRecords:
        if self._codec.value not in (packing.CODEC_NONE, packing.CODEC_ZLIB):
            raise Wrong("codec", FILE, self._codec.start)
        try:
            packed = packing.decompress(self._codec.value, self._content.value)
        except PackingError:
            raise Wrong("codec", FILE, self._content.content) from None
        return PackedRecords(packed, self._unit, self._keys)

    def numbers(self) -> Iterator[int]:
        """first..last without the damaged ranges."""
        at, last = self._value(3), self._value(4)
        for start, end in [*self._value(8), [last + 1, last + 1]]:
            yield from range(at, start)
            at = end + 1

    def root(self, leaves: list[bytes]) -> None:
        if merkle.root(leaves) != self._value(5):
            raise Wrong("root", FILE, self._place(5))

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
        raise Wrong("receipt", FILE, 0)
