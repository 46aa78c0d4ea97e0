"""The conversation with the PSAM.  It stays powered; its keys never leave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.apdu import SW_OK, CommandApdu, ResponseApdu
from firmware.channel import Channel
from firmware.outcome import Fault, ProtocolError, StatusError, TransportError
from firmware.psam import commands
from firmware.psam.keys import fold_mac, pad
from firmware.psam.keytable import PURCHASE_KEYS, OpenKey, PsamKey

MAC_LENGTH = 4


@dataclass(frozen=True)
class PsamIdentity:
    """What a PSAM says of itself."""

    terminal: bytes  # terminal number, cn 6: issuing region 3, then 3 of the issuer
    valid_from: int  # YYYYMMDD, the latest start of the levels it holds
    valid_until: int  # YYYYMMDD, the earliest expiry
    key_index: int | None  # purchase key index, from the lowest level it holds

    @property
    def region(self) -> str:
        return self.terminal[:3].hex()


class PsamFault(Fault):
    """The PSAM failed or refused; `name` is the outcome: PSAM_SILENT, PSAM_REFUSED, ..."""

    def __init__(self, what: str, name: str):
        super().__init__(what)
        self.name = name


@dataclass
class Environment:
    """One algorithm's tree in the PSAM, and what start-up found out of it."""

    algorithm: int
    identity: PsamIdentity
    purchase_factors: int
    factors: dict[str, int]
    """Key name -> number of diversification factors this PSAM takes; a missing key is not in it."""

    @property
    def block(self) -> int:
        return commands.ENVIRONMENTS[self.algorithm][1]


