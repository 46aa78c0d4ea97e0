"""`make demo`: one morning at a pharmacy, from the card to the back office.

    python -m simulator.morning [--keep DIR] [--link serial|https|nats|drop]

Starts the firmware as a process of its own, with card and PSAM in a simulator process that survives
it, plays the scenes of scenes.py, lets the office pull, and holds the office's records against the
simulator's own file.  The last line is one JSON object; exit status 0 only if all of it is right.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import os
import signal
import sys
from pathlib import Path

from simulator import audit, links
from simulator.cashier import Cashier, TerminalRefused
from simulator.client import ControlClient, ControlError
from simulator.counter import Counter, shows
from simulator.narrator import DIM, RED, Narrator, yuan
from simulator.region import Region
from simulator.scenes import PEOPLE, PLACES, REGION, STEPS, STOPPED, Place
from simulator.stage import Failed, Stage

FAILURES = (
    Failed, TerminalRefused, ControlError, links.LinkFailed, OSError, ValueError, KeyError
)  # fmt: skip
CHINA = dt.timezone(dt.timedelta(hours=8))


def issue_region(path: Path, now: dt.datetime) -> Region:
    """Cards and PSAMs, written to the state file.  The insurance year began half a year ago."""
    begun = now - dt.timedelta(days=182)
    expiry = f"{now.year + 5}1231"
    region = Region(REGION)
    for serial, (person, holds) in enumerate(PEOPLE.items(), 1):
        region.issue_card(
            serial=serial,
            label=person.label,
            name=person.name,
            pin=person.pin,
            generation=person.generation,
            contactless=person.has_antenna,
            expiry=expiry,
            year=f"{begun:%Y}",
            start_day=f"{begun:%m%d}",
            **holds,
        )
    for place in PLACES:
        region.issue_psam(place.terminal_number, expiry=expiry, label=place.unit)
    region.save(path)
    return region


class Morning:
    """The play.  `play` may be called once."""

    def __init__(self, stage: Stage, narrator: Narrator):
        self._stage = stage
        self._narrator = narrator
        self._book: dict[str, str] = {}
        self._step = 0
        self._written = 0

    def play(self) -> audit.Verdict:
        """Raises Failed, TerminalRefused, ControlError, OSError, ValueError."""
        stage, say = self._stage, self._narrator.says
        began = dt.datetime.now(CHINA)
        self._narrator.heading("开业前", "Before the shop opens")
        if stage.is_kept:
            say("stage", f"文件 files: {stage.folder}")
        region = issue_region(stage.state, began)
        before = audit.money_of(stage.state)
        simulator, control = stage.start_simulator()
        chips = f"{len(region.cards)} cards, {len(region.psams)} PSAMs, invented keys"
        say("stage", f"模拟器 simulator, pid {simulator.pid}: {chips}")
        stage.make_office()
        stopped = region.cards[STOPPED.label]
        entry = f"{stopped.card_id.hex()}:{stopped.card_number}"
        stage.office("stop-list", "add", "--card", entry, "--out", str(stage.stop_list))
        say("office", f"签发停用名单 signs a stop list: the card of {STOPPED.name}")
        for place in PLACES:
            self._play_at(place, control)
        stage.end(simulator)
        rows = self._show_days(began, dt.datetime.now(CHINA))
        accounts = audit.accounts(
            before,
            audit.money_of(stage.state),
            {region.cards[person.label].card_number: person.name for person in PEOPLE},
            rows,
            {place.unit: place.mapping for place in PLACES},
        )
        found = stage.office_json("check")
        return audit.Verdict(self._written, len(rows), found, accounts, self._book)

    def _play_at(self, place: Place, control: ControlClient) -> None:
        counter = self._open(place, control)
        for scene in place.scenes:
            self._step += 1
            self._narrator.heading(scene.zh, scene.en, f"{self._step}/{STEPS}")
            for act, *arguments in scene.acts:
                act(counter, *arguments)
        self._pull(place, counter.cashier)
        status = self._stage.end(counter.terminal)
        if status:
            raise Failed(f"terminal {place.unit} ended with {status} after SIGTERM")

    def _open(self, place: Place, control: ControlClient) -> Counter:
        """PSAM in, terminal on, enrolled at the office."""
        stage, say = self._stage, self._narrator.says
        folder = stage.write_board(
            place.unit,
            region=REGION,
            terminal_number=place.terminal_number,
            mapping=place.mapping,
        )
        control.remove(slot="psam")
        control.insert(slot="psam", label=place.unit)
        terminal, cashier = stage.start_terminal(place.unit)
        say("stage", f"终端 terminal {place.unit}, pid {terminal.pid}: mapping {place.mapping}")
        data = folder / "data"
        stage.office("enrol", str(data / "enrolment.cose"), "--yes", "--out", str(data))
        say("office", f"登记终端 enrols {place.unit}")
        counter = Counter(stage, self._narrator, place.unit, control, terminal, cashier, self._book)
        shows(counter, "READY")
        return counter

    def _pull(self, place: Place, cashier: Cashier) -> None:
        """Until the office holds as many records as the terminal has written, and said so."""
        zh, en = self._stage.way.told
        self._narrator.heading(f"后台收取（{zh}）", f"The office pulls {place.unit} {en}")
        stage, say = self._stage, self._narrator.says
        held = 0

        def complete() -> int | None:
            nonlocal held
            pulled = stage.pull(place.unit)
            if pulled["refused"] or pulled["duplicates"]:
                raise Failed(f"the office refused batches or found duplicates: {pulled}")
            held += pulled["records"]
            if pulled["batches"]:
                got = f"batches {pulled['batches']}, records {pulled['records']}"
                say("office", f"验签入库并回执 {got}: verified, stored, receipted")
            written: int = cashier.call("status")["journal"]["records"]
            return written if held == written else None

        self._written += stage.until(f"the office holds every record of {place.unit}", complete)

        def receipted() -> bool | None:
            stage.way.deliver(place.unit)
            return cashier.call("status")["journal"]["batches_out"] == 0 or None

        stage.until(f"{place.unit} has verified every receipt", receipted)
        say("stage", f"回执有效 {place.unit} verified the receipts of its {held} records")

    def _show_days(self, *moments: dt.datetime) -> list[audit.Row]:
        """The office's tables; a morning is one day, but for one that is played at midnight."""
        self._narrator.heading("日报", "The day, one row per record")
        rows: list[audit.Row] = []
        for date in sorted({f"{each:%Y-%m-%d}" for each in moments}):
            self._narrator.text(self._stage.office("day", "--date", date))
            rows += self._stage.office_json("day", "--date", date)["rows"]
        return rows


