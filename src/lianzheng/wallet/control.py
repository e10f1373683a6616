"""Changes of the wallet's own DID: rotation, recovery, deactivation (ID-3, LED-3, ADR 0019 and 0020).

A change is kept, sealed, before it is sent and until the ledger shows what became of it: the key that it brings in
is the DID's only one if it went through, and nobody but the ledger knows that.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from pydantic import Field

from lianzheng.crypto import ed25519
from lianzheng.encoding.model import Bytes, Bytes32, Natural, Record, TimeMs
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import ConflictError, NotFoundError, RefusedError
from lianzheng.identity.did.model import (
    DidContent,
    DidDeactivate,
    DidRecord,
    DidRecover,
    DidUpdate,
    commitment,
    did_record_hash,
)
from lianzheng.identity.did.rules import RECOVERY_KEY_ID
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody
from lianzheng.limits import WALLET_FORMER_SEEDS_MAX, WALLET_ROTATIONS_MAX
from lianzheng.wallet.keys import control_of, method_key, next_seed, recovery_seed
from lianzheng.wallet.model import HeldKey, Reserve, WalletState

__all__ = ["Change", "deactivation", "recovery", "rotation", "settle"]


class Change(Record):
    """A change on its way: the very bytes, and what the wallet holds once the ledger has taken them."""

    v: Literal[1] = 1
    version: Natural
    """The number of the version of the DID that it makes."""
    expires_ms: TimeMs
    key: HeldKey | None
    """None: the DID is deactivated."""
    reserve: Annotated[Bytes32 | None, Field(repr=False)]
    """The new reserve; None where the present one stays."""
    seed: Annotated[Bytes32 | None, Field(repr=False)]
    """The new seed, where the present one is in others' hands; else None."""
    transaction: Bytes


def rotation(state: WalletState, reserve: Reserve | None, record: DidRecord, expires_ms: int) -> Change:
    """The committed key takes the present one's place, and the one after it is committed to.

    A DID that was created without commitments gets them: its present key signs, and a reserve is drawn. Raises
    ``NotFoundError`` ``reserve_missing``; ``RefusedError`` ``reserve_wrong``; ``ConflictError`` ``did_deactivated``.
    """
    _require_active(record)
    version, control = record.version + 1, record.controls
    key_id = f"#key-{version}"
    if not control.next:
        fresh = secrets.token_bytes(32)
        key = HeldKey(id=key_id, secret=next_seed(fresh, state.chain_id, 0))
        content = _content(record, key, fresh, state.chain_id, 1)
        payload = DidUpdate(did=record.did, version=version, prev=did_record_hash(record), content=content)
        sent = _signed(state, "did.update", payload, state.key.id, state.key.secret, expires_ms)
        return _change(version, expires_ms, key, fresh, sent)
    secret = _secret(reserve)
    index = _index(secret, state.chain_id, control.next)
    key = HeldKey(id=key_id, secret=next_seed(secret, state.chain_id, index))
    content = _content(record, key, secret, state.chain_id, index + 1)
    payload = DidUpdate(did=record.did, version=version, prev=did_record_hash(record), content=content)
    sent = _signed(state, "did.update", payload, key.id, key.secret, expires_ms)
    return _change(version, expires_ms, key, None, sent)


def recovery(
    state: WalletState, reserve: Reserve | None, record: DidRecord, expires_ms: int, *, stolen: bool = False
) -> Change:
    """A fresh key and a fresh reserve, by the recovery key, whatever became of the present key.

    ``stolen``: a fresh seed too, because whoever has the old one knows every consent key and v to come (ID-7).
    Raises as :func:`rotation`; ``RefusedError`` ``seeds_exhausted``.
    """
    if stolen and len(state.former) >= WALLET_FORMER_SEEDS_MAX:
        raise RefusedError("seeds_exhausted", "This wallet has been stolen too often: make a new one.")
    _require_active(record)
    secret = _secret(reserve)
    signer = _recovery_key(secret, state.chain_id, record)
    fresh, version = secrets.token_bytes(32), record.version + 1
    key = HeldKey(id=f"#key-{version}", secret=next_seed(fresh, state.chain_id, 0))
    payload = DidRecover(
        did=record.did,
        version=version,
        prev=did_record_hash(record),
        key=signer.multikey,
        content=_content(record, key, fresh, state.chain_id, 1),
    )
    sent = _signed(state, "did.recover", payload, RECOVERY_KEY_ID, signer.secret, expires_ms)
    made = _change(version, expires_ms, key, fresh, sent)
    return made.model_copy(update={"seed": secrets.token_bytes(32)}) if stolen else made


