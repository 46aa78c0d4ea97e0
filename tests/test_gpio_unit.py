"""The daemon with its pins on a real gpiochip: each check of tests/uml/unit.py is a test here.

Issue D item 5: LEDs, buzzer, keys, the tamper switch to the journal and back.
"""

from __future__ import annotations

import pytest

from tests.conftest import COUNTED
from tests.uml import kernel, unit

MODULE = "tests.uml.unit"


@pytest.mark.uml
@pytest.mark.timeout(300)  # the first one boots and runs them all
@pytest.mark.parametrize("name", kernel.checks(unit))
def test_unit(name: str, record_property: pytest.RecordProperty) -> None:
    told = kernel.hold(MODULE, name)
    if told["said"]:
        record_property(COUNTED, told["said"])
