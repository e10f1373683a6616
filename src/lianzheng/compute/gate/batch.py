"""Calls of one batch on their way through the gates: side by side, and each with an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from lianzheng.compute.gate.checks import Moment
from lianzheng.compute.gate.model import Evaluation, GateCall, GateRequest
from lianzheng.compute.gate.work import EvaluationWork
from lianzheng.compute.ports import UseClaim
from lianzheng.consent.model import Token
from lianzheng.errors import LianzhengError
from lianzheng.ledger.context import StateView

__all__ = ["Asked", "BatchLine", "each", "together"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has passed GATE-1 to GATE-5, and what the other gates need to know of it."""

    request: GateRequest
    token: Token
    state: StateView
    now: Moment
    claim: UseClaim
    issuer_key: bytes


@dataclass(slots=True)
class BatchLine:
    """One call of a batch. It is open until it has an outcome: answer's bytes, or the error that refuses it."""

    raw: bytes
    call: GateCall | None = None
    asked: Asked | None = None
    element: bytes = b""
    works: list[EvaluationWork] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    outcome: bytes | LianzhengError | None = None

    def open(self) -> Asked:
        """What was asked. Only for lines that have passed GATE-1 to GATE-5."""
        if self.asked is None:
            raise RuntimeError("a line of a batch has not passed its first gates")
        return self.asked

    def result(self) -> bytes | LianzhengError:
        """The outcome, once every step is done."""
        if self.outcome is None:
            raise RuntimeError("a line of a batch has been left without an outcome")
        return self.outcome


async def each(lines: Sequence[BatchLine], step: Callable[[BatchLine], Awaitable[None]]) -> None:
    """Take every open line through ``step``. They wait side by side, so that their works share flushes to disk; a
    refusal closes its own line."""

    async def take(line: BatchLine) -> None:
        try:
            await step(line)
        except LianzhengError as error:
            line.outcome = error

    waiting = [take(line) for line in lines if line.outcome is None]
    if len(waiting) == 1:
        await waiting[0]
        return
    for failure in await asyncio.gather(*waiting, return_exceptions=True):
        if failure is not None:  # unforeseen: it goes on its way once nothing of this batch is under way any more
            raise failure


async def together(lines: Sequence[BatchLine], step: Callable[[Sequence[BatchLine]], Awaitable[None]]) -> None:
    """Take all open lines through ``step`` at once; if it fails, all of them are refused with its error."""
    still = [line for line in lines if line.outcome is None]
    if not still:
        return
    try:
        await step(still)
    except LianzhengError as error:
        for line in still:
            line.outcome = error
