"""The issuer: checks that a person is a customer, that the wallet knows v, and signs the class of (G, U, V) (ID-7)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lianzheng.clock import Clock
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import NotFoundError, RefusedError, UnavailableError
from lianzheng.identity.credentials.kyc import issue_kyc_credential, kyc_id
from lianzheng.identity.enrolment import (
    EnrolmentChallenge,
    EnrolmentRequest,
    EnrolmentResponse,
    verify_enrolment_request,
)
from lianzheng.identity.idnorm import identity_element, normalise
from lianzheng.identity.model import IssuerKeyRecord, IssuerPublish, Sigma, issuer_state_key
from lianzheng.identity.ports import CustomerDirectory, EnrolmentStore, LedgerReader
from lianzheng.identity.resolver import read_did
from lianzheng.identity.rules import CREDENTIAL_PURPOSE
from lianzheng.limits import CREDENTIAL_OVERLAP_MS, CREDENTIAL_PERIOD_MS, ENROLMENT_NONCE_MS
from lianzheng.zk import spseq

__all__ = ["AllocateStatus", "IssuerIdentity", "IssuerService"]

AllocateStatus = Callable[[str], Awaitable[list[JsonObject]]]
"""Id of a new credential to its ``credentialStatus``."""


@dataclass(frozen=True, slots=True)
class IssuerIdentity:
    """Who issues, on which network, and the DID key that signs its credentials."""

    did: str
    chain_id: str
    genesis_time_ms: int
    test_network: bool
    key_id: str
    """An ``assertionMethod`` key of the DID, such as ``#node``."""
    sign: Callable[[bytes], bytes]


class IssuerService:
    """One member's enrolment desk."""

    def __init__(
        self,
        identity: IssuerIdentity,
        keystore: KeyStore,
        customers: CustomerDirectory,
        store: EnrolmentStore,
        ledger: LedgerReader,
        clock: Clock,
        allocate_status: AllocateStatus | None = None,
    ) -> None:
        """``allocate_status`` gives each credential entries by which it can be taken back."""
        self._identity = identity
        self._keystore = keystore
        self._customers = customers
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._allocate_status = allocate_status

    def period(self) -> int:
        """The credential period of the ledger's head (B13)."""
        return (self._ledger.now_block_ms() - self._identity.genesis_time_ms) // CREDENTIAL_PERIOD_MS

    def issuer_key_payload(self, period: int) -> IssuerPublish:
        """Payload of ``issuer.publish`` for the period; makes the key once and keeps it (one per period, EQ-1)."""
        name = _key_name(period)
        try:
            key = self._key(period)
        except NotFoundError:
            key = spseq.SecretKey.generate()
            self._keystore.put_secret(name, key.to_bytes())
        me = self._identity
        pop = spseq.prove_possession(key, me.chain_id, me.did, CREDENTIAL_PURPOSE, period)
        return IssuerPublish(period=period, key=key.public().to_bytes(), pop=pop)

    async def challenge(self, did: str) -> EnrolmentChallenge:
        """A nonce for the wallet of ``did``, good for ten minutes.

        Raises as ``read_did``; ``UnavailableError`` ``rate_limited``.
        """
        read_did(self._ledger.state, did)
        nonce = secrets.token_bytes(32)
        now_ms = self._clock.now_ms()
        expires_at = now_ms + ENROLMENT_NONCE_MS
        await self._store.add_challenge(nonce, did, expires_at, now_ms)
        me = self._identity
        return EnrolmentChallenge(chain_id=me.chain_id, issuer=me.did, did=did, nonce=nonce, expires_at=expires_at)

    async def enrol(self, request: EnrolmentRequest) -> EnrolmentResponse:
        """Sign the class of (G, U, V) for a customer of this member, and issue its ``KycCredential`` (ID-7).

        Raises ``enrolment_misdirected``, ``enrolment_nonce_unknown``, ``did_unknown``, those of
        ``verify_enrolment_request`` and ``normalise``, ``customer_unknown``, ``holder_key_reused``,
        ``issuer_key_unpublished``.
        """
        me, now_ms = self._identity, self._clock.now_ms()
        if request.chain_id != me.chain_id or request.issuer != me.did:
            raise RefusedError("enrolment_misdirected", "The request is for another network or issuer.")
        period = self.period()
        key = self._published_key(period)
        await self._store.take_challenge(request.nonce, request.did, now_ms)
        holder = verify_enrolment_request(request, read_did(self._ledger.state, request.did))
        document = request.document
        idnorm = normalise(document.type, document.country, document.number, test_network=me.test_network)
        client = await self._customers.find_customer(idnorm)
        if client is None:
            raise RefusedError("customer_unknown", "No customer of this member has this document.")
        element = identity_element(idnorm)
        await self._store.claim_holder(request.holder, element.to_bytes(), request.did, now_ms)
        signature = spseq.sign(key, (G1.generator(), element, holder))
        credential = await self._credential(request, period, now_ms)
        await self._store.add_issued(request.did, period, client, encode_w3c(credential), now_ms)
        return EnrolmentResponse(
            chain_id=me.chain_id,
            issuer=me.did,
            did=request.did,
            period=period,
            sigma_i=Sigma.of(signature),
            credential=credential,
        )

    async def _credential(self, request: EnrolmentRequest, period: int, now_ms: int) -> JsonObject:
        me, reference = self._identity, secrets.token_bytes(16)
        status = [] if self._allocate_status is None else await self._allocate_status(kyc_id(reference))
        return issue_kyc_credential(
            issuer=me.did,
            subject=request.did,
            period=period,
            document_type=request.document.type,
            country=request.document.country,
            reference=reference,
            valid_until_ms=me.genesis_time_ms + (period + 1) * CREDENTIAL_PERIOD_MS + CREDENTIAL_OVERLAP_MS,
            now_ms=now_ms,
            key_id=me.key_id,
            sign=me.sign,
            status=status,
        )

    def _published_key(self, period: int) -> spseq.SecretKey:
        value = self._ledger.state.get(issuer_state_key(self._identity.did, period))
        if value is not None:
            key = self._key(period)
            if IssuerKeyRecord.from_json(value).key == key.public().to_bytes():
                return key
        raise UnavailableError(
            "issuer_key_unpublished",
            "This member has no credential key of the present period on the ledger.",
            next_step="Publish it (issuer.publish) and try again.",
        )

    def _key(self, period: int) -> spseq.SecretKey:
        return spseq.SecretKey.from_bytes(self._keystore.get_secret(_key_name(period)))


def _key_name(period: int) -> str:
    return f"credential/{period}"
