"""`sscoffice pull`, `push` and `serve`: the acts that need a link to units."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.journal.signedfile import MAX_FILE
from office import files, status, stoplist
from office.errors import LinkError
from office.folder import Folder
from office.line import DEFAULT_BAUD, SerialLink
from office.link import Link
from office.pull import Pulled, pull, pull_announced
from office.web import HttpLink

if TYPE_CHECKING:
    from office import serving

Act = Callable[[argparse.Namespace], int]
AddAct = Callable[[str, Act, str], argparse.ArgumentParser]


def add(act: AddAct) -> None:
    """Their arguments; act: one of the parser's acts, by name, function and text."""
    one = act("pull", _pull, "收取批次 · fetch, verify, store, receipt")
    way = _add_link(one)
    way.add_argument("--nats", metavar="URL", help="all units' batches from NATS JetStream")
    way.add_argument("--folder", type=Path, metavar="PATH", help="a USB stick's ssc-drop")
    _add_nats(one)
    one.add_argument("--all", action="store_true", help="compare batches already stored, too")
    one.add_argument("--listen", type=float, nargs="?", const=math.inf, metavar="SECONDS",
                     help="and wait for what the unit announces; --serial only")  # fmt: skip
    one.add_argument("--json", action="store_true")

    one = act("push", _push, "下发文件 · hand a signed file to a unit")
    one.add_argument("file", type=Path)
    _add_link(one)
    one.add_argument("--json", action="store_true")

    one = act("serve", _serve, "接收服务 · the collector: units send over HTTPS")
    one.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    one.add_argument("--name", action="append", metavar="HOST",
                     help="by which units know this server; default: the address")  # fmt: skip
    one.add_argument("--metrics", metavar="ADDRESS:PORT",
                     help="for Prometheus, and the page of the office; loopback only")  # fmt: skip
    one.add_argument("--dashboard-listen", metavar="ADDRESS:PORT",
                     help="the page for others: TLS, with dashboard.password")  # fmt: skip
    one.add_argument("--nats", metavar="URL", help="take batches from NATS JetStream too")
    _add_nats(one)
    one.add_argument("--connections", type=int, default=4000, help="at the same time")
    one.add_argument("--collector", default="", metavar="NAME",
                     help="of one of several that share a PostgreSQL store")  # fmt: skip
    one.add_argument("--json", action="store_true", help="one object for each address listened on")


def _add_nats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nats-ca", type=Path, metavar="FILE", help="default: ca.crt of the office"
    )
    parser.add_argument("--nats-credentials", type=Path, metavar="FILE", help="mode 0600")
    parser.add_argument("--hub", metavar="DOMAIN", help="our JetStream domain, where leaves are")
    parser.add_argument(
        "--leaf", action="append", default=[], metavar="DOMAIN", help="a leaf node's"
    )


