"""Which operator list is in force; where one should be and is not, nobody can log on."""

from __future__ import annotations

from firmware.authorize.filekeeper import FileKeeper, FileKind
from firmware.authorize.operators import Operators
from firmware.authorize.refusals import Refusals
from firmware.authorize.unit import Unit
from firmware.journal.signedfile import OPERATORS
from firmware.outcome import Outcome


def operators_keeper(unit: Unit, refusals: Refusals) -> FileKeeper[Operators]:
    def put(operators: Operators | Outcome) -> None:
        unit.operators = operators

    kind = FileKind(
        what=OPERATORS,
        read=lambda signed: Operators(signed.number, signed.body),
        put=put,
        refused="OPERATOR_LIST_REFUSED",
        older="NEWER_OPERATOR_LIST_HELD",
    )
    return FileKeeper(unit, refusals, kind)
