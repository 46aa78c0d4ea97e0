"""The key matrix, by the real library on a real gpiochip: each check of tests/uml/matrix.py."""

from __future__ import annotations

import pytest

from tests.uml import kernel, matrix

MODULE = "tests.uml.matrix"


@pytest.mark.uml
@pytest.mark.parametrize("name", kernel.checks(matrix))
def test_a_key_matrix_on_a_gpiochip(name: str) -> None:
    kernel.hold(MODULE, name)
