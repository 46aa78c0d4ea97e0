"""Runs in the test machine, as root: does what the test asks for, over a virtio-serial port.

One JSON object a line, each done in its own thread:
{"id": N, "argv": [...], "input": text, "timeout_s": seconds} runs a program;
{"id": N, "socket": path, "input": one line, "timeout_s": seconds} asks an AF_UNIX socket;
answered by {"id": N, "status": N, "out": text, "err": text}.  Told unasked: {"up": seconds since
the start} and, when the machine goes down, {"down": what the board's firmware would be told}.
tests/machine/initrd.py puts it there; no release holds it.
"""

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

PORT = "ssc.test"
REBOOT_WORDS = "/run/systemd/reboot-param"
_writing = threading.Lock()


def port():
    ends = time.monotonic() + 300
    while time.monotonic() < ends:
        for name in glob.glob("/sys/class/virtio-ports/*/name"):
            with open(name) as file:
                device = "/dev/" + name.split("/")[-2]
                if file.read().strip() == PORT and os.path.exists(device):
                    return os.open(device, os.O_RDWR)
        time.sleep(0.1)
    sys.exit("no port " + PORT)


def tell(opened, told):
    data = json.dumps(told).encode() + b"\n"
    with _writing:
        while data:
            data = data[os.write(opened, data) :]


def talk(asked):
    """One line there and one back: (status, out, err)."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(asked["timeout_s"])
        try:
            link.connect(asked["socket"])
            link.sendall(asked["input"].encode() + b"\n")
            with link.makefile("rb") as lines:
                return 0, lines.readline(), b""
        except OSError as error:
            return 127, b"", str(error).encode()


def run(asked):
    """(status, out, err) of a program."""
    try:
        done = subprocess.run(
            asked["argv"],
            input=asked.get("input", "").encode(),
            capture_output=True,
            timeout=asked["timeout_s"],
            check=False,
        )
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        return -1, late.stdout or b"", b"not in time"
    except OSError as error:
        return 127, b"", str(error).encode()


def do(opened, asked):
    status, out, err = talk(asked) if "socket" in asked else run(asked)
    answer = {"id": asked["id"], "status": status}
    tell(
        opened, answer | {"out": out.decode(errors="replace"), "err": err.decode(errors="replace")}
    )


def main():
    opened = port()

    def down(*_):
        words = ""
        if os.path.exists(REBOOT_WORDS):
            with open(REBOOT_WORDS) as file:
                words = file.read().strip()
        tell(opened, {"down": words})
        os._exit(0)

    signal.signal(signal.SIGTERM, down)
    tell(opened, {"up": time.monotonic()})
    waiting = b""
    while True:
        came = os.read(opened, 65536)
        if not came:  # nobody at the other end
            time.sleep(0.05)
            continue
        *lines, waiting = (waiting + came).split(b"\n")
        for line in lines:
            try:
                asked = json.loads(line)
            except ValueError:
                continue  # the half of a line whose beginning went to a machine before this one
            threading.Thread(target=do, args=(opened, asked), daemon=True).start()


main()
