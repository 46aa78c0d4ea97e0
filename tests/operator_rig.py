"""A card loop whose office has sent an operator list: Ann and Bob may all, Cid may pay."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from firmware.authorize.jobs import Jobs
from firmware.authorize.request import Request
from firmware.authorize.service import ServiceCall
from firmware.journal import kinds as rec
from firmware.journal import spool
from firmware.journal.cose import Ed25519Signer
from firmware.journal.record import Record
from firmware.journal.signedfile import make_signed_file
from firmware.terminal import Terminal
from tests.loop_rig import Loop, issue, name_of

OFFICE = Ed25519Signer(b"test office key, invented here!!")
ALL = ["pay", "pin", "block", "tamper"]
PASSWORDS = {"ann": "test password of Ann", "bob": "test password of Bob", "cid": "test, Cid's"}
RIGHTS = {"ann": ALL, "bob": ALL, "cid": ["pay"]}
COST = [2, 1, 1]  # as cheap as scrypt goes
PAIR = {"operator": "ann", "second": "bob"}
SEEN = {"id_kind": "citizen", "id_tail": "123X"}
REMOVAL_S = 3  # of the rig's board.toml


def row(code: str, rights: list[str], password: str) -> list[Any]:
    salt = hashlib.sha256(code.encode()).digest()[:16]
    n, r, p = COST
    digest = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=32)
    return [code, code.title(), rights, salt, digest]


def rows() -> list[list[Any]]:
    return [row(code, RIGHTS[code], PASSWORDS[code]) for code in PASSWORDS]


def signed(number: int, people: list[list[Any]], signer: Ed25519Signer = OFFICE) -> bytes:
    body = {1: COST, 2: people}
    return make_signed_file(what="operators", number=number, issued_ms=1, body=body, signer=signer)


class Counter(Loop):
    """extra: more keys of [operators]."""

    def __init__(self, folder: Path, extra: str = "", **how: Any):
        (folder / "office.pub").write_text(OFFICE.public_key.hex())
        edit = {
            "[clock]\n": f'[office]\npublic_key = "office.pub"\n[operators]\n{extra}\n[clock]\n'
        }
        super().__init__(folder, edit=edit, **how)
        self.psam = self.rig.psam()
        self.send_list(1, rows())

    def send_list(self, number: int, people: list[list[Any]], **how: Any) -> None:
        path = spool.signed_file_path(self.rig.board.unit.data_dir, "operators")
        spool.write_atomic(path, signed(number, people, **how))
        self.inbox.operators.look()

    def call(self, name: str, run_s: float = 2.0, **params: str) -> str:
        """The outcome's name; what was told is in self.told."""
        return self.serve(ServiceCall(name, params), run_s)

    def serve(self, work: ServiceCall | Request, run_s: float = 2.0) -> str:
        """In a card loop of its own: a loop that has stopped does not start again."""
        self.jobs = Jobs()
        self.terminal = Terminal(self.unit, self.inbox, self.jobs, self.hands.wait)
        answer = self.jobs.submit(work)
        assert answer is not None
        self.run(run_s)
        self.told = answer.result(timeout=0)[1]
        return name_of(answer)

    def pay(self, order_no: str, operator: str) -> str:
        """With the card that lies there: it leaves and comes back, as at any start."""
        (label,) = self.rig.region.cards
        if self.world.slot_of(label) is not None:
            self.plan(0.2, self.remove())
        self.plan(0.5, self.insert(label))
        self.world.holder.forget()
        self.world.holder.type_pin("123456")
        return self.serve(Request(order_no, operator, 1000, 0, 0))

    def log_on(self, code: str, password: str | None = None) -> str:
        password = PASSWORDS[code] if password is None else password
        return self.call("operator.logon", 0.2, code=code, password=password)

    def log_on_both(self) -> None:
        assert [self.log_on("ann"), self.log_on("bob")] == ["SERVED", "SERVED"]

    def put(self, **how: Any) -> Any:
        """A card that comes while the loop waits for one."""
        card = issue(self, **how)
        self.plan(0.3, self.insert(card.label))
        return card

    def services(self) -> list[Record]:
        self.unit.journal.flush()
        records = self.unit.journal.records(0, 1000)
        return [each for each in records if each.kind == rec.KIND_SERVICE]

    def newest(self) -> dict[int, Any]:
        return self.services()[-1].body
