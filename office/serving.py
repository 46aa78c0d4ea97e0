"""`sscoffice serve` put together: the folder's store and certificate behind the collector."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from office import serve, tls
from office.errors import Refused
from office.folder import Folder
from office.intake import File, Intake, Taken
from office.offered import Offered, Offers


class FolderIntake:
    """Of one folder; made and used in the writer's thread."""

    def __init__(self, folder: Folder):
        self._folder = folder
        self._intake = Intake(folder)
        self._offers = Offers(folder)

    def take(self, batches: Sequence[File]) -> list[Taken | Refused]:
        return self._intake.take(batches)

    def offers(self, unit: str) -> list[Offered]:
        """Raises Refused 801."""
        if not self._folder.store.keys(unit):
            raise Refused(801, unit)
        return self._offers.of(unit)


@contextlib.contextmanager
def open_intake(path: Path) -> Iterator[FolderIntake]:
    with contextlib.closing(Folder(path)) as folder:
        yield FolderIntake(folder)


def run(
    path: Path, *, listen: str, names: list[str] | None, metrics: str | None, connections: int
) -> None:
    """Until SIGTERM.  Raises OfficeError."""
    address = serve.address(listen)
    second = None if metrics is None else serve.loopback(metrics)
    with contextlib.closing(Folder(path)) as folder:
        context = tls.server_context(folder, names or [address.host], int(time.time() * 1000))
    settings = serve.Settings(
        listen=address,
        metrics=second,
        context=context,
        open_intake=lambda: open_intake(path),
        offers=lambda intake, unit: intake.offers(unit),
        told=_tell,
        connections=connections,
    )
    serve.run(lambda: settings)


def _tell(name: str, listener: serve.Listener) -> None:
    """On standard output, for whoever started it with port 0."""
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    print(f"{name} {host}:{listener.port}", flush=True)
