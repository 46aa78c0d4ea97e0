"""The image that `make image` left, which the machine runs."""

from __future__ import annotations

from tests.machine import vm
from tools.image import build
from tools.image.deb import VERSION

IMAGE = build.OUT / f"sscterm-{VERSION}.img"


def missing() -> str | None:
    """What keeps it from running here, and what to do."""
    return vm.missing() or (None if IMAGE.exists() else "no image here: make test-image")
