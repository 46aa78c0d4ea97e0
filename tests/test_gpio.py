"""The pins, by the real library on a real gpiochip: each check of tests/uml/pins.py is a test here.

Issue D item 5.  The kernel is User Mode Linux with gpio-sim; what runs inside is this tree.
"""

from __future__ import annotations

import pytest

from tests.conftest import COUNTED
from tests.uml import kernel, pins

MODULE = "tests.uml.pins"


@pytest.mark.uml
@pytest.mark.timeout(300)  # the first one boots and runs them all
@pytest.mark.parametrize("name", kernel.checks(pins))
def test_pins(name: str, record_property: pytest.RecordProperty) -> None:
    told = kernel.hold(MODULE, name)
    if told["said"]:
        record_property(COUNTED, told["said"])
