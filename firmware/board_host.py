"""[host] of board.toml: where host programs reach the terminal (board.toml explains it)."""

# ruff: noqa: RUF009 - the calls in the dataclasses return dataclasses.field(...)

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from firmware.board_schema import File, part, path, texts, value
from firmware.board_sections import Listening, Serial, Uplink, listen_address

TLS_FILES = ("certificate", "key", "ca")


@dataclass(frozen=True)
class Lan(Listening):
    """certificate, key, ca: PEM files, all three or none; without them loopback only.
    hosts: names of client certificates; None: any that `ca` signed."""

    listen: str = listen_address("certificate, key, ca")
    certificate: Path | None = path(None)
    key: Path | None = path(None)
    ca: Path | None = path(None)
    hosts: tuple[str, ...] | None = texts(
        "[A-Za-z0-9][A-Za-z0-9._-]{0,252}",
        "证书中的名称",
        "the name in a host's certificate",
        None,
    )

    @property
    def has_tls(self) -> bool:
        return self.ca is not None


@dataclass(frozen=True)
class Host:
    """socket: `unit.sock` in the data folder if not named.  mode: its permission bits."""

    socket: Path = path(None)
    mode: int = value(
        lambda found: isinstance(found, str) and re.fullmatch("0[0-7][0-7]0", found) is not None,
        '权限，例如 "0660"，末位为 0',
        'permissions like "0660", none for others',
        "0660",
        lambda found, place, file: int(found, 8),
    )
    lan: Lan | None = part(Lan)
    serial: Serial | None = part(Serial)

    @property
    def has_listener(self) -> bool:
        """Whether the host process has anything to do."""
        return self.lan is not None or self.serial is not None


def check_host(host: Host, uplink: Uplink, file: File) -> None:
    """Nothing in the clear beyond this machine; no line for host and office at once."""
    if host.lan is not None:
        _check_lan(host.lan, file)
    if host.serial is None or uplink.serial is None:
        return
    if host.serial.device == uplink.serial.device:
        raise file.error(
            ("host", "serial", "device"),
            f"{host.serial.device} 已用于 uplink.serial，请换一个串口",
            f"{host.serial.device} is that of uplink.serial; name another line",
        )


def _check_lan(lan: Lan, file: File) -> None:
    named = [name for name in TLS_FILES if getattr(lan, name) is not None]
    for name in TLS_FILES:
        if named and name not in named:
            raise file.error(
                ("host", "lan", name),
                "certificate、key、ca 须一起填写，请补上此项",
                "certificate, key and ca belong together; add this one",
            )
    if not named and not lan.is_loopback:
        raise file.error(
            ("host", "lan", "listen"),
            f"{lan.host} 不是本机地址：须填写 certificate、key、ca，或改用 127.0.0.1",
            f"{lan.host} is not loopback: add certificate, key and ca, or listen on 127.0.0.1",
        )
    if lan.hosts is not None and not named:
        raise file.error(
            ("host", "lan", "hosts"),
            "没有 ca 就无法核对名称，请补上 certificate、key、ca 或删除此项",
            "without ca no name can be checked; add certificate, key and ca or remove this",
        )
