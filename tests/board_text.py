"""What the board.toml of every unit of the tests has in common."""

from __future__ import annotations

# Sections of a unit that takes payments offline.
PAYS = """
[limits]
transaction_fen = 100000
day_fen = 1000000
card_day_fen = 300000
[purchase]
amount_mapping = "literal"
ef06 = "on"
offline_total_fen = 500000
offline_count = 50
regions = ["51"]
[clock]
rtc = true
"""
