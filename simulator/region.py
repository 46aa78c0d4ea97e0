"""A region in a box: invented root keys, the cards and PSAMs issued under them, one file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from firmware.psam.keys import city_factor, province_factor
from simulator import personalise
from simulator.algorithm import ALGORITHMS
from simulator.card import CardMemory, SimulatedCard
from simulator.filesystem import structure_of
from simulator.keytable import FACTORS, KEYS, KeyRow, factors_needed
from simulator.psam import HeldKey, PsamMemory, SimulatedPsam, key_name
from simulator.switches import Switches

FORMAT = 1
_TEST_PREFIX = "TEST_ROOT_"


class Region:
    """Root keys from `seed`, or from `root_keys` by name where a test vector wants its own.

    code: six digits.  kept_levels: which roots a PSAM holds: "mixed" (see keytable), or "city",
    "province", "nation".  algorithm: "3des" or "sm4".  reproducible: chips draw their random
    numbers from the seed.  cards, psams: by label.
    """

    def __init__(
        self,
        code: str = "510100",
        seed: str = "TEST",
        kept_levels: str = "mixed",
        algorithm: str = "3des",
        root_keys: dict[str, bytes] | None = None,
        reproducible: bool = True,
    ) -> None:
        if kept_levels not in ("mixed", *FACTORS):
            raise ValueError(f"kept_levels is mixed, {', '.join(FACTORS)}, not {kept_levels!r}")
        self.code = code
        self.seed = seed
        self.kept_levels = kept_levels
        self.algorithm = ALGORITHMS[algorithm]
        self.reproducible = reproducible
        self.cards: dict[str, SimulatedCard] = {}
        self.psams: dict[str, SimulatedPsam] = {}
        self._root_keys = dict(root_keys or {})
        self._factors = (province_factor(code), city_factor(code))
        self._city_keys: dict[tuple[str, int], bytes] = {}
        self._written: dict[str, tuple[int, Any]] = {}

    # -- keys -------------------------------------------------------------------------------------

    def national_root(self, name: str, length: int = 16) -> bytes:
        """The invented root key TEST_ROOT_<name> of 16 bytes (8 for a short STK)."""
        text = f"{self.seed}/{_TEST_PREFIX}{name}"
        invented = hashlib.sha256(text.encode()).digest()[:16]
        return self._root_keys.get(name, invented)[:length]

    def root(self, name: str, factors: int, length: int = 16) -> bytes:
        """The root that still needs so many factors: 3 national, 2 provincial, 1 city."""
        done = self._factors[: 3 - factors]
        return self.algorithm.diversify(self.national_root(name, length), *done)

    def card_key(self, name: str, card_factor: bytes, length: int = 16) -> bytes:
        """A card's own key; card_factor: last 8 historical bytes."""
        city = self._city_keys.get((name, length))
        if city is None:
            city = self._city_keys[name, length] = self.root(name, 1, length)
        return self.algorithm.diversify(city, card_factor)

    def _length(self, row: KeyRow, switches: Switches) -> int:
        short = row.name == "STKSSSE" and self.algorithm.block == 8
        return int(switches.stk_length) if short else 16

    # -- issuing ----------------------------------------------------------------------------------

    def issue_card(
        self,
        serial: int,
        generation: str = "2.0",
        name: str = "张三",
        citizen_number: str = "510101199003071234",
        pin: str | None = "123456",
        tries: int = 6,
        balance_fen: int = 0,
        yearly_self_fen: int = 0,
        yearly_pooled_fen: int = 0,
        has_ef06: bool = True,
        offline_permitted: bool = True,
        offline_total_fen: int = 0,
        offline_count: int = 0,
        card_use_mode: str = "2",
        issued: str = "20200101",
        expiry: str = "20351231",
        contactless: bool = False,
        switches: Switches | None = None,
        account_only: bool = False,
        purchase_serial: int = 1,
        load_serial: int = 1,
        year: str = "2026",
        start_day: str = "0101",
        key_tries: int = 10,
        log_records: int = 30,
        historical: bytes | None = None,
        card_id: bytes | None = None,
        card_number: str | None = None,
        label: str | None = None,
    ) -> SimulatedCard:
        """A personalised card, kept under its label ("card-<serial>").

        generation: "1.0", "2.0", "3.0".  pin: 4..16 digits or None.  card_use_mode: "1" online,
        "2" offline.  Dates YYYYMMDD.  historical: 13 bytes.  Raises ValueError on a taken label.
        """
        if generation not in personalise.VERSIONS:
            legal = ", ".join(personalise.VERSIONS)
            raise ValueError(f"generation is one of {legal}, not {generation!r}")
        if pin is not None and not (4 <= len(pin) <= 16 and pin.isdigit()):
            raise ValueError("a PIN has 4 to 16 digits")
        label = self._free_label(self.cards, label or f"card-{serial}")
        switches = switches or Switches()
        historical = historical or personalise.historical_bytes(self.code, serial)
        memory = CardMemory(
            label=label,
            generation=generation,
            algorithm=self.algorithm.name,
            historical=historical,
            contactless=contactless,
            account_only=account_only,
            has_ef06=has_ef06,
            switches=switches,
            seed=self._dice_seed(label),
            keys={
                row.name: self.card_key(row.name, historical[-8:], self._length(row, switches))
                for row in KEYS
            },
            pin=bytes.fromhex(pin + "f" * (len(pin) % 2)) if pin else b"",
            pin_limit=tries,
            pin_tries=tries,
            key_limit=key_tries,
            files={},
            log_records=log_records,
            balance_fen=balance_fen,
            yearly_self_fen=yearly_self_fen,
            yearly_pooled_fen=yearly_pooled_fen,
            year=bytes.fromhex(year),
            start_day=bytes.fromhex(start_day),
            purchase_serial=purchase_serial,
            load_serial=load_serial,
        )
        items = {
            ("SSSE", 0x05): personalise.issuer_items(
                card_id or personalise.card_id(self.code, serial),
                card_number or personalise.card_number(serial),
                self.code,
                generation,
                (issued, expiry),
                switches.date_form,
            ),
            ("SSSE", 0x06): personalise.holder_items(name, citizen_number),
            ("DF04", 0x05): personalise.medical_items(self.code, card_use_mode),
            ("DF04", 0x06): personalise.offline_items(
                offline_permitted, offline_total_fen, offline_count
            ),
        }
        memory.files = personalise.contents(
            structure_of(memory), items, generation, switches.name_padding
        )
        card = self.cards[label] = SimulatedCard(memory)
        return card

    def issue_psam(
        self,
        terminal_number: str = "510100000001",
        start: str = "20200101",
        expiry: str = "20351231",
        switches: Switches | None = None,
        serial: int = 1,
        label: str | None = None,
    ) -> SimulatedPsam:
        """A PSAM with this region's roots, kept under its label ("psam-<terminal number>").

        terminal_number: 12 digits.  start, expiry: YYYYMMDD.  serial: the first of EF 0019.
        """
        label = self._free_label(self.psams, label or f"psam-{terminal_number}")
        switches = switches or Switches()
        held = {}
        for row in KEYS:
            if row.usage is not None and row.key_id is not None:
                count = factors_needed(row, self.kept_levels)
                root = self.root(row.name, count, self._length(row, switches))
                held[key_name(row.type, row.key_id)] = HeldKey(row.type, count, root)
        number = bytes.fromhex(terminal_number)
        level_info = b"\x01\x01" + bytes.fromhex(start + expiry)
        contents = {
            "MF/0015": bytes.fromhex(self.code[:4] + "399002" + "0000" + terminal_number + "4400"),
            "MF/0016": number,
        }
        for fid, level in ((0x1A, "nation"), (0x1B, "province"), (0x1C, "city")):
            if self.kept_levels in ("mixed", level):
                contents[f"DF01/{fid:04X}"] = level_info
        memory = PsamMemory(
            label=label,
            algorithm=self.algorithm.name,
            historical=bytes.fromhex("81544C008684") + b"\x07" + number,
            switches=switches,
            seed=self._dice_seed(label),
            keys=held,
            files=contents,
            serial=serial,
        )
        psam = self.psams[label] = SimulatedPsam(memory)
        return psam

    @staticmethod
    def _free_label(taken: dict[str, Any], label: str) -> str:
        if label in taken:
            raise ValueError(f"{label} has been issued already")
        return label

    def _dice_seed(self, label: str) -> str | None:
        return f"{self.seed}/{label}" if self.reproducible else None

    # -- the file ---------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Writes temporary file, fsync, rename: after a power cut the old or the new state."""
        document = {
            "format": FORMAT,
            "code": self.code,
            "seed": self.seed,
            "kept_levels": self.kept_levels,
            "algorithm": self.algorithm.name,
            "reproducible": self.reproducible,
            "root_keys": {name: key.hex() for name, key in self._root_keys.items()},
            "cards": {label: self._state_of(card) for label, card in self.cards.items()},
            "psams": {label: self._state_of(psam) for label, psam in self.psams.items()},
        }
        path = Path(path)
        temporary = path.with_name(path.name + ".new")
        with open(temporary, "w", encoding="utf-8") as out:
            json.dump(document, out, ensure_ascii=False)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        for chip in (*self.cards.values(), *self.psams.values()):
            chip.dirty = False

    def _state_of(self, chip: SimulatedCard | SimulatedPsam) -> dict[str, Any]:
        """`chip.to_state()`, made again only when the chip has changed."""
        name = f"{type(chip).__name__} {chip.label}"
        version, made = self._written.get(name, (-1, {}))
        if version != chip.version:
            made = chip.to_state()
            self._written[name] = (chip.version, made)
        return made

    @classmethod
    def load(cls, path: str | Path) -> Region:
        """Raises OSError, or ValueError when the file is not a region of this format."""
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"{path} is not a region of format {FORMAT}: make a new one")
        region = cls(
            document["code"],
            document["seed"],
            document["kept_levels"],
            document["algorithm"],
            {name: bytes.fromhex(key) for name, key in document["root_keys"].items()},
            document["reproducible"],
        )
        for label, stored in document["cards"].items():
            region.cards[label] = SimulatedCard.from_state(stored)
        for label, stored in document["psams"].items():
            region.psams[label] = SimulatedPsam.from_state(stored)
        return region
