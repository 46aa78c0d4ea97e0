"""board.toml -> frozen values: what this unit is, and nothing it is not.

Anything unknown, missing, of the wrong type, out of range or at odds with another key raises
BoardError with the dotted key, its line and what to do.  The parts `pad`, `menu`, `display`,
`printer` and the links of `uplink` are None where the file does not name them; every other section
is there, with its defaults.
"""

# ruff: noqa: RUF009 - the calls in the dataclasses return dataclasses.field(...)

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.board_display import Display, check_panel, panel_pins
from firmware.board_host import Host, check_host
from firmware.board_keys import Menu, Pad, check_menu, check_pad, pins_of
from firmware.board_lines import Place, dotted, find_lines
from firmware.board_parts import Pins, Printer, Psam, Reader
from firmware.board_schema import BoardError, File, part, parts, read, settings
from firmware.board_sections import (
    Clock,
    InitialPin,
    Journal,
    Limits,
    Office,
    Operators,
    PinChange,
    Purchase,
    Signer,
    StopList,
    Timing,
    Unit,
    Uplink,
)
from firmware.board_slots import bus_pins, check_slot, slot_pins

__all__ = ["Board", "BoardError", "load", "parse"]

PROVINCES = (
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
    "61 62 63 64 65 71 81 82"
)
"""The first two digits of a region code (GB/T 2260)."""

MAX_SOCKET_PATH = 107  # sun_path holds 108 bytes with its final zero (unix(7))


@dataclass(frozen=True)
class Board:
    unit: Unit = settings(Unit)
    readers: tuple[Reader, ...] = parts(Reader, "reader")
    psam: Psam = settings(Psam)
    pad: Pad | None = part(Pad)
    menu: Menu | None = part(Menu)
    display: Display | None = part(Display)
    printer: Printer | None = part(Printer)
    pins: Pins = settings(Pins)
    host: Host = settings(Host)
    uplink: Uplink = settings(Uplink)
    office: Office = settings(Office)
    signer: Signer = settings(Signer)
    stop_list: StopList = settings(StopList)
    operators: Operators = settings(Operators)
    limits: Limits = settings(Limits)
    purchase: Purchase = settings(Purchase)
    pin_change: PinChange = settings(PinChange)
    initial_pin: InitialPin = settings(InitialPin)
    clock: Clock = settings(Clock)
    journal: Journal = settings(Journal)
    timing: Timing = settings(Timing)


def load(path: str | os.PathLike[str]) -> Board:
    """The board that file describes; BoardError if it cannot be read or is refused."""
    source = os.fspath(path)
    try:
        found = Path(source).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BoardError(
            source, "", None,
            f"无法读取（{error.strerror}），请检查路径与权限",
            f"cannot be read ({error.strerror}); check its path and permissions",
        ) from error  # fmt: skip
    except UnicodeDecodeError as error:
        raise BoardError(
            source, "", error.object.count(b"\n", 0, error.start) + 1,
            "不是 UTF-8 编码，请另存为 UTF-8",
            "is not UTF-8; save the file as UTF-8",
        ) from error  # fmt: skip
    return parse(found, source)


