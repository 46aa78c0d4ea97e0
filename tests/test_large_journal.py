"""The bench's large journal is one that the journal itself would have written."""

from __future__ import annotations

from pathlib import Path

from firmware.journal import batch
from firmware.journal.devicekey import DeviceKey
from tests.journal_maker import START_MS, clock, open_journal
from tests.large_journal import make_large


def test_every_record_column_index_and_batch_is_sound(tmp_path: Path) -> None:
    make_large(tmp_path, 5000)
    key = DeviceKey.load_or_create(tmp_path / "device.key")
    journal = open_journal(tmp_path, signer=key, clock=clock(START_MS))
    head = journal.head()
    assert head[0] == 5000
    written = journal._writer._connection.total_changes
    while journal.scrub(1000):
        pass
    assert journal.damaged_ranges() == []
    # counters of the scrub, and no column or index made anew
    assert journal._writer._connection.total_changes - written < 10
    rows = journal.rows("SELECT first, last, receipt IS NOT NULL FROM batches ORDER BY batch")
    assert [first for first, _, _ in rows] == list(range(1, 5000, 1000))
    assert [is_sent for *_, is_sent in rows] == [1, 1, 1, 0, 0]
    for path in sorted((tmp_path / "out").iterdir()):
        assert len(batch.parse_batch(path.read_bytes(), key.public_key).records) == 1000
    journal.close()
