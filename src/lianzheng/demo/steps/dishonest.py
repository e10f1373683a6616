"""What a dishonest member can do with its own keys, past its own node: the scene shows that it does not help."""

from __future__ import annotations

import secrets
from typing import Any

from lianzheng.consent.model import Grant, cid_of, grant_pop_bytes
from lianzheng.crypto import ed25519
from lianzheng.demo.stage import Broker, Case, Stage
from lianzheng.demo.steps.consent import make_offer, present
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.limits import GRANTS_MIN, WALLET_BYTES_MAX
from lianzheng.wallet import acts
from lianzheng.wallet.acts import SignedConsent
from lianzheng.wallet.model import WalletState
from lianzheng.wallet.wallet import Wallet

__all__ = ["fill_batch", "send_as", "sign_under"]

_EXPIRY_MS = 600_000
_AHEAD = 40
"""Well inside the nonce window and beyond what the member's own node is about to use (LED-3)."""


async def send_as(stage: Stage, member: Broker, kind: str, payload: JsonObject) -> dict[str, Any]:
    """A transaction in the name of ``member``, signed with its key, through somebody else's door."""
    door = stage.brokers[0].api
    found = await door.get("/api/v1/ledger/entries", prefix=f"nonce/{member.did}/")
    used = max((int(item["value"]["max"]) for item in found["entries"]), default=0)
    body = TransactionBody(
        chain_id=stage.network.chain_id,
        kind=kind,
        sender=member.did,
        key_id="#node",
        nonce=used + _AHEAD,
        expires_at=stage.clock.now_ms() + _EXPIRY_MS,
        payload=payload,
    )
    keys = member.keystore()
    transaction = sign_transaction(body, lambda data: keys.sign("node", data))
    receipt: dict[str, Any] = await door.post_bytes(
        "/api/v1/ledger/transactions", transaction.to_bytes(), "application/json"
    )
    if receipt["result"]["code"] != "ok":
        raise RefusedError("transaction_refused", f"The ledger refused {kind}: {receipt['result']['code']}.")
    return receipt


def fill_batch(grant: Grant, chain_id: str, poster: str) -> tuple[Grant, ...]:
    """``grant`` among dummies, as many as the ledger asks for."""
    grants = [grant]
    while len(grants) < GRANTS_MIN:
        seed, h = ed25519.generate(), secrets.token_bytes(32)
        rk = ed25519.public_key(seed)
        cid = cid_of(rk, grant.not_after, h)
        pop = ed25519.sign(seed, grant_pop_bytes(chain_id, cid, poster))
        grants.append(Grant(rk=rk, not_after=grant.not_after, h=h, pop=pop))
    return tuple(grants)


def sign_under(wallet: Wallet, stage: Stage, case: Case, genesis_time_ms: int) -> SignedConsent:
    """A consent under the credential of the requester itself, which an honest wallet refuses to choose (GATE-5)."""
    own = next(held for held in wallet.credentials if held.issuer == stage.requester.did)
    _, signed = acts.sign_consent(
        WalletState.from_bytes(stage.saved_wallet(case), WALLET_BYTES_MAX),
        make_offer(stage, case),
        own,
        present(stage),
        genesis_time_ms=genesis_time_ms,
        now_ms=stage.clock.now_ms(),
        test_network=True,
    )
    return signed
