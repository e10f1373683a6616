"""The asking side of the gate: sign a request, check the answer, take the person's element out of it (GATE-9, 10)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lianzheng.clock import Clock
from lianzheng.compute.gate.evaluation import check_answer, unblind, verify_evaluation
from lianzheng.compute.gate.model import (
    GateAnswer,
    GateBatch,
    GateBatchAnswer,
    GateCall,
    GateRefusal,
    GateRequest,
    UsageReceipt,
    ViewEpoch,
    answer_signing_bytes,
    request_signing_bytes,
)
from lianzheng.compute.gate.ports import Transport
from lianzheng.compute.views.model import epoch_record
from lianzheng.consent.model import Token, decode_token
from lianzheng.consent.status import consent_id
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import FormatError, LianzhengError, NotFoundError, VerificationError
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.context import StateView
from lianzheng.limits import GATE_BATCH_BYTES_MAX, GATE_BATCH_MAX

__all__ = ["GATE_BATCH_PATH", "GATE_PATH", "GateClient", "Opened", "Use"]

GATE_PATH = "/peer/v1/gate/evaluations"
GATE_BATCH_PATH = "/peer/v1/gate/evaluations/batch"


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """The person's element under each view asked, and the receipt of the use. Elements are personal data."""

    elements: dict[ViewEpoch, G1]
    receipt: UsageReceipt
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True, repr=False)
class Use:
    """One use to be asked for: τ, its blinding scalar, and the views."""

    token: bytes
    r: int
    views: tuple[ViewEpoch, ...]


class GateClient:
    """Asks providers in this member's name."""

    def __init__(
        self,
        me: str,
        chain_id: str,
        sign: Callable[[bytes], bytes],
        transport: Transport,
        state: Callable[[], StateView],
        clock: Clock,
        key_id: str = "#node",
    ) -> None:
        self._me = me
        self._chain_id = chain_id
        self._sign = sign
        self._transport = transport
        self._state = state
        self._clock = clock
        self._key_id = key_id

    async def ask(self, task: bytes, token: bytes, r: int, views: tuple[ViewEpoch, ...]) -> Opened:
        """One use of the investor's token at its provider for ``views``.

        ``token`` is τ, ``r`` its blinding scalar. Raises ``UnavailableError`` ``peer_unreachable``, the provider's
        refusal with its own code, or ``answer_mismatch``, ``answer_signature_invalid``, ``dleq_invalid``.
        """
        tau = decode_token(token)
        cid = consent_id(tau)
        request = self._request(tau.terms.provider, task, cid, views)
        call = GateCall(request=request, token=token).to_bytes()
        raw = await self._transport.post_bytes(tau.terms.provider, GATE_PATH, call)
        return self._opened(request, G1.from_bytes(tau.b), r, len(call), raw)

    async def ask_many(self, task: bytes, uses: Sequence[Use]) -> list[Opened | LianzhengError]:
        """One use of each token, asked together: for each what :meth:`ask` gives or raises, in their order (EQ-1).

        All tokens are for one provider; more than ``GATE_BATCH_MAX`` go in several calls, one after the other. Raises
        what hits a call as a whole: ``UnavailableError`` ``peer_unreachable``, ``FormatError`` ``batch_providers``.
        """
        taus = [decode_token(use.token) for use in uses]
        if len({tau.terms.provider for tau in taus}) > 1:
            raise FormatError("batch_providers", "The tokens of a batch are for more than one provider.")
        outcomes: list[Opened | LianzhengError] = []
        for start in range(0, len(uses), GATE_BATCH_MAX):
            part = slice(start, start + GATE_BATCH_MAX)
            outcomes += await self._ask_part(task, uses[part], taus[part])
        return outcomes

    async def _ask_part(self, task: bytes, uses: Sequence[Use], taus: Sequence[Token]) -> list[Opened | LianzhengError]:
        provider = taus[0].terms.provider
        requests = [
            self._request(provider, task, consent_id(tau), use.views) for use, tau in zip(uses, taus, strict=True)
        ]
        calls = [
            GateCall(request=request, token=use.token).to_bytes() for request, use in zip(requests, uses, strict=True)
        ]
        body = GateBatch(calls=tuple(calls)).to_bytes()
        raw = await self._transport.post_bytes(provider, GATE_BATCH_PATH, body, GATE_BATCH_BYTES_MAX)
        answers = GateBatchAnswer.from_bytes(raw, GATE_BATCH_BYTES_MAX).answers
        if len(answers) != len(calls):
            raise VerificationError("answer_mismatch", "The provider's answer does not belong to this request.")
        outcomes: list[Opened | LianzhengError] = []
        for at, line in enumerate(answers):
            if isinstance(line, GateRefusal):
                outcomes.append(line.error())
                continue
            try:
                blinded = G1.from_bytes(taus[at].b)
                outcomes.append(self._opened(requests[at], blinded, uses[at].r, len(calls[at]), line.answer))
            except LianzhengError as error:
                outcomes.append(error)
        return outcomes

    def _opened(self, request: GateRequest, blinded: G1, r: int, sent_bytes: int, raw: bytes) -> Opened:
        answer = GateAnswer.from_bytes(raw)
        check_answer(answer, request)
        self._check_signature(answer)
        elements = {}
        for view, evaluation in zip(request.views, answer.evaluations, strict=True):
            key_point = G1.from_bytes(epoch_record(self._state(), view.view, view.epoch).key_point)
            elements[view] = unblind(verify_evaluation(evaluation, key_point, blinded, request), r)
        return Opened(elements, UsageReceipt(request=request, answer=answer), sent_bytes, len(raw))

    def _request(self, provider: str, task: bytes, cid: bytes, views: tuple[ViewEpoch, ...]) -> GateRequest:
        draft = GateRequest(
            chain_id=self._chain_id,
            requester=self._me,
            key_id=self._key_id,
            provider=provider,
            task=task,
            cid=cid,
            views=views,
            nonce=secrets.token_bytes(32),
            time_ms=self._clock.now_ms(),
            signature=bytes(64),
        )
        return draft.model_copy(update={"signature": self._sign(request_signing_bytes(draft))})

    def _check_signature(self, answer: GateAnswer) -> None:
        try:
            key = public_key(read_did(self._state(), answer.provider), answer.key_id, "authentication")
            ed25519.verify(key, answer_signing_bytes(answer), answer.signature)
        except (NotFoundError, VerificationError) as error:
            raise VerificationError("answer_signature_invalid", "The answer is not signed by its provider.") from error
