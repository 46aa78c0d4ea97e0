"""A device key inside a PKCS #11 token (v2.40): P-256, made there, never out of it.

The private key is found by its label, its public key by the ID they share.  While the key is
changed (rotation.py) the next one stands beside it under `<label>.next`.  Every call into the
module has a deadline; a session that was lost is opened again once, then the error is told.
A PIN that the token refused is not tried again until its file changes: a token locks itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error
from pkcs11.exceptions import PinIncorrect, PinLocked
from pkcs11.util.ec import encode_named_curve_parameters

from firmware.journal import ownfile
from firmware.journal.algorithms import ES256, SIGNATURE_LENGTH, key_id
from firmware.journal.ownfile import OwnFileError
from firmware.journal.rotation import KeyStoreError
from firmware.worker import Worker

MAX_PIN = 256  # bytes
_CURVE = encode_named_curve_parameters("secp256r1")
_POINT = b"\x04\x41\x04"  # an octet string of 65 bytes: an uncompressed point (v2.40, 2.3.3)

_Got = TypeVar("_Got")


class TokenError(KeyStoreError):
    """The token cannot be used; what to do is in the message, no PIN is."""


@dataclass(frozen=True)
class TokenSettings:
    """module: the library.  token, key: labels.  pin_file: mode 0600, the PIN and nothing else."""

    module: Path
    token: str
    key: str
    pin_file: Path
    timeout_s: float


class Token:
    """One token, one session, one caller at a time, in a thread of its own."""

    def __init__(self, settings: TokenSettings):
        self.settings = settings
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._is_lost = False
        self._session: Any = None
        self.opened = 0
        """How often the session was opened: handles of an earlier one are void."""

    def call(self, function: Callable[[Any], _Got]) -> _Got:
        """What `function` of the session returns; raises TokenError."""
        with self._lock:
            try:
                return self._call(function)
            except PKCS11Error:
                pass  # a token that was taken out and put back wants a new session
            try:
                self._session = None
                return self._call(function)
            except PKCS11Error as error:
                self._session = None
                raise TokenError(
                    f"the token {self.settings.token} fails ({type(error).__name__}): "
                    "put it back or in order; it is tried again at the next record"
                ) from None

    def _call(self, function: Callable[[Any], _Got]) -> _Got:
        if self._is_lost:
            self._replace_worker()
        if self._worker is None:
            self._worker = Worker("pkcs11", lambda: None)

        def run() -> _Got:
            if self._session is None:
                self._session = self._open()
                self.opened += 1
            return function(self._session)

        try:
            found: _Got = self._worker.call(run, self.settings.timeout_s)
        except TimeoutError:
            self._is_lost = True
            raise TokenError(
                f"the token {self.settings.token} did not answer within "
                f"{self.settings.timeout_s:g} s: power it down and up"
            ) from None
        return found

    def _replace_worker(self) -> None:
        """Nothing may enter the module while an earlier call is still inside it."""
        if self._worker is not None and not self._worker.has_ended(0):
            raise TokenError(f"the token {self.settings.token} still does not answer: restart")
        self._worker = self._session = None
        self._is_lost = False

    def _open(self) -> Any:
        """A fresh session, logged in.  Raises PKCS11Error, TokenError."""
        settings = self.settings
        stamp, pin = self._pin()
        try:
            module = pkcs11.lib(str(settings.module))
        except (RuntimeError, OSError):
            raise TokenError(f"{settings.module} is no PKCS #11 module: install it") from None
        module.reinitialize()  # else a module keeps the slots it once saw
        token = module.get_token(token_label=settings.token)
        try:
            return token.open(rw=True, user_pin=pin)
        except (PinIncorrect, PinLocked):
            with contextlib.suppress(OSError):  # a read-only folder: then the restarts must be few
                self._refused.write_text(stamp)
            raise TokenError(
                f"the token {settings.token} refuses the PIN in {settings.pin_file}: write the "
                "right one; it is not tried again before that file changes"
            ) from None

    @property
    def _refused(self) -> Path:
        return self.settings.pin_file.with_name(self.settings.pin_file.name + ".refused")

    def _pin(self) -> tuple[str, str]:
        """(which writing of the file this is, the PIN); raises TokenError."""
        path = self.settings.pin_file
        try:
            raw = ownfile.read(path, MAX_PIN, "change the token's PIN")
            status = os.stat(path)
            stamp = f"{status.st_ino} {status.st_mtime_ns}"
            if self._refused.exists() and self._refused.read_text() == stamp:
                raise TokenError(f"the PIN in {path} was refused: write the right one")
            pin = raw.decode().strip("\r\n")
        except OwnFileError as error:
            raise TokenError(str(error)) from None
        except (OSError, UnicodeDecodeError):
            raise TokenError(f"{path} cannot be read as text") from None
        if not 0 < len(raw) <= MAX_PIN or not pin:
            raise TokenError(f"{path} holds no PIN")
        return stamp, pin


class TokenKey:
    """The signer of this unit's records and batches, inside the token."""

    algorithm = ES256

    def __init__(self, token: Token, labels: tuple[str, ...], public_key: bytes):
        self._token = token
        self._labels = labels
        self._opened = 0
        self._handle: Any = None
        self.public_key = public_key

    def sign(self, data: bytes) -> bytes:
        """64 bytes, r then s; raises TokenError, after which it may be asked again."""
        digest = hashlib.sha256(data).digest()
        signature = self._token.call(lambda session: self._sign(session, digest))
        if len(signature) != SIGNATURE_LENGTH:
            raise TokenError(f"the token answers a signature of {len(signature)} bytes")
        return signature

    def _sign(self, session: Any, digest: bytes) -> bytes:
        if self._opened != self._token.opened or self._handle is None:
            pairs = [p for label in self._labels for p in _pairs(session, label)]
            found = [handle for handle, point in pairs if point == self.public_key]
            if not found:
                raise TokenError(
                    f"the key {key_id(self.public_key).hex()} is no longer in the token "
                    f"{self._token.settings.token}: put the right token in"
                )
            self._handle, self._opened = found[0], self._token.opened
        return bytes(self._handle.sign(digest, mechanism=Mechanism.ECDSA))

    def __repr__(self) -> str:
        return f"<TokenKey {key_id(self.public_key).hex()}>"


