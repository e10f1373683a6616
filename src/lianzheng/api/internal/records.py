"""Recording acts, one or many in a request: every record's promise, or the reason why it has none (EV-1, EV-3).

In a batch each record stands for itself: a malformed one is refused alone, in its place. Those that are well formed
become durable in one commit, so a store that fails refuses all of them, with the problem of the whole request.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from lianzheng.api.body import read_body
from lianzheng.api.internal.auth import raw_operator_router
from lianzheng.api.services import NodeServices
from lianzheng.encoding.canonical import check_profile, encode, parse_loosely
from lianzheng.encoding.model import Bytes, Record, Seq
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.evidence.model import CaptureContext, Document
from lianzheng.evidence.service import Act
from lianzheng.limits import EVIDENCE_BATCH_MAX, FORM_BYTES_MAX, RECORD_DOCUMENTS_MAX

__all__ = ["create_router"]

_JSON = "application/json"
_TEXT = {"type": "string"}
_DOCUMENT = {"name": _TEXT, "media_type": _TEXT, "data": {"type": "string", "format": "base64url"}}
_CONTEXT = {"system": _TEXT, "software_version": _TEXT, "channel": _TEXT, "local_time_ms": {"type": "integer"}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def _array(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": items}


_ACT = _object(
    case_id=_TEXT,
    scene=_TEXT,
    operator_role=_TEXT,
    context=_object(**_CONTEXT),
    documents=_array(_object(**_DOCUMENT), RECORD_DOCUMENTS_MAX),
)
_BATCH = _object(records=_array(_ACT, EVIDENCE_BATCH_MAX))


class DocumentForm(Record):
    """A document as it is handed in."""

    name: str
    media_type: str
    data: Bytes


class ActForm(Record):
    """One act. What its members may be is the record's to say (EV-1)."""

    case_id: str
    scene: str
    operator_role: str
    context: CaptureContext
    documents: Annotated[tuple[DocumentForm, ...], Seq, Field(min_length=1, max_length=RECORD_DOCUMENTS_MAX)]

    def act(self) -> Act:
        """What the service records."""
        documents = tuple(Document(one.name, one.media_type, one.data) for one in self.documents)
        return Act(self.case_id, self.scene, self.operator_role, self.context, documents)


def create_router(services: NodeServices) -> APIRouter:
    """Both routes need the operator's token."""
    operator = raw_operator_router(services, "evidence")

    @operator.post("/evidence/records", openapi_extra=_body(_ACT))
    async def record(request: Request) -> Response:
        """Record one act; answers with its promise once it is durable."""
        (act,) = _acts([parse_loosely(await read_body(request, FORM_BYTES_MAX))])
        (outcome,) = await services.evidence.record_many([act])
        if isinstance(outcome, LianzhengError):
            raise outcome
        return Response(outcome, media_type=_JSON)

    @operator.post("/evidence/records/batch", openapi_extra=_body(_BATCH))
    async def record_batch(request: Request) -> Response:
        """Record up to 1,024 acts: for each, in order, its promise or the problem that refuses it alone."""
        body = parse_loosely(await read_body(request, FORM_BYTES_MAX))
        acts = body.get("records") if isinstance(body, dict) and len(body) == 1 else None
        if not isinstance(acts, list) or not 0 < len(acts) <= EVIDENCE_BATCH_MAX:
            check_profile(body)
            raise FormatError("batch_size", f"A batch is an object with 1 to {EVIDENCE_BATCH_MAX} records.")
        outcomes = await services.evidence.record_many(_acts(acts))
        return Response(b'{"outcomes":[' + b",".join(map(_outcome, outcomes)) + b"]}", media_type=_JSON)

    return operator


def _acts(values: list[Any]) -> list[Act | LianzhengError]:
    """Each act, or why it is none. Raises what ``canonical.parse`` raises where one lies outside the profile."""
    acts = [_act(value) for value in values]
    if any(isinstance(act, LianzhengError) for act in acts):
        check_profile(values)  # what lies outside the profile is wrong first
    return acts


def _act(value: Any) -> Act | LianzhengError:
    try:
        return ActForm.from_json(value).act()
    except LianzhengError as error:
        return error


def _outcome(outcome: bytes | LianzhengError) -> bytes:
    if isinstance(outcome, bytes):
        return outcome
    return encode(
        {"code": outcome.code, "status": outcome.status, "title": outcome.text, "next_step": outcome.next_step}
    )


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schema}}}}
