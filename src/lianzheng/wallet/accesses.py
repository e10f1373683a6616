"""The wallet asks for the uses of its consents and believes what is signed (GATE-10, AUTH-4).

Every question is signed by the consent's own key and carries nothing else: a provider learns neither the DID nor that
two consents are one person's. What comes back is checked against the ledger before it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.compute.gate.access import (
    AccessAnswer,
    AccessChallenge,
    AccessQuery,
    AccessUse,
    answer_bytes,
    query_bytes,
    query_hash,
    verify_request,
)
from lianzheng.compute.gate.model import request_hash
from lianzheng.compute.tasks.model import task_key, task_record
from lianzheng.crypto import ed25519
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import NotFoundError, RefusedError, VerificationError
from lianzheng.identity.did.model import DidRecord, did_state_key, is_ed25519, public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.context import StateView
from lianzheng.wallet.model import AccessEntry, HeldConsent, HeldToken, WalletState, consent_key

__all__ = ["access_query", "ledger_keys", "merged", "read_answer", "requester_of"]


def requester_of(consent: HeldConsent) -> str:
    """The DID of the member that the consent was given to."""
    requester: str = consent.named["credentialSubject"]["offer"]["requester"]["did"]
    return requester


def access_query(
    state: WalletState, token: HeldToken, challenge: AccessChallenge, member: str, skip: int = 0
) -> AccessQuery:
    """The signed question for the uses of one token's consent.

    Raises ``RefusedError`` ``access_misdirected`` where the challenge is another member's or network's.
    """
    if (challenge.chain_id, challenge.member) != (state.chain_id, member):
        raise RefusedError("access_misdirected", "The challenge is for another member or network.")
    seed = consent_key(state, token)
    draft = AccessQuery(
        chain_id=state.chain_id,
        member=member,
        rk=ed25519.public_key(seed),
        not_after=token.not_after,
        h=token.h,
        skip=skip,
        nonce=challenge.nonce,
        signature=bytes(64),
    )
    return draft.model_copy(update={"signature": ed25519.sign(seed, query_bytes(draft))})


def ledger_keys(answer: AccessAnswer) -> tuple[str, ...]:
    """The prefixes of what :func:`read_answer` wants of the ledger, sorted."""
    people = {answer.member, *(use.request.requester for use in answer.uses)}
    wanted = {did_state_key(did) for did in people} | {f"did-version/{did}/" for did in people}
    return tuple(sorted(wanted | {task_key(use.request.task) for use in answer.uses}))


def read_answer(
    answer: AccessAnswer, query: AccessQuery, consent: HeldConsent, token: HeldToken, ledger: StateView
) -> tuple[AccessEntry, ...]:
    """The uses that a member tells of, each proven by the requester's signature under the ledger's keys.

    Raises ``VerificationError``: ``access_mismatch`` (another question's answer, or another consent's use),
    ``access_answer_invalid`` (not signed by the member), ``access_request_invalid``, ``access_task_unknown``.
    """
    if (answer.chain_id, answer.member, answer.cid, answer.query) != (
        query.chain_id, query.member, token.cid, query_hash(query),
    ):  # fmt: skip
        raise _mismatch()
    try:
        key = public_key(read_did(ledger, answer.member), answer.key_id, "authentication")
        ed25519.verify(key, answer_bytes(answer), answer.signature)
    except (NotFoundError, VerificationError) as error:
        raise VerificationError("access_answer_invalid", "The answer is not signed by the member asked.") from error
    return tuple(_entry(use, answer.member, consent, token, ledger) for use in answer.uses)


def merged(log: Sequence[AccessEntry], told: Sequence[AccessEntry]) -> tuple[AccessEntry, ...]:
    """``log`` with what was told, each use once, by time; bands as the requester told them last."""
    found = {one.request: one for one in log}
    for entry in told:
        known = found.get(entry.request)
        if known is not None:
            tellers = tuple(sorted({*known.told_by, *entry.told_by}))
            bands = known.bands if entry.bands is None else entry.bands
            entry = entry.model_copy(update={"told_by": tellers, "bands": bands})
        found[entry.request] = entry
    return tuple(sorted(found.values(), key=lambda one: (one.time_ms, one.request)))


def _entry(use: AccessUse, member: str, consent: HeldConsent, token: HeldToken, ledger: StateView) -> AccessEntry:
    request, requester = use.request, requester_of(consent)
    parties = (request.cid, request.requester, request.provider)
    if parties != (token.cid, requester, token.provider) or member not in (requester, token.provider):
        raise _mismatch()
    verify_request(request, _keys(ledger, requester, request.key_id))
    try:
        contract = task_record(ledger, request.task).contract
    except NotFoundError as error:
        raise VerificationError(
            "access_task_unknown", "A use is told of under a task that is not on the ledger."
        ) from error
    if contract.requester != requester:
        raise _mismatch()
    return AccessEntry(
        request=request_hash(request),
        time_ms=request.time_ms,
        requester=requester,
        provider=request.provider,
        task=request.task,
        purpose=contract.purpose,
        views=tuple(view.view for view in request.views),
        bands=use.bands if member == requester else None,
        told_by=(member,),
        cid=request.cid,
    )


def _keys(ledger: StateView, did: str, key_id: str) -> tuple[bytes, ...]:
    """Every key that the DID has ever had under this name for authentication, the present one first."""
    found: dict[bytes, None] = {}
    records = [DidRecord.from_json(value) for _, value in ledger.scan(f"did-version/{did}/")]
    for record in (read_did(ledger, did), *reversed(records)):
        for key in record.keys:
            if key.id == key_id and "authentication" in key.purposes and is_ed25519(key.multikey):
                found[decode_multikey(key.multikey, ED25519_PUB)] = None
    return tuple(found)


def _mismatch() -> VerificationError:
    return VerificationError("access_mismatch", "The answer is another question's, or tells of another consent.")
