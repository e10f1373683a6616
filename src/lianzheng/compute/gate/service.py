"""The provider's gate: nothing is evaluated before every check of §6 has passed, in its order (GATE-0..10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lianzheng.clock import Clock
from lianzheng.compute.gate.batch import Asked, BatchLine, each, together
from lianzheng.compute.gate.checks import (
    Moment,
    check_asker,
    check_issuer_policy,
    check_peer,
    check_scope,
    check_task,
    open_epochs,
)
from lianzheng.compute.gate.evaluation import context_of
from lianzheng.compute.gate.gathering import GatheringWorkers
from lianzheng.compute.gate.model import (
    Evaluation,
    GateAnswer,
    GateCall,
    GateRequest,
    ViewEpoch,
    answer_signing_bytes,
    request_hash,
)
from lianzheng.compute.gate.ports import GateWorkers, RateLimit, RevokedSet, UseLog, ViewKey, ViewKeys
from lianzheng.compute.gate.work import EvaluationWork, TokenWork
from lianzheng.compute.gate.workers import LocalGateWorkers
from lianzheng.compute.ports import UseClaim, UseStore
from lianzheng.consent import token as tokens
from lianzheng.consent.model import Token, decode_token
from lianzheng.consent.status import check_record, consent_id
from lianzheng.crypto.digest import sha256
from lianzheng.errors import FormatError, LianzhengError, RefusedError, UnavailableError
from lianzheng.governance.members import StateMembers
from lianzheng.governance.model import parameter_key
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import LedgerEngine
from lianzheng.limits import GATE_BATCH_MAX, REQUEST_SKEW_MS

__all__ = ["GateService"]


class GateService:
    """Answers authorised questions about nobody in particular."""

    def __init__(
        self,
        me: str,
        chain_id: str,
        genesis_ms: int,
        engine: LedgerEngine,
        keys: ViewKeys,
        uses: UseStore,
        revoked: RevokedSet,
        rate: RateLimit,
        log: UseLog,
        sign: Callable[[bytes], bytes],
        clock: Clock,
        key_id: str = "#node",
        workers: GateWorkers | None = None,
    ) -> None:
        """``workers`` do the curve work; without any it is done on a thread of this process."""
        self._me = me
        self._chain_id = chain_id
        self._genesis_ms = genesis_ms
        self._engine = engine
        self._keys = keys
        self._uses = uses
        self._revoked = revoked
        self._rate = rate
        self._log = log
        self._sign = sign
        self._clock = clock
        self._key_id = key_id
        self._workers: GateWorkers = GatheringWorkers(workers or LocalGateWorkers(chain_id))

    async def answer(self, peer: str, raw: bytes) -> bytes:
        """Canonical bytes of a signed :class:`GateAnswer` to the :class:`GateCall` in ``raw`` from member ``peer``.

        Raises whatever check refuses first, with that check's code; then nothing has been evaluated or counted.
        """
        (outcome,) = await self._outcomes(peer, [BatchLine(raw)])
        if isinstance(outcome, LianzhengError):
            raise outcome
        return outcome

    async def answer_many(self, peer: str, raws: Sequence[bytes]) -> list[bytes | LianzhengError]:
        """For each call in ``raws``, in their order, what :meth:`answer` would answer or raise (EQ-1).

        Each call passes every gate in the order of §6, is counted by itself and refused by itself; only the curve work
        is done for all of them together. Raises ``FormatError`` ``batch_size`` for none or over ``GATE_BATCH_MAX``.
        """
        if not 0 < len(raws) <= GATE_BATCH_MAX:
            raise FormatError("batch_size", f"A batch must have 1 to {GATE_BATCH_MAX} calls.")
        return await self._outcomes(peer, [BatchLine(raw) for raw in raws])

    async def _outcomes(self, peer: str, lines: Sequence[BatchLine]) -> list[bytes | LianzhengError]:
        """Every line through all gates, in their order."""
        await each(lines, partial(self._enter, peer))
        await together(lines, self._verify_lines)
        await each(lines, self._before_evaluation)
        await together(lines, self._evaluate_lines)
        await each(lines, self._leave)
        for line in lines:
            if line.call is not None and isinstance(line.outcome, LianzhengError):
                self._log.refused(peer, line.call.request, line.outcome)
            elif line.call is not None:
                self._log.answered(peer, line.call.request)
        return [line.result() for line in lines]

    # --- one call, gate after gate -------------------------------------------------------------------------------

    async def _gates_1_to_5(self, peer: str, call: GateCall) -> Asked:
        request, state, now = call.request, self._engine.state, self._now()
        check_peer(state, peer, self._me, self._chain_id, request, now)
        token = decode_token(call.token)
        check_asker(token.terms, request)
        raw = request.to_bytes()
        await self._admit(peer, request, raw, now)
        contract = check_task(state, self._me, request, now)
        claim = UseClaim(
            task=request.task,
            cid=request.cid,
            uses=tuple((view.view, view.epoch) for view in request.views),
            max_uses=token.terms.max_uses,
            quota=contract.quota,
            request_hash=request_hash(request),
            request=raw,
            time_ms=now.clock_ms,
        )
        await self._uses.check_quota(claim)
        self._gate_3(state, token, now, [view.view for view in request.views])
        check_scope(state, token.terms, contract, request)
        await self._gate_4(token, request)
        tokens.check_issuer(token.terms, StateMembers(state), (request.requester,))
        check_issuer_policy(state, token.terms, request)
        key = tokens.check_key_period(token, state, block_ms=now.block_ms, genesis_time_ms=self._genesis_ms)
        return Asked(request, token, state, now, claim, key.key)

    async def _gate_8(self, asked: Asked) -> bytes | None:
        """The rest of GATE-0 and the uses; the stored answer of a request that was answered before."""
        open_epochs(asked.state, asked.request, asked.now)
        await self._uses.check_uses(asked.claim)
        return await self._uses.stored_answer(asked.claim.request_hash, asked.claim.request)

    async def _release(self, asked: Asked, evaluations: Sequence[Evaluation]) -> bytes:
        salt = await self._uses.task_salt(asked.request.task)
        answer = self._signed(asked.request, asked.claim.request_hash, tuple(evaluations), salt, asked.now)
        # GATE-8: counted durably and whole before the answer leaves; a twin that was quicker gets its own bytes back.
        # A withdrawal that arrived while we worked wins.
        await self._gate_4(asked.token, asked.request)
        return await self._uses.count(asked.claim, answer)

    # --- the steps of calls together -----------------------------------------------------------------------------

    async def _enter(self, peer: str, line: BatchLine) -> None:
        line.call = GateCall.from_bytes(line.raw)
        line.asked = await self._gates_1_to_5(peer, line.call)

    async def _verify_lines(self, lines: Sequence[BatchLine]) -> None:
        works = [TokenWork(asked.token, asked.issuer_key) for asked in (line.open() for line in lines)]
        for line, element in zip(lines, await self._workers.verify(works), strict=True):
            if isinstance(element, LianzhengError):
                line.outcome = element
            else:
                line.element = element

    async def _before_evaluation(self, line: BatchLine) -> None:
        asked = line.open()
        stored = await self._gate_8(asked)
        if stored is not None:
            # As before a new answer leaves: a withdrawal that arrived while we worked wins.
            await self._gate_4(asked.token, asked.request)
            line.outcome = stored
            return
        keys = [(view, self._key(view)) for view in asked.request.views]
        line.works = [
            EvaluationWork(
                key.scalar,
                key.point.to_bytes(),
                line.element,
                context_of(view, asked.request, asked.claim.request_hash),
            )
            for view, key in keys
        ]

    async def _evaluate_lines(self, lines: Sequence[BatchLine]) -> None:
        evaluations = iter(await self._workers.evaluate([work for line in lines for work in line.works]))
        for line in lines:
            line.evaluations = [next(evaluations) for _ in line.works]

    async def _leave(self, line: BatchLine) -> None:
        line.outcome = await self._release(line.open(), line.evaluations)

    # --- the gates -----------------------------------------------------------------------------------------------

    def _now(self) -> Moment:
        return Moment(self._clock.now_ms(), self._engine.now_block_ms(), self._genesis_ms)

    async def _admit(self, peer: str, request: GateRequest, raw: bytes, now: Moment) -> None:
        """GATE-1, the rest: the peer's allowance, and a nonce that belongs to exactly these bytes."""
        if not self._rate.take(peer):
            raise UnavailableError("rate_limited", "This member asks too often.", next_step="Try again in a minute.")
        # The request's hash leaves its signature out, so it would let the same words in under another signature.
        await self._uses.claim_nonce(peer, request.nonce, sha256("gate-nonce", raw), now.clock_ms + REQUEST_SKEW_MS)

    def _gate_3(self, state: StateView, token: Token, now: Moment, views: list[str]) -> None:
        least = state.get(parameter_key("token_version_min"))
        version_min = 1 if least is None else int(least["value"])
        tokens.check_terms(token.terms, chain_id=self._chain_id, provider=self._me, version_min=version_min)
        tokens.check_views(token.terms, views)
        tokens.check_dates(token.terms, now_ms=now.clock_ms, block_ms=now.block_ms, genesis_time_ms=self._genesis_ms)

    async def _gate_4(self, token: Token, request: GateRequest) -> None:
        cid = consent_id(token)
        if cid != request.cid:
            raise RefusedError("consent_mismatch", "The request names another consent than its token.")
        if await self._revoked.is_refused(cid):
            raise RefusedError("consent_revoked", "The investor has withdrawn this consent.")
        await self._engine.catch_up()
        # The head is read after the waits: a block may have come in the meantime.
        check_record(token, self._engine.state, block_ms=self._engine.now_block_ms())
        self._engine.assert_fresh()

    def _key(self, view: ViewEpoch) -> ViewKey:
        key = self._keys.get(view.view, view.epoch)
        if key is None:
            raise UnavailableError("view_key_missing", "This node holds no open key for the view's epoch.")
        return key

    def _signed(
        self, request: GateRequest, digest: bytes, evaluations: tuple[Evaluation, ...], salt: bytes, now: Moment
    ) -> bytes:
        draft = GateAnswer(
            chain_id=self._chain_id,
            provider=self._me,
            key_id=self._key_id,
            request=digest,
            task=request.task,
            cid=request.cid,
            evaluations=evaluations,
            task_salt=salt,
            time_ms=now.clock_ms,
            signature=bytes(64),
        )
        return draft.model_copy(update={"signature": self._sign(answer_signing_bytes(draft))}).to_bytes()
