"""T=1: half-duplex transmission of blocks, as a machine (ISO/IEC 7816-3:2006 11).

No I/O and no clock: whole blocks go in, what to send comes out, and how long to wait is a value.
A command is handed to the card once.  A block that the card asks for again by an R-block is sent
again, which the sequence numbers make safe; after S(RESYNCH) they begin anew, and then the command
is never sent again: the exchange has failed, and only the next command finds the card in step.
"""

from __future__ import annotations

from firmware.drivers import t1_block as blocks
from firmware.drivers.t1_block import Block

IFSD = blocks.LONGEST_INF  # what we take, announced at the start
LONGEST_ANSWER = 258  # 256 bytes and the status word
# Rule 7.4: a block is sent three times at most; rule 7.5: so is S(RESYNCH request).
ATTEMPTS = 3
MAX_WTX = 200  # longer than any deadline, were each the shortest
MAX_BLOCKS = 600  # of one exchange, both ways of any kind: an answer in bytes, each asked twice

IDLE, IFS, SENDING, WAITING, RECEIVING, ABORTED, RESYNCH, DEAD = STATES = (
    "idle",  # nothing is under way
    "ifs",  # S(IFS request) is out
    "sending",  # an I-block with more to follow is out
    "waiting",  # the last I-block is out
    "receiving",  # the card's chain is coming
    "aborted",  # the card gave up the chain, and has the word
    "resynch",  # S(RESYNCH request) is out
    "dead",  # only a reset helps
)

EVENTS = (
    "damaged", "silence",
    "I", "I more", "I again",  # in sequence, in sequence with M set, out of sequence
    "R next", "R same",  # N(R) is not, or is, N(S) of our last I-block
    "resynch", "ifs", "abort", "wtx",  # the card's S(... request)
    "resynch done", "ifs done", "abort done", "wtx done",  # its S(... response)
)  # fmt: skip

# States in which our own S(... request) is out.
_REQUESTS = {IFS: Block(blocks.IFS, bytes((IFSD,))), RESYNCH: Block(blocks.RESYNCH)}

# (state, event) -> what happens.  What is not here is "ask": the last question again.
_OF_A_COMMAND = {"ifs": "take_ifs", "abort": "take_abort", "wtx": "take_wtx"}
TABLE = {
    IFS: {"ifs done": "ifs_is_set"},
    SENDING: {**_OF_A_COMMAND, "R next": "send_next", "R same": "send_same"},
    WAITING: {**_OF_A_COMMAND, "R same": "send_same", "I": "take_last", "I more": "take_part"},
    RECEIVING: {**_OF_A_COMMAND, "I": "take_last", "I more": "take_part"},
    ABORTED: {
        **_OF_A_COMMAND,
        "I": "take_last", "I more": "take_part", "R next": "end_abort", "R same": "end_abort",
    },
    RESYNCH: {"resynch done": "is_in_step"},
}  # fmt: skip