class TokenKeys:
    """The present device key and, while it is changed, the next one.  See rotation.KeyStore."""

    def __init__(self, settings: TokenSettings, *, may_create: bool):
        """may_create: False once the unit has a key: another token is then no reason for one."""
        self._token = Token(settings)
        self._label, self._next = settings.key, f"{settings.key}.next"
        self._may_create = may_create

    def current(self) -> TokenKey:
        public_key = self._token.call(self._current)
        self._may_create = False
        return self._key(public_key)

    def make_next(self) -> TokenKey:
        return self._key(self._token.call(self._make_next))

    def take(self, ident: bytes) -> TokenKey | None:
        public_key = self._token.call(lambda session: self._take(session, ident))
        return None if public_key is None else self._key(public_key)

    def _key(self, public_key: bytes) -> TokenKey:
        return TokenKey(self._token, (self._label, self._next), public_key)

    def _current(self, session: Any) -> bytes:
        """An old key is destroyed only once the next one is in force: alone, that is current."""
        for label in (self._label, self._next):
            pairs = _pairs(session, label)
            if len(pairs) > 1:
                raise TokenError(f"the token holds two keys {label}: remove the wrong one")
            if pairs:
                return pairs[0][1]
        if not self._may_create:
            raise TokenError(f"the token holds no key {self._label}: put the unit's own token in")
        return _generate(session, self._label)

    def _make_next(self, session: Any) -> bytes:
        if not _pairs(session, self._label):
            raise TokenError(f"the token holds no key {self._label}: put the unit's own token in")
        _destroy(session, self._next)
        return _generate(session, self._next)

    def _take(self, session: Any, ident: bytes) -> bytes | None:
        """The old private key first: from there on the next one is the only one."""
        for _, point in _pairs(session, self._label):
            if key_id(point) == ident:
                return point
        for _, point in _pairs(session, self._next):
            if key_id(point) == ident:
                _destroy(session, self._label)
                for each in list(session.get_objects({Attribute.LABEL: self._next})):
                    each[Attribute.LABEL] = self._label
                return point
        return None


def _pairs(session: Any, label: str) -> list[tuple[Any, bytes]]:
    """(private key, public point of 65 bytes) of every key of that label that can be used."""
    template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}
    found = []
    for private in list(session.get_objects(template)):
        ident = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: private[Attribute.ID]}
        for public in list(session.get_objects(ident)):
            point = bytes(public[Attribute.EC_POINT])
            if bytes(public[Attribute.EC_PARAMS]) == _CURVE and point[:3] == _POINT:
                found.append((private, point[2:]))
    return found


def _generate(session: Any, label: str) -> bytes:
    """A new key on the token; its public point."""
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: _CURVE}, local=True
    )
    public, private = parameters.generate_keypair(
        label=label,
        id=os.urandom(8),
        store=True,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
        private.destroy()
        public.destroy()
        raise TokenError("the token makes keys that can be taken out of it: use another")
    return bytes(public[Attribute.EC_POINT])[2:]


def _destroy(session: Any, label: str) -> None:
    """Private keys first: a public one alone is nobody."""
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
        for each in list(session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: label})):
            each.destroy()
