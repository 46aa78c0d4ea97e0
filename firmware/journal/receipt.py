"""The office's receipt for one batch: a COSE receipt (RFC 9942) over its tree (RFC 9162).

The signature is over the root of the office's tree, which is not in the message: the inclusion
proof leads there from the batch's own statement.  The consistency proof leads there from the tree
of the receipt before, so an office that rewrites what it has taken in is caught.
Only a verified receipt marks records as received.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firmware.journal import cose, merkle, spool
from firmware.journal.cose import CoseError, Detached, Signer
from firmware.journal.lifecycle import BATCH_RECEIPTED, BATCH_SEALED, EVENT_RECEIPT, next_transport

if TYPE_CHECKING:
    from firmware.journal.store import Journal

log = logging.getLogger(__name__)

MAX_RECEIPT = 4096  # bytes

_MOST_COLLECTORS = 64  # whose receipts are looked through for the one after a late one

HEADER_CLAIMS = 15  # RFC 9597: CWT claims in a header
HEADER_VDS = 395  # RFC 9942: which verifiable data structure
HEADER_PROOFS = 396
VDS_RFC9162_SHA256 = 1
CLAIM_ISSUER, CLAIM_SUBJECT, CLAIM_ISSUED_AT = 1, 2, 6  # RFC 8392
INCLUSION, CONSISTENCY = -1, -2

PROTECTED = {1: "alg", 4: "kid", 15: "claims", 395: "vds"}
UNPROTECTED = {396: "proofs"}
CLAIMS = {1: "iss", 2: "sub", 6: "iat"}


class ReceiptError(ValueError):
    """No receipt of our office for a batch of this unit."""


class ReceiptEarlyError(ReceiptError):
    """It continues a receipt that has not come yet: to be tried again after the next one."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The consistency part: the tree of size `first` is the beginning of the receipt's."""

    first: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """issuer: the tree's name.  time_ms: the office's clock as it signed, whole seconds.
    size, index, path: of the tree, and of the statement's leaf in it.  raw: the COSE_Sign1."""

    issuer: str
    unit: str
    batch: int
    time_ms: int
    size: int
    index: int
    path: tuple[bytes, ...]
    consistency: Proof | None
    raw: bytes

    def root(self, statement: bytes) -> bytes:
        """The root that this batch's statement leads to; raises ReceiptError."""
        found = merkle.root_from_inclusion(merkle.leaf(statement), self.index, self.size, self.path)
        if found is None:
            raise ReceiptError("its inclusion proof is none")
        return found


def make_receipt(
    *,
    unit: str,
    batch: int,
    time_ms: int,
    issuer: str,
    signer: Signer,
    root: bytes,
    size: int,
    index: int,
    path: list[bytes],
    consistency: tuple[int, list[bytes]] | None,
) -> bytes:
    """What the office answers once it has stored the batch and its leaf.

    consistency: size of the tree in the receipt before for this unit, and the path; None if none.
    """
    claims = {
        CLAIM_ISSUER: issuer,
        CLAIM_SUBJECT: f"{unit}/{batch}",
        CLAIM_ISSUED_AT: time_ms // 1000,
    }
    proofs: dict[int, list[bytes]] = {INCLUSION: [cose.encode([size, index, path])]}
    if consistency is not None:
        first, steps = consistency
        proofs[CONSISTENCY] = [cose.encode([first, size, steps])]
    protected = {HEADER_CLAIMS: claims, HEADER_VDS: VDS_RFC9162_SHA256}
    return cose.sign_detached(root, signer, protected, {HEADER_PROOFS: proofs})


def read_receipt(raw: bytes) -> Receipt:
    """What a receipt says, its form checked and no signature; raises ReceiptError."""
    return _read(raw)[0]


