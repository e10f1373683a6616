"""The requester's desk: receives consents, posts their grants in batches, withdraws them (AUTH-2..4, AUTH-6)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.clock import Clock
from lianzheng.consent.model import (
    ConsentGrant,
    ConsentRevoke,
    Grant,
    cid_of,
    consent_state_key,
    grant_pop_bytes,
)
from lianzheng.consent.ports import (
    ConsentStore,
    CustomerIdentities,
    StoredConsent,
    StoredToken,
    TransactionPort,
)
from lianzheng.consent.submission import CheckedToken, ConsentSubmission, Desk, check_submission
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import scalar_to_bytes
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.identity.idnorm import identity_element
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolver import resolve_key
from lianzheng.ledger.context import MembersView
from lianzheng.limits import GRANT_FLUSH_MS, GRANTS_MAX, GRANTS_MIN

__all__ = ["ConsentService", "ReceivedConsent", "RequesterIdentity"]

_FINAL_CODES = ("ok", "already_revoked")


@dataclass(frozen=True, slots=True)
class RequesterIdentity:
    """Which member receives, on which network."""

    did: str
    chain_id: str
    genesis_time_ms: int


@dataclass(frozen=True, slots=True)
class ReceivedConsent:
    """What the wallet is told: the consent is kept and its grants are on their way."""

    consent_id: str
    cids: tuple[bytes, ...]


class ConsentService:
    """One member as requester. ``flush_due`` is driven by the node's worker, at least once a second."""

    def __init__(
        self,
        identity: RequesterIdentity,
        ledger: LedgerReader,
        members: MembersView,
        customers: CustomerIdentities,
        store: ConsentStore,
        sender: TransactionPort,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._ledger = ledger
        self._members = members
        self._customers = customers
        self._store = store
        self._sender = sender
        self._clock = clock
        self._posting = asyncio.Lock()

    async def receive(self, submission: ConsentSubmission) -> ReceivedConsent:
        """Check everything, keep consent and tokens durably, queue the grants (AUTH-2..4).

        Raises the codes of ``check_submission``, ``customer_unknown``, ``consent_exists``.
        """
        client = _client_reference(submission)
        idnorm = await self._customers.find_idnorm(client)
        if idnorm is None:
            raise RefusedError("customer_unknown", "The consent names no customer of this member.")
        state, now_ms, me = self._ledger.state, self._clock.now_ms(), self._identity
        desk = Desk(
            requester=me.did,
            chain_id=me.chain_id,
            genesis_time_ms=me.genesis_time_ms,
            state=state,
            members=self._members,
            now_ms=now_ms,
            block_ms=self._ledger.now_block_ms(),
        )
        element = identity_element(idnorm)
        named, checked = check_submission(
            submission, desk, lambda _: element, lambda method: resolve_key(state, method)
        )
        consent = StoredConsent(
            consent_id=named.offer.consent_id,
            client_reference=named.offer.client_reference,
            subject=named.id,
            document=encode_w3c(submission.named),
            status="active",
            received_ms=now_ms,
        )
        tokens = [_stored(item, consent.consent_id, now_ms) for item in checked]
        await self._store.add(consent, tokens)
        return ReceivedConsent(consent.consent_id, tuple(token.cid for token in tokens))

    async def flush_due(self) -> int:
        """Post a batch if 32 grants wait or the oldest has waited 5 s; the number of real grants posted (AUTH-4).

        Grants stay queued where the ledger cannot be reached: raises ``UnavailableError`` then; call again later.
        """
        async with self._posting:
            waiting = await self._store.queued(GRANTS_MAX)
            if not waiting:
                return 0
            waited_ms = self._clock.now_ms() - waiting[0].queued_ms
            # A clock that was set back must not hold grants up for ever.
            if len(waiting) < GRANTS_MIN and 0 <= waited_ms < GRANT_FLUSH_MS:
                return 0
            await self._post(waiting)
            return len(waiting)

    async def withdraw(self, consent_id: str) -> int:
        """Revoke every token of a consent as the grants' sender; the number of revocations now final (AUTH-4, AUTH-6).

        The person's way at the counter; a wallet revokes by rk. Queued grants are never posted; r is erased.
        Raises ``NotFoundError`` ``consent_unknown``.
        """
        async with self._posting:
            if await self._store.consent(consent_id) is None:
                raise NotFoundError("consent_unknown", "This member holds no such consent.")
            tokens = await self._store.tokens(consent_id)
            # First locally and durably: from here on this member uses none of them.
            await self._store.withdraw([token.cid for token in tokens], whole=consent_id)
            done = 0
            for token in tokens:
                done += await self._revoke(token.cid)
            return done

    async def forget(self, cids: Sequence[bytes]) -> None:
        """Stop using tokens that their own key has revoked: never post them, erase their r."""
        async with self._posting:
            await self._store.withdraw(cids)

    async def _revoke(self, cid: bytes) -> int:
        value = self._ledger.state.get(consent_state_key(cid))
        if value is None or value["status"] == "revoked":
            return 0
        try:
            await self._sender.send("consent.revoke", ConsentRevoke(cid=cid), ordered=True)
        except RefusedError as error:
            if error.code not in _FINAL_CODES:
                raise
        return 1

    async def _post(self, waiting: Sequence[StoredToken]) -> None:
        me = self._identity
        grants = [item.grant for item in waiting]
        while len(grants) < GRANTS_MIN:
            grants.append(_dummy(secrets.choice(waiting).grant.not_after, me.chain_id, me.did))
        secrets.SystemRandom().shuffle(grants)
        receipt = await self._sender.send("consent.grant", ConsentGrant(grants=tuple(grants)))
        codes = dict(zip((grant.cid for grant in grants), receipt.result.data, strict=True))
        await self._store.settle({item.cid: self._settled(item.cid, codes[item.cid]) for item in waiting})

    def _settled(self, cid: bytes, code: str) -> str:
        # After a crash between posting and noting, the same grant meets its own record.
        record = self._ledger.state.get(consent_state_key(cid))
        own = record is not None and record["sender"] == self._identity.did
        return "ok" if code == "grant_exists" and own else code


def _client_reference(submission: ConsentSubmission) -> str:
    subject = submission.named.get("credentialSubject")
    offer = subject.get("offer") if isinstance(subject, dict) else None
    reference = offer.get("client_reference") if isinstance(offer, dict) else None
    return reference if isinstance(reference, str) else ""


def _stored(item: CheckedToken, consent_id: str, now_ms: int) -> StoredToken:
    return StoredToken(
        cid=item.grant.cid,
        consent_id=consent_id,
        provider=item.provider,
        token=item.token.to_bytes(),
        r=scalar_to_bytes(item.r),
        grant=item.grant,
        state="queued",
        code="",
        queued_ms=now_ms,
    )


def _dummy(not_after: str, chain_id: str, poster: str) -> Grant:
    """A grant that nobody can use and nobody can tell from a real one: its key is forgotten here."""
    seed, h = ed25519.generate(), secrets.token_bytes(32)
    rk = ed25519.public_key(seed)
    pop = ed25519.sign(seed, grant_pop_bytes(chain_id, cid_of(rk, not_after, h), poster))
    return Grant(rk=rk, not_after=not_after, h=h, pop=pop)
