"""The desk where a person asks for the uses of a consent: proof of its key first, then nothing but its own uses.

Challenges are stateless: random ‖ expiry ‖ HMAC-SHA-256 under a key of this process. What is remembered is which of
them have come back with a valid signature, until they expire; a restart ends them all.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from lianzheng.clock import Clock
from lianzheng.compute.gate.access import (
    AccessAnswer,
    AccessChallenge,
    AccessQuery,
    AccessUse,
    answer_bytes,
    query_hash,
    verify_query,
)
from lianzheng.compute.gate.model import GateAnswer, GateRequest, UsageReceipt
from lianzheng.compute.ports import AccessBook, KnownUse
from lianzheng.encoding.framing import tagged
from lianzheng.errors import RefusedError, UnavailableError
from lianzheng.limits import ACCESS_CHALLENGE_MS, ACCESS_NONCES_MAX, ACCESS_USES_MAX

__all__ = ["AccessDesk"]

_RANDOM = 16
_TIME = 8


class AccessDesk:
    """One member's answers, as provider and as requester alike."""

    def __init__(
        self,
        me: str,
        chain_id: str,
        book: AccessBook,
        sign: Callable[[bytes], bytes],
        clock: Clock,
        key_id: str = "#node",
    ) -> None:
        self._me = me
        self._chain_id = chain_id
        self._book = book
        self._sign = sign
        self._clock = clock
        self._key_id = key_id
        self._key = secrets.token_bytes(32)
        self._answered: dict[bytes, int] = {}

    def challenge(self) -> AccessChallenge:
        """A nonce for one query to this member, good for two minutes."""
        expiry = self._clock.now_ms() + ACCESS_CHALLENGE_MS
        head = secrets.token_bytes(_RANDOM) + expiry.to_bytes(_TIME, "big")
        return AccessChallenge(chain_id=self._chain_id, member=self._me, nonce=head + self._seal(head))

    async def answer(self, raw: bytes) -> AccessAnswer:
        """The uses of the consent whose key has signed the query, and of no other.

        Raises ``FormatError``; ``RefusedError``: ``access_misdirected`` (another member or network),
        ``access_challenge_invalid`` (not of this process, expired, or used); ``VerificationError``
        ``access_signature_invalid``; ``UnavailableError`` ``rate_limited``.
        """
        query = AccessQuery.from_bytes(raw)
        if (query.chain_id, query.member) != (self._chain_id, self._me):
            raise RefusedError("access_misdirected", "The question is for another member or network.")
        now = self._clock.now_ms()
        expiry = self._expiry_of(query.nonce)
        verify_query(query)
        self._use_up(query.nonce, expiry, now)
        uses, more = await self._uses(query.cid, query.skip)
        draft = AccessAnswer(
            chain_id=self._chain_id,
            member=self._me,
            key_id=self._key_id,
            query=query_hash(query),
            cid=query.cid,
            uses=uses,
            more=more,
            time_ms=now,
            signature=bytes(64),
        )
        return draft.model_copy(update={"signature": self._sign(answer_bytes(draft))})

    async def _uses(self, cid: bytes, skip: int) -> tuple[tuple[AccessUse, ...], bool]:
        """One side holds uses of a consent; a member that is both to it has asked itself, which GATE-5 forbids."""
        found = await self._book.had(cid, skip, ACCESS_USES_MAX + 1)
        if not found:
            found = await self._book.given(cid, skip, ACCESS_USES_MAX + 1)
        return tuple(_told(one) for one in found[:ACCESS_USES_MAX]), len(found) > ACCESS_USES_MAX

    def _seal(self, head: bytes) -> bytes:
        return hmac.digest(self._key, tagged("access-nonce", head), "sha256")

    def _expiry_of(self, nonce: bytes) -> int:
        head, seal = nonce[: _RANDOM + _TIME], nonce[_RANDOM + _TIME :]
        expiry = int.from_bytes(head[_RANDOM:], "big")
        if not hmac.compare_digest(seal, self._seal(head)) or expiry <= self._clock.now_ms():
            raise _invalid()
        return expiry

    def _use_up(self, nonce: bytes, expiry: int, now: int) -> None:
        if nonce in self._answered:
            raise _invalid()
        if len(self._answered) >= ACCESS_NONCES_MAX:
            self._answered = {one: until for one, until in self._answered.items() if until > now}
        if len(self._answered) >= ACCESS_NONCES_MAX:
            raise UnavailableError("rate_limited", "Too many questions just now.", next_step="Try again in a minute.")
        self._answered[nonce] = expiry


def _told(use: KnownUse) -> AccessUse:
    """Without salt and points (GATE-10)."""
    if use.request is None:
        receipt = UsageReceipt.from_bytes(use.proof)
        request, answer = receipt.request, receipt.answer
    else:
        request, answer = GateRequest.from_bytes(use.request), GateAnswer.from_bytes(use.proof)
    bands = None if use.bands is None else dict(use.bands)
    return AccessUse(request=request, answered_ms=answer.time_ms, bands=bands)


def _invalid() -> RefusedError:
    return RefusedError(
        "access_challenge_invalid",
        "The challenge is not one of ours, has expired, or was answered before.",
        next_step="Ask for a new one.",
    )
