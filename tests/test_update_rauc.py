"""Issue 5.2, update: the real rauc, our backend and handler, over slots that are files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import file_unit, update_rig
from tests.file_unit import Releases
from tests.update_rig import Unit, bundled, keys
from tools.update import autoboot, places, state

REASON = update_rig.missing()
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]
OLD, NEW, NEWER = "1.0.0", "1.1.0", "1.2.0"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Of three versions, signed by one key."""
    return file_unit.releases(tmp_path_factory.mktemp("release"), OLD, NEW, NEWER)


@pytest.fixture
def unit(release: Releases, tmp_path: Path) -> Unit:
    """Runs release OLD from slot A."""
    return file_unit.make(tmp_path, release, OLD)


def floor_of(unit: Unit) -> str | None:
    file = unit.data / "version-floor"
    return file.read_text() if file.exists() else None


def held(unit: Unit) -> dict[str, bytes]:
    return {name: file.read_bytes() for name, file in unit.devices.items() if file.exists()}


def own_places(unit: Unit) -> places.Places:
    return places.Places(**{name: Path(path) for name, path in unit.places.items()})


def test_an_update_is_written_tried_and_kept(unit: Unit, release: Releases) -> None:
    before = held(unit)
    status, said = unit.install(release.bundles[NEW])
    assert status == 0, said
    at = own_places(unit)
    assert unit.devices["system.1"].read_bytes() == release.images[NEW]["system"].read_bytes()
    boot = release.images[NEW]["boot"].read_bytes()
    assert boot.count(b"rauc.slot=A") == 1
    assert unit.devices["boot.1"].read_bytes() == boot.replace(b"rauc.slot=A", b"rauc.slot=B")
    for untouched in ("bootcfg", "boot.0", "system.0"):  # a plain start takes the old one still
        assert unit.devices[untouched].read_bytes() == before[untouched]
    assert state.trial(at) == state.Trial("B")
    assert floor_of(unit) is None

    unit.boots("B", NEW)
    status, said = unit.mark_good()
    assert status == 0, said
    assert autoboot.committed(unit.devices["bootcfg"]) == "B"
    assert floor_of(unit) == NEW
    assert state.trial(at) is None
    assert update_rig.run("mtype", "-i", unit.devices["bootcfg"], "::autoboot.txt").startswith(
        "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n"
    )


def test_only_the_sector_of_autoboot_changes(unit: Unit, release: Releases) -> None:
    before = unit.devices["bootcfg"].read_bytes()
    autoboot.commit(unit.devices["bootcfg"], "B")
    after = unit.devices["bootcfg"].read_bytes()
    differ = {at // 512 for at in range(len(before)) if before[at] != after[at]}
    assert len(differ) == 1


def test_an_older_release_is_refused_and_nothing_is_written(unit: Unit, release: Releases) -> None:
    unit.boots("A", NEW)
    before = held(unit)
    status, said = unit.install(release.bundles[OLD])
    assert status != 0
    assert f"{OLD} is older than {NEW}" in said
    assert held(unit) == before


def test_the_floor_alone_refuses_too(unit: Unit, release: Releases) -> None:
    (unit.data / "version-floor").write_text(NEWER)
    status, said = unit.install(release.bundles[NEW])
    assert status != 0
    assert f"{NEW} is older than {NEWER}" in said


def test_no_install_over_the_committed_slot_while_a_trial_runs(
    unit: Unit, release: Releases
) -> None:
    assert unit.install(release.bundles[NEW])[0] == 0
    unit.boots("B", NEW)
    before = held(unit)
    status, said = unit.install(release.bundles[NEWER])
    assert status != 0
    assert "on trial" in said
    assert held(unit) == before


def flipped(file: Path, at: float, folder: Path) -> Path:
    words = bytearray(file.read_bytes())
    words[int(at * len(words))] ^= 0x01
    made = folder / "flipped.raucb"
    made.write_bytes(words)
    return made


@pytest.mark.parametrize("at", [0.01, 0.5, 0.9], ids=["head", "middle", "end"])
def test_a_flipped_byte_is_refused(
    at: float, unit: Unit, release: Releases, tmp_path: Path
) -> None:
    before = held(unit)
    status, said = unit.install(flipped(release.bundles[NEW], at, tmp_path))
    assert status != 0
    assert "signature" in said.lower() or "digest" in said.lower(), said
    assert held(unit) == before


def test_a_truncated_bundle_is_refused(unit: Unit, release: Releases, tmp_path: Path) -> None:
    short = tmp_path / "short.raucb"
    short.write_bytes(release.bundles[NEW].read_bytes()[:-5000])
    before = held(unit)
    assert unit.install(short)[0] != 0
    assert held(unit) == before


def test_a_foreign_signature_is_refused(unit: Unit, release: Releases, tmp_path: Path) -> None:
    foreign = keys(tmp_path / "keys", "foreign")
    before = held(unit)
    status, said = unit.install(bundled(tmp_path / "out", release.images[NEW], NEW, foreign))
    assert status != 0
    assert "signature verification failed" in said.lower()
    assert held(unit) == before


def test_another_product_is_refused(unit: Unit, release: Releases, tmp_path: Path) -> None:
    wrong = bundled(
        tmp_path / "out", release.images[NEW], NEW, release.keys, compatible="some-other-rpi"
    )
    before = held(unit)
    status, said = unit.install(wrong)
    assert status != 0
    assert "some-other-rpi" in said
    assert held(unit) == before
