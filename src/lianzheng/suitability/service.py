"""Use cases of suitability at one member. Every act is put on record (EV-1) before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lianzheng.clock import DAY_MS, Clock, day_of
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.model import Record
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.evidence.model import CaptureContext, Document
from lianzheng.suitability import shipped
from lianzheng.suitability.assessment import Assessment, ProviderBands, assess
from lianzheng.suitability.customers import CustomerRecord, age_on
from lianzheng.suitability.matching import Match, match_product
from lianzheng.suitability.mismatch import Event, MismatchCase, Step, advance, open_case
from lianzheng.suitability.model import Profile, Reason, require_complete
from lianzheng.suitability.policy import Policy, policy_on
from lianzheng.suitability.ports import EvidenceHook, SuitabilityStore
from lianzheng.suitability.questionnaire import Answers, Score, Template, score

__all__ = ["SuitabilityService"]

_CLERK = "suitability-clerk"
_MANAGER = "suitability-manager"
_YEAR_MS = 365 * DAY_MS


class SuitabilityService:
    """Tests, assessments, matches and mismatch cases of one member's own customers.

    ``subject`` is the member's local reference of a customer, never an identity number. The sharing
    switch of a node lies above: without any ``ProviderBands`` everything here works on local data.
    ``capture`` says where acts are captured; its time is replaced by the clock's.
    """

    def __init__(
        self,
        store: SuitabilityStore,
        evidence: EvidenceHook,
        clock: Clock,
        capture: CaptureContext,
        *,
        product_line: str = "securities",
        template: Template | None = None,
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._clock = clock
        self._capture = capture
        self._product_line = product_line
        self._template = template or shipped.template()
        self._lock = asyncio.Lock()  # limits on tests and the order of a case are read, checked and written as one

    @property
    def template(self) -> Template:
        """The questionnaire in use."""
        return self._template

    def policy(self) -> Policy:
        """The policy in force today. Raises ``NotFoundError`` ``policy_missing``."""
        return policy_on(shipped.policies(), self._product_line, day_of(self._clock.now_ms()))

    async def take_test(self, case_id: str, subject: str, answers: Answers, confirmed: Sequence[str] = ()) -> Score:
        """The score, on record. A test soon after a mismatch carries the reason ``retest-after-mismatch``.

        The same answers in the same case on the same day are one test: a repeat after a crash takes none of the
        client's tests away.
        Raises what ``questionnaire.score`` raises, and ``RefusedError`` ``tests_per_day``, ``tests_per_year``.
        """
        async with self._lock:
            now = self._clock.now_ms()
            result = score(self._template, answers, confirmed)
            if await self._recent_mismatch(subject, now):
                note = Reason(
                    code="retest-after-mismatch",
                    zh="超配后短期内重新测评，提示关注",
                    en="A test soon after a mismatch: a signal of risk",
                )
                result = result.model_copy(update={"reasons": (*result.reasons, note)})
            if await self._is_repeat(case_id, subject, now, result):
                return result
            await self._check_limits(subject, now)
            await self._keep("test", "suitability-test", case_id, subject, now, result)
            return result

    async def assess(
        self,
        case_id: str,
        subject: str,
        result: Score,
        local: CustomerRecord | None,
        providers: Sequence[ProviderBands] = (),
    ) -> Assessment:
        """The assessment, on record; external bands may lower, flag or ask for a retest, never raise."""
        now = self._clock.now_ms()
        day = day_of(now)
        assessment = assess(
            result,
            local.amounts(day) if local else {},
            providers,
            table=shipped.adjustments(),
            policy=self.policy(),
            day=day,
        )
        await self._keep("assessment", "suitability-test", case_id, subject, now, assessment)
        return assessment

    async def match(
        self, case_id: str, subject: str, profile: Profile, assessment: Assessment, product_id: str
    ) -> Match:
        """How a product fits, on record.

        Raises ``RefusedError`` ``profile_incomplete``, ``assessment_expired``; ``NotFoundError`` ``product_unknown``.
        """
        require_complete(profile)
        now = self._clock.now_ms()
        found = match_product(assessment, shipped.product(product_id), day_of(now))
        await self._keep("match", "business-handling", case_id, subject, now, found)
        return found

    async def open_mismatch(
        self, case_id: str, subject: str, match: Match, *, birth_date: str, unprompted: bool, operator: str
    ) -> MismatchCase:
        """A mismatch case in state ``asked``, on record. Raises as ``mismatch.open_case``."""
        async with self._lock:
            now = self._clock.now_ms()
            step = Step(event="ask", time_ms=now, operator=operator)
            age = age_on(birth_date, day_of(now))
            policy = self.policy()
            case = open_case(case_id, subject, match, age=age, policy=policy, unprompted=unprompted, step=step)
            await self._keep("mismatch", "risk-confirmation", case_id, subject, now, case)
            return case

    async def advance_mismatch(
        self,
        case_id: str,
        event: Event,
        *,
        operator: str,
        documents: Sequence[Document] = (),
        reference: str | None = None,
    ) -> MismatchCase:
        """The case after one event, on record together with ``documents``, the first of which the step names.

        Raises as ``mismatch.advance``, and ``NotFoundError`` ``case_unknown``.
        """
        async with self._lock:
            now = self._clock.now_ms()
            case = await self.mismatch(case_id)
            digest = sha256_raw(documents[0].data) if documents else None
            step = Step(event=event, time_ms=now, operator=operator, document=digest, reference=reference)
            case = advance(case, step)
            scene = "business-handling" if event in ("order", "visit") else "risk-confirmation"
            role = _MANAGER if event == "approve" else _CLERK
            await self._keep("mismatch", scene, case_id, case.subject, now, case, documents, role)
            return case

    async def mismatch(self, case_id: str) -> MismatchCase:
        """The present state of a case. Raises ``NotFoundError`` ``case_unknown``."""
        entries = [entry for entry in await self._store.of_case(case_id) if entry["kind"] == "mismatch"]
        if not entries:
            raise NotFoundError("case_unknown", "No mismatch case has this id.")
        return MismatchCase.from_json(entries[-1]["record"])

    async def _is_repeat(self, case_id: str, subject: str, now: int, result: Score) -> bool:
        wanted = (case_id, day_of(now), result.to_json())
        return any(
            (entry["case_id"], day_of(entry["time_ms"]), entry["record"]) == wanted
            for entry in await self._store.of_subject("test", subject)
        )

    async def _check_limits(self, subject: str, now: int) -> None:
        policy = self.policy()
        times = [entry["time_ms"] for entry in await self._store.of_subject("test", subject)]
        today = sum(day_of(time) == day_of(now) for time in times)
        if today >= policy.tests_per_day:
            raise RefusedError("tests_per_day", f"At most {policy.tests_per_day} tests a day.", next_step="Tomorrow.")
        if sum(time > now - _YEAR_MS for time in times) >= policy.tests_per_year:
            raise RefusedError("tests_per_year", f"At most {policy.tests_per_year} tests in 12 months.")

    async def _recent_mismatch(self, subject: str, now: int) -> bool:
        since = now - self.policy().retest_watch_days * DAY_MS
        entries = await self._store.of_subject("match", subject)
        return any(entry["time_ms"] >= since and entry["record"]["failing"] for entry in entries)

    async def _keep(
        self,
        kind: str,
        scene: str,
        case_id: str,
        subject: str,
        now: int,
        record: Record,
        extra: Sequence[Document] = (),
        role: str = _CLERK,
    ) -> None:
        # Evidence first: what is not on record has not happened.
        document = Document(f"{kind}.json", "application/json", record.to_bytes())
        context = self._capture.model_copy(update={"local_time_ms": now})
        await self._evidence.record(case_id, scene, role, context, (document, *extra))
        await self._store.append(kind, case_id, subject, now, record.to_json())
