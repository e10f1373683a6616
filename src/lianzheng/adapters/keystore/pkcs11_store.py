"""Signing keys in a hardware module over PKCS#11: made there, and never read out.

An object is named by its label, ``<prefix>/<name>``, so that several nodes can share a token. Private keys are
SENSITIVE and not EXTRACTABLE; one that is otherwise is refused. Ed25519 signs with CKM_EDDSA, P-256 with CKM_ECDSA over
SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from lianzheng.adapters.keystore.pkcs11_session import Connection, connect
from lianzheng.crypto import ecdsa, ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.crypto.keystore import KeyKind
from lianzheng.errors import ConfigError, ConflictError, NotFoundError, VerificationError

__all__ = ["Pkcs11SigningStore"]

_CURVES: dict[KeyKind, tuple[KeyType, Mechanism, bytes]] = {
    # CKA_EC_PARAMS: the curve's name as PKCS#11 3.0 writes it (PrintableString), an object identifier for P-256.
    "Ed25519": (KeyType.EC_EDWARDS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN, b"\x13\x0cedwards25519"),
    "P-256": (KeyType.EC, Mechanism.EC_KEY_PAIR_GEN, bytes.fromhex("06082a8648ce3d030107")),
}
_PRIVATE = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
_TRIAL = b"lianzheng/pkcs11/trial"
_CANNOT = (
    pkcs11.exceptions.AttributeTypeInvalid,
    pkcs11.exceptions.AttributeValueInvalid,
    pkcs11.exceptions.DomainParamsInvalid,
    pkcs11.exceptions.FunctionNotSupported,
    pkcs11.exceptions.MechanismInvalid,
    pkcs11.exceptions.MechanismParamInvalid,
    pkcs11.exceptions.TemplateInconsistent,
)
_HANDLE_GONE = (pkcs11.exceptions.ObjectHandleInvalid, pkcs11.exceptions.KeyHandleInvalid)


class Pkcs11SigningStore:
    """Implements ``crypto.keystore.SigningStore``; safe to use from several threads."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix + "/"
        self._found: dict[str, tuple[object, Any, KeyKind]] = {}
        """Private keys by name with the session they were found in: a handle is worth nothing in another."""
        self._public: dict[str, bytes] = {}

    @classmethod
    def open(cls, module: Path, token: str, pin: bytes, prefix: str) -> Pkcs11SigningStore:
        """The keys below ``prefix`` in the token of this label.

        Raises ``UnavailableError`` ``hsm_unreachable``; ``ConfigError`` ``hsm_token_missing``, ``hsm_pin_wrong``,
        ``hsm_pin_locked``.
        """
        return cls(connect(module, token, pin), prefix)

    def generate_signing_key(self, name: str, kind: KeyKind = "Ed25519") -> bytes:
        """Make a pair in the module; its first signature is checked before it counts.

        Raises ``ConflictError`` ``key_exists``; ``ConfigError`` ``hsm_key_unusable``, ``hsm_key_extractable``.
        """
        label = self._prefix + name
        with self._connection.session() as session:
            if self._objects(session, label):
                raise ConflictError("key_exists", "The key store has a key of this name.", detail=name)
            try:
                _generate(session, label, kind)
            except _CANNOT as error:
                raise _unusable("The module does not make keys of this kind.") from error
        with self._undone_unless_usable(name):
            public = self.public_key(name)
            _check_signature(kind, public, self.sign(name, _TRIAL))
        return public

    def sign(self, name: str, data: bytes) -> bytes:
        """A signature by the key's own algorithm, made in the module. Raises ``NotFoundError`` ``key_unknown``."""
        with self._connection.session() as session:
            try:
                return self._sign(session, name, data)
            except _HANDLE_GONE:  # erased, or made anew, by another process
                self._forget(name)
                return self._sign(session, name, data)

    def public_key(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``key_unknown``; ``ConfigError`` ``hsm_key_unusable``."""
        known = self._public.get(name)
        if known is None:
            with self._connection.session() as session:
                kind = self._private(session, name)[1]
                objects = self._objects(session, self._prefix + name, ObjectClass.PUBLIC_KEY)
                if not objects:
                    raise _unusable("The module keeps no public part of a key.")
                known = self._public[name] = _raw_point(kind, bytes(objects[0][Attribute.EC_POINT]))
        return known

    def erase(self, name: str) -> None:
        """Destroy the pair; an unknown name is no error."""
        with self._connection.session() as session:
            for found in self._objects(session, self._prefix + name):
                found.destroy()
            self._forget(name)

    def names(self) -> list[str]:
        """Every private key below the prefix, sorted."""
        with self._connection.session() as session:
            labels = [str(key.label) for key in session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})]
        return sorted(label.removeprefix(self._prefix) for label in labels if label.startswith(self._prefix))

    def _sign(self, session: Any, name: str, data: bytes) -> bytes:
        key, kind = self._private(session, name)
        if kind == "Ed25519":
            return bytes(key.sign(data, mechanism=Mechanism.EDDSA))
        return ecdsa.low_s(bytes(key.sign(sha256_raw(data), mechanism=Mechanism.ECDSA)))

    def _private(self, session: Any, name: str) -> tuple[Any, KeyKind]:
        known = self._found.get(name)
        if known is not None and known[0] is session:
            return known[1], known[2]
        objects = self._objects(session, self._prefix + name, ObjectClass.PRIVATE_KEY)
        if not objects:
            raise NotFoundError("key_unknown", "The key store has no key of this name and kind.", detail=name)
        key = objects[0]
        if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
            raise ConfigError(
                "hsm_key_extractable",
                "A key in the hardware module can be read out of it.",
                next_step="Use a key that was made in the module by `lianzheng init`.",
                detail=name,
            )
        kind: KeyKind = "Ed25519" if key.key_type == KeyType.EC_EDWARDS else "P-256"
        self._found[name] = session, key, kind
        return key, kind

    def _objects(self, session: Any, label: str, kind: ObjectClass | None = None) -> list[Any]:
        wanted: dict[Attribute, object] = {Attribute.LABEL: label}
        if kind is not None:
            wanted[Attribute.CLASS] = kind
        return list(session.get_objects(wanted))

    def _forget(self, name: str) -> None:
        self._found.pop(name, None)
        self._public.pop(name, None)

    @contextmanager
    def _undone_unless_usable(self, name: str) -> Iterator[None]:
        try:
            yield
        except (ConfigError, VerificationError) as error:
            self.erase(name)
            raise (
                _unusable("The module's first signature does not verify.")
                if isinstance(error, VerificationError)
                else error
            ) from None


def _generate(session: Any, label: str, kind: KeyKind) -> None:
    key_type, mechanism, parameters = _CURVES[kind]
    domain = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: parameters}, local=True)
    name = sha256_raw(label.encode())[:16]
    domain.generate_keypair(store=True, label=label, id=name, mechanism=mechanism, private_template=_PRIVATE)


def _check_signature(kind: KeyKind, public: bytes, signature: bytes) -> None:
    if kind == "Ed25519":
        ed25519.verify(public, _TRIAL, signature)
    else:
        ecdsa.verify("P-256", public, _TRIAL, signature)


def _raw_point(kind: KeyKind, point: bytes) -> bytes:
    """32 bytes, or a compressed point, of CKA_EC_POINT, which only some modules wrap into an OCTET STRING."""
    size = 32 if kind == "Ed25519" else 65
    if len(point) == size + 2 and point[:2] == bytes([4, size]):
        point = point[2:]
    if len(point) != size or (kind == "P-256" and point[0] != 4):
        raise _unusable("The module writes a public key in a form that is not known.")
    return point if kind == "Ed25519" else bytes([2 + point[-1] % 2]) + point[1:33]


def _unusable(text: str) -> ConfigError:
    return ConfigError("hsm_key_unusable", text, next_step="Check that the module does CKM_EDDSA and CKM_ECDSA.")
