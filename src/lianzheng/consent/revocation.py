"""Revocations by a consent's own key, taken from anybody by every member's node (AUTH-4, AUTH-6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from lianzheng.clock import DAY_MS, Clock, day_of
from lianzheng.consent.model import ConsentRevoke, consent_key_name
from lianzheng.consent.ports import RefusalStore, RevocationRelay, TransactionSubmitter
from lianzheng.crypto import ed25519
from lianzheng.errors import FormatError, RefusedError, UnavailableError
from lianzheng.ledger.ports import Receipt
from lianzheng.ledger.transaction import Transaction, signing_bytes
from lianzheng.limits import GRANT_DAYS_AHEAD_MAX

__all__ = ["RevocationService", "verify_revocation"]

_SETTLED = ("ok", "already_revoked")
_RETRY_MAX = 64


def verify_revocation(transaction: Transaction, chain_id: str) -> ConsentRevoke:
    """The revocation is signed by the consent's own key, for this network.

    Expiry is not asked: a signed withdrawal stays one. Raises ``RefusedError``: ``chain_mismatch``,
    ``kind_unknown``, ``nonce_unexpected``, ``consent_key_wrong``, ``algorithm_mismatch``; ``FormatError``;
    ``VerificationError`` ``signature_invalid``.
    """
    body = transaction.body
    if body.chain_id != chain_id:
        raise RefusedError("chain_mismatch", "The transaction is for another chain.")
    if body.kind != "consent.revoke":
        raise RefusedError("kind_unknown", "Only revocations of consent are taken here.")
    if body.nonce is not None:
        raise RefusedError("nonce_unexpected", "A revocation carries no nonce.")
    payload = ConsentRevoke.from_json(body.payload)
    if payload.to_json() != body.payload:
        raise FormatError("json_not_canonical", "A payload is not in the one encoding of its type.")
    if payload.rk is None or body.sender != consent_key_name(payload.rk) or body.key_id:
        raise RefusedError("consent_key_wrong", "A revocation taken here is signed by the consent's own key.")
    if transaction.proof.alg != "Ed25519":
        raise RefusedError("algorithm_mismatch", "A transaction's alg is not the algorithm of its key.")
    ed25519.verify(payload.rk, signing_bytes(body), transaction.proof.sig)
    return payload


class RevocationService:
    """Refuses a cid from the moment it has verified the revocation, in a block or not."""

    def __init__(
        self,
        chain_id: str,
        store: RefusalStore,
        submitter: TransactionSubmitter,
        relay: RevocationRelay,
        clock: Clock,
        forget: Callable[[Sequence[bytes]], Awaitable[None]],
    ) -> None:
        """``forget`` is ``ConsentService.forget`` of the same node."""
        self._chain_id = chain_id
        self._store = store
        self._submitter = submitter
        self._relay = relay
        self._clock = clock
        self._forget = forget

    async def accept(self, data: bytes) -> Receipt | None:
        """Refuse the cid durably, then pass the revocation on and post it; None where posting has to wait.

        Raises as ``verify_revocation`` and ``Transaction.parse``, ``consent_expired``, ``grant_too_far``.
        """
        transaction = Transaction.parse(data)
        payload = verify_revocation(transaction, self._chain_id)
        self._check_day(payload.not_after or "")
        cid = payload.consent_id
        new = await self._store.add_refusal(cid, data, self._clock.now_ms())
        await self._forget([cid])
        if new:  # a known one was passed on before: members do not pass it round in circles
            await self._relay.pass_on(data)
        try:
            return await self._post(cid, transaction)
        except UnavailableError:
            return None

    async def check_not_refused(self, cid: bytes) -> None:
        """Raise ``RefusedError`` ``consent_revoked`` where this node knows a revocation (AUTH-4, GATE-4)."""
        if await self._store.is_refused(cid):
            raise RefusedError("consent_revoked", "The investor has withdrawn this consent.")

    async def retry_unposted(self) -> int:
        """Post what could not be posted before; the number now settled. Raises ``UnavailableError``."""
        settled = 0
        for cid, data in await self._store.unposted(_RETRY_MAX):
            receipt = await self._post(cid, Transaction.parse(data))
            settled += receipt.result.code in _SETTLED
        return settled

    async def _post(self, cid: bytes, transaction: Transaction) -> Receipt:
        receipt = await self._submitter.submit(transaction)
        # An expired transaction will never stand; the wallet, or another node, posts a fresh one.
        if receipt.result.code in (*_SETTLED, "transaction_expired"):
            await self._store.mark_posted(cid)
        return receipt

    def _check_day(self, not_after: str) -> None:
        now_ms = self._clock.now_ms()
        if not_after < day_of(now_ms):
            raise RefusedError("consent_expired", "This consent has expired; nothing can be done under it.")
        if not_after > day_of(now_ms + GRANT_DAYS_AHEAD_MAX * DAY_MS):
            raise RefusedError("grant_too_far", "No consent may last this long.")
