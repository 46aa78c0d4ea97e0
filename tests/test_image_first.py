"""Issue "The technician", items 1 and 2: the start of a unit takes the identity left on its card,
and a unit without an identity says that it waits for one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import image_rig
from tools.image import first, signers, stamp
from tools.image.disk import ImageError, run
from tools.image.layout import SMALL, Layout
from tools.technician import identity
from tools.technician.errors import FlashError
from tools.technician.names import DROP
from tools.update.places import Places
from tools.update.version import release

BOARD = (Path(__file__).resolve().parents[1] / "board.toml").read_bytes()
needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")


class Fat:
    """The first partition: a folder stands for what mount(8) would show."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.options = folder, []
        folder.mkdir()

    @contextmanager
    def mounted(self, device: Path, folder: Path, option: str) -> Iterator[Path]:
        self.options.append(option)
        yield self.folder


@pytest.fixture
def fat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fat:
    made = Fat(tmp_path / "fat")
    monkeypatch.setattr(first, "mounted", made.mounted)
    monkeypatch.setattr(first, "RUN", tmp_path)
    return made


def test_an_identity_is_taken_once_and_only_then_is_the_partition_written(
    fat: Fat, tmp_path: Path
) -> None:
    etc = tmp_path / "etc"
    assert first.take_identity(Path("p1"), etc) == []
    assert fat.options == ["ro"]
    (fat.folder / DROP).write_bytes(identity.pack({"board.toml": BOARD}))
    assert first.take_identity(Path("p1"), etc) == ["board.toml"]
    assert fat.options == ["ro", "ro", "rw"]
    assert first.take_identity(Path("p1"), etc) == []
    assert (etc / "board.toml").read_bytes() == BOARD


def test_a_damaged_identity_stays_and_changes_nothing(fat: Fat, tmp_path: Path) -> None:
    raw = identity.pack({"board.toml": BOARD})[:-1]
    (fat.folder / DROP).write_bytes(raw)
    with pytest.raises(FlashError):
        first.take_identity(Path("p1"), tmp_path / "etc")
    assert (fat.folder / DROP).read_bytes() == raw
    assert not (tmp_path / "etc" / "board.toml").exists()


@needs_keygen
def test_the_host_key_is_made_once(tmp_path: Path) -> None:
    (tmp_path / f"{first.HOST_KEY}.new").write_text("left by a power cut")
    assert first.make_host_key(tmp_path) is True
    key = tmp_path / first.HOST_KEY
    before = key.read_bytes()
    assert before.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.with_name(key.name + ".pub").read_text().startswith("ssh-ed25519 ")
    assert first.make_host_key(tmp_path) is False
    assert key.read_bytes() == before
    config = (Path(first.__file__).parents[1] / "door/sshd_config").read_text()
    assert f"HostKey {first.ETC / first.HOST_KEY}\n" in config
    assert sorted(each.name for each in tmp_path.iterdir()) == [key.name, f"{key.name}.pub"]


def test_a_sites_network_settings_reach_networkd(tmp_path: Path) -> None:
    etc, networks = tmp_path / "etc", tmp_path / "run" / "network"
    etc.mkdir()
    assert first.hand_networks(etc, networks) == []
    (etc / "10-fixed.network").write_text("[Match]\nName=eth0\n")
    (etc / "other.toml").write_text("")
    assert first.hand_networks(etc, networks) == ["10-fixed.network"]
    assert [each.name for each in networks.iterdir()] == ["10-fixed.network"]
    assert (networks / "10-fixed.network").stat().st_mode & 0o777 == 0o644


def test_the_console_says_who_this_is_and_what_it_waits_for(tmp_path: Path) -> None:
    (tmp_path / "release.json").write_text('{"version": "1.2.3", "test_only": true}')
    places = Places(release=tmp_path / "release.json")
    assert first.greeting(places, tmp_path).splitlines() == [
        "sscterm 1.2.3",
        first.TEST_ONLY,
        first.WAITS,
    ]
    (tmp_path / "board.toml").write_bytes(BOARD)
    (tmp_path / "release.json").write_text('{"version": "1.2.3"}')
    assert first.greeting(places, tmp_path) == "sscterm 1.2.3"


def test_a_root_names_its_release_whom_it_trusts_and_its_slots(tmp_path: Path) -> None:
    stamp.stamp(tmp_path, Layout(), "1.2.3", b"authority", is_test=False)
    home = tmp_path / "usr/lib/sscterm"
    assert release(home / "release.json") == ("sscterm-rpi", (1, 2, 3))
    assert "test_only" not in json.loads((home / "release.json").read_text())
    assert (home / "release-ca.pem").read_bytes() == b"authority"
    config = (tmp_path / "etc/rauc/system.conf").read_text()
    assert "mountprefix=/run/rauc\n" in config
    for name, slot in (("boot_a", "boot.0"), ("system_b", "system.1")):
        device = f"/dev/disk/by-partuuid/{Layout().partuuid(name)}"
        assert f"[slot.{slot}]\ndevice={device}\n" in config
    assert str(Places().bootcfg).endswith(f"/{Layout().partuuid('bootcfg')}")
    stamp.stamp(tmp_path, SMALL, "1.2.3", b"authority", is_test=True)
    assert json.loads((home / "release.json").read_text())["test_only"] is True


@needs_openssl
def test_a_signer_whose_updates_no_unit_would_take_is_refused(tmp_path: Path) -> None:
    own, foreign = signers.for_tests(tmp_path), signers.for_tests(tmp_path, "foreign")
    own.check()
    assert signers.for_tests(tmp_path) == own  # kept: the next build trusts the same
    with pytest.raises(ImageError):
        signers.Signer(own.key, own.certificate, foreign.authority).check()
    with pytest.raises(ImageError, match="is not the key"):
        signers.Signer(foreign.key, own.certificate, own.authority).check()
    told = run("openssl", "x509", "-in", own.authority, "-noout", "-subject")
    assert "FOR TESTS ONLY" in told
    assert image_rig.release_keys(tmp_path)[2].exists()
