"""A region in a box: invented root keys, the cards and PSAMs issued under them, one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator import keyload, personalise, regionfile
from simulator.algorithm import ALGORITHMS, DES, SM4, Algorithm
from simulator.card import CardMemory, SimulatedCard
from simulator.files import AS_1_0, AS_2_0, MEANINGS, OPTIONAL
from simulator.keytable import FACTORS, VERSIONS
from simulator.keytree import KeyTree
from simulator.local import Local
from simulator.psam import Environment, PsamMemory, SimulatedPsam
from simulator.switches import Switches

BOTH = "both"
LIVES = ("stored", "normal", "application_locked", "cancelled")


class Region:
    """Root keys from `seed`, or from `root_keys` by name where a test vector wants its own.

    code: six digits, the home region; cards and PSAMs of other regions under the same national
    roots may stand beside its own.  kept_levels: which roots a PSAM holds: "mixed" (see keytable),
    or "city", "province", "nation".  algorithm: "3des", "sm4" or "both": then a PSAM has both
    environments, 3.0 cards are SM4, others 3DES, and no root serves both.  reproducible: chips draw
    their random numbers from the seed.  city_factors: region code -> its own level-2 factor,
    8 bytes.  local: region code -> what that region adds to its cards.  cards, psams: by label.
    """

    def __init__(
        self,
        code: str = "510100",
        seed: str = "TEST",
        kept_levels: str = "mixed",
        algorithm: str = "3des",
        root_keys: dict[str, bytes] | None = None,
        reproducible: bool = True,
        city_factors: dict[str, bytes] | None = None,
        local: dict[str, Local] | None = None,
    ) -> None:
        if kept_levels not in ("mixed", *FACTORS):
            raise ValueError(f"kept_levels is mixed, {', '.join(FACTORS)}, not {kept_levels!r}")
        if algorithm not in (*ALGORITHMS, BOTH):
            raise ValueError(f"algorithm is {', '.join(ALGORITHMS)} or both, not {algorithm!r}")
        self.code = code
        self.seed = seed
        self.kept_levels = kept_levels
        self.algorithms = (DES, SM4) if algorithm == BOTH else (ALGORITHMS[algorithm],)
        self.reproducible = reproducible
        self.city_factors = dict(city_factors or {})
        self.local = dict(local or {})
        self.cards: dict[str, SimulatedCard] = {}
        self.psams: dict[str, SimulatedPsam] = {}
        self._root_keys = dict(root_keys or {})
        self._trees: dict[tuple[str, str], KeyTree] = {}
        self._written: dict[str, tuple[int, Any]] = {}

    # -- keys -------------------------------------------------------------------------------------

    @property
    def algorithm(self) -> Algorithm:
        """The region's cipher family; of two, the DES family."""
        return self.algorithms[0]

    def tree(self, code: str | None = None, algorithm: str | None = None) -> KeyTree:
        """The keys of a region code (home) under a cipher family (the region's)."""
        asked = (code or self.code, algorithm or self.algorithm.name)
        if asked not in self._trees:
            family = ALGORITHMS[asked[1]]
            mark = "SM4_" if len(self.algorithms) > 1 and family is SM4 else ""
            city = self.city_factors.get(asked[0])
            self._trees[asked] = KeyTree(asked[0], self.seed, family, self._root_keys, mark, city)
        return self._trees[asked]

    def tree_of(self, card: SimulatedCard) -> KeyTree:
        """The keys that card was issued under: for a test that plays PSAM, HSM or office."""
        return self.tree(card.memory.code, card.memory.algorithm)

    def national_root(self, name: str, length: int = 16) -> bytes:
        """As KeyTree.national_root, of the home region."""
        return self.tree().national_root(name, length)

    def root(self, name: str, factors: int, length: int = 16) -> bytes:
        """As KeyTree.root, of the home region."""
        return self.tree().root(name, factors, length)

    def card_key(self, name: str, card_factor: bytes, length: int = 16) -> bytes:
        """As KeyTree.card_key, of the home region."""
        return self.tree().card_key(name, card_factor, length)

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
        full: bool = False,
        algorithm: str | None = None,
        code: str | None = None,
        key_version: int = 1,
        meanings: str = AS_2_0,
        optional: Sequence[str] = (),
        life: str = "normal",
    ) -> SimulatedCard:
        """A personalised card, kept under its label ("card-<serial>").

        generation: "1.0", "2.0", "3.0".  pin: 4..16 digits or None.  card_use_mode: "1" online,
        "2" offline.  Dates YYYYMMDD.  historical: 13 bytes.  full: every file is filled; its log
        holds the settlements before purchase_serial.  algorithm: of a region with both.  code: of
        another region under the same roots.  key_version: 1..3, of DPK, DLK and DTK.  meanings: of
        a 1.0 card's items, files.MEANINGS.  optional: of DF05 and DF06.  life: one of LIVES; a
        stored card has no holder and no PIN yet.
        Raises ValueError: a taken label, or a value that is none of those.
        """
        _one_of("generation", generation, personalise.VERSIONS)
        _one_of("meanings", meanings, MEANINGS if generation == "1.0" else (AS_2_0,))
        _one_of("key_version", key_version, VERSIONS)
        _one_of("life", life, LIVES)
        for each in optional:
            _one_of("optional", each, OPTIONAL)
        if pin is not None and not (4 <= len(pin) <= 16 and pin.isdigit()):
            raise ValueError("a PIN has 4 to 16 digits")
        if life == "stored":
            pin = None
        label = self._free_label(self.cards, label or f"card-{serial}")
        code = code or self.code
        switches = switches or Switches()
        historical = historical or personalise.historical_bytes(code, serial)
        memory = CardMemory(
            label=label,
            generation=generation,
            algorithm=self._algorithm_for(generation, algorithm),
            historical=historical,
            contactless=contactless,
            account_only=account_only,
            has_ef06=has_ef06,
            switches=switches,
            seed=self._dice_seed(label),
            keys={},
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
            key_version=key_version,
            code=code,
            meanings=meanings,
            optional=list(optional),
            local=self.local.get(code),
            blocked=life == "cancelled",
            blocked_dfs=["DF04"] if life == "application_locked" else [],
        )
        memory.keys = keyload.keys_of_card(self.tree(code, memory.algorithm), memory)
        items = personalise.standing_items(code, memory.local, full)
        items.setdefault(("DF04", 0x05), {}).update(personalise.medical_items(code, card_use_mode))
        items["SSSE", 0x05] = personalise.issuer_items(
            card_id or personalise.card_id(code, serial),
            card_number or personalise.card_number(serial),
            code,
            generation,
            (issued, expiry),
            switches.date_form,
        )
        if life != "stored":
            items["SSSE", 0x06] = personalise.holder_items(name, citizen_number)
        items["DF04", 0x06] = (
            personalise.account_items(balance_fen, yearly_self_fen, yearly_pooled_fen)
            if meanings == AS_1_0
            else personalise.offline_items(offline_permitted, offline_total_fen, offline_count)
        )
        personalise.write_files(memory, items, full)
        card = self.cards[label] = SimulatedCard(memory)
        return card

    def _algorithm_for(self, generation: str, wanted: str | None) -> str:
        names = [each.name for each in self.algorithms]
        if wanted is not None:
            _one_of("algorithm", wanted, names)
            return wanted
        return names[-1] if generation == "3.0" else names[0]

    def issue_psam(
        self,
        terminal_number: str = "510100000001",
        start: str = "20200101",
        expiry: str = "20351231",
        switches: Switches | None = None,
        serial: int = 1,
        label: str | None = None,
        key_versions: Sequence[int] = (1,),
        code: str | None = None,
    ) -> SimulatedPsam:
        """A PSAM with this region's roots, kept under its label ("psam-<terminal number>").

        terminal_number: 12 digits.  start, expiry: YYYYMMDD.  serial: the first of EF 0019, in each
        environment.  key_versions: of DPK, 1..3.  code: of another region under the same roots.
        """
        for version in key_versions:
            _one_of("key_versions", version, VERSIONS)
        label = self._free_label(self.psams, label or f"psam-{terminal_number}")
        switches = switches or Switches()
        code = code or self.code
        number = bytes.fromhex(terminal_number)
        level_info = b"\x01\x01" + bytes.fromhex(start + expiry)
        contents = {
            "MF/0015": bytes.fromhex(code[:4] + "399002" + "0000" + terminal_number + "4400"),
            "MF/0016": number,
        }
        for fid, level in ((0x1A, "nation"), (0x1B, "province"), (0x1C, "city")):
            if self.kept_levels in ("mixed", level):
                contents[f"DF01/{fid:04X}"] = level_info
        memory = PsamMemory(
            label=label,
            historical=bytes.fromhex("81544C008684") + b"\x07" + number,
            switches=switches,
            seed=self._dice_seed(label),
            environments=[
                Environment(
                    algorithm=each.name,
                    keys=keyload.keys_of_psam(
                        self.tree(code, each.name),
                        self.kept_levels,
                        key_versions,
                        switches,
                        self.local.get(code),
                    ),
                    files=dict(contents),
                    serial=serial,
                )
                for each in self.algorithms
            ],
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
        """After a power cut the old or the new state is there."""
        document = {
            "code": self.code,
            "seed": self.seed,
            "kept_levels": self.kept_levels,
            "algorithm": BOTH if len(self.algorithms) > 1 else self.algorithm.name,
            "reproducible": self.reproducible,
            "root_keys": {name: key.hex() for name, key in self._root_keys.items()},
            "city_factors": {code: factor.hex() for code, factor in self.city_factors.items()},
            "local": {code: local.to_json() for code, local in self.local.items()},
            "cards": {label: self._state_of(card) for label, card in self.cards.items()},
            "psams": {label: self._state_of(psam) for label, psam in self.psams.items()},
        }
        regionfile.write(Path(path), document)
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
        document = regionfile.read(Path(path))
        region = cls(
            document["code"],
            document["seed"],
            document["kept_levels"],
            document["algorithm"],
            {name: bytes.fromhex(key) for name, key in document["root_keys"].items()},
            document["reproducible"],
            {code: bytes.fromhex(factor) for code, factor in document["city_factors"].items()},
            {code: Local.from_json(local) for code, local in document["local"].items()},
        )
        for label, stored in document["cards"].items():
            region.cards[label] = SimulatedCard.from_state(stored)
        for label, stored in document["psams"].items():
            region.psams[label] = SimulatedPsam.from_state(stored)
        return region


def _one_of(what: str, value: object, legal: Sequence[object] | dict[str, Any]) -> None:
    if value not in legal:
        there = ", ".join(str(each) for each in legal)
        raise ValueError(f"{what} is one of {there}, not {value!r}")
