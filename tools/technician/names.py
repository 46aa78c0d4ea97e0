"""Names on a unit's card that its start and the technician's desk share."""

from __future__ import annotations

BOARD = "board.toml"
"""Of an identity; /data/etc on the unit."""
DROP = "provision.cbor"
"""An identity on the first partition, until the unit's next start takes it."""
