"""What ``lianzheng did`` does with a DID whose keys are in a folder; imported when it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lianzheng.adapters.keystore.files import locked
from lianzheng.adapters.keystore.passphrase import create_passphrase_file, load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.cli.wallet_session import post
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import SystemClock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError, ConflictError, NotFoundError, UnavailableError
from lianzheng.flows.own_did import KeyName, OwnDid
from lianzheng.identity.did.model import DidRecord, did_state_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.receipt import decode_receipt
from lianzheng.ledger.sender import require_ok
from lianzheng.ledger.transaction import Transaction

__all__ = ["change", "create", "issue"]

_LOOKS = 50
_LOOK_S = 1 / 10


async def create(
    folder: Path, nodes: Sequence[NodeClient], names: Sequence[KeyName], controllers: Sequence[str], by: KeyName
) -> JsonObject:
    """The DID of a new folder stands on the ledger; a folder whose creation was cut off goes on.

    Raises ``ConflictError`` ``did_exists``; what the ledger refuses.
    """
    chain_id = str((await nodes[0].get("/api/v1/network"))["chain_id"])
    with _store(folder, new=True) as store:
        try:
            own = OwnDid(store)
        except NotFoundError:
            own = OwnDid.make(store, chain_id, names, controllers)
        if await _find(nodes, own.did) is not None:
            raise ConflictError("did_exists", f"{folder} holds a DID that stands on the ledger.")
        await _send(nodes, own.create(SystemClock().now_ms(), by))
        return _told(await _seen(nodes, own.did, 1))


async def change(folder: Path, nodes: Sequence[NodeClient], name: KeyName, by: KeyName) -> JsonObject:
    """A new key of this kind stands in the DID. Raises ``did_unknown``, ``key_unknown``, what the ledger refuses."""
    with _store(folder) as store:
        own = OwnDid(store)
        record = await _record(nodes, own.did)
        await _send(nodes, own.with_key(record, name, SystemClock().now_ms(), by))
        return _told(await _seen(nodes, own.did, record.version + 1))


async def issue(folder: Path, nodes: Sequence[NodeClient], credential: JsonObject, suites: Sequence[str]) -> JsonObject:
    """The credential with its proofs. Raises as ``OwnDid.issue``."""
    with _store(folder) as store:
        own = OwnDid(store)
        ledger = await AgreedLedger.read_patiently(nodes, [did_state_key(own.did)])
        now_ms = max(SystemClock().now_ms(), ledger.block_time_ms)  # never before the version that has the keys
        return own.issue(credential, read_did(ledger, own.did), suites, now_ms)


@contextmanager
def _store(folder: Path, *, new: bool = False) -> Iterator[SealedFileKeyStore]:
    """The folder's key store, for one process at a time. Raises ``ConfigError`` ``keystore_missing`` and its others."""
    file, passphrase = folder / "keys.sealed", folder / "passphrase"
    if not file.exists() and not new:
        raise ConfigError("keystore_missing", f"{folder} holds no DID.", next_step="Run `lianzheng did create`.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder / "did"):
        if file.exists():
            yield SealedFileKeyStore.open(file, load_passphrase(passphrase))
        else:
            words = load_passphrase(passphrase) if passphrase.exists() else create_passphrase_file(passphrase)
            yield SealedFileKeyStore.create(file, words)


async def _find(nodes: Sequence[NodeClient], did: str) -> DidRecord | None:
    value = (await AgreedLedger.read_patiently(nodes, [did_state_key(did)])).get(did_state_key(did))
    return None if value is None else DidRecord.from_json(value)


async def _record(nodes: Sequence[NodeClient], did: str) -> DidRecord:
    found = await _find(nodes, did)
    if found is None:
        raise NotFoundError("did_unknown", "The ledger has no record of this DID.", next_step="Run `did create` again.")
    return found


async def _send(nodes: Sequence[NodeClient], transaction: Transaction) -> None:
    found = await post(nodes, "/api/v1/ledger/transactions", transaction)
    require_ok(decode_receipt(found), transaction.body.kind)


async def _seen(nodes: Sequence[NodeClient], did: str, version: int) -> DidRecord:
    """Every node has this version. Raises ``UnavailableError`` ``did_not_seen``."""
    for _ in range(_LOOKS):
        record = await _find(nodes, did)
        if record is not None and record.version >= version:
            return record
        await asyncio.sleep(_LOOK_S)
    raise UnavailableError("did_not_seen", "A node has not heard of the change yet.", next_step="Look again later.")


def _told(record: DidRecord) -> JsonObject:
    return {"did": record.did, "version": record.version, "keys": [record.did + key.id for key in record.keys]}
