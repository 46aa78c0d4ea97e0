"""A collector in this process: the real server over TLS, in front of an intake of the test's."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

from office.errors import Refused
from office.intake import Taken
from office.offered import Offered
from office.serve import Listener, Settings, serve
from office.tls import server_context
from tests import tls_rig
from tests.waiting import SOON_S


class FakeIntake:
    """Keeps what it was given; the receipt of a batch is "receipt of <SHA-256>"."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, bytes], int] = {}
        self.groups: list[int] = []
        self.taking = 0  # batches of the group that is being taken, or was the last
        self.refuse: Callable[[str, bytes], int | None] = lambda unit, content: None
        self.before: Callable[[], object] = lambda: None
        self.offered: dict[str, list[Offered]] = {}

    def take(self, batches: Sequence[tuple[str | None, bytes]]) -> list[Taken | Refused]:
        self.taking = len(batches)
        self.before()
        self.groups.append(len(batches))
        return [self._one(str(unit), content) for unit, content in batches]

    def _one(self, unit: str, content: bytes) -> Taken | Refused:
        number = self.refuse(unit, content)
        if number is not None:
            return Refused(number, unit)
        times = self.held.get((unit, content), 0)
        self.held[unit, content] = times + 1
        return Taken(unit, 1, 10, receipt_of(content), times == 0)


def receipt_of(content: bytes) -> bytes:
    return b"receipt of " + hashlib.sha256(content).digest()


def offer(what: str, content: bytes, number: int = 1) -> Offered:
    return Offered(what, number, content, hashlib.sha256(content).digest())


class CollectorRig:
    """Use in a `with`; `stop()` waits until everything accepted was answered."""

    def __init__(self, folder: Path, intake: FakeIntake | None = None, connections: int = 100):
        self.intake = intake or FakeIntake()
        self.authority = tls_rig.authority(folder / "office")
        office = SimpleNamespace(path=folder / "office", authority=lambda: self.authority)
        self.context = server_context(office, ["127.0.0.1", "localhost"], tls_rig.now_ms())
        self._folder = folder
        self._connections = connections
        self.addresses: dict[str, Listener] = {}
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def unit(self, name: str) -> Path:
        """A new data_dir with that unit's TLS files."""
        data_dir = self._folder / name
        tls_rig.give_unit(self.authority, name, data_dir)
        return data_dir

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self.addresses["https"].port

    def __enter__(self) -> CollectorRig:
        self._thread.start()
        assert self._started.wait(SOON_S)
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(SOON_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()

        def told(name: str, listener: Listener) -> None:
            self.addresses[name] = listener
            if len(self.addresses) == 2:
                self._started.set()

        @contextlib.contextmanager
        def opened():
            yield self.intake

        settings = Settings(
            Listener("127.0.0.1", 0), Listener("127.0.0.1", 0),
            self.context, opened,
            lambda intake, unit: intake.offered.get(unit, []), told, self._connections,
        )  # fmt: skip
        await serve(settings, self._stop)