def deactivation(state: WalletState, reserve: Reserve | None, record: DidRecord, expires_ms: int) -> Change:
    """The DID's end, by the recovery key where there is one. Raises as :func:`rotation`."""
    _require_active(record)
    version, prev = record.version + 1, did_record_hash(record)
    if record.controls.recovery is None:
        plain = DidDeactivate(did=record.did, version=version, prev=prev)
        sent = _signed(state, "did.deactivate", plain, state.key.id, state.key.secret, expires_ms)
        return _change(version, expires_ms, None, None, sent)
    signer = _recovery_key(_secret(reserve), state.chain_id, record)
    payload = DidDeactivate(did=record.did, version=version, prev=prev, key=signer.multikey)
    sent = _signed(state, "did.deactivate", payload, RECOVERY_KEY_ID, signer.secret, expires_ms)
    return _change(version, expires_ms, None, None, sent)


def settle(change: Change, record: DidRecord, block_ms: int) -> Literal["done", "open", "void"]:
    """What became of a change, by the DID's present record: taken, still possible, or impossible for good."""
    if record.version >= change.version:
        if change.key is None:
            taken = record.status != "active"
        else:
            taken = any(key.multikey == change.key.multikey for key in record.keys)
        return "done" if taken else "void"
    return "open" if block_ms < change.expires_ms else "void"


def _content(record: DidRecord, key: HeldKey, reserve: bytes, chain_id: str, index: int) -> DidContent:
    """One key; services and names stay, and so do controllers."""
    fresh = control_of(reserve, chain_id, index)
    control = record.controls.model_copy(update={"next": fresh.next, "recovery": fresh.recovery})
    return DidContent(keys=(method_key(key.id, key.secret),), services=record.services, control=control)


def _index(secret: bytes, chain_id: str, committed: tuple[bytes, ...]) -> int:
    for index in range(WALLET_ROTATIONS_MAX):
        public = encode_multikey(ED25519_PUB, ed25519.public_key(next_seed(secret, chain_id, index)))
        if commitment("next", public) in committed:
            return index
    raise _wrong()


def _recovery_key(secret: bytes, chain_id: str, record: DidRecord) -> HeldKey:
    key = HeldKey(id=RECOVERY_KEY_ID, secret=recovery_seed(secret, chain_id))
    if commitment("recovery", key.multikey) != record.controls.recovery:
        raise _wrong()
    return key


def _secret(reserve: Reserve | None) -> bytes:
    if reserve is None:
        raise NotFoundError(
            "reserve_missing",
            "The wallet's recovery secret is not on this device.",
            next_step="Give two recovery shares with `--shares`.",
        )
    return reserve.secret


def _signed(
    state: WalletState,
    kind: str,
    payload: DidUpdate | DidRecover | DidDeactivate,
    key_id: str,
    secret: bytes,
    expires_ms: int,
) -> Transaction:
    body = TransactionBody(
        chain_id=state.chain_id,
        kind=kind,
        sender=payload.did,
        key_id=key_id,
        nonce=None,
        expires_at=expires_ms,
        payload=payload.to_json(),
    )
    return sign_transaction(body, lambda data: ed25519.sign(secret, data))


def _change(version: int, expires_ms: int, key: HeldKey | None, reserve: bytes | None, sent: Transaction) -> Change:
    return Change(
        version=version, expires_ms=expires_ms, key=key, reserve=reserve, seed=None, transaction=sent.to_bytes()
    )


def _require_active(record: DidRecord) -> None:
    if record.status != "active":
        raise ConflictError("did_deactivated", "This DID is deactivated for good.")


def _wrong() -> RefusedError:
    return RefusedError(
        "reserve_wrong",
        "The recovery secret is not the one that the DID is committed to now.",
        next_step="Use the shares that were written last: each recovery needs new ones.",
    )
