"""What the commands against loss and theft do; imported when they run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from lianzheng.adapters.files import write_new
from lianzheng.adapters.keystore.files import locked
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.cli.wallet_session import NAME, opened, post, prepare, public, read_bounded, read_ledger
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import SystemClock
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError, ConflictError, FormatError, NotFoundError, RefusedError, UnavailableError
from lianzheng.identity.did.model import DidRecord, did_state_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.receipt import decode_receipt
from lianzheng.ledger.sender import require_ok
from lianzheng.ledger.transaction import Transaction
from lianzheng.wallet.backup import BACKUP_BYTES_MAX, WalletBackup, open_backup, seal_backup
from lianzheng.wallet.shares import SHARE_CHARS_MAX, ShareFile, make_shares, open_shares, reserve_of
from lianzheng.wallet.wallet import ChangeKind, Settled, Wallet

__all__ = ["backup", "change", "confirm_did", "restore", "restore_shares", "shares"]

_LOOKS = 50
_LOOK_S = 1 / 10
_KINDS: dict[str, ChangeKind] = {"rotate": "rotate", "recover": "recover", "deactivate": "deactivate"}


def backup(folder: Path, passphrase: bytes) -> bytes:
    """The file."""
    with opened(folder) as wallet:
        return seal_backup(wallet.copy(), passphrase)


def restore(folder: Path, source: Path, passphrase: bytes) -> JsonObject:
    """The wallet of a backup in a new folder. Raises as ``open_backup``, ``ConfigError`` ``wallet_exists``."""
    return _restored(folder, open_backup(read_bounded(source, BACKUP_BYTES_MAX), passphrase))


def restore_shares(folder: Path, paths: Sequence[Path]) -> JsonObject:
    """The wallet of two recovery shares in a new folder. Raises as ``open_shares``."""
    return _restored(folder, open_shares(_read_shares(paths)))


def shares(folder: Path, out: Path, *, forget: bool) -> JsonObject:
    """Three files in ``out``. Raises ``ConfigError`` ``file_exists``, ``NotFoundError`` ``reserve_missing``."""
    with opened(folder) as wallet:
        reserve = wallet.reserve
        if reserve is None:
            raise NotFoundError(
                "reserve_missing",
                "The wallet's recovery secret is not on this device.",
                next_step="Run `lianzheng wallet recover --shares FILE FILE`, which makes a new one.",
            )
        made = make_shares(wallet.copy(), reserve, wallet.did)
        paths = [out / f"share-{share.index}.txt" for share in made]
        for path in paths:
            if path.exists():  # before any is written: two shares of different sets in one folder help nobody
                raise ConfigError("file_exists", f"{path} exists already.", next_step="Name another folder.")
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, share in zip(paths, made, strict=True):
            write_new(path, share.to_text().encode("utf-8"))
        if forget:  # only after all three are durable
            wallet.keep_reserve(None)
    return {"set": b64u_encode(made[0].set_id), "out": [str(path) for path in paths], "forgotten": forget}


def confirm_did(folder: Path, did: str) -> None:
    """Raises ``RefusedError`` ``did_not_confirmed``."""
    with opened(folder) as wallet:
        if wallet.did != did:
            raise RefusedError("did_not_confirmed", "What was confirmed is not this wallet's DID.")


async def change(
    folder: Path, nodes: Sequence[NodeClient], kind: str, paths: Sequence[Path], *, stolen: bool
) -> JsonObject:
    """A change of the DID, on the ledger and in the wallet. An earlier one that is still open is finished first.

    Raises as ``Wallet.begin``, the ledger's own codes, ``UnavailableError`` ``change_not_seen``,
    ``ConflictError`` ``change_overtaken``.
    """
    reserve = reserve_of(_read_shares(paths)) if paths else None
    with opened(folder) as wallet:
        if await _finish(wallet, nodes) == "open":
            raise UnavailableError(
                "change_not_seen", "An earlier change of the DID is still on its way.", next_step="Try again later."
            )
        before = wallet.reserve
        made = wallet.begin(_KINDS[kind], await _record(wallet, nodes), reserve, stolen=stolen)
        await _send(nodes, made.transaction)
        if await _settled(wallet, nodes) != "done":
            raise ConflictError(
                "change_overtaken",
                "Another change of the DID was quicker: a copy of the wallet is at work.",
                next_step="Run `lianzheng wallet recover` with the newest recovery shares.",
            )
        record = await _record(wallet, nodes)
        fresh = made.reserve is not None and wallet.reserve != before
        return {
            "did": wallet.did,
            "version": record.version,
            "status": record.status,
            "key": None if made.key is None else made.key.id,
            "new_shares": fresh,
            "enrol_again": made.seed is not None,
        }


async def _finish(wallet: Wallet, nodes: Sequence[NodeClient]) -> Settled | None:
    """What became of an earlier change; one that may still go through is sent again."""
    earlier = wallet.change
    if earlier is None:
        return None
    if await _look(wallet, nodes) == "open":
        await _send(nodes, earlier.transaction)
        return await _settled(wallet, nodes)
    return "void"


async def _settled(wallet: Wallet, nodes: Sequence[NodeClient]) -> Settled:
    """Waits a few seconds until every node shows what became of the change. Raises ``change_not_seen``."""
    for _ in range(_LOOKS):
        outcome = await _look(wallet, nodes)
        if outcome != "open":
            return outcome or "void"
        await asyncio.sleep(_LOOK_S)
    raise UnavailableError(
        "change_not_seen", "The ledger does not show the change yet.", next_step="Run the command again later."
    )


async def _look(wallet: Wallet, nodes: Sequence[NodeClient]) -> Settled | None:
    ledger = await AgreedLedger.read_patiently(nodes, [did_state_key(wallet.did)])
    return wallet.finish(read_did(ledger, wallet.did), ledger.block_time_ms)


async def _send(nodes: Sequence[NodeClient], transaction: bytes) -> None:
    tx = Transaction.parse(transaction)
    require_ok(decode_receipt(await post(nodes, "/api/v1/ledger/transactions", tx)), tx.body.kind)


async def _record(wallet: Wallet, nodes: Sequence[NodeClient]) -> DidRecord:
    return read_did(await read_ledger(nodes, did_state_key(wallet.did)), wallet.did)


def _restored(folder: Path, copy: WalletBackup) -> JsonObject:
    passphrase = prepare(folder)
    with locked(folder / "wallet"):
        store = SealedWalletStore.create(folder, passphrase)
        # Nothing here depends on sample people being known; every act asks the ledger.
        return public(Wallet.restore(NAME, copy, store, SystemClock(), test_network=False))


def _read_shares(paths: Sequence[Path]) -> list[ShareFile]:
    found = []
    for path in paths:
        data = read_bounded(path, SHARE_CHARS_MAX)
        try:
            found.append(ShareFile.parse(data.decode("ascii")))
        except UnicodeDecodeError as error:
            raise FormatError("share_malformed", f"{path} is no recovery share.") from error
    return found
