"""[host.lan] and [host.serial] of board.toml: what is refused, with its key and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware import board
from firmware.board import BoardError

EXAMPLE = (Path(__file__).parent.parent / "board.toml").read_text()
TLS = 'certificate = "host.crt"\nkey = "host.key"\nca = "host-ca.crt"\n'


def parsed(extra: str) -> board.Board:
    return board.parse(EXAMPLE + "\n" + extra, "/unit/board.toml")


def test_a_host_on_the_network_has_three_files_and_one_here_none() -> None:
    lan = parsed('[host.lan]\nlisten = "0.0.0.0:8790"\nhosts = ["his-1"]\n' + TLS).host.lan
    assert lan is not None
    assert lan.has_tls
    assert (lan.host, lan.port, lan.hosts) == ("0.0.0.0", 8790, ("his-1",))
    assert (lan.certificate, lan.ca) == (Path("/unit/host.crt"), Path("/unit/host-ca.crt"))
    for here in ("127.0.0.1:8790", "127.9.9.9:1", "[::1]:8790"):
        found = parsed(f'[host.lan]\nlisten = "{here}"\n').host
        assert found.has_listener
        assert found.lan is not None
        assert not found.lan.has_tls


def test_without_a_listener_there_is_no_work() -> None:
    assert not parsed("").host.has_listener
    assert parsed('[host.serial]\ndevice = "/dev/ttyUSB7"\n').host.has_listener


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('[host.lan]\nlisten = "192.0.2.7:8790"\n', "host.lan.listen"),
        ('[host.lan]\nlisten = "0.0.0.0:8790"\n', "host.lan.listen"),
        ('[host.lan]\nlisten = "[::]:8790"\n', "host.lan.listen"),
        ('[host.lan]\nlisten = "[::ffff:127.0.0.1]:8790"\n', "host.lan.listen"),
        ('[host.lan]\nlisten = "localhost:8790"\n', "host.lan.listen"),
        ('[host.lan]\nlisten = "127.0.0.1:0"\n', "host.lan.listen"),
        ("[host.lan]\n", "host.lan.listen"),
        ('[host.lan]\nlisten = "127.0.0.1:1"\nca = "x"\n', "host.lan.certificate"),
        ('[host.lan]\nlisten = "127.0.0.1:1"\nca = "x"\ncertificate = "y"\n', "host.lan.key"),
        ('[host.lan]\nlisten = "127.0.0.1:1"\ncertificate = "y"\nkey = "z"\n', "host.lan.ca"),
        ('[host.lan]\nlisten = "127.0.0.1:1"\nhosts = ["his-1"]\n', "host.lan.hosts"),
        (f'[host.lan]\nlisten = "0.0.0.0:1"\n{TLS}hosts = []\n', "host.lan.hosts"),
        (f'[host.lan]\nlisten = "0.0.0.0:1"\n{TLS}hosts = ["*"]\n', "host.lan.hosts.0"),
        (f'[host.lan]\nlisten = "0.0.0.0:1"\n{TLS}tls = false\n', "host.lan.tls"),
        ('[host.serial]\nbaud = 9600\n', "host.serial.device"),
        ('[host.serial]\ndevice = "/dev/ttyS1"\n[uplink.serial]\ndevice = "/dev/ttyS1"\n',
         "host.serial.device"),
        ('[host.serial]\ndevice = "/dev/ttyAMA0"\n[[reader]]\nname = "bare"\nkind = "contact"\n'
         'address = "iso7816:/dev/ttyUSB0"\nreset_pin = 14\n', "reader.1.reset_pin"),
    ],
)  # fmt: skip
def test_what_must_not_be_is_refused_at_its_key(lines: str, key: str) -> None:
    with pytest.raises(BoardError) as refused:
        parsed(lines)
    assert refused.value.key.replace("[", ".").replace("]", "") == key
    assert refused.value.line is not None
