"""Which test files are begun first: those that take longest, most of which wait.

A worker of xdist takes a whole file, so a long one that is begun last is what all others wait for;
and those that wait (pcscd looks at its readers each 400 ms) fill the gaps of those that compute.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Longest first, as `pytest --durations=0` tells; each other file takes under ten seconds.
FILES = (
    "test_power_cuts.py",
    "test_pcscd_restarts.py",
    "test_bench.py",
    "test_pyscard_suite.py",
    "both/test_shim_waiting.py",
    "test_demo_links.py",
    "test_verdicts.py",
    "test_gpio_unit.py",
    "test_dashboard.py",
    "both/test_shim_connection.py",
    "test_torn_switches.py",
    "test_demo.py",
    "test_office_serve.py",
    "test_purchase_pn532.py",
    "test_uplink_nats.py",
    "test_journal_kill.py",
    "test_systemd.py",
    "both/test_shim_sharing.py",
    "test_display_fit.py",
    "test_daemon_dump.py",
    "test_office_faults.py",
    "test_pcscd_reader.py",
    "both/test_shim_pcscd.py",
    "test_load_switches.py",
    "test_daemon.py",
    "test_load.py",
    "test_token_daemon.py",
    "test_torn.py",
    "test_nats_access.py",
    "test_iso7816.py",
    "test_vpcd.py",
    "test_ccid_reader.py",
    "test_reload.py",
    "test_verify_command.py",
    "test_dashboard_proof.py",
)
_PLACES = {HERE / name: place for place, name in enumerate(FILES)}


def sort(items: list[pytest.Item]) -> None:
    """In place; the order within a file stays."""
    items.sort(key=lambda item: _PLACES.get(item.path, len(_PLACES)))