def parse_receipt(raw: bytes, office_public_key: bytes, statement: bytes) -> Receipt:
    """The receipt of that statement, verified; raises ReceiptError."""
    receipt, message = _read(raw)
    if message.protected[cose.HEADER_KEY_ID] != cose.key_id(office_public_key):
        raise ReceiptError("signed by another key")
    signed = cose.to_be_signed(message.raw_protected, receipt.root(statement))
    algorithm = message.protected[cose.HEADER_ALGORITHM]
    try:
        cose.check_signature(algorithm, office_public_key, message.signature, signed)
    except CoseError:
        raise ReceiptError("the signature is wrong, or it is for other contents") from None
    return receipt


def _read(raw: bytes) -> tuple[Receipt, Detached]:
    if len(raw) > MAX_RECEIPT:
        raise ReceiptError(f"{len(raw)} bytes; a receipt has at most {MAX_RECEIPT}")
    try:
        message = cose.read_detached(raw)
        issuer, subject, issued_at = _claims(message.protected)
        inclusion, consistency = _proofs(message.unprotected)
        size, index, path = _proof(inclusion)
        proof = None
        if consistency is not None:
            first, second, steps = _proof(consistency)
            if second != size:
                raise ReceiptError("its two proofs are of trees of different sizes")
            proof = Proof(first, steps)
    except CoseError as error:
        raise ReceiptError(str(error)) from None
    unit, slash, batch = subject.rpartition("/")
    if not (slash and batch.isascii() and batch.isdigit() and str(int(batch)) == batch):
        raise ReceiptError("it names no batch")
    times = issued_at * 1000
    return Receipt(issuer, unit, int(batch), times, size, index, path, proof, raw), message


def _claims(protected: dict[Any, Any]) -> tuple[str, str, int]:
    match protected:
        case {1: int(), 4: bytes() as key, 15: dict() as claims, 395: 1}:
            pass
        case _:
            raise ReceiptError("its protected header is none of a receipt")
    if protected.keys() != PROTECTED.keys() or len(key) != cose.KEY_ID_LENGTH:
        raise ReceiptError("its protected header is none of a receipt")
    match claims:
        case {1: str() as issuer, 2: str() as subject, 6: int() as issued_at} if (
            claims.keys() == CLAIMS.keys() and 0 <= issued_at < 1 << 40
        ):
            return issuer, subject, issued_at
    raise ReceiptError("its claims are none of a receipt")


def _proofs(unprotected: dict[Any, Any]) -> tuple[bytes, bytes | None]:
    match unprotected:
        case {396: dict() as proofs} if len(unprotected) == 1:
            pass
        case _:
            raise ReceiptError("its unprotected header is none of a receipt")
    match proofs:
        case {-1: [bytes() as inclusion]} if len(proofs) == 1:
            return inclusion, None
        case {-1: [bytes() as inclusion], -2: [bytes() as consistency]} if len(proofs) == 2:
            return inclusion, consistency
    raise ReceiptError("its proofs are none of a receipt")


