"""A node's key store, as its configuration names it: the sealed file, or the file beside a hardware module."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lianzheng.adapters.keystore.passphrase import create_passphrase_file, load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.keystore.split import SplitKeyStore
from lianzheng.crypto.keystore import KeyStore, SigningStore
from lianzheng.crypto.sealing import CipherName
from lianzheng.errors import ConfigError
from lianzheng.node.config import KeysConfig, NodeConfig, WitnessConfig

if TYPE_CHECKING:
    from lianzheng.adapters.keystore.pkcs11_store import Pkcs11SigningStore

__all__ = ["NODE_KEY", "KeyChoice", "create_keystore", "open_keystore"]

NODE_KEY = "node"
"""Name in the key store of the first key behind ``#node``."""


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """What is chosen when a home is made: the file's cipher for good, and where keys that sign stand.

    With ``module`` they stand in the token ``token`` of that PKCS#11 library, opened with the PIN in ``pin_file``.
    """

    cipher: CipherName = "aes-256-gcm"
    module: Path | None = None
    token: str = ""
    pin_file: Path | None = None


def create_keystore(folder: Path, choice: KeyChoice) -> tuple[KeyStore, str]:
    """A new key store and passphrase file in ``folder``, and what ``node.toml`` says of it under [keys].

    Raises ``ConfigError`` ``keys_incomplete``, those of the PIN file and the module; ``UnavailableError``.
    """
    given = (choice.module is not None, bool(choice.token), choice.pin_file is not None)
    if any(given) and not all(given):
        raise ConfigError(
            "keys_incomplete",
            "A hardware module needs its library, the label of a token and a PIN file.",
            next_step="Name all three, or none.",
        )
    signing, text = None, ""
    if choice.module is not None and choice.pin_file is not None:
        prefix = f"lianzheng-{secrets.token_hex(4)}"
        keys = KeysConfig(
            store="pkcs11",
            module=choice.module.absolute(),
            token=choice.token,
            pin_file=choice.pin_file.absolute(),
            prefix=prefix,
        )
        signing, text = _module(keys), _text(keys)
    file = SealedFileKeyStore.create(
        folder / "keys.sealed", create_passphrase_file(folder / "passphrase"), choice.cipher
    )
    return (file if signing is None else SplitKeyStore(signing, file)), text


def open_keystore(config: NodeConfig | WitnessConfig) -> KeyStore:
    """The key store of a node that exists.

    Raises ``ConfigError`` ``keystore_missing`` …, ``hsm_key_missing`` where the module has no key of this node, and
    as of ``Pkcs11SigningStore.open``; ``UnavailableError`` ``hsm_unreachable``.
    """
    file = SealedFileKeyStore.open(config.keystore.path, load_passphrase(config.keystore.passphrase_file))
    if config.keys.store == "file":
        return file
    signing = _module(config.keys)
    if NODE_KEY not in signing.names():
        raise ConfigError(
            "hsm_key_missing",
            "The hardware module holds no key of this node under the prefix of [keys].",
            next_step="Compare token and prefix with those that `lianzheng init` wrote, or restore the token's backup.",
        )
    return SplitKeyStore(signing, file)


def _module(keys: KeysConfig) -> SigningStore:
    if keys.module is None or keys.pin_file is None:  # refused by the configuration's own check
        raise ConfigError("keys_incomplete", "A hardware module needs module, token and pin_file.")
    from lianzheng.adapters.keystore.pkcs11_store import Pkcs11SigningStore

    store: Pkcs11SigningStore = Pkcs11SigningStore.open(
        keys.module, keys.token, load_passphrase(keys.pin_file), keys.prefix
    )
    return store


def _text(keys: KeysConfig) -> str:
    return f"""
[keys]                          # keys that sign stand in a hardware module; scalars stay in the file above
store = "pkcs11"
module = {_quoted(str(keys.module))}
token = {_quoted(keys.token)}
pin_file = {_quoted(str(keys.pin_file))}
prefix = "{keys.prefix}"
"""


def _quoted(text: str) -> str:
    """A TOML basic string."""
    if any(ord(letter) < 32 for letter in text):
        raise ConfigError("keys_incomplete", "A path or label holds a control character.", next_step="Rename it.")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
