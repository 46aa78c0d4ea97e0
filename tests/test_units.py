"""Issue E.1: hardened systemd units, and the devices that board.toml names.  `unit.*_exposure`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware import board
from firmware.host.client import AnswerLost, Remote, Unreachable, call
from tests import systemd_rig
from tests.bench import units
from tests.ports import free_port
from tests.systemd_rig import SystemdRig
from tests.test_daemon import Stand, until
from tools.image import devices

REASON = systemd_rig.missing()
ROOT = Path(__file__).resolve().parents[1]
UNITS = ROOT / "tools" / "image" / "units"
CARD, UPLINK, DEVICES, HOST = (
    f"sscterm-{name}.service" for name in ("card", "uplink", "devices", "host")
)
MOUNTED = (
    "ProtectSystem", "ReadWritePaths", "TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths",
    "InaccessiblePaths", "ProtectHome", "PrivateTmp", "PrivateMounts", "ProtectKernelTunables",
    "ProtectKernelLogs", "ProtectKernelModules", "ProtectControlGroups", "ProtectProc",
    "ProcSubset",
)  # fmt: skip
EXAMPLE = (ROOT / "board.toml").read_text()


def example(**changes: str) -> board.Board:
    """The example's board with these lines changed."""
    text = EXAMPLE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return board.parse(text, str(ROOT / "board.toml"))


PI = {
    '"sim:build/sim.sock#user"': '"ccid:/dev/ttyUSB3#0?gempc"',
    '"sim:build/sim.sock#psam"': '"iso7816:/dev/ttyAMA0?echo=on"',
    '"sim:build/sim.sock#pad"': '"gpio:matrix"\nrows = [4, 5, 6, 12]\ncolumns = [13, 16, 17, 18]\n'
    'keys = ["1 2 3 cancel", "4 5 6 clear", "7 8 9 menu", "language 0 up confirm"]',
    'window = true ': '[display.panel]\nkind = "st7789"\nbus = "spi:0.1"\npins = [19, 20, 21]\n#',
    "# [printer]": '[printer]\naddress = "file:/dev/usb/lp0"',
    "# [uplink.serial]": '[uplink.serial]\ndevice = "/dev/ttyS1"',
    "# [host.serial]": '[host.serial]\ndevice = "/dev/ttyUSB4"',
}  # fmt: skip


def test_each_process_may_open_what_the_board_names_for_it_and_nothing_else() -> None:
    simulated = example()
    assert devices.of_card(simulated) == devices.of_uplink(simulated) == set()
    assert devices.of_host(simulated) == set()
    assert devices.drop_in(set()) == "[Service]\n"
    found = example(**PI)
    assert devices.of_card(found) == {
        "/dev/ttyUSB3", "/dev/ttyAMA0", "/dev/usb/lp0", "/dev/spidev0.1", "char-gpiochip",
    }  # fmt: skip
    assert devices.of_uplink(found) == {"/dev/ttyS1"}
    assert devices.of_host(found) == {"/dev/ttyUSB4"}
    assert devices.drop_in(devices.of_card(found)) == (
        "[Service]\n"
        "DeviceAllow=/dev/spidev0.1 rw\n"
        "DeviceAllow=/dev/char/204:64 rw\n"
        "DeviceAllow=/dev/char/188:3 rw\n"
        "DeviceAllow=/dev/char/180:0 rw\n"
        "DeviceAllow=char-gpiochip rw\n"
        "ProcSubset=all\n"
    )


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ({'"sim:build/sim.sock#user"': '"pcsc:*"'}, set()),
        ({'"sim:build/sim.sock#user"': '"pn532:/dev/i2c-1"'}, {"/dev/i2c-1"}),
        ({"# card_led = 17": "card_led = 17"}, {"char-gpiochip"}),
        ({"# reset_pin = 25": "reset_pin = 25",
          '"sim:build/sim.sock#psam"': '"iso7816:/dev/ttyAMA1"'},
         {"/dev/ttyAMA1", "char-gpiochip"}),
        ({"window = true ": '[display.panel]\nkind = "ssd1306"\nbus = "i2c:1@0x3d"\n#'},
         {"/dev/i2c-1"}),
        ({"# [printer]": '[printer]\naddress = "serial:/dev/ttyUSB1"'}, {"/dev/ttyUSB1"}),
    ],
)  # fmt: skip
def test_a_part_of_the_board_brings_its_device(lines: dict[str, str], wanted: set[str]) -> None:
    assert devices.of_card(example(**lines)) == wanted