def _proof(raw: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    match cose.decode(raw):
        case [one, two, [*path]] if (
            type(one) is type(two) is int
            and min(one, two) >= 0
            and all(type(each) is bytes and len(each) == merkle.HASH_LENGTH for each in path)
        ):
            return one, two, tuple(path)
    raise ReceiptError("its proofs are none of a receipt")


# --- the terminal's side ---


def accept_receipt(journal: Journal, raw: bytes, office_public_key: bytes) -> Receipt:
    """Mark the batch RECEIPTED, keep the receipt, take the batch out of out/.

    The same receipt may come twice.  Raises ReceiptError (nothing is changed) and JournalError.
    """
    claimed = read_receipt(raw)
    if claimed.unit != journal.unit:
        raise ReceiptError(f"the receipt is for unit {claimed.unit}")
    row = journal.row("SELECT header, receipt FROM batches WHERE batch = ?", claimed.batch)
    if row is None:
        raise ReceiptError(f"batch {claimed.batch} was never sealed here")
    statement, earlier = row
    receipt = parse_receipt(raw, office_public_key, statement)
    next_transport(BATCH_SEALED if earlier is None else BATCH_RECEIPTED, EVENT_RECEIPT)
    if earlier is None:
        _keep(journal, receipt, statement)
    spool.remove(spool.batch_path(journal.data_dir, receipt.batch))
    return receipt


def _keep(journal: Journal, new: Receipt, statement: bytes) -> None:
    """The receipt and, if its tree is the largest known, where the tree stands: two writes.

    The mark goes first and keeps the one before beside it: cut off between the two, the batch it
    names has no receipt and the one before counts.
    """
    known = _known_tree(journal, new.issuer)
    if known is not None and not _is_free(journal, new.batch):
        if new.batch < known.batch and new.size < known.size:
            _check_came_late(journal, new, new.root(statement))
        else:
            _check_continues(known, new, new.root(statement))
    if known is None or new.size > known.size:
        before, newest = _marks(new.issuer)
        journal.set_counter(before, 0 if known is None else known.batch)
        journal.set_counter(newest, new.batch)
    journal.write("UPDATE batches SET receipt = ? WHERE batch = ?", new.raw, new.batch)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The largest tree accepted from an issuer: by the receipt of which batch, size, root."""

    batch: int
    size: int
    root: bytes


def _check_continues(known: _Tree, new: Receipt, root: bytes) -> None:
    """Raises ReceiptError for a tree that is not the known one grown."""
    proof = new.consistency
    if proof is not None and proof.first > known.size:
        raise ReceiptEarlyError(f"batch {new.batch}: a receipt before it is still to come")
    if (
        proof is None
        or proof.first != known.size
        or not merkle.is_consistent(proof.first, known.root, new.size, root, proof.path)
    ):
        raise ReceiptError(f"batch {new.batch}: the office's tree is not the one this unit knows")


def _check_came_late(journal: Journal, new: Receipt, root: bytes) -> None:
    """The first receipt that was accepted founded the tree, and this one is from before it: the
    receipt after this one leads on from its tree.  Raises ReceiptError."""
    rows = journal.rows(
        "SELECT header, receipt FROM batches WHERE batch > ? AND receipt IS NOT NULL"
        " ORDER BY batch LIMIT ?",
        new.batch,
        _MOST_COLLECTORS,
    )
    for statement, raw in rows:
        after = read_receipt(raw)
        if after.issuer == new.issuer and after.consistency is not None:
            path, first = after.consistency.path, after.consistency.first
            if first > new.size:
                raise ReceiptEarlyError(f"batch {new.batch}: the receipt after it is to come first")
            if merkle.is_consistent(new.size, root, after.size, after.root(statement), path):
                return
            break
    raise ReceiptError(f"batch {new.batch}: the office's tree is not the one this unit knows")


def _known_tree(journal: Journal, issuer: str) -> _Tree | None:
    for name in reversed(_marks(issuer)):
        row = journal.row(
            "SELECT batch, header, receipt FROM batches WHERE batch = ? AND receipt IS NOT NULL",
            journal.counter(name),
        )
        if row is None:
            continue
        batch, statement, raw = row
        try:
            receipt = read_receipt(raw)
            return _Tree(batch, receipt.size, receipt.root(statement))
        except ReceiptError as error:
            log.warning("the receipt kept for batch %d: %s", batch, error)
    return None


def _marks(issuer: str) -> tuple[str, str]:
    """Counters that name a batch: the tree before the newest, and the newest."""
    return f"tree_before {issuer}", f"tree_newest {issuer}"


def _is_free(journal: Journal, batch: int) -> bool:
    """After a rebuild this unit has lost its receipts: those of batches sealed before it, and the
    first one after it, cannot be asked to continue what it no longer knows."""
    floor = journal.counter("batch_floor")
    if batch <= floor:
        return True
    return floor > 0 and not journal.row(
        "SELECT 1 FROM batches WHERE batch > ? AND receipt IS NOT NULL LIMIT 1", floor
    )


def forget_tree(journal: Journal) -> None:
    """The office's signed word came that it begins a new tree: the next receipt founds it."""
    journal.write(
        "DELETE FROM counters WHERE name GLOB 'tree_newest *' OR name GLOB 'tree_before *'"
    )
