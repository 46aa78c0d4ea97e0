"""The device key's file (issue: "Ed25519; file mode 0600; never printed")."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from firmware.journal.cose import key_id
from firmware.journal.devicekey import DeviceKey, DeviceKeyError


def test_made_once_then_loaded(tmp_path):
    path = tmp_path / "device.key"
    made = DeviceKey.load_or_create(path)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert path.stat().st_size == 32
    assert os.listdir(tmp_path) == ["device.key"]
    assert DeviceKey.load_or_create(path).public_key == made.public_key
    assert made.algorithm == -8
    Ed25519PublicKey.from_public_bytes(made.public_key).verify(made.sign(b"data"), b"data")


def test_two_units_have_two_keys(tmp_path):
    keys = {DeviceKey.load_or_create(tmp_path / name).public_key for name in "abc"}
    assert len(keys) == 3


def test_mode_is_0600_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        DeviceKey.load_or_create(tmp_path / "device.key")
    finally:
        os.umask(before)
    assert (tmp_path / "device.key").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o601])
def test_a_key_that_others_could_use_is_refused(tmp_path, mode):
    path = tmp_path / "device.key"
    DeviceKey.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(DeviceKeyError, match="enrol the unit again"):
        DeviceKey.load_or_create(path)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_a_wrong_size_is_refused_and_kept(tmp_path, size):
    path = tmp_path / "device.key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(DeviceKeyError, match="bytes instead of 32"):
        DeviceKey.load_or_create(path)
    assert path.stat().st_size == size


def test_a_key_of_another_owner_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "device.key"
    DeviceKey.load_or_create(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(DeviceKeyError, match="is of user"):
        DeviceKey.load_or_create(path)


def test_neither_a_link_nor_a_folder_is_a_key(tmp_path):
    (tmp_path / "real.key").write_bytes(bytes(32))
    (tmp_path / "real.key").chmod(0o600)
    (tmp_path / "link.key").symlink_to(tmp_path / "real.key")
    (tmp_path / "folder.key").mkdir()
    for name in ("link.key", "folder.key"):
        with pytest.raises(DeviceKeyError):
            DeviceKey.load_or_create(tmp_path / name)


def test_a_start_cut_short_leaves_nothing_in_the_way(tmp_path):
    beside = tmp_path / f"device.key.{os.getpid()}.new"
    beside.write_bytes(b"half")
    assert DeviceKey.load_or_create(tmp_path / "device.key").public_key
    assert os.listdir(tmp_path) == ["device.key"]


def test_never_printed(tmp_path):
    key = DeviceKey.load_or_create(tmp_path / "device.key")
    seed = (tmp_path / "device.key").read_bytes()
    shown = f"{key!r} {key} {key.__dict__}"
    assert key_id(key.public_key).hex() in repr(key)
    assert seed.hex() not in shown
    assert repr(seed) not in shown
