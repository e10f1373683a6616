"""What the ledger does with grants, pauses and revocations of consent (AUTH-4)."""

from __future__ import annotations

from lianzheng.clock import DAY_MS, day_of
from lianzheng.consent.model import (
    ConsentGrant,
    ConsentPause,
    ConsentRecord,
    ConsentResume,
    ConsentRevoke,
    Grant,
    PauseCount,
    consent_key_name,
    consent_state_key,
    grant_pop_bytes,
    record_hash,
)
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConflictError, NotFoundError, RefusedError, VerificationError
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.limits import CONSENT_KEPT_DAYS, CONSENT_PRUNE_MAX, GRANT_DAYS_AHEAD_MAX, PAUSES_PER_DAY_MAX

__all__ = ["RULES", "grant", "pause", "resume", "revoke"]

Write = tuple[str, JsonObject | None]
_PRUNE_WINDOW_DAYS = 14
"""How far back expired days are searched; older leftovers of a chain that stood still stay, which costs room only."""


def grant(
    state: StateView, sender: Sender, payload: ConsentGrant, body: TransactionBody, block: BlockContext
) -> Effects:
    """Each good grant stands as an active consent; ``data`` lists one code a grant, in order (B7).

    Codes: ``ok``, ``grant_exists``, ``grant_revoked`` (a tombstone stands), ``grant_expired``, ``grant_too_far``,
    ``grant_pop_invalid``. A bad grant is skipped and the others stand: the one exception to LED-4.
    """
    writes: list[Write] = list(_prune(state, block))
    codes: list[str] = []
    seen: dict[bytes, None] = {}
    for item in payload.grants:
        cid = item.cid
        code = "grant_exists" if cid in seen else _judge(state, item, cid, sender.name, block)
        codes.append(code)
        if code == "ok":
            seen[cid] = None
            record = ConsentRecord(rk=item.rk, not_after=item.not_after, sender=sender.name, status="active", seq=0)
            writes += _write(cid, record, new=True)
    return Effects(
        writes=tuple(writes),
        events=({"type": "consent.granted", "sender": sender.name, "count": len(payload.grants)},),
        data=codes,
    )


def pause(
    state: StateView, sender: Sender, payload: ConsentPause, body: TransactionBody, block: BlockContext
) -> Effects:
    """The consent is paused until rk resumes it. Refuses as :func:`resume`, and ``consent_paused``."""
    return _switch(state, sender, payload, block, "active", "paused")


def resume(
    state: StateView, sender: Sender, payload: ConsentResume, body: TransactionBody, block: BlockContext
) -> Effects:
    """The paused consent is active again; only rk can do this.

    Refuses: ``consent_unknown``, ``consent_key_wrong``, ``already_revoked``, ``consent_expired``,
    ``consent_active``, ``seq_wrong``, ``prev_wrong``, ``pauses_exhausted`` (AUTH-4: four acts a day).
    """
    return _switch(state, sender, payload, block, "paused", "active")


def revoke(
    state: StateView, sender: Sender, payload: ConsentRevoke, body: TransactionBody, block: BlockContext
) -> Effects:
    """The consent is revoked for good, whatever its seq; rk may do so before any grant was posted.

    Refuses: ``already_revoked``, ``consent_key_wrong``, ``consent_sender_wrong``, ``consent_unknown`` (form
    ``{cid}`` only), ``consent_expired`` and ``grant_too_far`` (a tombstone for a grant that could never stand).
    """
    cid = payload.consent_id
    record = _find(state, cid)
    if payload.rk is not None and payload.not_after is not None:
        if sender.role != "consent_key" or sender.name != consent_key_name(payload.rk):
            raise RefusedError("consent_key_wrong", "This form of revocation is signed by the consent's own key.")
        if record is None:
            _check_tombstone(payload.not_after, block)
            record = ConsentRecord(rk=payload.rk, not_after=payload.not_after, sender=None, status="revoked", seq=0)
            return _revoked(cid, record, new=True)
    elif record is None:
        raise NotFoundError("consent_unknown", "The ledger has no record of this consent.")
    elif sender.role != "member" or record.sender != sender.name:
        raise RefusedError("consent_sender_wrong", "Only the member that posted the grant may revoke it by its id.")
    if record.status == "revoked":
        raise ConflictError("already_revoked", "This consent is revoked already.")
    return _revoked(cid, record.model_copy(update={"status": "revoked", "seq": record.seq + 1}), new=False)


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("consent.grant", ConsentGrant, grant),
    RuleSpec("consent.pause", ConsentPause, pause, ordered=True),
    RuleSpec("consent.resume", ConsentResume, resume, ordered=True),
    RuleSpec("consent.revoke", ConsentRevoke, revoke, ordered=True),
)