def test_the_drop_ins_are_written_and_a_refused_board_allows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "board.toml", tmp_path / "system"
    text = EXAMPLE
    for old, new in PI.items():
        text = text.replace(old, new)
    path.write_text(text)
    monkeypatch.setattr(sys, "argv", ["devices", str(path), str(folder)])
    devices.main()
    uplink = folder / f"{UPLINK}.d" / "devices.conf"
    assert uplink.read_text() == "[Service]\nDeviceAllow=/dev/char/4:65 rw\n"
    host = folder / f"{HOST}.d" / "devices.conf"
    assert host.read_text() == "[Service]\nDeviceAllow=/dev/char/188:4 rw\n"
    path.write_text(text + "\n[nonsense]\n")
    devices.main()
    assert "nonsense" in capsys.readouterr().err
    assert uplink.read_text() == host.read_text() == "[Service]\n"


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
@pytest.mark.parametrize(("name", "most"), units.MOST.items())
def test_the_exposure_of_a_unit_with_every_device_is_small(name: str, most: float) -> None:
    assert units.exposure(name) <= most
    open_unit = re.sub(r"(?m)^(Protect|Restrict|SystemCall|Private)\w+=.*\n", "", units.text(name))
    assert units.exposure(name, open_unit) > most + 1


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
@pytest.mark.parametrize("name", [CARD, UPLINK, HOST, DEVICES])
def test_systemd_knows_every_word_of_the_images_units(tmp_path: Path, name: str) -> None:
    text = (UNITS / name).read_text().replace("/usr/lib/sscterm/bin/python", sys.executable)
    for other in (CARD, UPLINK, HOST, DEVICES):
        (tmp_path / other).write_text("[Service]\nExecStart=/bin/true\n")
    for each in (text, text.replace("[Service]", "[Service]\nProtectSystems=strict")):
        (tmp_path / name).write_text(each)
        ours = [line for line in systemd_rig.complaints(tmp_path / name) if "pcscd" not in line]
        assert bool(ours) == ("ProtectSystems" in each), ours


class Service(Stand):
    """All processes by the image's own unit files, but for what needs mounts: the manager of a
    test stands in a namespace of its own and may make none."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        (folder / "systemd").mkdir()
        self.systemd = SystemdRig(folder / "systemd")
        self.systemd.write(DEVICES, "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        self.systemd.write("pcscd.socket", "[Socket]\nListenStream=%t/pcscd\nService=no.service\n")
        for name in (CARD, UPLINK, HOST):
            self.systemd.write(name, self.here((UNITS / name).read_text()))
        self.start_simulator()

    def here(self, text: str) -> str:
        changes = {
            "/usr/lib/sscterm/bin/python": sys.executable,
            "/etc/sscterm/board.toml": str(self.board),
            "WorkingDirectory=/etc/sscterm": f"WorkingDirectory={ROOT}",
            "User=sscterm\n" if "User=sscterm\n" in text else "User=sscterm-host\n": "",
            "RequiresMountsFor=/data\n": "",
        }
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        return re.sub(rf"(?m)^({'|'.join(MOUNTED)})=.*\n", "", text)

    def end(self) -> None:
        self.systemd.stop()
        super().end()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.end()


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_both_processes_serve_with_the_calls_and_sockets_left_to_them(service: Service) -> None:
    """System calls, address families, no executable memory, no network for the card."""
    systemd = service.systemd
    assert systemd.control("start", CARD).returncode == 0
    until(lambda: systemd.show(CARD, "StatusText") == "READY")
    assert systemd.control("start", UPLINK).returncode == 0
    status = Path("/proc", systemd.show(CARD, "MainPID"), "status").read_text()
    assert re.search(r"(?m)^Seccomp:\t2$", status)
    assert re.search(r"(?m)^CapBnd:\t0+$", status)
    assert systemd.control("stop", CARD, UPLINK).returncode == 0
    assert systemd.show(CARD, "Result") == systemd.show(UPLINK, "Result") == "success"


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_the_host_process_serves_in_its_walls_or_has_nothing_to_do(service: Service) -> None:
    systemd = service.systemd
    assert systemd.control("start", HOST).returncode == 0
    until(lambda: systemd.show(HOST, "ActiveState") == "inactive")
    assert systemd.show(HOST, "Result") == "success"
    assert systemd.show(HOST, "NRestarts") == "0"
    at = Remote("127.0.0.1", free_port(), None)
    service.board.write_text(service.board.read_text() + f'[host.lan]\nlisten = "{at}"\n')
    assert systemd.control("start", CARD, HOST).returncode == 0
    until(lambda: answers(at))
    status = Path("/proc", systemd.show(HOST, "MainPID"), "status").read_text()
    assert re.search(r"(?m)^Seccomp:\t2$", status)
    first = systemd.show(HOST, "MainPID")
    systemd.control("kill", "--signal", "KILL", HOST)
    until(lambda: systemd.show(HOST, "MainPID") not in ("0", first) and answers(at))
    assert systemd.control("stop", HOST, CARD).returncode == 0
    assert systemd.show(HOST, "Result") == "success"


def answers(at: Remote) -> bool:
    try:
        return bool(call(at, "status", {}).get("unit") == "DAEMON-1")
    except (Unreachable, AnswerLost):
        return False