def parse(text: str, source_name: str) -> Board:
    """The board that text describes; its relative paths start at the folder of source_name."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else text.rstrip("\n").count("\n") + 1
        raise BoardError(
            source_name, "", line,
            f"不是合法的 TOML（{error}），请改正此行",
            f"is not valid TOML ({error}); correct this line",
        ) from error  # fmt: skip
    file = File(source_name, find_lines(text))
    board = read(Board, values, (), file)
    if board.host.socket is None:
        socket = board.unit.data_dir / "unit.sock"
        board = replace(board, host=replace(board.host, socket=socket))
    _check_devices(board, file)
    check_pad(board.pad, file)
    check_menu(board.menu, board.pad, file)
    check_panel(board.display, file)
    _check_pins(board, file)
    _check_paths(board, file)
    _check_links(board, file)
    check_host(board.host, board.uplink, file)
    _check_signer(board.signer, file)
    if board.unit.profile == "production":
        _check_production(board, file)
    return board


def _addresses(board: Board) -> dict[Place, str]:
    """Every device address of the unit, by its place in the file."""
    found: dict[Place, str] = {
        ("reader", index, "address"): each.address for index, each in enumerate(board.readers)
    }
    found["psam", "address"] = board.psam.address
    if board.pad is not None:
        found["pad", "address"] = board.pad.address
    return found


def _check_devices(board: Board, file: File) -> None:
    """No two readers under one name, no reader or PSAM slot under the address of another."""
    names: dict[Place, str] = {
        ("reader", index, "name"): each.name for index, each in enumerate(board.readers)
    }
    slots = {place: each for place, each in _addresses(board).items() if place[0] != "pad"}
    for taken in (names, slots):
        first: dict[str, Place] = {}
        for place, each in taken.items():
            if each in first:
                other = dotted(first[each])
                raise file.error(
                    place,
                    f"与 {other} 重复（{each}），请改用另一个",
                    f"the same as {other} ({each}); give it another",
                )
            first[each] = place


def _pins(board: Board) -> list[tuple[Place, int]]:
    """Every pin of the unit that is wired, by its place in the file."""
    found: list[tuple[Place, int]] = [
        (("pins", name), pin) for name, pin in board.pins.named().items()
    ]
    for place, slot in _slots(board):
        found += slot_pins(place, slot)
    return [*found, *pins_of(board.pad), *panel_pins(board.display)]


def _slots(board: Board) -> list[tuple[Place, Reader | Psam]]:
    readers = [(("reader", index), each) for index, each in enumerate(board.readers)]
    return [(("psam",), board.psam), *readers]


def _buses(board: Board) -> dict[Place, str]:
    """The device under /dev that each part is at, where it is one."""
    found = _addresses(board)
    if board.printer is not None:
        found["printer", "address"] = board.printer.address
    if board.uplink.serial is not None:
        found["uplink", "serial", "device"] = str(board.uplink.serial.device)
    if board.host.serial is not None:
        found["host", "serial", "device"] = str(board.host.serial.device)
    if board.display is not None and board.display.panel is not None:
        panel = board.display.panel
        at = {"i2c": "/dev/i2c-{}", "spi": "/dev/spi{}.{}"}.get(panel.scheme, "")
        numbers = panel.i2c[:1] if panel.scheme == "i2c" else panel.spi if at else ()
        found["display", "panel", "bus"] = at.format(*numbers)
    return found


def _check_pins(board: Board, file: File) -> None:
    for place, slot in _slots(board):
        check_slot(place, slot, file)
    users: dict[int, str] = {}
    for place, pin, bus in bus_pins(_buses(board)):
        users.setdefault(pin, f"{bus}, {dotted(place)}")
    for place, pin in _pins(board):
        if pin in users:
            raise file.error(
                place,
                f"引脚 {pin} 已用于 {users[pin]}，请换一个 BCM 编号",
                f"pin {pin} is already {users[pin]}; choose another BCM number",
            )
        users[pin] = dotted(place)


def _check_signer(signer: Signer, file: File) -> None:
    """A token has a module, a label and a PIN file."""
    for name in ("module", "token", "pin_file"):
        if signer.kind == "pkcs11" and getattr(signer, name) is None:
            raise file.error(
                ("signer", name),
                'kind = "pkcs11" 须填写 module、token、pin_file，请补上此项',
                'kind = "pkcs11" needs module, token and pin_file; add this one',
            )


def _check_paths(board: Board, file: File) -> None:
    if len(os.fsencode(board.host.socket)) > MAX_SOCKET_PATH:
        raise file.error(
            ("host", "socket"),
            f"套接字路径超过 {MAX_SOCKET_PATH} 字节，请缩短：{board.host.socket}",
            f"a socket path has at most {MAX_SOCKET_PATH} bytes, shorten it: {board.host.socket}",
        )
    if board.stop_list.file is not None and board.office.public_key is None:
        raise file.error(
            ("stop_list", "file"),
            "没有 office.public_key 就无法验证止付名单，请补上该项或删除此项",
            "a stop list cannot be verified without office.public_key; add that or remove this",
        )


def _check_links(board: Board, file: File) -> None:
    """Nothing is served in the clear beyond this machine."""
    http = board.uplink.http
    if http is not None and not http.is_loopback and not http.tls:
        raise file.error(
            ("uplink", "http", "listen"),
            f"{http.host} 不是本机地址：须加 tls = true，或改用 127.0.0.1",
            f"{http.host} is not loopback: add tls = true, or listen on 127.0.0.1",
        )


def _check_production(board: Board, file: File) -> None:
    """Nothing simulated, replayed or of a region that does not exist."""
    for place, address in _addresses(board).items():
        if address.startswith(("sim:", "replay:")):
            raise file.error(
                place,
                f"正式环境 (production) 不可使用模拟设备 {address}，请填写真实设备",
                f'profile "production" takes no {address}; name a real device',
            )
    if board.uplink.nats is not None and board.uplink.nats.url.startswith("nats:"):
        raise file.error(
            ("uplink", "nats", "url"),
            "正式环境 (production) 的 NATS 须用 tls://",
            'profile "production" takes NATS only as tls://',
        )
    regions: dict[Place, str] = {("unit", "region"): board.unit.region}
    for index, region in enumerate(board.purchase.regions):
        regions["purchase", "regions", index] = region
    if board.psam.terminal_number is not None:
        regions["psam", "terminal_number"] = board.psam.terminal_number
    for place, region in regions.items():
        if _is_test_region(region):
            raise file.error(
                place,
                f"正式环境 (production) 不可使用测试地区 {region}，请填写真实区划代码",
                f'profile "production" takes no test region {region}; write the real region code',
            )


def _is_test_region(region: str) -> bool:
    """2 digits or more: no province of GB/T 2260, or city digits 99, which test cards carry."""
    return region[:2] not in PROVINCES.split() or region[2:4] == "99"
