"""Operators: log-on and log-off, and what needs them.  Passwords end here.

Every log-on, log-off, wrong password and lock-out is a SERVICE record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.authorize.operators import RIGHT_PAY, Operator, Operators
from firmware.authorize.sessions import NOBODY
from firmware.authorize.unit import Unit
from firmware.journal import kinds as rec
from firmware.outcome import Outcome, outcome
from firmware.secret import Password

MAX_TYPED = 64


def log_on(unit: Unit, params: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """code, password.  Tells name, rights, and for how long."""
    operators = unit.operators
    if isinstance(operators, Outcome):
        return operators, {}
    found = operators.find(params["code"])
    code = NOBODY if found is None else found.code
    if unit.sessions.is_locked(code):
        return outcome("OPERATOR_LOCKED"), {}
    with Password(params["password"].encode("utf-8", "surrogatepass")) as password:
        is_right = operators.is_password_of(found, password)
    if found is None or not is_right:
        name = "OPERATOR_LOCKED" if unit.sessions.fail(code) else "OPERATOR_REFUSED"
        _journal(unit, code, "operator.logon", outcome(name))
        return outcome(name), {}
    unit.sessions.open(found)
    _journal(unit, code, "operator.logon", outcome("SERVED"))
    told = {"name": found.name, "rights": sorted(found.rights)}
    return outcome("SERVED"), told | {"timeout_s": unit.board.operators.timeout_s}


def log_off(unit: Unit, params: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """code."""
    if not unit.sessions.close(params["code"]):
        return outcome("OPERATOR_NOT_LOGGED_ON"), {}
    _journal(unit, params["code"], "operator.logoff", outcome("SERVED"))
    return outcome("SERVED"), {}


def _journal(unit: Unit, code: str, what: str, result: Outcome) -> None:
    unit.journal.append(
        rec.KIND_SERVICE,
        {rec.KEY_OPERATOR: code, rec.KEY_DETAIL: what, rec.KEY_OUTCOME: result.number},
    )


def check_logon(params: Mapping[str, Any]) -> None:
    """Raises ValueError, which holds no value."""
    for name, value in params.items():
        if not 1 <= len(value) <= MAX_TYPED:
            raise ValueError(f"{name} has 1 to {MAX_TYPED} characters")


def check_payer(unit: Unit, code: str) -> Outcome | None:
    """Whoever takes a payment, where board.toml wants them logged on."""
    return check_one(unit, code, RIGHT_PAY) if unit.board.operators.required else None


def check_one(unit: Unit, code: str, right: str) -> Outcome | None:
    """Logged on, and allowed to do it."""
    found = _listed(unit, code)
    if isinstance(found, Outcome):
        return found
    if not unit.sessions.uses(found):
        return outcome("OPERATOR_NOT_LOGGED_ON")
    return None if right in found.rights else outcome("OPERATOR_NOT_ALLOWED")


def check_two(unit: Unit, first: str, second: str, right: str) -> Outcome | None:
    """Two different people, both allowed to, both of whom entered their password just now."""
    if first == second:
        return outcome("SECOND_OPERATOR_NEEDED")
    for code in (first, second):
        refused = check_one(unit, code, right)
        if refused is not None:
            return refused
        if not unit.sessions.confirms(code):
            return outcome("SECOND_OPERATOR_NEEDED")
    return None


def _listed(unit: Unit, code: str) -> Operator | Outcome:
    operators = unit.operators
    if isinstance(operators, Operators):
        return operators.find(code) or outcome("OPERATOR_NOT_LOGGED_ON")
    return operators
