"""`sscsim`: make a region, look into it, run it as a process, plug its cards into pcscd.

Exit status: 0, 1 when something failed (the reason and what to do stand on stderr), 2 for a
command line that says nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from simulator import control
from simulator.process import SimulatorProcess
from simulator.region import Region
from simulator.slot import SimulatedSlot
from simulator.vpcd import Plug
from simulator.world import World

# Three holders who do not exist, one for each generation of the card.
_SAMPLES = (
    {"serial": 1, "generation": "1.0", "name": "张三", "balance_fen": 50_000},
    {"serial": 2, "generation": "2.0", "name": "李四", "balance_fen": 120_000},
    {"serial": 3, "generation": "3.0", "name": "王五", "balance_fen": 8_000, "contactless": True},
)
_SAMPLE_PIN = "123456"

_CARD_COLUMNS = (
    "label",
    "card_number",
    "name",
    "generation",
    "balance_fen",
    "yearly_self_fen",
    "yearly_pooled_fen",
    "purchase_serial",
    "pin_tries",
)
_PSAM_COLUMNS = ("label", "terminal_number", "serial")


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (OSError, ValueError, control.Refused) as error:
        print(f"sscsim: {error}", file=sys.stderr)
        return 1
    return 0


def _new(arguments: argparse.Namespace) -> None:
    if arguments.state.exists():
        raise ValueError(f"{arguments.state} exists: choose another name, or remove it first")
    region = Region(arguments.region, arguments.seed, algorithm=arguments.algorithm)
    for sample in _SAMPLES:
        region.issue_card(pin=_SAMPLE_PIN, full=True, **sample)
    region.issue_psam(terminal_number=f"{arguments.region[:6]}000001")
    region.save(arguments.state)
    print(f"{arguments.state}: region {arguments.region}, PIN of each card {_SAMPLE_PIN}")


def _serve(arguments: argparse.Namespace) -> None:
    world = World(_load(arguments.state), arguments.state)
    process = SimulatorProcess(world, arguments.socket)
    plugs = [
        Plug(world.slots[name], port)
        for name, port in (("user", arguments.vpcd_user), ("psam", arguments.vpcd_psam))
        if port is not None
    ]
    for plug in plugs:
        plug.start()
    process.run(ready=lambda: print(f"ready: {arguments.socket}", flush=True))
    for plug in plugs:
        plug.stop()


def _plug(arguments: argparse.Namespace) -> None:
    world = World(_load(arguments.state), arguments.state)
    slot = SimulatedSlot("vpcd", world.lock, world.save)
    slot.insert(world.chip(arguments.card))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    plug = Plug(slot, arguments.port)
    plug.start()
    print(f"plugged into port {arguments.port}; end with Ctrl-C", flush=True)
    stopping.wait()
    plug.stop()
    world.save()


def _show(arguments: argparse.Namespace) -> None:
    world = World(_load(arguments.state))
    cards, psams = control.cards(world), control.psams(world)
    if arguments.json:
        print(json.dumps({"cards": cards, "psams": psams}, ensure_ascii=False, indent=1))
        return
    print(_table(cards, _CARD_COLUMNS))
    print()
    print(_table(psams, _PSAM_COLUMNS))


def _table(rows: list[dict[str, object]], columns: tuple[str, ...]) -> str:
    """Text to the left, numbers to the right of their column."""
    cells = [list(columns)] + [[str(row[name]) for name in columns] for row in rows]
    widths = [max(_width(row[at]) for row in cells) for at in range(len(columns))]
    is_number = [all(isinstance(row[name], int) for row in rows) for name in columns]
    lines = []
    for row in cells:
        line = []
        for cell, width, right in zip(row, widths, is_number, strict=True):
            fill = " " * (width - _width(cell))
            line.append(fill + cell if right else cell + fill)
        lines.append("  ".join(line).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    """Columns in a terminal window: a Chinese character takes two."""
    return sum(2 if character >= "\u2e80" else 1 for character in text)


def _load(path: Path) -> Region:
    if not path.exists():
        raise ValueError(f"no state file {path}: make one with `sscsim new --state {path}`")
    return Region.load(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sscsim", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        added.add_argument("--state", type=Path, required=True, help="the region's state file")
        return added

    new = command("new", _new, "make a state file with three sample cards and a PSAM")
    new.add_argument("--region", default="510100", help="region code, six digits")
    new.add_argument("--seed", default="TEST", help="the invented root keys come from it")
    new.add_argument(
        "--algorithm",
        default="3des",
        choices=["3des", "sm4", "both"],
        help="both: the 3.0 card is SM4, and the PSAM has both environments",
    )

    serve = command("serve", _serve, "hold the region and its readers as a process")
    serve.add_argument("--socket", type=Path, required=True, help="AF_UNIX socket to listen on")
    serve.add_argument("--vpcd-user", type=int, metavar="PORT", help="slot user sits in pcscd")
    serve.add_argument("--vpcd-psam", type=int, metavar="PORT", help="slot psam sits in pcscd")

    plug = command("plug", _plug, "plug one card or PSAM into pcscd, through vsmartcard-vpcd")
    plug.add_argument("--card", required=True, metavar="LABEL", help="as `sscsim show` says")
    plug.add_argument("--port", type=int, required=True, help="vpcd's TCP port")

    show = command("show", _show, "a table of the cards and PSAMs, with their money")
    show.add_argument("--json", action="store_true", help="one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
