"""What every act of ``lianzheng wallet`` begins with: nodes, the opened wallet, the ledger as the nodes agree on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from lianzheng.adapters.keystore.files import locked
from lianzheng.adapters.keystore.passphrase import create_passphrase_file, load_passphrase
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import SystemClock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError, FormatError, UnavailableError
from lianzheng.governance.model import NETWORK_KEY, parameter_key
from lianzheng.ledger.transaction import Transaction
from lianzheng.wallet.wallet import Wallet

__all__ = [
    "JSON",
    "NAME",
    "is_test",
    "opened",
    "post",
    "prepare",
    "public",
    "read_bounded",
    "read_ledger",
    "run",
    "schema_of",
]

NAME = "own"
JSON = "application/json"
T = TypeVar("T")


def run(addresses: Sequence[str], act: Callable[[list[NodeClient]], Awaitable[T]]) -> T:
    """``act`` with one client for each member's node."""

    async def with_nodes() -> T:
        async with AsyncExitStack() as stack:
            return await act([await stack.enter_async_context(NodeClient(one)) for one in addresses])

    return asyncio.run(with_nodes())


@contextmanager
def opened(folder: Path, *, test_network: bool = False) -> Iterator[Wallet]:
    """The wallet, for one process at a time: two would use a consent key twice.

    Raises ``ConfigError`` ``wallet_missing`` and those of the store.
    """
    if not (folder / "store.key").exists():
        raise ConfigError("wallet_missing", f"{folder} holds no wallet.", next_step="Run `lianzheng wallet create`.")
    with locked(folder / "wallet"):
        store = SealedWalletStore.open(folder, load_passphrase(folder / "passphrase"))
        yield Wallet.load(NAME, store, SystemClock(), test_network=test_network)


def prepare(folder: Path) -> bytes:
    """The passphrase of a wallet to be; the folder is made for its owner alone where it is not there.

    Raises ``ConfigError`` ``wallet_exists``.
    """
    if (folder / "store.key").exists():
        raise ConfigError("wallet_exists", f"{folder} holds a wallet already.", next_step="Name another folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "passphrase"
    return load_passphrase(path) if path.exists() else create_passphrase_file(path)


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a file. Raises ``ConfigError`` ``file_unreadable``, ``FormatError`` ``too_large``."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ConfigError("file_unreadable", f"{path} cannot be read.", next_step="Check the path.") from error
    if len(data) > most:
        raise FormatError("too_large", f"{path} has more than {most} bytes.")
    return data


async def read_ledger(nodes: Sequence[NodeClient], *more: str) -> AgreedLedger:
    """Members, issuers, network, and what stands under ``more``, as all nodes give it."""
    prefixes = ["member/", "issuer/", NETWORK_KEY, parameter_key("test_network"), *more]
    return await AgreedLedger.read_patiently(nodes, prefixes)


async def post(nodes: Sequence[NodeClient], path: str, transaction: Transaction) -> dict[str, Any]:
    """Any member's node takes it: the first one that answers."""
    for node in nodes[:-1]:
        try:
            first: dict[str, Any] = await node.post_bytes(path, transaction.to_bytes(), JSON)
        except UnavailableError:
            continue
        return first
    last: dict[str, Any] = await nodes[-1].post_bytes(path, transaction.to_bytes(), JSON)
    return last


def is_test(ledger: AgreedLedger) -> bool:
    """Whether sample people are known on this network (ID-1)."""
    found = ledger.get(parameter_key("test_network"))
    return found is not None and found["value"] == 1


def schema_of(ledger: AgreedLedger) -> int:
    """The ledger's schema in force (LED-7)."""
    found = ledger.get(NETWORK_KEY)
    return 1 if found is None else int(found["schema"])


def public(wallet: Wallet) -> JsonObject:
    """What anybody may know of the wallet."""
    return {"did": wallet.did, "chain_id": wallet.chain_id}
