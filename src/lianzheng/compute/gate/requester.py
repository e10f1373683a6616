"""The asking side of the gate: sign a request, check the answer, take the person's element out of it (GATE-9, 10).

A request is kept before it is sent. Where its answer is lost, by a crash or on the way, the same bytes are sent again,
and the provider, which may have counted them, gives its stored answer at no cost (GATE-8).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lianzheng.clock import Clock
from lianzheng.compute.gate.asks import AskBook
from lianzheng.compute.gate.evaluation import check_answer, unblind, verify_evaluation
from lianzheng.compute.gate.model import (
    GateAnswer,
    GateAnswered,
    GateBatch,
    GateBatchAnswer,
    GateCall,
    GateRefusal,
    GateRequest,
    UsageReceipt,
    ViewEpoch,
    answer_signing_bytes,
    request_hash,
    request_signing_bytes,
)
from lianzheng.compute.gate.ports import Transport
from lianzheng.compute.ports import Ask, AskStore
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


@dataclass(frozen=True, slots=True, repr=False)
class _Asked:
    """A question with what its answer is checked against; ``again`` where its bytes were sent before."""

    ask: Ask
    request: GateRequest
    token: Token
    again: bool


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
        asks: AskStore | None = None,
    ) -> None:
        """Without ``asks`` a use whose answer is lost costs nothing when asked for anew, but has no receipt till then.

        The caller keeps the receipt of what :meth:`ask` gives; the store then takes the question as answered.
        """
        self._me = me
        self._chain_id = chain_id
        self._sign = sign
        self._transport = transport
        self._state = state
        self._clock = clock
        self._key_id = key_id
        self._book = AskBook(asks, clock)

    async def ask(self, task: bytes, token: bytes, r: int, views: tuple[ViewEpoch, ...]) -> Opened:
        """One use of the investor's token at its provider for ``views``.

        ``token`` is τ, ``r`` its blinding scalar. Raises ``UnavailableError`` ``peer_unreachable``, the provider's
        refusal with its own code, or ``answer_mismatch``, ``answer_signature_invalid``, ``dleq_invalid``.
        """
        asked = await self._prepare(task, Use(token, r, views))
        await self._book.keep([asked.ask])
        with self._book.on_way([asked.ask]):
            raw = await self._send(asked)
            return await self._opened(asked, r, raw)

    async def repeat(self, ask: Ask) -> UsageReceipt:
        """The receipt of a question whose answer was lost, by the same bytes; no element is taken out of it.

        Raises as :meth:`ask`; ``RefusedError`` ``request_time_skew`` where it is too old to be sent again, and
        ``UnavailableError`` ``ask_on_way``.
        """
        await self._book.check_repeatable(ask)
        call = GateCall.from_bytes(ask.call)
        asked = _Asked(ask, call.request, decode_token(call.token), again=True)
        with self._book.on_way([ask]):
            return (await self._verified(asked, await self._send(asked)))[1]

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
        asked = [await self._prepare(task, use) for use in uses]
        asks = [one.ask for one in asked]
        await self._book.keep(asks)
        body = GateBatch(calls=tuple(ask.call for ask in asks)).to_bytes()
        with self._book.on_way(asks):
            try:
                raw = await self._transport.post_bytes(provider, GATE_BATCH_PATH, body, GATE_BATCH_BYTES_MAX)
            except LianzhengError as error:
                for one in asked:
                    await self._book.refused(one.ask, error, one.again)
                raise
            answers = GateBatchAnswer.from_bytes(raw, GATE_BATCH_BYTES_MAX).answers
            if len(answers) != len(asked):
                raise VerificationError("answer_mismatch", "The provider's answer does not belong to this request.")
            return [await self._line(one, use.r, line) for one, use, line in zip(asked, uses, answers, strict=True)]

    async def _line(self, asked: _Asked, r: int, line: GateAnswered | GateRefusal) -> Opened | LianzhengError:
        try:
            if isinstance(line, GateAnswered):
                return await self._opened(asked, r, line.answer)
            await self._book.refused(asked.ask, line.error(), asked.again)
            return line.error()
        except LianzhengError as error:
            return error

    async def _prepare(self, task: bytes, use: Use) -> _Asked:
        """The call of this use: the bytes of one whose answer was lost, or new ones."""
        tau = decode_token(use.token)
        cid = consent_id(tau)
        lost = await self._book.lost(task, cid, use.views)
        if lost is not None:
            return _Asked(lost, GateCall.from_bytes(lost.call).request, tau, again=True)
        request = self._request(tau.terms.provider, task, cid, use.views)
        call = GateCall(request=request, token=use.token).to_bytes()
        until_ms = max(self._until_ms(view, request.time_ms) for view in use.views)
        ask = Ask(request_hash(request), request.provider, task, cid, call, request.time_ms, until_ms)
        return _Asked(ask, request, tau, again=False)

    def _until_ms(self, view: ViewEpoch, now_ms: int) -> int:
        try:
            return epoch_record(self._state(), view.view, view.epoch).until_ms
        except NotFoundError:  # the provider will say so
            return now_ms

    async def _send(self, asked: _Asked) -> bytes:
        try:
            return await self._transport.post_bytes(asked.request.provider, GATE_PATH, asked.ask.call)
        except LianzhengError as error:
            await self._book.refused(asked.ask, error, asked.again)
            raise

    async def _opened(self, asked: _Asked, r: int, raw: bytes) -> Opened:
        points, receipt = await self._verified(asked, raw)
        elements = {view: unblind(w, r) for view, w in points.items()}
        return Opened(elements, receipt, len(asked.ask.call), len(raw))

    async def _verified(self, asked: _Asked, raw: bytes) -> tuple[dict[ViewEpoch, G1], UsageReceipt]:
        """The proven points W by view, and the receipt."""
        try:
            return self._check(asked, raw)
        except LianzhengError as error:
            await self._book.answered_wrongly(asked.ask, error)
            raise

    def _check(self, asked: _Asked, raw: bytes) -> tuple[dict[ViewEpoch, G1], UsageReceipt]:
        request, blinded = asked.request, G1.from_bytes(asked.token.b)
        answer = GateAnswer.from_bytes(raw)
        check_answer(answer, request)
        self._check_signature(answer)
        points = {}
        for view, evaluation in zip(request.views, answer.evaluations, strict=True):
            key_point = G1.from_bytes(epoch_record(self._state(), view.view, view.epoch).key_point)
            points[view] = verify_evaluation(evaluation, key_point, blinded, request)
        return points, UsageReceipt(request=request, answer=answer)

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