def _add_link(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--serial", metavar="DEVICE")
    way.add_argument("--http", metavar="URL", help="https:// needs --unit")
    parser.add_argument("--baud", type=int, default=DEFAULT_BAUD)
    parser.add_argument("--unit", help="the unit that must be at the other end")
    return way


def _pull(arguments: argparse.Namespace) -> int:
    if arguments.nats or arguments.folder:
        return _pull_all(arguments)
    if arguments.listen is not None:
        return _listen(arguments)
    with office_of(arguments) as office, _link(arguments, office) as link:
        done = pull(office, link, _progress, unit=arguments.unit, again=arguments.all)
    return _tell(done, arguments.json)


def _listen(arguments: argparse.Namespace) -> int:
    """Each pull is told; the worst of them is the status."""
    if arguments.serial is None:
        raise LinkError(706, "--listen needs --serial: an announcement comes over no other link")
    ends = []
    with office_of(arguments) as office, _link(arguments, office) as link:
        assert isinstance(link, SerialLink)
        pulls = pull_announced(
            office, link, _progress, unit=arguments.unit, seconds=arguments.listen
        )
        with contextlib.suppress(KeyboardInterrupt):
            for done in pulls:
                ends.append(_tell(done, arguments.json))
    return status.worst(ends)


def _tell(done: Pulled, as_json: bool) -> int:
    for batch, refusal in done.refused:
        print(f"批次 batch {batch}\n{refusal.lines}", file=sys.stderr)
    for each in done.duplicates:
        print(
            f"重复付款 · paid twice: {each.unit} {each.done} = {each.other_unit} {each.other_done}",
            file=sys.stderr,
        )
    if as_json:
        print(json.dumps(_pulled_json(done)), flush=True)
    else:
        print(
            f"{done.unit}: 新批次 batches {done.batches}, 记录 records {done.records}, "
            f"再次 repeated {done.repeated}, 拒收 refused {len(done.refused)}, "
            f"重复 duplicates {len(done.duplicates)}",
            flush=True,
        )
    if not done.is_clean:
        return status.FAILED
    return status.DONE if done.batches or done.repeated else status.NOTHING


def _pull_all(arguments: argparse.Namespace) -> int:
    """Of every unit at once, over NATS or from a stick."""
    from office import serving  # nats-py only where it is used

    server = _nats_server(arguments)
    if server is not None:
        done = serving.pull_nats(arguments.dir, server, _counted)
    else:
        done = serving.pull_folder(arguments.dir, arguments.folder, _counted)
    if arguments.json:
        print(json.dumps(done))
    else:
        print(
            f"新批次 batches {done['batches']}, 记录 records {done['records']}, "
            f"再次 repeated {done['repeated']}, 拒收 refused {len(done['refused'])}, "
            f"重复 duplicates {len(done['duplicates'])}"
        )
    if done["refused"] or done["duplicates"]:
        return status.FAILED
    return status.DONE if done["batches"] or done["repeated"] else status.NOTHING


def _counted(unit: str, batches: int) -> None:
    print(f"{unit}: {batches}", file=sys.stderr)


def _nats_server(arguments: argparse.Namespace) -> serving.NatsArguments | None:
    from office import serving

    if arguments.nats is None:
        return None
    return serving.NatsArguments(
        arguments.nats,
        arguments.nats_ca,
        arguments.nats_credentials,
        tuple(arguments.leaf),
        arguments.hub,
    )


def _pulled_json(done: Pulled) -> dict[str, object]:
    return {
        "unit": done.unit,
        "batches": done.batches,
        "records": done.records,
        "repeated": done.repeated,
        "refused": [{"batch": b, "error": r.number, "detail": r.detail} for b, r in done.refused],
        "duplicates": [list(each) for each in done.duplicates],
        "damaged_frames": done.damaged_frames,
    }


def _push(arguments: argparse.Namespace) -> int:
    raw = files.read(arguments.file, MAX_FILE)
    with office_of(arguments) as office, _link(arguments, office) as link:
        signed = stoplist.own_file(office, raw)
        if arguments.unit is not None:
            _expect(link, arguments.unit)
        link.put_down(signed.what, raw, lambda held, size: _progress(signed.number, held, size))
    told = {"what": signed.what, "number": signed.number, "bytes": len(raw)}
    text = f"已下发 · handed over: {signed.what} {signed.number}, {len(raw)} B"
    status.tell(arguments, told, text)
    return status.DONE


def _expect(link: Link, unit: str) -> None:
    found = link.hello().unit
    if found != unit:
        raise LinkError(705, f"{found!r:.80} instead of {unit!r}")


def _serve(arguments: argparse.Namespace) -> int:
    from office import serving  # aiohttp only where there is a server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    serving.run(
        arguments.dir,
        listen=arguments.listen,
        names=arguments.name,
        metrics=arguments.metrics,
        dashboard=arguments.dashboard_listen,
        connections=arguments.connections,
        nats=_nats_server(arguments),
        collector=arguments.collector,
        told=_listening_json if arguments.json else _listening,
    )
    return status.DONE


def _listening(name: str, host: str, port: int) -> None:
    """On standard output, for whoever started it with port 0."""
    print(f"{name} {f'[{host}]' if ':' in host else host}:{port}", flush=True)


def _listening_json(name: str, host: str, port: int) -> None:
    print(json.dumps({"listener": name, "host": host, "port": port}), flush=True)


@contextlib.contextmanager
def office_of(arguments: argparse.Namespace) -> Iterator[Folder]:
    with contextlib.closing(Folder(arguments.dir)) as office:
        yield office


@contextlib.contextmanager
def _link(arguments: argparse.Namespace, office: Folder) -> Iterator[Link]:
    link: Link
    if arguments.serial:
        link = SerialLink(arguments.serial, arguments.baud)
    else:
        link = _http_link(arguments.http, arguments.unit, office)
    with contextlib.closing(link):
        yield link


def _http_link(url: str, unit: str | None, office: Folder) -> HttpLink:
    if not url.startswith("https:"):
        return HttpLink(url)
    from office import tls

    if unit is None:
        raise LinkError(706, "https:// needs --unit: its name stands in the unit's certificate")
    return HttpLink(url, tls=(tls.client_context(office, int(time.time() * 1000)), unit))


def _progress(number: int, held: int, size: int) -> None:
    """On a terminal a line that moves, elsewhere one line a file."""
    percent = 100 * held // size if size else 100
    if sys.stderr.isatty():
        end = "\n" if held == size else "\r"
        print(f"{number}: {percent:3d} % {held}/{size} B", end=end, file=sys.stderr, flush=True)
    elif held == size:
        print(f"{number}: {size} B", file=sys.stderr)
