"""`sscoffice serve` put together: the folder's store and certificate behind the collector."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from firmware.uplink import subjects
from office import drop, serve, tls
from office.dashboard.pages import Dashboard, password_of
from office.day import now_ms
from office.errors import OfficeError, Refused
from office.folder import Folder
from office.intake import File, Intake, Taken
from office.nats import NatsOffice, Server
from office.offered import UNITSTOP, Offered, Offers
from office.writer import Busy, Writer

Done = dict[str, Any]
"""batches, records, repeated, refused, duplicates: what one pull did, for --json."""

_COLLECTOR = re.compile("[A-Za-z0-9-]{1,32}", re.ASCII)
IDLE_S = 1.0  # `pull --nats` ends when nothing came for so long


class FolderIntake:
    """Of one folder; made and used in the writer's thread."""

    def __init__(self, folder: Folder, collector: str = ""):
        self._folder = folder
        self._intake = Intake(folder, collector)
        self._offers = Offers(folder)

    def take(self, batches: Sequence[File]) -> list[Taken | Refused]:
        return self._intake.take(batches)

    def offers(self, unit: str) -> list[Offered]:
        """Of a revoked unit only its stop: it has to say so itself.  Raises Refused 801."""
        store = self._folder.store
        if not store.keys(unit):
            raise Refused(801, unit)
        row = store.row("SELECT revoked_ms FROM units WHERE unit = ?", unit)
        if row is not None and row[0] is not None:
            return [each for each in self._offers.of(unit) if each.what == UNITSTOP]
        return self._offers.of(unit)

    def by_subject(self) -> dict[str, list[Offered]]:
        """For NATS: what all units may fetch, and what one alone may."""
        for_all, for_one = self._offers.everyones()
        return {subjects.ALL: for_all} | {unit: [each] for unit, each in for_one.items()}


@contextlib.contextmanager
def open_intake(path: Path, collector: str = "") -> Iterator[FolderIntake]:
    """collector: one of several with the same store."""
    with contextlib.closing(Folder(path)) as folder:
        yield FolderIntake(folder, collector)


class NatsArguments(NamedTuple):
    """As the command line names them."""

    url: str
    ca: Path | None
    credentials: Path | None
    leaves: tuple[str, ...]
    hub: str | None

    def server(self, folder: Folder) -> Server:
        """With the office's own certificate under TLS.  Raises OfficeError."""
        context = None
        if self.url.startswith("tls:"):
            context = tls.client_context(folder, now_ms())
            if self.ca is not None:
                tls.trust(context, self.ca)
        elif not self.url.startswith("nats:"):
            raise OfficeError(931, f"{self.url!r:.80} is not tls://HOST:PORT or nats://HOST:PORT")
        if self.leaves and not self.hub:
            raise OfficeError(931, "--leaf needs --hub, our own JetStream domain")
        return Server(self.url, context, self.credentials, self.leaves, self.hub)


def run(
    path: Path,
    *,
    listen: str,
    names: list[str] | None,
    metrics: str | None,
    dashboard: str | None,
    connections: int,
    nats: NatsArguments | None,
    collector: str = "",
    told: Callable[[str, str, int], None],
) -> None:
    """Until SIGTERM.  told: name, host and port of what is listened on.  Raises OfficeError."""
    if collector and not _COLLECTOR.fullmatch(collector):
        raise OfficeError(930, f"--collector {collector!r:.40}: letters, digits and -, at most 32")
    address = serve.address(listen)
    second = None if metrics is None else serve.loopback(metrics)
    for_others = None
    with contextlib.closing(Folder(path)) as folder:
        context = tls.server_context(folder, names or [address.host], now_ms())
        if dashboard is not None:
            for_others = serve.ForOthers(
                serve.address(dashboard), tls.page_context(folder), password_of(path)
            )
        server = None if nats is None else nats.server(folder)
    settings = serve.Settings(
        listen=address,
        metrics=second,
        context=context,
        open_intake=lambda: open_intake(path, collector),
        offers=lambda intake, unit: intake.offers(unit),
        told=lambda name, at: told(name, at.host, at.port),
        connections=connections,
        beside=None if server is None else partial(_serve_nats, server),
        dashboard=Dashboard(path),
        for_others=for_others,
    )
    serve.run(lambda: settings)


async def _serve_nats(server: Server, writer: Writer, stop: asyncio.Event) -> None:
    """Through the same writer as the collector: one tree, one order."""

    async def take(batches: Sequence[tuple[str, bytes]]) -> list[Taken | Refused]:
        try:
            return list(await asyncio.gather(*(writer.take(*each) for each in batches)))
        except Busy as error:
            raise OfficeError(931, str(error)) from None

    async def offers() -> dict[str, list[Offered]]:
        return await writer.ask(lambda intake: intake.by_subject())

    await NatsOffice(server, take, offers).serve(stop)


def pull_nats(path: Path, nats: NatsArguments, progress: drop.Progress) -> Done:
    """Everything that waits; what became of it, for --json.  Raises OfficeError 931."""
    seen = 0
    done = _nothing_done()
    with contextlib.closing(Folder(path)) as folder:
        intake = FolderIntake(folder)

        async def take(batches: Sequence[tuple[str, bytes]]) -> list[Taken | Refused]:
            nonlocal seen
            seen += len(batches)
            progress("nats", seen)
            return _counted(done, batches, intake.take(batches))

        async def offers() -> dict[str, list[Offered]]:
            return intake.by_subject()

        office = NatsOffice(nats.server(folder), take, offers)
        asyncio.run(office.run(lambda: False, idle_s=IDLE_S))
    return done


def pull_folder(path: Path, stick: Path, progress: drop.Progress) -> Done:
    """What lies in a stick's folder, the same way.  Raises OfficeError 932."""
    done = _nothing_done()
    with contextlib.closing(Folder(path)) as folder:
        intake = FolderIntake(folder)

        def take(batches: Sequence[tuple[str, bytes]]) -> list[Taken | Refused]:
            return _counted(done, batches, intake.take(batches))

        drop.pull(stick, take, intake.by_subject(), progress)
    return done


def _nothing_done() -> Done:
    return {"batches": 0, "records": 0, "repeated": 0, "refused": [], "duplicates": []}


def _counted(
    done: Done, batches: Sequence[tuple[str, bytes]], answers: list[Taken | Refused]
) -> list[Taken | Refused]:
    for (unit, _), answer in zip(batches, answers, strict=True):
        _count(done, unit, answer)
    return answers


def _count(done: Done, unit: str, answer: Taken | Refused) -> None:
    if isinstance(answer, Refused):
        refused = {"unit": unit, "error": answer.number, "detail": answer.detail}
        done["refused"].append(refused)
        return
    done["batches" if answer.is_new else "repeated"] += 1
    done["records"] += answer.records if answer.is_new else 0
    done["duplicates"] += [list(each) for each in answer.duplicates]
