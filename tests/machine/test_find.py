"""Issue "The technician", item 3, on the image: a unit says what it is on the LAN and at its USB
port.  The port is the kernel's dummy_hcd, so both ends of the cable are in the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.machine.conftest import States
from tests.machine.provisioned import UNIT
from tests.machine.unit import Unit
from tools.door.announce import PROVISIONED
from tools.door.line import KNOCK
from tools.technician import finding, ident, usb
from tools.technician.finding import SERIAL

LONG_S = 900.0
TREE = """cd /sys/bus/usb/devices
for each in */idVendor */idProduct */manufacturer */product */serial */bDeviceClass \\
    */bInterfaceClass; do printf '%s\\t%s\\n' "$each" "$(cat "$each")"; done
for each in *:*/tty/tty* *:*/tty*/tty/tty*; do [ -e "$each" ] && echo "$each"; done; true"""
ASK = f"""import os, tty
line = os.open('/dev/ttyACM0', os.O_RDWR | os.O_NOCTTY)
tty.setraw(line)
os.write(line, {KNOCK!r})
said = b''
while b'\\n' not in said:
    said += os.read(line, 100)
print(said.decode().strip())"""


def test_a_unit_says_what_it_is_on_the_lan_and_at_its_usb_port(
    at: Callable[[Path], Unit], states: States, tmp_path: Path
) -> None:
    machine = at(states.ready).machine

    def told(script: str) -> str:
        return machine.must("timeout", "900", "bash", "-c", script, timeout_s=LONG_S)

    told("until [ -e /run/sscterm/sshd.conf ]; do sleep 1; done")
    said = ident.parse(told("exec 3<>/dev/tcp/127.0.0.1/22; head -1 <&3").strip().encode())
    assert said is not None
    assert (said.unit, said.state) == (UNIT, PROVISIONED)
    dnssd = told("cat /run/systemd/dnssd/sscterm.dnssd")
    assert f"TxtText=unit={UNIT} version={said.version} state={said.state} " in dnssd
    told("modprobe dummy_hcd; until [ -e /dev/ttyACM0 -a -e /dev/ttyGS0 ]; do sleep 1; done")
    for line in told(TREE).splitlines():
        name, tab, value = line.partition("\t")
        (tmp_path / "usb" / name).parent.mkdir(parents=True, exist_ok=True)
        if tab:
            (tmp_path / "usb" / name).write_text(value)
        else:
            (tmp_path / "usb" / name).mkdir()
    found = [each for each in finding.on_usb(usb.devices(tmp_path / "usb")) if each.place]
    assert [each.said for each in found] == [said]
    assert found[0].place is not None
    assert (found[0].place.kind, found[0].place.address) == (SERIAL, "/dev/ttyACM0")
    told("until systemctl -q is-active sscterm-door-line@ttyGS0; do sleep 1; done")
    assert ident.parse(told(f'python3 -c "{ASK}"').strip().encode()) == said
