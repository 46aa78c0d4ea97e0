"""Which stop list is in force; where one should be and is not, nothing is paid."""

from __future__ import annotations

from firmware.authorize.filekeeper import APPLIED, FileKeeper, FileKind
from firmware.authorize.refusals import Refusals
from firmware.authorize.stoplist import StopList
from firmware.authorize.stoptable import StopTables
from firmware.authorize.unit import Unit
from firmware.journal.signedfile import STOPLIST
from firmware.outcome import Outcome


def stop_list_keeper(unit: Unit, refusals: Refusals) -> FileKeeper[StopList]:
    def put(stop_list: StopList | Outcome) -> None:
        unit.stop_list = stop_list

    kind = FileKind(
        what=STOPLIST,
        read=lambda signed: StopList(signed.number, signed.body, signed.issued_ms),
        put=put,
        refused="STOP_LIST_REFUSED",
        older="NEWER_STOP_LIST_HELD",
        data=StopTables(unit.board.unit.data_dir / APPLIED),
    )
    return FileKeeper(unit, refusals, kind, unit.board.stop_list.file)
