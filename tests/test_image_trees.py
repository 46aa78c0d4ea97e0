"""Issue "The technician", item 1: a Pi's UART and SPI are where docs/hardware.md says they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.image import trees
from tools.image.disk import ImageError, run

pytestmark = pytest.mark.skipif(
    shutil.which("fdtput") is None, reason="no fdtput: run tools/install_test_packages.sh"
)
SOURCE = """/dts-v1/;
/ {
    chosen { stdout-path = "serial1:115200n8"; };
    soc {
        gpio@7e200000 {
            phandle = <7>;
            uart0_gpio14 { brcm,pins = <14 15>; };
            uart0_gpio32 { brcm,pins = <32 33>; phandle = <9>; };
            spi0_gpio7 { brcm,pins = <7 8 9 10 11>; };
        };
        serial@7e201000 {
            status = "okay";
            pinctrl-0 = <9>;
            uart-has-rtscts;
            bluetooth { max-speed = <2000000>; };
        };
        serial@7e215040 { status = "okay"; };
        spi@7e204000 { #address-cells = <1>; #size-cells = <0>; status = "disabled"; };
    };
};
"""


def blob(folder: Path, source: str = SOURCE) -> Path:
    (folder / "a.dts").write_text(source)
    run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", folder / "a.dtb", folder / "a.dts")
    return folder / "a.dtb"


def read(tree: Path, node: str, name: str, kind: str = "s") -> str:
    return run("fdtget", "-t", kind, tree, node, name).strip()


def test_uart_and_spi_are_at_the_pins_of_the_manual(tmp_path: Path) -> None:
    tree = blob(tmp_path)
    trees.settle(tree)
    uart, spi = (read(tree, each, "phandle", "u") for each in (trees.UART_PINS, trees.SPI_PINS))
    assert len({uart, spi, "7", "9"}) == 4
    assert read(tree, trees.PL011, "pinctrl-0", "u") == uart
    assert run("fdtget", "-l", tree, trees.PL011) == ""
    assert "uart-has-rtscts" not in run("fdtget", "-p", tree, trees.PL011)
    assert read(tree, trees.MINI_UART, "status") == "disabled"
    assert "stdout-path" not in run("fdtget", "-p", tree, "/chosen")
    assert read(tree, trees.SPI, "status") == "okay"
    assert read(tree, trees.SPI, "pinctrl-0", "u") == spi
    found = {
        read(tree, f"{trees.SPI}/{each}", "reg", "u")
        for each in run("fdtget", "-l", tree, trees.SPI).split()
    }
    assert found == {"0", "1"}


def test_the_same_tree_is_changed_the_same(tmp_path: Path) -> None:
    first = blob(tmp_path)
    trees.settle(first)
    raw = first.read_bytes()
    second = blob(tmp_path)
    trees.settle(second)
    assert second.read_bytes() == raw


def test_a_tree_of_other_nodes_is_refused_and_left(tmp_path: Path) -> None:
    tree = blob(tmp_path, SOURCE.replace("spi0_gpio7", "spi0_gpio9"))
    before = tree.read_bytes()
    with pytest.raises(ImageError):
        trees.settle(tree)
    assert tree.read_bytes() == before
