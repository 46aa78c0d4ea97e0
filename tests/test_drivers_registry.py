"""Issue 2.3: readers and pads are named in board.toml by an address, scheme:rest."""

import json
from inspect import signature

import pytest

from firmware.channel import Reader
from firmware.drivers import registry
from firmware.drivers.ccid_reader import CcidReader
from firmware.drivers.pcsc import PcscReader
from firmware.drivers.pn532_reader import Pn532Reader
from firmware.drivers.replay import ReplayReader
from firmware.outcome import outcome


class EntryPoint:
    def __init__(self, name, function):
        self.name = name
        self.load = lambda: function


class Keys:
    def digits(self, timeout_s, cancelled, typed):
        return None


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    points = {
        "sscterm.readers": [EntryPoint("sim", lambda rest: ("reader", rest))],
        "sscterm.pads": [EntryPoint("sim", lambda rest: Keys())],
    }
    monkeypatch.setattr(registry, "entry_points", lambda group: points.get(group, []))
    return points


def test_a_scheme_of_an_installed_package_gets_the_rest_of_the_address():
    assert registry.open_reader("sim:/tmp/a:b") == ("reader", "/tmp/a:b")


def test_replay_is_built_in(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"t": "power_on", "atr": "3B00"}))
    assert isinstance(registry.open_reader(f"replay:{path}"), ReplayReader)


def test_pcsc_is_built_in(monkeypatch):
    monkeypatch.setitem(registry._BUILT_IN_READERS, "pcsc", lambda rest: ("pcsc", rest))
    assert registry.open_reader("pcsc:ACS*") == ("pcsc", "ACS*")


def test_pn532_is_built_in_and_opens_nothing_yet():
    assert isinstance(registry.open_reader("pn532:/dev/ttyNONE"), Pn532Reader)


def test_a_pad_is_wrapped():
    pad = registry.open_pad("sim:keys")
    assert pad.read_pin(1.0, lambda: False) is outcome("PIN_CANCELLED")


@pytest.mark.parametrize("kind", [CcidReader, PcscReader, Pn532Reader, ReplayReader])
def test_the_built_in_readers_have_the_shape_of_channel_reader(kind):
    """drivers may not import channel, so nothing else holds them to it."""
    for name, wanted in vars(Reader).items():
        if not name.startswith("_"):
            offered = getattr(kind, name)
            assert isinstance(offered, property) == isinstance(wanted, property)
            if not isinstance(wanted, property):
                assert list(signature(offered).parameters) == list(signature(wanted).parameters)


@pytest.mark.parametrize("address", ["", "sim", ":x", "/dev/ttyUSB0"])
@pytest.mark.parametrize("opener", ["open_reader", "open_pad"])
def test_no_address_at_all_is_refused(opener, address):
    with pytest.raises(ValueError, match="scheme:rest"):
        getattr(registry, opener)(address)


def test_an_unknown_scheme_names_the_known_ones_and_what_to_do():
    with pytest.raises(ValueError, match=r"'usb' is unknown; known here: .*pn532,.* sim\. Corr"):
        registry.open_reader("usb:1")
    with pytest.raises(ValueError, match="known here: sim"):
        registry.open_pad("pcsc:1")


def test_nothing_installed_is_told_as_such(installed):
    installed.clear()
    with pytest.raises(ValueError, match="known here: none"):
        registry.open_pad("sim:keys")


def test_lines_of_a_slot_that_switches_itself_are_refused():
    with pytest.raises(ValueError, match="remove power_pin"):
        registry.open_reader("pcsc:*", object())
