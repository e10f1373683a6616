"""One evaluation ``W = k·B`` and its proof, both sides (GATE-9).

DLEQ transcript: protocol ``gate-evaluation``, then ``cid``, ``view``, ``epoch``, ``task``, ``request`` (its hash),
then what ``zk.dleq`` absorbs itself (bases and points).
"""

from __future__ import annotations

from typing import NamedTuple

from lianzheng.compute.gate.model import Evaluation, GateAnswer, GateRequest, ViewEpoch, request_hash
from lianzheng.crypto.hazmat.bls12381 import G1, ORDER
from lianzheng.errors import VerificationError
from lianzheng.zk import dleq
from lianzheng.zk.transcript import Transcript

__all__ = ["EvaluationContext", "check_answer", "context_of", "evaluate", "unblind", "verify_evaluation"]


class EvaluationContext(NamedTuple):
    """What an evaluation is bound to besides its points: plain values, so that it can go to another process."""

    chain_id: str
    cid: bytes
    view: str
    epoch: int
    task: bytes
    request: bytes
    """Hash of the request."""

    def transcript(self) -> Transcript:
        """The proof's transcript before the points."""
        transcript = Transcript("gate-evaluation", self.chain_id)
        transcript.absorb("cid", self.cid)
        transcript.absorb("view", self.view)
        transcript.absorb("epoch", self.epoch)
        transcript.absorb("task", self.task)
        transcript.absorb("request", self.request)
        return transcript


def context_of(view: ViewEpoch, request: GateRequest, digest: bytes) -> EvaluationContext:
    """The context of one view of ``request``, whose hash is ``digest``."""
    return EvaluationContext(request.chain_id, request.cid, view.view, view.epoch, request.task, digest)


def evaluate(key: int, key_point: G1, blinded: G1, context: EvaluationContext) -> Evaluation:
    """``k·B`` for one view with a proof that binds it to its request."""
    w = blinded * key
    proof = dleq.prove(key, G1.generator(), key_point, blinded, w, context.transcript())
    return Evaluation(view=context.view, epoch=context.epoch, w=w.to_bytes(), proof=proof.to_bytes())


def verify_evaluation(evaluation: Evaluation, key_point: G1, blinded: G1, request: GateRequest) -> G1:
    """The point W, proven to be ``k·B`` for the key of ``key_point``; raises ``dleq_invalid`` or a point's code."""
    w = G1.from_bytes(evaluation.w)
    view = ViewEpoch(view=evaluation.view, epoch=evaluation.epoch)
    proof = dleq.DleqProof.from_bytes(evaluation.proof)
    context = context_of(view, request, request_hash(request))
    dleq.verify(G1.generator(), key_point, blinded, w, proof, context.transcript())
    return w


def unblind(w: G1, r: int) -> G1:
    """``F = r⁻¹·W = k·U``: the person's element under the view key, which opens its table entry and no other."""
    return w * pow(r, -1, ORDER)


def check_answer(answer: GateAnswer, request: GateRequest) -> None:
    """The answer is to this request, for its views in their order and no other; raises ``answer_mismatch``."""
    asked = [(view.view, view.epoch) for view in request.views]
    given = [(evaluation.view, evaluation.epoch) for evaluation in answer.evaluations]
    same = (
        answer.chain_id == request.chain_id
        and answer.provider == request.provider
        and answer.task == request.task
        and answer.cid == request.cid
        and answer.request == request_hash(request)
    )
    if not same or asked != given:
        raise VerificationError("answer_mismatch", "The provider's answer does not belong to this request.")
