"""The sections of board.toml, key by key; board.toml itself explains them to people.

Money is in fen, times are in the unit their name says, paths are absolute.
"""

# ruff: noqa: RUF009 - the calls in the dataclasses return dataclasses.field(...)

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from firmware.board_lines import Place
from firmware.board_schema import File, choice, flag, number, part, path, text, texts, value, whole

MAX_FEN = 0xFFFFFFFF  # an amount has 4 bytes (V2.0)
BAUDS = (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


class OfficeKey(NamedTuple):
    """signing: raw Ed25519 (32 bytes) or a point of P-256 (65).  sealing: raw X25519, or None."""

    signing: bytes
    sealing: bytes | None = None


def _public_key(file_path: Path, place: Place, file: File) -> OfficeKey:
    """From a text file: the signing key in hex, on a second line the key for personal values."""
    try:
        found = file_path.read_bytes()[:1000].decode("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise file.error(
            place,
            f"无法读取 {file_path}（{error}），请放入后台的公钥文件",
            f"cannot read {file_path} ({error}); put the office's public key file there",
        ) from error
    hexes = " ".join(found)
    if re.fullmatch("(?:[0-9a-fA-F]{64}|04[0-9a-fA-F]{128})(?: [0-9a-fA-F]{64})?", hexes) is None:
        raise file.error(
            place,
            f"{file_path} 不是 64 个十六进制字符（32 字节）一行或两行，请重新取得后台的公钥文件",
            f"{file_path} is not 64 hex characters (32 bytes) on one line or two; get the office's "
            "key file again",
        )
    return OfficeKey(*map(bytes.fromhex, found))


def _is_address_with_port(found: Any) -> bool:
    if not isinstance(found, str) or re.fullmatch(r".+:[0-9]{1,5}", found) is None:
        return False
    host, _, port = found.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return 1 <= int(port) <= 65535


def _url(*schemes: str) -> Any:
    """SCHEME://HOST[:PORT] and nothing else: no path, no name, no password."""
    shown = " / ".join(f'"{scheme}://..."' for scheme in schemes)

    def fits(found: Any) -> bool:
        form = rf"({'|'.join(schemes)})://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:([0-9]{{1,5}}))?"
        match = re.fullmatch(form, found) if isinstance(found, str) else None
        return match is not None and (match[4] is None or 1 <= int(match[4]) <= 65535)

    return value(fits, f" {shown}，只含主机与端口", f"{shown} with a host and a port, no more")


@dataclass(frozen=True)
class Unit:
    id: str = text(
        "[A-Za-z0-9-]{1,32}", " 1 至 32 位字母、数字或 -", "1 to 32 letters, digits or -"
    )
    profile: str = choice("development", "production")
    region: str = text("[0-9]{6}", " 6 位行政区划代码", "a region code of 6 digits")
    data_dir: Path = path()
    replaces: str | None = text(
        "[A-Za-z0-9-]{1,32}",
        " 1 至 32 位字母、数字或 -",
        "1 to 32 letters, digits or -",
        default=None,
    )


@dataclass(frozen=True)
class Serial:
    device: Path = path()
    baud: int = value(
        lambda found: isinstance(found, int) and found in BAUDS,
        f"波特率 {BAUDS}",
        f"a baud rate of {BAUDS}",
        115200,
    )


class Listening:
    """`listen` in its parts."""

    listen: str

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback


def listen_address(elsewhere: str) -> Any:
    """An address with its port.  elsewhere: what one that is not loopback needs."""
    return value(
        _is_address_with_port,
        f' "127.0.0.1:端口"（其他地址须 {elsewhere}）',
        f'"127.0.0.1:PORT"; another address only with {elsewhere}',
    )


@dataclass(frozen=True)
class Http(Listening):
    """listen: "127.0.0.1:8780" or "[::1]:8780"; any other address only with tls (board.py)."""

    listen: str = listen_address("tls = true")
    tls: bool = flag(False)


@dataclass(frozen=True)
class Https:
    """url: the office's collector.  poll_s: how often signed files are asked for."""

    url: str = _url("https")
    poll_s: float = number(1, 86400, 300)


@dataclass(frozen=True)
class Nats:
    """ca: a PEM file that the server's certificate is checked with; ca.crt in data_dir if left out.
    credentials: a file of mode 0600 with the unit's nkey seed, after its JWT if it has one."""

    url: str = _url("tls", "nats")
    ca: Path | None = path(None)
    credentials: Path | None = path(None)
    poll_s: float = number(1, 86400, 300)


@dataclass(frozen=True)
class Drop:
    """folder: where a stick labelled SSC-DROP appears (docs/operate.md)."""

    folder: Path = path()


@dataclass(frozen=True)
class Uplink:
    seal_after_s: float = number(0.1, 86400, 60)
    batch_records: int = whole(1, 10000, 500)
    serial: Serial | None = part(Serial)
    http: Http | None = part(Http)
    https: Https | None = part(Https)
    nats: Nats | None = part(Nats)
    drop: Drop | None = part(Drop)

    @property
    def has_link(self) -> bool:
        return any((self.serial, self.http, self.https, self.nats, self.drop))


@dataclass(frozen=True)
class Office:
    """public_key: read from the file named."""

    public_key: OfficeKey | None = path(None, _public_key)


@dataclass(frozen=True)
class Signer:
    """Who signs the records.  module, token, pin_file: of kind "pkcs11" (journal/pkcs11.py)."""

    kind: str = choice("file", "pkcs11", default="file")
    module: Path | None = path(None)
    token: str | None = text(
        r"[ -~]{1,32}", " 1 至 32 位 ASCII 标签", "a label of 1 to 32 ASCII characters", None
    )
    key: str = text(
        r"[A-Za-z0-9_-]{1,64}", " 1 至 64 位字母、数字", "1 to 64 letters or digits", "device"
    )
    pin_file: Path | None = path(None)
    timeout_s: float = number(0.1, 60, 5)


@dataclass(frozen=True)
class StopList:
    """max_age_h: the list is old beyond it, None: never; aged_transaction_fen: a payment then."""

    file: Path | None = path(None)
    max_age_h: float | None = number(1, 8760, None)
    aged_transaction_fen: int | None = whole(0, MAX_FEN, None)


@dataclass(frozen=True)
class Operators:
    required: bool = flag(False)
    timeout_s: float = number(1, 86400, 900)
    attempts: int = whole(1, 100, 5)
    lockout_s: float = number(1, 86400, 900)


@dataclass(frozen=True)
class Limits:
    transaction_fen: int = whole(1, MAX_FEN)
    day_fen: int = whole(1, MAX_FEN)
    card_day_fen: int = whole(1, MAX_FEN)


@dataclass(frozen=True)
class Purchase:
    amount_mapping: str = choice("literal", "national")
    ef06: str = choice("on", "off")
    offline_total_fen: int = whole(0, MAX_FEN)
    offline_count: int = whole(0, 0xFFFF)
    regions: tuple[str, ...] = texts(
        "([0-9]{2}){1,3}", " 2、4 或 6 位区划代码", "region codes of 2, 4 or 6 digits"
    )
    key_index: int = whole(0, 255, 1)
    dpk_factors: int = whole(1, 3, 1)
    allow_pin_unset: bool = flag(False)
    pin_attempts: int = whole(1, 15, 3)
    region_table: Path | None = path(None)


@dataclass(frozen=True)
class PinChange:
    """What a holder may do at this unit besides changing a PIN."""

    allow_set: bool = flag(False)
    allow_remove: bool = flag(False)


@dataclass(frozen=True)
class InitialPin:
    """rules: names of authorize/initialpin.py::RULES, or digits that are initial PINs."""

    policy: str = choice("ignore", "warn", "force_change", "refuse", default="ignore")
    rules: tuple[str, ...] = texts(
        "last_8|last_6|birth_date|[0-9]{4,16}",
        ' "last_8"、"last_6"、"birth_date" 或 4 至 16 位数字',
        '"last_8", "last_6", "birth_date" or 4 to 16 digits',
        ["last_8", "last_6", "birth_date", "123456"],
    )


@dataclass(frozen=True)
class Clock:
    rtc: bool = flag(False)
    trust_h: float = number(0, 8760, 48)
    utc_offset_minutes: int = whole(-720, 840, 480)


@dataclass(frozen=True)
class Journal:
    min_free_mb: int = whole(1, 1_000_000, 64)
    uncertain_after_h: float = number(0, 8760, 24)
    retention_days: int = whole(7, 3650, 90)


@dataclass(frozen=True)
class Timing:
    exchange_s: float = number(0.05, 60, 5)
    card_wait_s: float = number(0.05, 3600, 60)
    pin_s: float = number(0.05, 600, 30)
    removal_s: float = number(0.05, 3600, 60)
