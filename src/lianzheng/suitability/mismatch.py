"""The procedure of a purchase above level, as one table of states and events (``domain.md`` §1, *Mismatch*).

    asked ─show→ shown ─access→ admitted ─warn→ warned ─declare→ declared ─reconfirm→ confirmed
          ─order→ ordered ─visit→ visited

``show`` ends in ``stopped`` for the lowest class, and nobody may go on; ``approve`` (a second person) keeps the state
``declared``; ``withdraw`` leads from every state before ``ordered`` to ``withdrawn``.
Each step is a new value with a longer history; nothing is ever undone. Times are the caller's clock.
"""

from __future__ import annotations

from typing import Annotated, Literal

from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, Text, TimeMs
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.suitability.matching import Match
from lianzheng.suitability.model import rank
from lianzheng.suitability.policy import Policy

__all__ = ["Event", "MismatchCase", "Step", "advance", "open_case"]

State = Literal[
    "asked", "shown", "stopped", "admitted", "warned", "declared", "confirmed", "ordered", "visited", "withdrawn"
]
Event = Literal["ask", "show", "access", "warn", "declare", "approve", "reconfirm", "order", "visit", "withdraw"]

_NEXT: dict[tuple[State, Event], State] = {
    ("asked", "show"): "shown",
    ("shown", "access"): "admitted",
    ("admitted", "warn"): "warned",
    ("warned", "declare"): "declared",
    ("declared", "approve"): "declared",
    ("declared", "reconfirm"): "confirmed",
    ("confirmed", "order"): "ordered",
    ("ordered", "visit"): "visited",
    ("asked", "withdraw"): "withdrawn",
    ("shown", "withdraw"): "withdrawn",
    ("admitted", "withdraw"): "withdrawn",
    ("warned", "withdraw"): "withdrawn",
    ("declared", "withdraw"): "withdrawn",
    ("confirmed", "withdraw"): "withdrawn",
}
_HOUR_MS = 3_600_000


class Step(Record):
    """One event. ``document`` is the digest of what was shown or signed, ``reference`` a recording or an order."""

    event: Event
    time_ms: TimeMs
    operator: Text
    """Who acted, or assisted the investor."""
    document: Bytes32 | None = None
    reference: Text | None = None


class MismatchCase(Record):
    """One request for one product. The numbers of the policy are copied: a later policy does not change a case."""

    case_id: Text
    subject: Text
    product: Text
    match: Match
    age: Natural
    policy: Policy
    state: State
    history: Annotated[tuple[Step, ...], Seq]

    @property
    def elderly(self) -> bool:
        return self.age >= self.policy.elderly_age

    @property
    def needs_approval(self) -> bool:
        """A second person approves R4 and above for the elderly."""
        return self.elderly and rank(self.match.product_risk) >= 4

    @property
    def cooling_ms(self) -> int:
        """Between declaration and reconfirmation."""
        if self.needs_approval:
            return self.policy.cooling_hours_elderly_high * _HOUR_MS
        return self.policy.cooling_hours * _HOUR_MS if self.elderly or self.match.product_risk == "R5" else 0

    @property
    def visit_days(self) -> int:
        """Days after the order within which the return visit is due."""
        return self.policy.visit_days_elderly_high if self.needs_approval else self.policy.visit_days

    def step(self, event: Event) -> Step | None:
        """The step of this event, or None."""
        return next((step for step in self.history if step.event == event), None)


def open_case(
    case_id: str, subject: str, match: Match, *, age: int, policy: Policy, unprompted: bool, step: Step
) -> MismatchCase:
    """A case in state ``asked``.

    Raises ``RefusedError`` ``recommendation_above_level`` where the investor did not ask unprompted (a hard
    block that no role overrides); ``ConflictError`` ``no_mismatch``, ``event_out_of_order``.
    """
    if match.fits:
        raise ConflictError("no_mismatch", "The product fits; no mismatch procedure is needed.")
    if not unprompted:
        raise RefusedError(
            "recommendation_above_level",
            "A product above the investor's level must not be recommended.",
            next_step="Offer products that fit.",
        )
    if step.event != "ask":
        raise ConflictError("event_out_of_order", "A case begins with the investor's own request.")
    return MismatchCase(
        case_id=case_id,
        subject=subject,
        product=match.product,
        match=match,
        age=age,
        policy=policy,
        state="asked",
        history=(step,),
    )


def advance(case: MismatchCase, step: Step) -> MismatchCase:
    """The case after ``step``.

    Raises ``ConflictError`` ``event_out_of_order``; ``RefusedError`` ``procedure_stopped`` (lowest class),
    ``reading_time_short``, ``document_missing``, ``approval_missing``, ``approval_same_person``,
    ``recording_missing``, ``cooling_period``, ``reference_missing``.
    """
    if case.state == "stopped":
        raise RefusedError("procedure_stopped", "The lowest class takes R1 only; nobody may go on.")
    target = _NEXT.get((case.state, step.event))
    if target is None or step.time_ms < case.history[-1].time_ms or (step.event == "approve" and case.step("approve")):
        raise ConflictError("event_out_of_order", f"In state {case.state} the event {step.event} is not possible.")
    _check(case, step)
    if step.event == "show" and case.match.lowest_class:
        target = "stopped"
    return case.model_copy(update={"state": target, "history": (*case.history, step)})


def _check(case: MismatchCase, step: Step) -> None:
    if step.event in ("warn", "declare", "reconfirm") and step.document is None:
        raise RefusedError("document_missing", f"The event {step.event} needs the digest of its document.")
    if step.event in ("order", "visit") and step.reference is None:
        raise RefusedError("reference_missing", f"The event {step.event} needs a reference.")
    if step.event == "declare":
        _require_elapsed(case, "warn", step, case.policy.reading_seconds * 1000, "reading_time_short")
    if step.event == "approve":
        _check_approval(case, step)
    if step.event == "reconfirm":
        _require_elapsed(case, "declare", step, case.cooling_ms, "cooling_period")
        if case.needs_approval and case.step("approve") is None:
            raise RefusedError("approval_missing", "A second person has to approve first.")


def _check_approval(case: MismatchCase, step: Step) -> None:
    if any(earlier.operator == step.operator for earlier in case.history):
        raise RefusedError("approval_same_person", "Who handles a case cannot approve it.")
    if step.reference is None:
        raise RefusedError("recording_missing", "The approval needs the reference of the recording.")


def _require_elapsed(
    case: MismatchCase, since: Event, step: Step, least_ms: int, code: Literal["reading_time_short", "cooling_period"]
) -> None:
    start = case.step(since)
    waited = step.time_ms - start.time_ms if start else 0
    if waited >= least_ms:
        return
    left = (least_ms - waited + 999) // 1000
    if code == "cooling_period":
        raise RefusedError("cooling_period", f"The cooling period runs for {left} more seconds.")
    raise RefusedError("reading_time_short", f"The warning has to stay on the screen for {left} more seconds.")
