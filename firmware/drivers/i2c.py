"""An I2C bus of Linux, by smbus2: plain messages to and from one address, no SMBus registers."""

from __future__ import annotations

from typing import Any, Protocol

from firmware.outcome import TransportError


class Bus(Protocol):
    """What is used of smbus2.SMBus."""

    def i2c_rdwr(self, *messages: Any) -> None: ...
    def close(self) -> None: ...


class I2cDevice:
    """One device on a bus.  Every method raises TransportError."""

    def __init__(self, bus: Bus, address: int, name: str):
        """address: 7 bits."""
        self._bus = bus
        self._address = address
        self.name = name

    def write(self, data: bytes) -> None:
        """All of it, in one message."""
        from smbus2 import i2c_msg

        self._transfer(i2c_msg.write(self._address, list(data)))

    def read(self, count: int) -> bytes:
        """That many bytes, in one message; what a device sends past its data is its own affair."""
        from smbus2 import i2c_msg

        message = i2c_msg.read(self._address, count)
        self._transfer(message)
        return bytes(message)

    def close(self) -> None:
        self._bus.close()

    def _transfer(self, message: Any) -> None:
        try:
            self._bus.i2c_rdwr(message)
        except OSError as error:
            raise TransportError(
                f"{self.name} does not answer on the bus at {self._address:02X}: {error}; "
                "check its wires and switches"
            ) from None


def open_i2c(device: str, address: int) -> I2cDevice:
    """device: "/dev/i2c-1".  Raises TransportError."""
    try:
        from smbus2 import SMBus

        return I2cDevice(SMBus(device), address, device)
    except ImportError as error:
        raise TransportError(f"{error}: make environment-hardware installs it") from None
    except OSError as error:
        raise TransportError(
            f"{device} cannot be opened ({error.strerror}): switch the bus on "
            "(dtparam=i2c_arm=on), check the device in board.toml"
        ) from None