class T1:
    """One powered card.  ifsc: the longest INF it takes, 1..254.

    Begin with announce() or begin(), send what comes back, then hand in each block (received) or
    its absence (silence), until `is_over`: then `answer` holds the response, or `failure` says why
    there is none.  waiting: the next block may take so many times BWT.
    """

    def __init__(self, ifsc: int = 32, *, has_crc: bool = False):
        self.has_crc = has_crc
        self.state = IDLE
        self.answer: bytes | None = None
        self.failure: str | None = None
        self.waiting = 1
        self._first_ifsc = self._ifsc = ifsc
        self._our = 0  # N(S) of our next, or outstanding, I-block
        self._their = 0  # N(S) of the card's next
        self._rest = b""  # of the command, from the outstanding I-block on
        self._size = 0  # INF of the outstanding I-block
        self._parts = b""  # of the answer
        self._attempts = 0  # that brought nothing
        self._blocks = 0
        self._extensions = 0

    @property
    def is_over(self) -> bool:
        return self.state in (IDLE, DEAD)

    def announce(self) -> bytes:
        """S(IFS request): the card may send us 254 bytes in a block (11.4.2).  First of all."""
        self._start()
        return self._request(IFS)

    def begin(self, command: bytes) -> bytes:
        """The first block of a command APDU, 4 bytes or more."""
        self._start()
        self._rest = bytes(command)
        return self._send_part()

    def received(self, raw: bytes) -> bytes:
        """The card's block, or what came of it.  What to send, b"" when it is over."""
        block = blocks.decode(raw, has_crc=self.has_crc)
        return self._happens("damaged" if block is None else self._event(block), block)

    def silence(self) -> bytes:
        """No block within the time.  What to send, b"" when it is over."""
        return self._happens("silence", None)

    # -- events ----------------------------------------------------------------------------------

    def _event(self, block: Block) -> str:
        if block.is_i:
            if block.sequence != self._their:
                return "I again"
            return "I more" if block.has_more else "I"
        if block.is_r:
            return "R same" if block.sequence == self._our else "R next"
        names = {blocks.RESYNCH: "resynch", blocks.IFS: "ifs", blocks.ABORT: "abort"}
        name = names.get(block.pcb & ~blocks.RESPONSE, "wtx")
        return f"{name} done" if block.pcb & blocks.RESPONSE else name

    def _happens(self, event: str, block: Block | None) -> bytes:
        if self.is_over:
            raise RuntimeError("no exchange is under way")
        self._blocks += 1
        self.waiting = 1
        if self._blocks > MAX_BLOCKS and self.state != RESYNCH:
            return self._give_up("the card talks without an end")
        name = TABLE[self.state].get(event)
        if name is None:
            return self._ask(event)
        assert block is not None
        out: bytes = getattr(self, f"_{name}")(block)
        return out

    # -- what happens ----------------------------------------------------------------------------

    def _send_next(self, block: Block) -> bytes:
        """Rules 2.2 and 5: the card has the part before."""
        self._rest = self._rest[self._size :]
        self._our ^= 1
        return self._send_part()

    def _send_same(self, block: Block) -> bytes:
        """Rule 7: the card did not get it whole; the same bytes again."""
        self._attempts += 1
        if self._attempts >= ATTEMPTS:
            return self._give_up("the card does not take a block")
        return self._send(self._part())

    def _take_part(self, block: Block) -> bytes:
        if not self._take(block):
            return self._give_up("an answer longer than any card's")
        self.state = RECEIVING
        return self._send(blocks.r_block(self._their), is_new=True)

    def _take_last(self, block: Block) -> bytes:
        if not self._take(block):
            return self._give_up("an answer longer than any card's")
        self.answer, self._parts = self._parts, b""
        return self._end()

    def _take(self, block: Block) -> bool:
        """False: too long.  The card's I-block also says that it has our last one (rule 2.1)."""
        if self.state == WAITING:
            self._our ^= 1
            self._rest = b""
        self._their ^= 1
        self._parts += block.inf
        return len(self._parts) <= LONGEST_ANSWER

    def _take_wtx(self, block: Block) -> bytes:
        """Rule 3: the card needs longer than BWT."""
        self._extensions += 1
        if self._extensions > MAX_WTX:
            return self._give_up("the card wants more time without an end")
        self.waiting = block.inf[0]
        return self._respond(block)

    def _take_ifs(self, block: Block) -> bytes:
        """Rule 4; an outstanding block that is asked for again keeps its size."""
        self._ifsc = block.inf[0]
        return self._respond(block)

    def _take_abort(self, block: Block) -> bytes:
        """Rule 9: the chain is given up, whoever's it was; the card speaks next."""
        self.state, self._rest, self._parts = ABORTED, b"", b""
        return self._respond(block)

    def _end_abort(self, block: Block) -> bytes:
        self._our = block.sequence
        self.failure = "the card gave up the command"
        return self._end()

    def _ifs_is_set(self, block: Block) -> bytes:
        return self._ask("ifs") if block.inf != bytes((IFSD,)) else self._end()

    def _is_in_step(self, block: Block) -> bytes:
        """Rule 6: both begin as after the reset, IFSC too; the card then takes IFSD for 32."""
        self._our = self._their = 0
        self._ifsc = self._first_ifsc
        return self._end()

    def _ask(self, event: str) -> bytes:
        """Rules 7.1 to 7.4: our S(... request) is repeated, all else asked for by an R-block."""
        self._attempts += 1
        if self._attempts >= ATTEMPTS:
            return self._give_up("no whole block came")
        if self.state in _REQUESTS:
            return self._send(_REQUESTS[self.state])
        error = {"damaged": blocks.DAMAGED, "silence": blocks.NO_ERROR}.get(event, blocks.OTHER)
        return self._send(blocks.r_block(self._their, error))

    def _give_up(self, why: str) -> bytes:
        """Rule 7.4: S(RESYNCH request); where that fails too, or nothing ever worked, a reset."""
        self.failure = self.failure or why
        self._parts = self._rest = b""
        if self.state in _REQUESTS:
            self.state = DEAD
            return b""
        return self._request(RESYNCH)

    # -- sending ---------------------------------------------------------------------------------

    def _start(self) -> None:
        if self.state != IDLE:
            raise RuntimeError(f"T=1 is {self.state}: nothing can begin")
        self.answer = self.failure = None
        self._parts = b""
        self._blocks = self._extensions = 0

    def _end(self) -> bytes:
        self.state = IDLE
        return b""

    def _send_part(self) -> bytes:
        self._size = min(self._ifsc, len(self._rest))
        self.state = SENDING if self._size < len(self._rest) else WAITING
        return self._send(self._part(), is_new=True)

    def _part(self) -> Block:
        """The outstanding I-block."""
        inf = self._rest[: self._size]
        return blocks.i_block(self._our, inf, has_more=self.state == SENDING)

    def _request(self, state: str) -> bytes:
        self.state = state
        return self._send(_REQUESTS[state], is_new=True)

    def _respond(self, block: Block) -> bytes:
        """S(... response): the same INF."""
        return self._send(Block(block.pcb | blocks.RESPONSE, block.inf))

    def _send(self, block: Block, *, is_new: bool = False) -> bytes:
        """is_new: the exchange went on, so what failed before no longer counts."""
        if is_new:
            self._attempts = 0
        return blocks.encode(block, has_crc=self.has_crc)


def block_wait_s(bwi: int, clock_hz: float, etu_s: float) -> float:
    """BWT (11.4.3): 11 etu, and 2^BWI times 960 times 372 clocks.  bwi: 0..9."""
    return 11 * etu_s + (1 << bwi) * 960 * 372 / clock_hz


def character_wait_s(cwi: int, etu_s: float) -> float:
    """CWT (11.4.3): 11 etu and 2^CWI etu.  cwi: 0..15."""
    return (11 + (1 << cwi)) * etu_s
