"""docs/features.md has a row for each of M1 to M22, each line of the customer's card and each thing
that was asked for since; a row says its state, and what works shows a test."""

from __future__ import annotations

import re
from collections import Counter

from tests.test_docs import marked, page, rows

STATES = ("works", "partly", "not yet")
CARD = (
    "kind: embedded terminal firmware for Raspberry Pi-class readers",
    "packages: MicroPython-compatible pyscard shim",
    "packages: RPi.GPIO",
    "packages: cryptography",
    "packages: pyserial",
    "packages: cbor2",
    "top-level: firmware/",
    "top-level: firmware/drivers/",
    "top-level: firmware/psam/",
    "top-level: firmware/display/",
    "top-level: tools/flash.py",
    "top-level: tests/",
    "top-level: board.toml",
    "shape: a headless daemon on a Linux SBC",
    "shape: talking to a contact/contactless reader and a PSAM slot",
    "shape: offline transaction authorization",
    "shape: batching signed records upstream over serial or network",
    "used by: clinics and pharmacies",
    "used by: field technicians flashing devices",
    "used by: back offices pulling batched records",
)
# What the issue asks, by the first word of a row: its eight parts, its components, its figures, its
# faults, its end.
LASTING = {
    **dict.fromkeys(("signer", "batch", "receipt", "dashboard", "independent verifier"), 1),
    "journal": 4,
    "uplink": 5,
    "back office": 2,
    "real component": 5,
    "figure": 8,
    "fault": 8,
    "done": 4,
}
HARDWARE = {
    "shim": 4, "two interpreters": 1, "slot": 4, "tap": 2, "PIN pad": 3, "menu without a host": 1,
    "pins": 2, "display": 3, "printer": 1, "supervision": 2, "bad input": 1, "figures": 1,
    "host": 3,
}  # fmt: skip
TECHNICIAN = {
    "image": 1,
    "update": 1,
    "flash": 9,
    "detection": 1,
    "image tests": 1,
    "figures": 3,
    "done": 1,
}


def test_every_requirement_and_every_line_of_the_card_has_a_row() -> None:
    source, card, lasting, hardware, technician = re.split(
        "## What the customer's card asks|## Nothing lost|## Hardware|## The technician",
        page("features.md"),
    )
    assert [row[0] for row in rows(source)] == [f"M{number}" for number in range(1, 23)]
    lines = [row[0] for row in rows(card)]
    assert len(lines) == len(CARD)
    assert all(line.startswith(wanted) for line, wanted in zip(lines, CARD, strict=True))
    said = Counter(row[0].partition(":")[0] for row in rows(lasting))
    assert said == LASTING
    assert Counter(row[0].partition(":")[0] for row in rows(hardware)) == HARDWARE
    assert Counter(row[0].partition(":")[0] for row in rows(technician)) == TECHNICIAN


def test_every_row_says_its_state_and_what_works_shows_a_test() -> None:
    for row in rows(page("features.md")):
        state, shown_by, missing = row[-3:]
        assert state in STATES, row
        tests = [
            mark
            for mark in marked(shown_by)
            if mark.startswith(("tests/test_", "tests/machine/test_"))
        ]
        assert bool(tests) == (state != "not yet"), row
        assert all("::test_" in each for each in tests), row
        assert missing or state == "works", row
