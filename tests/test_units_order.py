"""Issue E.1: the units start in an order.  systemd breaks a cycle by leaving a target out: on the
image it left out sockets.target, and with it pcscd's socket and D-Bus."""

from __future__ import annotations

import re
from pathlib import Path

from tools.image import deb

ROOT = Path(__file__).resolve().parents[1]
EARLY = ("sockets.target", "timers.target", "sysinit.target", "basic.target")
"""Wanted by these, a unit is started before any service with the usual dependencies."""


def units() -> dict[str, str]:
    return {
        path.name: path.read_text()
        for folder in deb.UNITS
        for path in sorted((ROOT / folder).iterdir())
    }


def words(text: str, key: str) -> set[str]:
    return {word for line in re.findall(rf"(?m)^{key}=(.*)$", text) for word in line.split()}


def test_what_starts_early_waits_for_no_service() -> None:
    found = units()
    usual = {name for name, text in found.items() if "DefaultDependencies=no" not in text}
    services = {name for name in usual if name.endswith(".service")}
    early = {name for name, text in found.items() if words(text, "WantedBy") & set(EARLY)}
    assert "sscterm-door.socket" in early
    for name in early:
        assert not words(found[name], "After") & services, name
