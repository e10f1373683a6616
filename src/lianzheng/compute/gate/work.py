"""The curve work of many requests, as functions whose arguments any process can be handed (GATE-6, 7, 9; EQ-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lianzheng.compute.gate.evaluation import EvaluationContext, evaluate
from lianzheng.compute.gate.model import Evaluation
from lianzheng.consent.batch import KeyedToken, verify_tokens
from lianzheng.consent.model import Token
from lianzheng.consent.token import TokenPoints
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import LianzhengError
from lianzheng.limits import GATE_BATCH_MAX
from lianzheng.zk.spseq import PublicKey

__all__ = ["Element", "EvaluationWork", "TokenWork", "evaluate_all", "verify_all"]

Element = bytes | LianzhengError
"""B of a token that verifies, compressed; or the error that refuses the token."""


class TokenWork(NamedTuple):
    """One token to verify, decoded, and its issuer's key for the period."""

    token: Token
    issuer_key: bytes


@dataclass(frozen=True, slots=True)
class EvaluationWork:
    """One evaluation to make; it holds a view key, so it goes to workers of this node only and is never shown."""

    key: int = field(repr=False)
    key_point: bytes
    element: bytes
    context: EvaluationContext


def verify_all(works: Sequence[TokenWork], chain_id: str) -> list[Element]:
    """For each token its B if GATE-6 and GATE-7 hold, or the error of single verification."""
    keyed = [KeyedToken(work.token, PublicKey.from_bytes(work.issuer_key)) for work in works]
    outcomes = verify_tokens(keyed, chain_id)
    return [_remembered(outcome.b) if isinstance(outcome, TokenPoints) else outcome for outcome in outcomes]


def evaluate_all(works: Sequence[EvaluationWork]) -> list[Evaluation]:
    """``k·B`` and its proof for each."""
    keys = {data: G1.from_bytes(data) for data in {work.key_point for work in works}}
    return [evaluate(work.key, keys[work.key_point], _element(work.element), work.context) for work in works]


_READ: dict[bytes, G1] = {}
"""Elements that this process has just read and checked: reading B costs as much as multiplying it."""


def _remembered(point: G1) -> bytes:
    data = point.to_bytes()
    _READ[data] = point
    while len(_READ) > 2 * GATE_BATCH_MAX:
        del _READ[next(iter(_READ))]
    return data


def _element(data: bytes) -> G1:
    return _READ.get(data) or G1.from_bytes(data)
