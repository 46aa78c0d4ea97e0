"""Controllers of panels, as their data sheets say: bytes in, a picture or lines out.

SSD1306 (Solomon Systech, section 10), SH1106 (Sino Wealth, commands), ST7789 (Sitronix, section 9),
HD44780U (Hitachi, table 6, figure 24).
"""

from __future__ import annotations

from PIL import Image

COMMAND, DATA = 0x00, 0x40
WIDTH = {"ssd1306": 128, "sh1106": 132}
FIRST = {"ssd1306": 0, "sh1106": 2}
"""The SH1106 has 132 columns of memory; the glass shows those from 2."""
ARGUMENTS = {
    0x81: 1, 0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1, 0x8D: 1, 0x20: 1, 0x21: 2,
    0x22: 2,
}  # fmt: skip
"""Command -> how many bytes follow it, where there are any."""


class Oled:
    """SSD1306 or SH1106: 8 pages of 8 rows, a byte is 8 dots downwards, the lowest bit on top."""

    def __init__(self, kind: str):
        self._kind = kind
        self._width = WIDTH[kind]
        self._memory = [bytearray(self._width) for _ in range(8)]
        self._page = self._column = 0
        self._pages, self._columns = (0, 7), (0, self._width - 1)
        self._is_horizontal = False
        self.is_on = False

    def written(self, control: int, data: bytes) -> None:
        assert control in (COMMAND, DATA)
        if control == DATA:
            for each in data:
                self._store(each)
            return
        left = list(data)
        while left:
            command = left.pop(0)
            count = ARGUMENTS.get(command, 0)
            if self._kind == "sh1106" and command in (0x20, 0x21, 0x22):
                count = 0  # it has page addressing only; 20 to 22 are column bits 20h..: unused
            arguments, left = left[:count], left[count:]
            self._command(command, arguments)

    def _command(self, command: int, arguments: list[int]) -> None:
        if command in (0xAE, 0xAF):
            self.is_on = command == 0xAF
        elif command == 0x20:
            self._is_horizontal = arguments == [0]
        elif command == 0x21:
            self._columns = (arguments[0], arguments[1])
            self._column = arguments[0]
        elif command == 0x22:
            self._pages = (arguments[0], arguments[1])
            self._page = arguments[0]
        elif 0xB0 <= command <= 0xB7:
            self._page = command - 0xB0
        elif command < 0x10:
            self._column = self._column & 0xF0 | command
        elif command < 0x20 and self._kind == "sh1106":
            self._column = self._column & 0x0F | (command & 0x0F) << 4

    def _store(self, byte: int) -> None:
        self._memory[self._page][self._column] = byte
        self._column += 1
        if self._is_horizontal and self._column > self._columns[1]:
            self._column = self._columns[0]
            self._page = self._page + 1 if self._page < self._pages[1] else self._pages[0]

    def picture(self) -> Image.Image:
        image = Image.new("1", (128, 64))
        first = FIRST[self._kind]
        for page, row in enumerate(self._memory):
            for x in range(128):
                for bit in range(8):
                    image.putpixel((x, page * 8 + bit), row[first + x] >> bit & 1)
        return image


class St7789:
    """240x240, 18 bits a dot: three bytes, the upper six bits of each count; here all eight."""

    def __init__(self) -> None:
        self._command = 0
        self._arguments = b""
        self._memory = bytearray(240 * 240 * 3)
        self._at = 0
        self.is_on = False

    def written(self, control: int, data: bytes) -> None:
        if control == COMMAND:
            for each in data:
                self._command, self._arguments = each, b""
                if each == 0x2C:
                    self._at = 0
                elif each in (0x28, 0x29):
                    self.is_on = each == 0x29
        elif self._command == 0x2C:
            self._memory[self._at : self._at + len(data)] = data
            self._at += len(data)
            assert self._at <= len(self._memory), "past the window"
        else:
            self._arguments += data
            if self._command in (0x2A, 0x2B) and len(self._arguments) == 4:
                assert self._arguments == bytes((0, 0, 0, 239)), "the whole of the glass"
            if self._command == 0x3A:
                assert self._arguments == b"\x06", "18 bits a dot"

    def picture(self) -> Image.Image:
        return Image.frombytes("RGB", (240, 240), bytes(self._memory))


class Hd44780Chip:
    """Reads four data lines when E falls; knows its set-up, addresses and characters."""

    def __init__(self) -> None:
        self._levels = dict.fromkeys(("rs", "e", "d4", "d5", "d6", "d7"), 0)
        self._memory = bytearray(b" " * 128)
        self._address = 0
        self._is_four_bits = False
        self._upper: int | None = None
        self.is_on = False
        self.characters = 0

    def expanded(self, value: int) -> None:
        """The eight outputs of a PCF8574: RS, R/W, E, light, D4 to D7 from the lowest."""
        assert not value & 2, "R/W stays low"
        for name, bit in (("rs", 0), ("d4", 4), ("d5", 5), ("d6", 6), ("d7", 7), ("e", 2)):
            self.level(name, value >> bit & 1)

    def level(self, name: str, level: int) -> None:
        falls = name == "e" and self._levels["e"] and not level
        self._levels[name] = level
        if falls:
            nibble = sum(self._levels[f"d{4 + bit}"] << bit for bit in range(4))
            self._strobe(nibble)

    def _strobe(self, nibble: int) -> None:
        if not self._is_four_bits:  # 8 bits: the lower four lines are not wired
            if nibble == 0x2:
                self._is_four_bits = True
            return
        if self._upper is None:
            self._upper = nibble
            return
        byte, self._upper = self._upper << 4 | nibble, None
        if self._levels["rs"]:
            self._memory[self._address] = byte
            self._address = (self._address + 1) % 128
            self.characters += 1
        elif byte & 0x80:
            self._address = byte & 0x7F
        elif byte == 0x01:
            self._memory, self._address = bytearray(b" " * 128), 0
        elif byte & 0xF8 == 0x08:
            self.is_on = bool(byte & 4)

    def lines(self, columns: int, rows: int) -> list[str]:
        starts = (0x00, 0x40, columns, 0x40 + columns)[:rows]
        return [self._memory[at : at + columns].decode("ascii") for at in starts]
