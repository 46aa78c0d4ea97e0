"""A card of a few lines in a process of its own: it must cost little beside what is measured.

usage: python -m tests.bench.shim_card PORT      until pcscd closes, or it is killed
"""

from __future__ import annotations

import socket
import sys

ATR = bytes.fromhex("3B9081119181")
ANSWER = bytes(range(20)) + b"\x90\x00"


def serve(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.settimeout(None)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = {b"\x04": _framed(ATR)}
        silent = {bytes((order,)) for order in (0, 1, 2)}
        framed = _framed(ANSWER)
        got = b""
        while True:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            more = link.recv(4096)
            if not more:
                return
            got += more
            while len(got) > 2 and len(got) >= (end := 2 + int.from_bytes(got[:2], "big")):
                body, got = got[2:end], got[end:]
                if body not in silent:
                    link.sendall(answers.get(body, framed))


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(2, "big") + body


if __name__ == "__main__":
    serve(int(sys.argv[1]))