class PsamSession:
    """Named commands.  Everything but CREDIT raises PsamFault."""

    def __init__(self, power_on: Callable[[], Channel]):
        """power_on: power-cycles the slot and gives its channel; may raise TransportError."""
        self._power_on = power_on
        self._channel: Channel | None = None
        self._environments: dict[int, Environment] = {}
        self._current: Environment | None = None

    @property
    def algorithms(self) -> tuple[int, ...]:
        """Of the environments this PSAM has, the first found first; empty before `start`."""
        return tuple(self._environments)

    @property
    def algorithm(self) -> int | None:
        """Of the environment selected last."""
        return None if self._current is None else self._current.algorithm

    @property
    def identity(self) -> PsamIdentity | None:
        """By the environment selected last; dates and key index may differ between them."""
        return None if self._current is None else self._current.identity

    # -- start -----------------------------------------------------------------------------------

    def start(self, purchase_factors: int = 1) -> PsamIdentity:
        """Power up; in each environment there is: file 0016, DF01, dates, the keys' levels."""
        self._environments, self._current = {}, None
        try:
            self._channel = self._power_on()
        except (TransportError, ProtocolError) as error:
            raise _fault_of(error) from error
        for algorithm in commands.ENVIRONMENTS:
            terminal = self._terminal_number(algorithm)
            if terminal is None:
                continue
            self._ok("SELECT DF01", self._transmit(commands.select_df01()))
            found = Environment(algorithm, self._validity(terminal), purchase_factors, {})
            self._probe(found)
            self._environments[algorithm] = found
        if not self._environments:
            raise PsamFault("the card in this slot has no file 0016: no PSAM", "PSAM_MISSING")
        first = next(iter(self._environments.values()))
        self.select(first.algorithm)
        return first.identity

    def _terminal_number(self, algorithm: int) -> bytes | None:
        """File 0016 at the environment's MF: what makes this card a PSAM (its role is proved)."""
        if self._transmit(commands.select_environment(algorithm)).sw != SW_OK:
            return None
        answer = self._transmit(commands.read_binary(commands.SFI_TERMINAL_INFO, 6))
        return answer.data if answer.sw == SW_OK and len(answer.data) == 6 else None

    def _validity(self, terminal: bytes) -> PsamIdentity:
        start, until, index = 0, 99991231, None
        for sfi in (
            commands.SFI_NATIONAL_INFO,
            commands.SFI_PROVINCIAL_INFO,
            commands.SFI_CITY_INFO,
        ):
            raw = self._read(sfi, 10)
            if raw is None:
                continue
            index = raw[0]
            start = max(start, _date(raw[2:6]))
            until = min(until, _date(raw[6:10]))
        return PsamIdentity(terminal, start, until, index)

    def _probe(self, environment: Environment) -> None:
        """For each key: the number of factors this PSAM takes, or that it lacks the key."""
        for key in PURCHASE_KEYS:
            count = self._level_of(key, environment.block)
            if count is not None:
                environment.factors[key.name] = count

    def _level_of(self, key: PsamKey, block: int) -> int | None:
        for count in (key.usual_factors, *(n for n in (3, 2, 1) if n != key.usual_factors)):
            answer = self._deliver(key, count, bytes(8 * count), bytes(block))
            if answer.sw == SW_OK:
                return count
            if answer.sw not in commands.LEGAL_DELIVER_SESSION_KEY:
                raise PsamFault(f"BFDE answered {answer.sw:04X}", "PSAM_REFUSED")
        return None

    def has_key(self, key: PsamKey) -> bool:
        """In the environment selected last."""
        return self._current is not None and key.name in self._current.factors

    # -- use -------------------------------------------------------------------------------------

    def select(self, algorithm: int) -> None:
        """The environment for that algorithm byte, then its DF01."""
        environment = self._environments.get(algorithm)
        if environment is None:
            self._selected()  # no PSAM at all is another fault
            raise PsamFault(f"the PSAM lacks algorithm {algorithm:02X}", "PSAM_KEY_MISSING")
        answer = self._transmit(commands.select_environment(algorithm))
        self._ok("SELECT environment", answer)
        self._ok("SELECT DF01", self._transmit(commands.select_df01()))
        self._current = environment

    def _selected(self) -> Environment:
        if self._channel is None or not self._environments:
            raise PsamFault("the PSAM is not powered", "PSAM_MISSING")
        return self._current or next(iter(self._environments.values()))

    def read_serial(self) -> bytes:
        """Terminal serial (EF 0019), 4 bytes: the value the next purchase will carry."""
        raw = self._read(commands.SFI_TERMINAL_SERIAL, 4)
        if raw is None:
            raise PsamFault("file 0019 is missing", "PSAM_REFUSED")
        return raw

    def deliver_session_key(
        self, key: PsamKey, factors: tuple[bytes, bytes, bytes], process_factor: bytes
    ) -> None:
        """Prepare the card's session key for process factor 8; factors: card, city, province.

        The number of factors is known from `start`, or found at a key's first use.
        """
        environment = self._selected()
        count = environment.factors.get(key.name)
        if count is None and key not in PURCHASE_KEYS:
            count = self._level_of(key, environment.block)
            if count is not None:
                environment.factors[key.name] = count
        if count is None:
            raise PsamFault(f"the PSAM lacks {key.name}", "PSAM_KEY_MISSING")
        padded = process_factor + bytes(environment.block - 8)
        answer = self._deliver(key, count, b"".join(factors[:count]), padded)
        if answer.sw == 0x6A88:
            raise PsamFault(f"the PSAM lacks {key.name}", "PSAM_KEY_MISSING")
        self._ok("DELIVERY SESSION KEY", answer)

    def authentication_data(
        self,
        key: PsamKey,
        factors: tuple[bytes, bytes, bytes],
        process_factor: bytes,
        original: bytes,
    ) -> bytes:
        """8 bytes for process factor 8 and original 8; factors: card, city, province, 8 each."""
        self.deliver_session_key(key, factors, process_factor)
        block = self._selected().block
        padded = original + bytes(block - 8)
        proof = self._ciphered(commands.cipher_data(padded), block)
        if block == 8:
            return proof
        return bytes(a ^ b for a, b in zip(proof[:8], proof[8:], strict=True))

    def init_sam_for_purchase(
        self,
        random: bytes,
        purchase_serial: bytes,
        amounts: bytes,
        kind: int,
        time7: bytes,
        key_version: int,
        algorithm: int,
        factors: tuple[bytes, bytes, bytes],
    ) -> tuple[bytes, bytes]:
        """(terminal serial, MAC1), 4 bytes each.  Key version and algorithm pass unchanged."""
        environment = self._selected()
        usual = environment.purchase_factors
        for count in (usual, *(n for n in (1, 2, 3) if n != usual)):
            answer = self._transmit(
                commands.init_sam_for_purchase(
                    random,
                    purchase_serial,
                    amounts,
                    bytes((kind,)),
                    time7,
                    key_version,
                    algorithm,
                    b"".join(factors[:count]),
                )
            )
            if answer.sw != 0x6A80:  # 6A80: another number of factors; nothing has moved
                break
        if answer.sw == 0x6A88:
            raise PsamFault(f"the PSAM lacks DPK version {key_version}", "PSAM_KEY_MISSING")
        self._ok("INIT SAM FOR PURCHASE", answer)
        if len(answer.data) != 8:
            raise PsamFault("INIT SAM FOR PURCHASE answered a wrong length", "PSAM_REFUSED")
        environment.purchase_factors = count
        return answer.data[:4], answer.data[4:]

    def credit_sam_for_purchase(self, mac2: bytes) -> bool | None:
        """True: MAC2 checked; False: the PSAM says it is wrong; None: no usable answer.

        Sent once, directly after its INIT SAM.  Never raises: the card has been debited.
        """
        if self._channel is None:
            return None
        try:
            answer = self._channel.transmit(commands.credit_sam_for_purchase(mac2))
        except (TransportError, ProtocolError):
            self._channel = None
            return None
        if answer.sw == SW_OK:
            return True
        return False if answer.sw in commands.LEGAL_CREDIT_SAM_FOR_PURCHASE else None

    # -- secure messaging ------------------------------------------------------------------------

    def secure_message(
        self,
        key: PsamKey,
        factors: tuple[bytes, bytes, bytes],
        challenge: bytes,
        header: bytes,
        plain: bytes = b"",
    ) -> bytes:
        """The data of a secured command to the card: `plain` enciphered, then its MAC 4.

        header: CLA INS P1 P2; plain: whole blocks; challenge: the card's, 8.  The MAC runs over
        header, Lc and the enciphered data, IV zero.  The session key is prepared anew for it, for
        a PSAM may refuse one key two uses (SPEC-P9).
        """
        block = self._selected().block
        sent = b""
        if plain:
            self.deliver_session_key(key, factors, challenge)
            sent = self._ciphered(commands.cipher_data(plain), len(plain))
        message = pad(header + bytes((len(sent) + MAC_LENGTH,)) + sent, block)
        self.deliver_session_key(key, factors, challenge)
        return sent + fold_mac(self._ciphered(commands.mac_data(bytes(block), message), block))

    def _ciphered(self, command: CommandApdu, length: int) -> bytes:
        answer = self._ok("CIPHER DATA", self._transmit(command))
        if len(answer.data) != length:
            raise PsamFault("CIPHER DATA answered a wrong length", "PSAM_REFUSED")
        return answer.data

    def found(self, key: OpenKey) -> PsamKey:
        """The key of that id with the type and factors it answers to; type 8, then 7."""
        block = self._selected().block
        for key_type in (commands.TYPE_BOTH, commands.TYPE_ENCRYPT):
            asked = PsamKey(key.name, key.key_id, key_type, 2)
            count = self._level_of(asked, block)
            if count is not None:
                self._selected().factors[key.name] = count
                return asked
        raise PsamFault(f"the PSAM lacks {key.name}", "PSAM_KEY_MISSING")

    @property
    def block(self) -> int:
        """Bytes of a cipher block in the environment selected last."""
        return self._selected().block

    # -- exchange --------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        return self._channel is not None

    def drop(self) -> None:
        """Forget the power cycle: the next use must `start` again."""
        self._channel = None

    def _deliver(
        self, key: PsamKey, count: int, factors: bytes, process_factor: bytes
    ) -> ResponseApdu:
        usage = commands.usage(key.key_type, count)
        return self._transmit(
            commands.deliver_session_key(usage, key.key_id, factors, process_factor)
        )

    def _read(self, sfi: int, length: int) -> bytes | None:
        """READ BINARY by SFI in DF01; None when the file is absent."""
        answer = self._transmit(commands.read_binary(sfi, length))
        if answer.sw in (0x6A82, 0x6A83):
            return None
        self._ok("READ BINARY", answer)
        if len(answer.data) != length:
            raise PsamFault(f"file {sfi:04X} has a wrong length", "PSAM_REFUSED")
        return answer.data

    def _transmit(self, command: CommandApdu) -> ResponseApdu:
        if self._channel is None:
            raise PsamFault("the PSAM is not powered", "PSAM_MISSING")
        try:
            return self._channel.transmit(command)
        except TransportError as error:
            self._channel = None
            raise _fault_of(error) from error
        except ProtocolError as error:
            self._channel = None
            raise PsamFault(error.what, "PSAM_REFUSED") from error

    @staticmethod
    def _ok(name: str, answer: ResponseApdu) -> ResponseApdu:
        if answer.sw != SW_OK:
            raise PsamFault(str(StatusError(name, answer.sw)), "PSAM_REFUSED")
        return answer


def _fault_of(error: TransportError | ProtocolError) -> PsamFault:
    """A PSAM that gives no answer, to a reset or a command, is there: it is mute, not missing."""
    is_mute = isinstance(error, TransportError) and error.kind == "silent"
    return PsamFault(error.what, "PSAM_SILENT" if is_mute else "PSAM_MISSING")


def _date(value: bytes) -> int:
    shown = value.hex()
    if not shown.isdigit():
        raise PsamFault("a validity date is no BCD", "PSAM_REFUSED")
    return int(shown)
