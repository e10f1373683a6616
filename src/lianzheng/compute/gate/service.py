"""The provider's gate: nothing is evaluated before every check of §6 has passed, in its order (GATE-0..10)."""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.clock import Clock
from lianzheng.compute.gate.checks import (
    Moment,
    check_asker,
    check_issuer_policy,
    check_peer,
    check_scope,
    check_task,
    open_epochs,
)
from lianzheng.compute.gate.evaluation import evaluate
from lianzheng.compute.gate.model import (
    Evaluation,
    GateAnswer,
    GateCall,
    GateRequest,
    ViewEpoch,
    answer_signing_bytes,
    request_hash,
)
from lianzheng.compute.gate.ports import RateLimit, RevokedSet, UseLog, ViewKeys
from lianzheng.compute.ports import UseClaim, UseStore
from lianzheng.consent import token as tokens
from lianzheng.consent.model import Token, decode_token
from lianzheng.consent.status import check_record, consent_id
from lianzheng.crypto.digest import sha256
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import LianzhengError, RefusedError, UnavailableError
from lianzheng.governance.members import StateMembers
from lianzheng.governance.model import parameter_key
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import LedgerEngine
from lianzheng.limits import REQUEST_SKEW_MS
from lianzheng.zk.spseq import PublicKey

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
    ) -> None:
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

    async def answer(self, peer: str, raw: bytes) -> bytes:
        """Canonical bytes of a signed :class:`GateAnswer` to the :class:`GateCall` in ``raw`` from member ``peer``.

        Raises whatever check refuses first, with that check's code; then nothing has been evaluated or counted.
        """
        call = GateCall.from_bytes(raw)
        request = call.request
        try:
            answer = await self._answer(peer, request, call)
        except LianzhengError as error:
            self._log.refused(peer, request, error)
            raise
        self._log.answered(peer, request)
        return answer

    async def _answer(self, peer: str, request: GateRequest, call: GateCall) -> bytes:
        state, now = self._engine.state, self._now()
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
        blinded = self._gates_5_to_7(state, token, request, now)
        open_epochs(state, request, now)
        await self._uses.check_uses(claim)
        stored = await self._uses.stored_answer(claim.request_hash, raw)
        if stored is not None:
            return stored
        evaluations = tuple(self._evaluate(view, blinded, request) for view in request.views)
        salt = await self._uses.task_salt(request.task)
        answer = self._signed(request, claim.request_hash, evaluations, salt, now)
        # GATE-8: counted durably and whole before the answer leaves; a twin that was quicker gets its own bytes back.
        # A withdrawal that arrived while we worked wins.
        await self._gate_4(token, request)
        return await self._uses.count(claim, answer)

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

    def _gates_5_to_7(self, state: StateView, token: Token, request: GateRequest, now: Moment) -> G1:
        tokens.check_issuer(token.terms, StateMembers(state), (request.requester,))
        check_issuer_policy(state, token.terms, request)
        key = tokens.check_key_period(token, state, block_ms=now.block_ms, genesis_time_ms=self._genesis_ms)
        points = tokens.decode_points(token)
        tokens.verify_issuer_signature(points, PublicKey.from_bytes(key.key))
        tokens.verify_holder_signature(token, points)
        return points.b

    def _evaluate(self, view: ViewEpoch, blinded: G1, request: GateRequest) -> Evaluation:
        key = self._keys.get(view.view, view.epoch)
        if key is None:
            raise UnavailableError("view_key_missing", "This node holds no open key for the view's epoch.")
        return evaluate(key.scalar, key.point, blinded, view, request)

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