def _judge(state: StateView, item: Grant, cid: bytes, poster: str, block: BlockContext) -> str:
    if item.not_after < block.day:  # days compare as text
        return "grant_expired"
    if item.not_after > day_of(block.time_ms + GRANT_DAYS_AHEAD_MAX * DAY_MS):
        return "grant_too_far"
    record = _find(state, cid)
    if record is not None:
        return "grant_revoked" if record.status == "revoked" else "grant_exists"
    try:
        ed25519.verify(item.rk, grant_pop_bytes(block.chain_id, cid, poster), item.pop)
    except VerificationError:
        return "grant_pop_invalid"
    return "ok"


def _switch(
    state: StateView, sender: Sender, payload: ConsentPause, block: BlockContext, before: str, after: str
) -> Effects:
    record = _find(state, payload.cid)
    if record is None:
        raise NotFoundError("consent_unknown", "The ledger has no record of this consent.")
    if sender.role != "consent_key" or sender.name != consent_key_name(record.rk):
        raise RefusedError("consent_key_wrong", "Only the consent's own key pauses and resumes it.")
    if record.status == "revoked":
        raise ConflictError("already_revoked", "This consent is revoked for good.")
    if record.not_after < block.day:
        raise RefusedError("consent_expired", "This consent has expired.")
    if payload.seq != record.seq + 1:
        raise ConflictError("seq_wrong", "seq is not the record's next number.")
    if payload.prev != record_hash(record):
        raise ConflictError("prev_wrong", "prev is not the hash of the record's present state.")
    if record.status != before:
        if record.status == "paused":
            raise ConflictError("consent_paused", "This consent is paused already.")
        raise ConflictError("consent_active", "This consent is active already.")
    count = _count_act(state, payload.cid, block)
    changed = record.model_copy(update={"status": after, "seq": payload.seq})
    event = {"type": f"consent.{after}", "cid": b64u_encode(payload.cid)}
    return Effects(writes=(*_write(payload.cid, changed, new=False), count), events=(event,))


def _count_act(state: StateView, cid: bytes, block: BlockContext) -> Write:
    place = _pauses_key(cid)
    value = state.get(place)
    known = None if value is None else PauseCount.from_json(value)
    count = known.count if known is not None and known.day == block.day else 0
    if count >= PAUSES_PER_DAY_MAX:
        raise RefusedError("pauses_exhausted", "A consent is paused or resumed at most four times a day.")
    return place, PauseCount(day=block.day, count=count + 1).to_json()


def _check_tombstone(not_after: str, block: BlockContext) -> None:
    if not_after < block.day:
        raise RefusedError("consent_expired", "This consent has expired; nothing can be posted under it.")
    if not_after > day_of(block.time_ms + GRANT_DAYS_AHEAD_MAX * DAY_MS):
        raise RefusedError("grant_too_far", "No consent may last this long; nothing can be posted under it.")


def _revoked(cid: bytes, record: ConsentRecord, *, new: bool) -> Effects:
    event = {"type": "consent.revoked", "cid": b64u_encode(cid)}
    return Effects(writes=_write(cid, record, new=new), events=(event,))


def _find(state: StateView, cid: bytes) -> ConsentRecord | None:
    value = state.get(consent_state_key(cid))
    return None if value is None else ConsentRecord.from_json(value)


def _write(cid: bytes, record: ConsentRecord, *, new: bool) -> tuple[Write, ...]:
    entry: Write = (consent_state_key(cid), record.to_json())
    return (entry, (_expiry_key(record.not_after, cid), {})) if new else (entry,)


def _prune(state: StateView, block: BlockContext) -> tuple[Write, ...]:
    """Drop records whose not_after lies more than 30 days back; no grant with such a day can come again."""
    writes: list[Write] = []
    for back in range(_PRUNE_WINDOW_DAYS, 0, -1):
        day = day_of(block.time_ms - (CONSENT_KEPT_DAYS + back) * DAY_MS)
        for key, _ in state.scan(f"consent-expiry/{day}/"):
            if len(writes) >= 3 * CONSENT_PRUNE_MAX:
                return tuple(writes)
            cid = key.rpartition("/")[2]
            writes += [(key, None), (f"consent/{cid}", None), (f"consent-pauses/{cid}", None)]
    return tuple(writes)


def _expiry_key(not_after: str, cid: bytes) -> str:
    return f"consent-expiry/{not_after}/{b64u_encode(cid)}"


def _pauses_key(cid: bytes) -> str:
    return f"consent-pauses/{b64u_encode(cid)}"
