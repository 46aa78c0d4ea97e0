"""Every device that board.toml names, opened.

A device that is not there is found out later, and again and again; a wrong address is not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from firmware import board_keys, board_parts
from firmware.board import Board
from firmware.board_display import LETTERS, OLED, Panel
from firmware.channel import Channel, Reader, Recorder, open_channel
from firmware.display.lamps import CARD_LAMP, ERROR_LAMP, Buzzer, Lamp
from firmware.display.printing import Printing
from firmware.display.screen import Display, Surface
from firmware.display.slowpanel import SlowPanel
from firmware.display.window import Window
from firmware.drivers import padkey
from firmware.drivers.case_switch import CaseSwitch
from firmware.drivers.gpio import Pins, open_pins
from firmware.drivers.gpio_lines import GpioLines
from firmware.drivers.joined import JoinedKeys
from firmware.drivers.keys import Keys
from firmware.drivers.pad import Keys as PadKeys
from firmware.drivers.pad import Pad
from firmware.drivers.pinblock import BlockCipher
from firmware.drivers.registry import open_pad, open_reader
from firmware.drivers.thermal import ThermalPrinter
from firmware.journal import ownfile
from firmware.psam import cipher
from firmware.psam.session import PsamSession

PAD_BAUD = 115200
LOOK_S, LOOK_HZ = 0.4, 1000
"""Of lamps and buzzer at `--check`."""
Look = tuple[str, str, Callable[[], str]]
"""As attached.Look."""
Presses = Callable[[float, Callable[[], bool]], str | None]
"""As drivers/pad.py::Pad.key."""
_PAD_CIPHERS = {
    3: BlockCipher(cipher.DES_BLOCK, cipher.des_encrypt, cipher.des_decrypt),
    4: BlockCipher(cipher.AES_BLOCK, cipher.aes_encrypt, cipher.aes_decrypt),
}


class AddressError(Exception):
    """board.toml names a device by an address that no driver takes."""


def header(board: Board) -> Pins:
    """The pins of this unit: one for the process, opened at the first use of one."""
    return open_pins(board.pins.chip)


def readers(board: Board, pins: Pins) -> list[Reader]:
    return [slot(each, pins) for each in board.readers]


def slot(part: board_parts.Reader | board_parts.Psam, pins: Pins) -> Reader:
    """Where a card or the PSAM sits, with the pins that are its own."""
    found: Reader = _device(partial(open_reader, lines=_lines(part, pins)), part.address)
    return found


def _lines(part: board_parts.Reader | board_parts.Psam, pins: Pins) -> GpioLines | None:
    wired = {name: getattr(part, name) for name in board_parts.SLOT_PINS}
    if set(wired.values()) == {None}:
        return None
    return GpioLines(pins, **wired, detect_low=part.detect_low)


def psam(board: Board, pins: Pins, recorder: Recorder | None = None) -> PsamSession:
    """Its slot is power-cycled at each start of the session."""
    device = slot(board.psam, pins)

    def power_on() -> Channel:
        device.power_on()
        return open_channel(device, board.timing.exchange_s, recorder)

    return PsamSession(power_on)


def pad(board: Board, pins: Pins, beside: Keys | None = None) -> Pad | None:
    """beside: the keys beside the screen, which a matrix takes for its own."""
    if board.pad is None:
        return None
    if board.pad.address.startswith("epp:"):
        return Pad(_encrypting_pad(board, board.pad))
    if board.pad.address.startswith("gpio:"):
        return Pad(_matrix(board.pad, pins, beside))
    found: Pad = _device(open_pad, board.pad.address)
    return found


def _matrix(named: board_keys.Pad, pins: Pins, beside: Keys | None) -> PadKeys:
    from firmware.drivers.keyed import Keyboard, KeyedPad
    from firmware.drivers.matrix import MatrixKeys
    from firmware.drivers.matrix_wires import MatrixWires

    assert named.rows is not None
    assert named.columns is not None
    assert named.keys is not None
    found: Keyboard = MatrixKeys(MatrixWires(pins, named.rows, named.columns), named.keys)
    if beside is not None:
        found = JoinedKeys(found, beside)
    return KeyedPad(found, named.key_s)


def _encrypting_pad(board: Board, named: board_keys.Pad) -> PadKeys:
    """Its key is read once, here.  Raises AddressError for a file that holds none."""
    from firmware.drivers.epp import EncryptingPad  # and pyserial, only where there is such a pad
    from firmware.drivers.uart import open_uart

    assert named.key_file is not None
    is_production = board.unit.profile == "production"
    try:
        content = ownfile.read(named.key_file, 100, "load another key into the pad")
        key = padkey.master_key(content, named.format, is_production)
    except ownfile.OwnFileError as error:
        raise AddressError(str(error)) from None
    except ValueError as error:
        raise AddressError(f"{named.key_file} {error}") from None
    device = named.address.removeprefix("epp:")
    algorithm = _PAD_CIPHERS[named.format]
    return EncryptingPad(
        lambda: open_uart(device, PAD_BAUD), key, named.format, algorithm, named.key_s
    )


def presses(board: Board, pad: Pad | None, beside: Keys | None) -> Presses | None:
    """The keys a person may press between PINs; None where nobody listens to any.

    The simulator's are listened to for a menu only, for each question of them is a connection.
    """
    if pad is None or board.pad is None:
        return None
    if board.pad.address.startswith("gpio:"):
        return pad.key
    if board.menu is None and not board.pad.address.startswith("epp:"):
        return None
    return pad.key if beside is None else JoinedKeys(pad, beside).key


def keys(board: Board, pins: Pins) -> Keys | None:
    """Confirm and cancel beside the screen."""
    named = board.pins
    if named.confirm_key is None and named.cancel_key is None:
        return None
    return Keys(pins, named.confirm_key, named.cancel_key)


def case_switch(board: Board, pins: Pins) -> CaseSwitch | None:
    return None if board.pins.tamper is None else CaseSwitch(pins, board.pins.tamper)


def signals(board: Board, pins: Pins) -> list[Lamp | Buzzer]:
    """The lamps and the buzzer."""
    named = board.pins
    found: list[Lamp | Buzzer] = []
    if named.card_led is not None:
        found.append(Lamp("card lamp", pins.output(named.card_led), CARD_LAMP))
    if named.error_led is not None:
        found.append(Lamp("error lamp", pins.output(named.error_led), ERROR_LAMP))
    if named.buzzer is not None:
        found.append(Buzzer(pins.tone(named.buzzer), named.quiet))
    return found


def surfaces(board: Board, pins: Pins) -> list[Surface]:
    """What messages are read on; none on a headless unit."""
    display = board.display
    if display is None:
        return []
    found: list[Surface] = []
    if display.window:
        found.append(Window(sys.stdout))
    if display.panel_png is not None:
        from firmware.display.panel import Picture  # only where there is a panel

        found.append(Picture(display.panel_png, display.large))
    if display.panel is not None:
        found.append(panel(board, display.panel, pins))
    return found


def panel(board: Board, named: Panel, pins: Pins) -> SlowPanel:
    """Drawn in a thread of its own.  Its drivers are imported where there is one."""
    is_large = board.display is not None and board.display.large
    from firmware.display import panel as panels

    def gpio() -> Any:
        return pins.ask(lambda library: library)

    if named.kind in LETTERS:
        from firmware.drivers import hd44780

        size = named.kind.removeprefix("hd44780-")
        columns, rows = panels.TEXT_PANELS[size]
        letters = hd44780.Hd44780(
            hd44780.on_pins(named.pins, columns, rows, gpio)
            if named.scheme == "gpio"
            else hd44780.on_i2c(*named.i2c, columns, rows)
        )
        return SlowPanel(lambda shown: [panels.lines(shown, size)], letters.show)
    from firmware.drivers import luma_panel

    connect = (
        luma_panel.on_i2c(*named.i2c)
        if named.scheme == "i2c"
        else luma_panel.on_spi(named.kind, *named.spi, named.pins, gpio)
    )
    light = luma_panel.backlight_on(named.pins[2], gpio) if len(named.pins) > 2 else None
    dots = luma_panel.LumaPanel(named.kind, connect, named.upside_down, light)
    kind = panels.MONO if named.kind in OLED else panels.COLOUR
    return SlowPanel(lambda shown: panels.pictures(shown, kind, is_large), dots.show)


def looks(board: Board, pins: Pins) -> list[Look]:
    """For `--check`: pad, panel, printer and pins."""
    found: list[Look] = [("pad", "-", lambda: "none: this unit takes no PIN")]
    if board.pad is not None:
        found = [("pad", board.pad.address, partial(_pad_told, board, pins))]
    display = board.display
    if display is not None and display.panel is not None:
        named = display.panel
        address = f"{named.kind} {named.bus}"
        found.append(("panel", address, partial(_panel_told, board, named, pins)))
    device = thermal(board)
    if device is not None and board.printer is not None:
        found.append(("printer", board.printer.address, device.look))
    if wired := board.pins.named():
        address = ", ".join(f"{name} {pin}" for name, pin in wired.items())
        found.append(("pins", address, partial(pins_told, board, pins)))
    return found


def _pad_told(board: Board, pins: Pins) -> str:
    found = pad(board, pins)
    return "none" if found is None else found.look()


def _panel_told(board: Board, named: Panel, pins: Pins) -> str:
    """After it was written to.  Raises whatever its libraries do."""
    display = Display([], language(board))
    display.show("STOPPED")
    assert display.current is not None
    panel(board, named, pins).try_once(display.current)
    said = "answers" if named.scheme == "i2c" else "was written to, and cannot answer"
    return f"{said}: look whether all of the message STOPPED stands on it"


def pins_told(board: Board, pins: Pins) -> str:
    """After lamps and buzzer were on for a moment, and a look at every other pin of [pins].

    Raises OSError when one cannot be had.
    """
    named = board.pins.named()
    lit: list[str] = [name for name in ("card_led", "error_led") if name in named]
    lamps = [pins.output(named[name]) for name in lit]
    for lamp in lamps:
        lamp.on()
    if "buzzer" in named:
        lit.append("buzzer")
        buzzer = pins.tone(named["buzzer"])
        buzzer.start(LOOK_HZ)
    time.sleep(LOOK_S if lit else 0)
    for lamp in lamps:
        lamp.off()
    if "buzzer" in named:
        buzzer.stop()
    told = [f"{' and '.join(lit)} on for {LOOK_S} s"] if lit else []
    held = [name for name in ("confirm_key", "cancel_key") if name in named]
    told += [f"{name} is held down" for name in held if not pins.input(named[name]).value]
    switch = case_switch(board, pins)
    if switch is not None:
        told.append("the case is open" if switch.is_open() else "the case is shut")
    return ", ".join(told) or "they answer"


def thermal(board: Board) -> ThermalPrinter | None:
    """Its device is opened at the first receipt."""
    named = board.printer
    if named is None:
        return None
    return ThermalPrinter(named.address, named.baud, named.asks_paper)


def printer(board: Board) -> Printing | None:
    device = thermal(board)
    if device is None or board.printer is None:
        return None
    return Printing(device, board.printer, board.unit.id)


def language(board: Board) -> str:
    """What every surface begins with."""
    return "both" if board.display is None else board.display.language


def _device(opener: Callable[[str], Any], address: str) -> Any:
    try:
        return opener(address)
    except ValueError as error:
        raise AddressError(str(error)) from None
