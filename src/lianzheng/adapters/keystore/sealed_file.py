"""All keys of a node or wallet in one sealed file.

File: JCS of ``{body, v, wrapped}``; with v = 2 a fourth member ``cipher`` names SM4-GCM, v = 1 is AES-256-GCM.
``wrapped`` is the random file key, sealed under the passphrase (argon2id, once when opening); ``body`` is the JCS of
the entries under the file key, with SHA-256 of ``wrapped`` as associated data.
Every change re-reads the file under a lock and replaces it whole; it has returned only when it is durable.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from lianzheng.adapters.files import replace_file
from lianzheng.adapters.keystore.files import locked, read_private
from lianzheng.crypto import ecdsa, ed25519
from lianzheng.crypto.hazmat.bls12381 import scalar_from_bytes, scalar_to_bytes
from lianzheng.crypto.keystore import KeyKind
from lianzheng.crypto.sealing import CipherName, aead_open, aead_seal, cipher_of, seal, unseal
from lianzheng.encoding.model import Bytes, Record
from lianzheng.errors import ConfigError, ConflictError, FormatError, LianzhengError, NotFoundError, VerificationError

__all__ = ["SealedFileKeyStore"]

_FILE_BYTES_MAX = 64 * 1024 * 1024
"""Some 400,000 entries; more would make every change slow."""
_WRAP_AAD = b"lianzheng/keystore/1/wrapped"
_BODY_AAD = b"lianzheng/keystore/1/body"

Kind = Literal["signing", "signing-p256", "scalar", "secret"]


class _Entry(Record):
    kind: Kind
    value: Bytes


class _Body(Record):
    entries: dict[str, _Entry]


class _File(Record):
    v: Literal[1] = 1
    wrapped: Annotated[Bytes, Field(min_length=1)]
    body: Annotated[Bytes, Field(min_length=1)]


class _NamedFile(Record):
    v: Literal[2] = 2
    cipher: Literal["sm4-gcm"] = "sm4-gcm"
    wrapped: Annotated[Bytes, Field(min_length=1)]
    body: Annotated[Bytes, Field(min_length=1)]


class SealedFileKeyStore:
    """Implements ``crypto.keystore.KeyStore``; safe to use from several threads and processes."""

    def __init__(self, path: Path, wrapped: bytes, file_key: bytes, entries: dict[str, _Entry]) -> None:
        self._path = path
        self._wrapped = wrapped
        self._file_key = file_key
        self._entries = entries
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, passphrase: bytes, cipher: CipherName = "aes-256-gcm") -> Self:
        """An empty store in a new file, which keeps its cipher for good. Raises ``ConfigError`` ``keystore_exists``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file_key = secrets.token_bytes(32)
        wrapped = seal(passphrase, file_key, _WRAP_AAD, cipher)
        store = cls(path, wrapped, file_key, {})
        with locked(path):
            if path.exists():
                raise ConfigError("keystore_exists", f"{path} exists already.", next_step="Name another file.")
            store._write({})
        return store

    @classmethod
    def open(cls, path: Path, passphrase: bytes) -> Self:
        """The store in ``path``.

        Raises ``ConfigError``: ``keystore_missing``, ``keystore_file_mode``, ``keystore_unreadable`` (wrong
        passphrase or damaged file: the two cannot be told apart).
        """
        try:
            file = _parse(read_private(path))
            file_key = unseal(passphrase, file.wrapped, _WRAP_AAD)
            entries = _open_body(file, file_key)
        except ConfigError:
            raise
        except LianzhengError as error:
            raise ConfigError(
                "keystore_unreadable",
                f"{path} cannot be opened: wrong passphrase, or a damaged file.",
                next_step="Check the passphrase file, or restore the key store from its backup.",
                detail=error.code,
            ) from error
        return cls(path, file.wrapped, file_key, entries)

    @property
    def cipher(self) -> CipherName:
        """What the file is sealed with."""
        return cipher_of(self._wrapped)

    def generate_signing_key(self, name: str, kind: KeyKind = "Ed25519") -> bytes:
        """A new key under ``name``; returns the public key. Raises ``ConflictError`` ``key_exists``."""
        if kind == "P-256":
            secret = ecdsa.generate("P-256")
            self._add(name, _Entry(kind="signing-p256", value=secret))
            return ecdsa.public_key("P-256", secret)
        seed = ed25519.generate()
        self._add(name, _Entry(kind="signing", value=seed))
        return ed25519.public_key(seed)

    def sign(self, name: str, data: bytes) -> bytes:
        """A signature by the key's own algorithm. Raises ``NotFoundError`` ``key_unknown``."""
        entry = self._entry(name, "signing", "signing-p256")
        if entry.kind == "signing-p256":
            return ecdsa.low_s(ecdsa.sign("P-256", entry.value, data))
        return ed25519.sign(entry.value, data)

    def public_key(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``key_unknown``."""
        entry = self._entry(name, "signing", "signing-p256")
        if entry.kind == "signing-p256":
            return ecdsa.public_key("P-256", entry.value)
        return ed25519.public_key(entry.value)

    def put_scalar(self, name: str, scalar: int) -> None:
        """Keep a scalar of BLS12-381. Raises ``ConflictError`` ``key_exists``."""
        self._add(name, _Entry(kind="scalar", value=scalar_to_bytes(scalar)))

    def get_scalar(self, name: str) -> int:
        """Raises ``NotFoundError`` ``key_unknown``."""
        return scalar_from_bytes(self._value(name, "scalar"))

    def put_secret(self, name: str, secret: bytes) -> None:
        """Keep opaque bytes. Raises ``ConflictError`` ``key_exists``."""
        self._add(name, _Entry(kind="secret", value=secret))

    def get_secret(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``key_unknown``."""
        return self._value(name, "secret")

    def erase(self, name: str) -> None:
        """The name is gone from the file, durably; erasing an unknown name changes nothing.

        The blocks of the file's earlier versions are left to the file system: they stay sealed, but who holds the
        passphrase and an old copy still has the key.
        """

        def change(entries: dict[str, _Entry]) -> None:
            entries.pop(name, None)

        self._change(change)

    def names(self) -> list[str]:
        """Every name, sorted."""
        with self._lock:
            return sorted(self._entries)

    def _value(self, name: str, kind: Kind) -> bytes:
        return self._entry(name, kind).value

    def _entry(self, name: str, *kinds: Kind) -> _Entry:
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:  # another process may have added it
                self._entries = self._read()
                entry = self._entries.get(name)
        if entry is None or entry.kind not in kinds:
            raise NotFoundError("key_unknown", "The key store has no key of this name and kind.", detail=name)
        return entry

    def _add(self, name: str, entry: _Entry) -> None:
        def change(entries: dict[str, _Entry]) -> None:
            if name in entries:
                raise ConflictError("key_exists", "The key store has a key of this name.", detail=name)
            entries[name] = entry

        self._change(change)

    def _change(self, change: Callable[[dict[str, _Entry]], None]) -> None:
        with self._lock, locked(self._path):
            entries = self._read()
            change(entries)
            self._write(entries)
            self._entries = entries

    def _read(self) -> dict[str, _Entry]:
        file = _parse(read_private(self._path))
        if file.wrapped != self._wrapped:
            raise ConfigError(
                "keystore_changed", f"{self._path} was replaced by another key store.", next_step="Start again."
            )
        return _open_body(file, self._file_key)

    def _write(self, entries: dict[str, _Entry]) -> None:
        body = aead_seal(self._file_key, _Body(entries=entries).to_bytes(), _body_aad(self._wrapped), self.cipher)
        form = _File if self.cipher == "aes-256-gcm" else _NamedFile
        replace_file(self._path, form(wrapped=self._wrapped, body=body).to_bytes())


def _body_aad(wrapped: bytes) -> bytes:
    return _BODY_AAD + hashlib.sha256(wrapped).digest()


def _parse(data: bytes) -> _File | _NamedFile:
    """Of either version; the name in the file and the header of its sealed key must be one."""
    file: _File | _NamedFile
    try:
        file = _NamedFile.from_bytes(data, _FILE_BYTES_MAX)
    except FormatError:
        file = _File.from_bytes(data, _FILE_BYTES_MAX)
    if cipher_of(file.wrapped) != (file.cipher if isinstance(file, _NamedFile) else "aes-256-gcm"):
        raise VerificationError("unseal_failed", "A sealed file names two ciphers.")
    return file


def _open_body(file: _File | _NamedFile, file_key: bytes) -> dict[str, _Entry]:
    plain = aead_open(file_key, file.body, _body_aad(file.wrapped), cipher_of(file.wrapped))
    return dict(_Body.from_bytes(plain, _FILE_BYTES_MAX).entries)
