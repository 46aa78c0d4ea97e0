"""Invented root keys and all that is derived from them (SPEC-P9: nation, province, city, card)."""

from __future__ import annotations

import hashlib

from firmware.psam.keys import city_factor, province_factor
from simulator.algorithm import Algorithm

_TEST_PREFIX = "TEST_ROOT_"


class KeyTree:
    """The keys of one city under one cipher family.

    seed: the invented national roots come from it; root_keys: those given by name instead.
    mark: set apart by it, two trees of one seed have nothing in common.
    city: the city's diversification factor where the usual one is overridden, 8 bytes.
    """

    def __init__(
        self,
        code: str,
        seed: str,
        algorithm: Algorithm,
        root_keys: dict[str, bytes],
        mark: str = "",
        city: bytes | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.factors = (province_factor(code), city or city_factor(code))
        self._seed = seed
        self._mark = mark
        self._root_keys = root_keys
        self._city_keys: dict[tuple[str, int, int], bytes] = {}

    def national_root(self, name: str, length: int = 16, version: int = 1) -> bytes:
        """The invented root key TEST_ROOT_<name> of 16 bytes (8 for a short STK)."""
        of_version = name if version == 1 else f"{name}_V{version}"
        text = f"{self._seed}/{_TEST_PREFIX}{self._mark}{of_version}"
        invented = hashlib.sha256(text.encode()).digest()[:16]
        return self._root_keys.get(of_version, invented)[:length]

    def root(self, name: str, factors: int, length: int = 16, version: int = 1) -> bytes:
        """The root that still needs so many factors: 3 national, 2 provincial, 1 city."""
        done = self.factors[: 3 - factors]
        return self.algorithm.diversify(self.national_root(name, length, version), *done)

    def card_key(self, name: str, card_factor: bytes, length: int = 16, version: int = 1) -> bytes:
        """A card's own key; card_factor: last 8 historical bytes."""
        asked = (name, length, version)
        city = self._city_keys.get(asked)
        if city is None:
            city = self._city_keys[asked] = self.root(name, 1, length, version)
        return self.algorithm.diversify(city, card_factor)
