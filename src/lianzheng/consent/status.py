"""Whether the ledger lets a consent be used (the record part of GATE-4, pure)."""

from __future__ import annotations

from lianzheng.clock import end_of_day_ms
from lianzheng.consent.model import ConsentRecord, Token, cid_of, consent_state_key, token_digest
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.ledger.context import StateView

__all__ = ["check_record", "consent_id", "read_record"]


def consent_id(token: Token) -> bytes:
    """cid, recomputed from τ (AUTH-4, GATE-4)."""
    return cid_of(token.terms.rk, token.terms.not_after, token_digest(token))


def read_record(state: StateView, cid: bytes) -> ConsentRecord:
    """The ledger's record. Raises ``NotFoundError`` ``consent_unknown``."""
    value = state.get(consent_state_key(cid))
    if value is None:
        raise NotFoundError("consent_unknown", "The ledger has no record of this consent.")
    return ConsentRecord.from_json(value)


def check_record(token: Token, state: StateView, *, block_ms: int) -> bytes:
    """cid of the token, whose record is active, unexpired and posted by the requester (GATE-4; AUTH-5 comes later).

    Raises ``consent_unknown``, ``consent_mismatch``, ``consent_sender_wrong``, ``consent_revoked``,
    ``consent_paused``, ``consent_expired``.
    """
    cid = consent_id(token)
    record = read_record(state, cid)
    if record.rk != token.terms.rk or record.not_after != token.terms.not_after:
        raise RefusedError("consent_mismatch", "The consent's record does not fit the terms.")
    if record.status == "revoked":  # before the sender: a tombstone written by rk has none
        raise RefusedError("consent_revoked", "The investor has withdrawn this consent.")
    if record.sender != token.terms.requester:
        raise RefusedError("consent_sender_wrong", "The consent was posted by another member than its requester.")
    if record.status == "paused":
        raise RefusedError("consent_paused", "The investor has paused this consent.")
    if block_ms > end_of_day_ms(record.not_after):
        raise RefusedError("consent_expired", "This consent has expired.")
    return cid