def show_money(narrator: Narrator, accounts: list[audit.Account]) -> None:
    """Account: start, loads, payments, and what the card holds; the yearly totals."""
    narrator.heading("对账", "The money of each card, by the simulator's own file")
    rows = [["持卡人 holder", "卡号 card", "账户 account", "+ 充值 loads", "- 付款 paid",
             "= 卡内 in card", "年自付 self-pay", "年统筹 pooled", ""]]  # fmt: skip
    for each in accounts:
        before, due, found = each.before, each.expected, each.found
        loads_fen = found.loads_fen - before.loads_fen
        paid_fen = before.balance_fen + loads_fen - due.balance_fen
        fens = (before.balance_fen, loads_fen, paid_fen, found.balance_fen)
        years = (
            f"{yuan(before.yearly_self_fen)} → {yuan(found.yearly_self_fen)}",
            f"{yuan(before.yearly_pooled_fen)} → {yuan(found.yearly_pooled_fen)}",
        )
        mark = "✓" if each.is_right else "✗"
        rows.append([each.name, each.card_number, *map(yuan, fens), *years, mark])
    narrator.table(rows, right=set(range(2, 8)))


def conclude(narrator: Narrator, verdict: audit.Verdict) -> int:
    """Prints the money, the complaints if there are any, and the JSON line; the exit status."""
    show_money(narrator, verdict.accounts)
    complaints = verdict.complaints()
    for line in complaints:
        narrator.text(f"✗ {line}", RED)
    narrator.text("\n" + json.dumps(verdict.to_json()))
    return 1 if complaints else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.morning", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files in a new folder")
    parser.add_argument("--link", choices=links.NAMES, default="serial", help="to the office")
    arguments = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Chinese shows "?"
    narrator = Narrator(sys.stdout)
    try:
        with Stage(arguments.keep, arguments.link) as stage:
            return _played(stage, narrator)
    except Failed as error:
        return _failed(narrator, str(error))
    except KeyboardInterrupt:
        _failed(narrator, "interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # nobody reads what we print
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _played(stage: Stage, narrator: Narrator) -> int:
    try:
        return conclude(narrator, Morning(stage, narrator).play())
    except FAILURES as error:
        narrator.text(f"\n{stage.tails()}", DIM)
        return _failed(narrator, str(error) or type(error).__name__)


def _failed(narrator: Narrator, why: str) -> int:
    narrator.text(f"✗ {why}", RED)
    narrator.text(json.dumps({"ok": False, "error": why}, ensure_ascii=False))
    return 1


if __name__ == "__main__":
    sys.exit(main())
