"""One payment through pcscd and libccid's own serial driver, before the emulated CCID reader.

    python -m tests.libccid_rig GemCoreSIMPro FOLDER

libccid was written by others, for real readers: what it understands, the emulation says rightly.
A process of its own, because libpcsclite reads the path of its socket once.  Prints the outcome.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from firmware.drivers.pcsc import PcscReader
from firmware.outcome import TransportError
from simulator.ccid_device import CcidDevice
from tests.libccid_pcscd import Entry, LibccidPcscd
from tests.rig import Rig
from tests.waiting import SOON_S

# How libccid knows them: does it echo, is the PSAM in the second slot, is T=1 spoken.
KINDS = {
    "GemPCTwin": (True, False, False),
    "GemCoreSIMPro": (False, True, False),
    "GemCoreSIMPro T=1": (False, True, True),
}
_READY_S = SOON_S


def pay(kind: str, folder: Path) -> str:
    """The name of the outcome."""
    echoes, has_psam, speaks_t1 = KINDS[kind]
    rig = Rig(folder)
    rig.psam()
    slot = "contactless" if speaks_t1 else "user"
    rig.card(slot=slot, generation="3.0", contactless=speaks_t1)
    slots = [rig.world.slot(slot)] + [rig.world.slot("psam")] * has_psam
    entry = Entry("Serial", folder / "reader", kind.split()[0])
    with (
        CcidDevice(folder / "reader", slots, echoes=echoes),
        LibccidPcscd(folder, [entry]) as pcscd,
    ):
        pcscd.wait()
        psam: Any = PcscReader("Serial*01") if has_psam else rig.world.slot("psam")
        user = PcscReader("Serial*00 00")
        _wait(user)
        rig.attach(user, psam)
        rig.unit.psam.start()
        name = rig.pay().name
        user.close()
    return name


def _wait(reader: PcscReader) -> None:
    """Until pcscd has seen the card."""
    ends = time.monotonic() + _READY_S
    while True:
        try:
            if reader.cards_in_reach() == 1:
                return
        except TransportError:
            if time.monotonic() > ends:
                raise
        time.sleep(0.1)


if __name__ == "__main__":
    where = Path(sys.argv[2])
    os.environ["PCSCLITE_CSOCK_NAME"] = str(where / "run" / "pcscd.comm")
    print(pay(sys.argv[1], where))
