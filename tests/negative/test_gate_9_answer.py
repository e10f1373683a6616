"""GATE-9: the proof binds cid, view, epoch, task, request, key, B and W; the requester takes no other answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gate_kit import BETA, CHAIN, DELTA, EXPERIENCE, GAMMA, WEALTH, GateNet, Issued
from lianzheng.compute.gate.evaluation import (
    EvaluationContext,
    check_answer,
    evaluate,
    unblind,
    verify_evaluation,
)
from lianzheng.compute.gate.model import Evaluation, GateAnswer, GateRequest, ViewEpoch, answer_signing_bytes
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import FormatError, LianzhengError, VerificationError
from lianzheng.zk import dleq


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


async def answered(net: GateNet) -> tuple[Issued, GateRequest, GateAnswer, G1]:
    """A use with its key point."""
    issued = await net.granted()
    request = net.request(issued)
    answer = await net.send(request, issued.token)
    key = net.views.keys.get(WEALTH, 1)
    assert key is not None
    return issued, request, answer, key.point


async def test_the_proof_holds_for_what_was_asked(net: GateNet) -> None:
    issued, request, answer, point = await answered(net)
    w = verify_evaluation(answer.evaluations[0], point, G1.from_bytes(issued.token.b), request)
    key = net.views.keys.get(WEALTH, 1)
    assert key is not None
    assert unblind(w, issued.r) == net.people[1].u * key.scalar


REQUEST_CHANGES: dict[str, dict[str, Any]] = {
    "cid": {"cid": b"\1" * 32},
    "task": {"task": b"\1" * 32},
    "nonce": {"nonce": b"\1" * 32},
    "time": {"time_ms": 1},
    "chain_id": {"chain_id": "test-other"},
    "requester": {"requester": DELTA.did},
    "provider": {"provider": GAMMA.did},
    "key_id": {"key_id": "#other"},
    "views": {"views": (ViewEpoch(view=EXPERIENCE, epoch=1),)},
}


@pytest.mark.parametrize("name", REQUEST_CHANGES)
async def test_another_request(net: GateNet, name: str) -> None:
    issued, request, answer, point = await answered(net)
    other = request.model_copy(update=REQUEST_CHANGES[name])
    with pytest.raises(VerificationError, match="dleq_invalid"):
        verify_evaluation(answer.evaluations[0], point, G1.from_bytes(issued.token.b), other)


@pytest.mark.parametrize("changes", [{"view": EXPERIENCE}, {"epoch": 2}, {"epoch": 0}])
async def test_another_view_or_epoch(net: GateNet, changes: dict[str, Any]) -> None:
    issued, request, answer, point = await answered(net)
    moved = answer.evaluations[0].model_copy(update=changes)
    with pytest.raises(VerificationError, match="dleq_invalid"):
        verify_evaluation(moved, point, G1.from_bytes(issued.token.b), request)


@pytest.mark.parametrize(
    "changes",
    [{"chain_id": "test-other"}, {"cid": b"\1" * 32}, {"view": EXPERIENCE}, {"epoch": 2}, {"task": b"\1" * 32},
     {"request": b"\1" * 32}],
)  # fmt: skip
def test_each_part_of_the_context_is_bound_by_itself(changes: dict[str, Any]) -> None:
    """Not only through the request's hash, whose making is the requester's."""
    context = EvaluationContext(CHAIN, bytes(32), WEALTH, 1, bytes(32), bytes(32))
    key, blinded = 7, G1.generator() * 11
    point, made = G1.generator() * key, evaluate(key, G1.generator() * key, blinded, context)
    w, proof = G1.from_bytes(made.w), dleq.DleqProof.from_bytes(made.proof)
    dleq.verify(G1.generator(), point, blinded, w, proof, context.transcript())
    with pytest.raises(VerificationError, match="dleq_invalid"):
        dleq.verify(G1.generator(), point, blinded, w, proof, context._replace(**changes).transcript())


async def test_another_key_element_or_result(net: GateNet) -> None:
    issued, request, answer, point = await answered(net)
    evaluation, b, g = answer.evaluations[0], G1.from_bytes(issued.token.b), G1.generator()
    w = G1.from_bytes(evaluation.w)
    forged = evaluation.model_copy(update={"w": (w + g).to_bytes()})
    for candidate, key, element in (
        (evaluation, point + g, b),
        (evaluation, point, b + g),
        (forged, point, b),
        (evaluation.model_copy(update={"w": (w + g + b).to_bytes()}), point, b),
        (evaluation.model_copy(update={"w": (-w).to_bytes()}), point, b),
    ):
        with pytest.raises(VerificationError, match="dleq_invalid"):
            verify_evaluation(candidate, key, element, request)


async def test_a_proof_that_is_none(net: GateNet) -> None:
    issued, request, answer, point = await answered(net)
    evaluation, b = answer.evaluations[0], G1.from_bytes(issued.token.b)
    for code, changes in (
        ("point_identity", {"w": bytes([0xC0]) + bytes(47)}),
        ("point_malformed", {"w": bytes(48)}),
        ("scalar_invalid", {"proof": b"\xff" * 64}),
        ("dleq_invalid", {"proof": bytes(64)}),
    ):
        with pytest.raises((FormatError, VerificationError), match=code):
            verify_evaluation(evaluation.model_copy(update=changes), point, b, request)


# --- what the requester does with a dishonest provider -------------------------------------------------------------

Change = Callable[[GateAnswer], GateAnswer]


def signed(answer: GateAnswer, **changes: Any) -> GateAnswer:
    """The altered answer under the provider's own signature."""
    draft = answer.model_copy(update=changes)
    return draft.model_copy(update={"signature": BETA.sign(answer_signing_bytes(draft))})


