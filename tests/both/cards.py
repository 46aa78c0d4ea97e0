"""Virtual cards in the readers of a real pcscd, plugged in by a test under either interpreter.

The cards themselves live in the process of pytest (tests/card_server.py); here is its client.
"""

import json
import os
import socket

USER_READER = "SSC Terminal User 00 00"
PSAM_READER = "SSC Terminal PSAM 00 00"
ATR_T0 = bytes.fromhex("3B6800000073C84012009000")
ATR_T1 = bytes.fromhex("3B9081119181")
# A command that a Card never answers.
SAY_NOTHING = bytes.fromhex("00FE0000")

_link = []


def ask(**request):
    """One request to the server, its answer.  Raises RuntimeError with the server's words."""
    if not _link:
        host, port = os.getenv("SSC_TEST_CARDS").split(":")
        link = socket.socket()
        link.connect(socket.getaddrinfo(host, int(port))[0][-1])
        _link.append(link)
    _link[0].send(json.dumps(request).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        more = _link[0].recv(4096)
        if not more:
            raise RuntimeError("the server of the cards is gone")
        answer += more
    answer = json.loads(answer.decode())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer


class Card:
    """In its reader when made, and seen there by pcscd; out at the end of a `with`.

    answers: {command: answer}, bytes; another command is answered by its first four bytes and 9000.
    """

    def __init__(self, slot="user", atr=ATR_T0, answers=None):
        table = {}
        for command in answers or {}:
            table[command.hex()] = answers[command].hex()
        self._number = ask(do="plug", slot=slot, atr=atr.hex(), answers=table)["card"]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.pull()

    def pull(self):
        """Out, and seen by pcscd."""
        ask(do="pull", card=self._number)

    def pull_in(self, delay_s):
        """Out after so many seconds; returns at once."""
        ask(do="pull", card=self._number, delay_s=delay_s)

    def orders(self):
        """What the reader ordered since the last call: "on", "off", "reset"."""
        return ask(do="orders", card=self._number)["orders"]

    def commands(self):
        """The commands since the last call, bytes."""
        return [bytes.fromhex(each) for each in ask(do="commands", card=self._number)["commands"]]


def service(is_to_run):
    """Ends pcscd, or starts it again."""
    ask(do="service", run=is_to_run)
