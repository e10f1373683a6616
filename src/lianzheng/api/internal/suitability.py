"""Customers, questionnaire, assessment with the alliance, matching, mismatch procedure."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.internal.queries import encode_trace
from lianzheng.api.services import NodeServices
from lianzheng.encoding.binary import b64u_decode
from lianzheng.errors import NotFoundError
from lianzheng.evidence.model import Document
from lianzheng.flows.alliance import Traced
from lianzheng.identity.enrolment import IdentityDocument
from lianzheng.identity.idnorm import normalise
from lianzheng.suitability import shipped
from lianzheng.suitability.assessment import Assessment
from lianzheng.suitability.matching import Match
from lianzheng.suitability.mismatch import Event
from lianzheng.suitability.model import Profile

__all__ = ["create_router"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AssessmentBody(_Body):
    """Who is assessed, with which answers, under which task; no task means local only."""

    case_id: str
    client: str
    answers: dict[str, str]
    confirmed: list[str] = []
    task: str | None = None


class MatchBody(_Body):
    """A product against a profile and an assessment given as they were returned."""

    case_id: str
    client: str
    profile: dict[str, Any]
    assessment: dict[str, Any]
    product: str


class MismatchBody(_Body):
    """The client's own request for a product above the level."""

    case_id: str
    client: str
    match: dict[str, Any]
    unprompted: bool
    operator: str


class DocumentBody(_Body):
    """One document of a step, as text."""

    name: str
    text: Annotated[str, Field(max_length=200_000)]


class StepBody(_Body):
    """One event of the mismatch procedure."""

    event: Event
    operator: str
    documents: list[DocumentBody] = []
    reference: str | None = None


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "suitability")
    _add_assessment_routes(router, services)
    _add_mismatch_routes(router, services)
    return router


def _add_assessment_routes(router: APIRouter, services: NodeServices) -> None:
    @router.post("/clients/lookup")
    async def lookup(body: dict[str, Any]) -> dict[str, Any]:
        """The client reference of a document at hand."""
        document = IdentityDocument.from_json(body)
        idnorm = normalise(document.type, document.country, document.number, test_network=services.test_network)
        reference = await services.clients.find_customer(idnorm)
        if reference is None:
            raise NotFoundError("customer_unknown", "No customer of this member has this document.")
        return {"client": reference}

    @router.get("/questionnaire")
    async def questionnaire() -> dict[str, Any]:
        """The template in use."""
        return services.suitability.template.to_json()

    @router.get("/products")
    async def products() -> dict[str, Any]:
        """The sample products, R1 to R5."""
        return {"products": [product.to_json() for product in shipped.products().values()]}

    @router.post("/assessments")
    async def assess(body: AssessmentBody) -> dict[str, Any]:
        """Questionnaire, local data and the alliance's bands; a provider's silence never blocks it."""
        task = None if body.task is None else b64u_decode(body.task, 32)
        traced = await services.alliance.assess(body.case_id, body.client, body.answers, body.confirmed, task)
        return _traced(traced)

    @router.post("/matches")
    async def match(body: MatchBody) -> dict[str, Any]:
        """How a product fits on the three axes."""
        profile, assessment = Profile.from_json(body.profile), Assessment.from_json(body.assessment)
        found = await services.suitability.match(body.case_id, body.client, profile, assessment, body.product)
        return found.to_json()


def _add_mismatch_routes(router: APIRouter, services: NodeServices) -> None:
    @router.post("/mismatches")
    async def open_mismatch(body: MismatchBody) -> dict[str, Any]:
        """Open the procedure; a recommendation above the level is refused whoever asks."""
        customer = await services.clients.record(body.client)
        case = await services.suitability.open_mismatch(
            body.case_id,
            body.client,
            Match.from_json(body.match),
            birth_date=customer.birth_date,
            unprompted=body.unprompted,
            operator=body.operator,
        )
        return case.to_json()

    @router.post("/mismatches/{case_id}/steps")
    async def step(case_id: str, body: StepBody) -> dict[str, Any]:
        """One step; refused out of order, before the reading time or in the cooling period."""
        documents = [Document(one.name, "text/plain; charset=utf-8", one.text.encode()) for one in body.documents]
        case = await services.suitability.advance_mismatch(
            case_id, body.event, operator=body.operator, documents=documents, reference=body.reference
        )
        return case.to_json()


def _traced(traced: Traced) -> dict[str, Any]:
    return {
        "assessment": traced.assessment.to_json(),
        "traces": [encode_trace(trace) for trace in traced.traces],
    }