def swapped(answer: GateAnswer) -> GateAnswer:
    return signed(answer, evaluations=answer.evaluations[::-1])


def exchanged(answer: GateAnswer) -> GateAnswer:
    """W of one view under the name of the other."""
    first, second = answer.evaluations
    return signed(
        answer,
        evaluations=(
            first.model_copy(update={"w": second.w, "proof": second.proof}),
            second.model_copy(update={"w": first.w, "proof": first.proof}),
        ),
    )


def shifted(answer: GateAnswer) -> GateAnswer:
    """Another person's point, proven for nothing."""
    first, second = answer.evaluations
    moved = (G1.from_bytes(first.w) + G1.generator()).to_bytes()
    return signed(answer, evaluations=(first.model_copy(update={"w": moved}), second))


DISHONEST: list[tuple[str, Change]] = [
    ("answer_mismatch", lambda answer: signed(answer, chain_id="test-other")),
    ("answer_mismatch", lambda answer: signed(answer, provider=GAMMA.did)),
    ("answer_mismatch", lambda answer: signed(answer, task=bytes(32))),
    ("answer_mismatch", lambda answer: signed(answer, cid=bytes(32))),
    ("answer_mismatch", lambda answer: signed(answer, request=bytes(32))),
    ("answer_mismatch", lambda answer: signed(answer, evaluations=answer.evaluations[:1])),
    ("answer_mismatch", lambda answer: signed(answer, evaluations=(*answer.evaluations, answer.evaluations[0]))),
    ("answer_mismatch", swapped),
    ("answer_signature_invalid", lambda answer: answer.model_copy(update={"signature": bytes(64)})),
    ("answer_signature_invalid", lambda answer: answer.model_copy(update={"task_salt": bytes(32)})),
    ("answer_signature_invalid", lambda answer: answer.model_copy(update={"time_ms": 1})),
    ("answer_signature_invalid", lambda answer: signed(answer, key_id="#other")),
    ("dleq_invalid", exchanged),
    ("dleq_invalid", shifted),
]


@pytest.mark.parametrize(("code", "change"), DISHONEST)
async def test_a_dishonest_answer(net: GateNet, code: str, change: Change) -> None:
    issued = await net.granted()
    net.transport.change = lambda raw: change(GateAnswer.from_bytes(raw)).to_bytes()
    views = (ViewEpoch(view=WEALTH, epoch=1), ViewEpoch(view=EXPERIENCE, epoch=1))
    with pytest.raises(LianzhengError) as caught:
        await net.client.ask(net.task, issued.token.to_bytes(), issued.r, views)
    assert caught.value.code == code


async def test_an_answer_to_somebody_elses_request(net: GateNet) -> None:
    issued = await net.granted()
    earlier = await net.ask(issued)
    net.transport.change = lambda _: earlier.to_bytes()
    with pytest.raises(VerificationError, match="answer_mismatch"):
        await net.client.ask(net.task, issued.token.to_bytes(), issued.r, (ViewEpoch(view=WEALTH, epoch=1),))


async def test_an_answer_that_is_no_message(net: GateNet) -> None:
    issued = await net.granted()
    net.transport.change = lambda raw: raw[:-1]
    with pytest.raises(FormatError, match="json_malformed"):
        await net.client.ask(net.task, issued.token.to_bytes(), issued.r, (ViewEpoch(view=WEALTH, epoch=1),))


def test_the_answers_views_are_compared_in_order() -> None:
    request = GateRequest(
        chain_id=CHAIN, requester=DELTA.did, key_id="#node", provider=BETA.did, task=bytes(32), cid=bytes(32),
        views=(ViewEpoch(view=WEALTH, epoch=1),), nonce=bytes(32), time_ms=1, signature=bytes(64),
    )  # fmt: skip
    evaluation = Evaluation(view=WEALTH, epoch=2, w=bytes(48), proof=bytes(64))
    answer = GateAnswer(
        chain_id=CHAIN, provider=BETA.did, key_id="#node", request=bytes(32), task=bytes(32), cid=bytes(32),
        evaluations=(evaluation,), task_salt=bytes(32), time_ms=1, signature=bytes(64),
    )  # fmt: skip
    with pytest.raises(VerificationError, match="answer_mismatch"):
        check_answer(answer, request)
