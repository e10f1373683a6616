"""The chain for people and monitors: blocks, transactions, members, motions, parameters, points, and a stream.

No token, as for the rest of the ledger's public state: nothing personal is chained.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from lianzheng.api.following import LedgerServices
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.errors import FormatError, NotFoundError
from lianzheng.governance.admission.model import ASSESSMENTS, assessment_of
from lianzheng.governance.groups import group_key, voice_of
from lianzheng.governance.model import parameter_key
from lianzheng.governance.motions.model import SHARES
from lianzheng.governance.parameters.model import PARAMETERS, parameter_hash, parameter_record
from lianzheng.governance.points.model import balance_of, quota_limit, settlement_key
from lianzheng.ledger.context import StateView
from lianzheng.ledger.index import Place, TransactionFilter
from lianzheng.limits import INT_MAX

__all__ = ["create_router"]

Limit = Annotated[int, Query(ge=1, le=200, description="Entries a page.")]
Before = Annotated[str | None, Query(description="`next` of the page before.")]
Height = Annotated[int, Query(ge=1, le=INT_MAX)]


def create_router(services: LedgerServices) -> APIRouter:
    """Routes under ``/api/v1/explorer``."""
    router = APIRouter(prefix="/api/v1/explorer", tags=["explorer"])
    _chain_routes(router, services)
    _governance_routes(router, lambda: services.engine.state, lambda: services.engine.now_block_ms())
    return router


def _chain_routes(router: APIRouter, services: LedgerServices) -> None:
    @router.get("/blocks")
    async def blocks(before: Before = None, limit: Limit = 50) -> dict[str, Any]:
        """Blocks that hold transactions, newest first."""
        lines = await services.explorer.index.blocks(None if before is None else _natural(before), limit)
        following = str(lines[-1].height) if len(lines) == limit else None
        return {"blocks": [asdict(line) for line in lines], "next": following}

    @router.get("/transactions")
    async def transactions(
        kind: Annotated[str | None, Query(description="A kind, or a slice: `member.`")] = None,
        sender: str | None = None,
        code: Annotated[str | None, Query(description="`ok`, or the reason code of a refusal.")] = None,
        from_ms: Annotated[int | None, Query(ge=0, le=INT_MAX)] = None,
        to_ms: Annotated[int | None, Query(ge=0, le=INT_MAX)] = None,
        before: Before = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Transactions of accepted form, newest first, narrowed by each filter that is given."""
        wanted = TransactionFilter(kind, sender, code, from_ms, to_ms)
        found, following = await services.explorer.index.search(
            wanted, None if before is None else _place(before), limit
        )
        following_text = None if following is None else f"{following.height}:{following.index}"
        return {"transactions": found, "next": following_text, "indexed_height": services.explorer.index.height}

    @router.get("/transactions/{tx_id}")
    async def transaction(tx_id: str) -> dict[str, Any]:
        """One transaction: where it stands and what became of it."""
        found = await services.explorer.index.get(b64u_decode(tx_id, 32))
        if found is None:
            raise NotFoundError("transaction_unknown", "No block of this node holds such a transaction.")
        return found

    @router.get("/events", response_class=StreamingResponse)
    async def events(request: Request, from_height: Height = 1) -> StreamingResponse:
        """Server-sent events, one a transaction, from a height on; `Last-Event-ID` carries on after a break."""
        last = request.headers.get("last-event-id")
        after = Place(from_height - 1, INT_MAX) if last is None else _place(last)
        # Nothing of the height before ``from_height`` is asked for: this node may keep it no more.
        first = from_height if last is None else max(after.height, 1)
        lines = _sse(services.explorer.stream(first), after)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"cache-control": "no-store"})


def _governance_routes(router: APIRouter, state: Callable[[], StateView], now_ms: Callable[[], int]) -> None:
    @router.get("/members")
    async def members(phase: str | None = None) -> dict[str, Any]:
        """Members and applicants with group, voice, assessments and points."""
        view = state()
        found = [_member(view, value) for _, value in view.scan("member/") if phase in (None, value["phase"])]
        return {"members": found}

    @router.get("/parameters")
    async def parameters() -> dict[str, Any]:
        """Every parameter: value, bounds, meaning, and `prev` of the next change."""
        view = state()
        return {"parameters": [_parameter(view, name) for name in sorted(PARAMETERS)]}

    @router.get("/motions")
    async def motions(status: str | None = None, kind: str | None = None) -> dict[str, Any]:
        """Motions, newest first; one that is open and past its time says so in `over`."""
        view = state()
        found = [
            {
                "motion": key.removeprefix("motion/"),
                "share": list(SHARES[value["kind"]]),
                "over": value["status"] != "open" or value["closes_ms"] < now_ms(),
                **value,
            }
            for key, value in view.scan("motion/")
            if status in (None, value["status"]) and kind in (None, value["kind"])
        ]
        return {"motions": sorted(found, key=lambda one: (-one["opened_height"], one["motion"]))}

    @router.get("/settlements/{month}")
    async def settlement(month: str) -> dict[str, Any]:
        """Every line of one settlement of points."""
        found = state().get(settlement_key(month))
        if found is None:
            raise NotFoundError("settlement_unknown", "This month is not settled.")
        return found

    @router.get("/incidents")
    async def incidents(status: str | None = None) -> dict[str, Any]:
        """Incidents and what they stop."""
        found = [
            {"incident": key.removeprefix("incident/"), **value}
            for key, value in state().scan("incident/")
            if status in (None, value["status"])
        ]
        return {"incidents": sorted(found, key=lambda one: -one["opened_ms"])}


def _member(state: StateView, value: JsonObject) -> dict[str, Any]:
    did = value["did"]
    public = {name: item for name, item in value.items() if name != "certificate"}
    assessments = {kind: assessment_of(state, did, kind) for kind in ASSESSMENTS}
    return {
        **public,
        "speaks": _speaks(state, value["control_group"], did),
        "points": balance_of(state, did),
        "quota_limit": quota_limit(state, did),
        "assessments": {kind: None if one is None else one.to_json() for kind, one in assessments.items()},
    }


def _speaks(state: StateView, group: str, did: str) -> bool:
    """Not for a group without a record: one that a member was moved into while it was suspended has none."""
    return state.get(group_key(group)) is not None and voice_of(state, group) == did


def _parameter(state: StateView, name: str) -> dict[str, Any]:
    record, spec = parameter_record(state, name), PARAMETERS[name]
    return {
        "name": name,
        "value": record.value,
        "version": record.version,
        "set": state.get(parameter_key(name)) is not None,
        "least": spec.least,
        "most": spec.most,
        "meaning": spec.meaning,
        "prev": b64u_encode(parameter_hash(name, record)),
    }


async def _sse(events: AsyncIterator[JsonObject], after: Place) -> AsyncIterator[bytes]:
    async for event in events:
        place = Place(event["height"], event["index"])
        if place > after:
            yield b"id: %d:%d\nevent: transaction\ndata: %b\n\n" % (place.height, place.index, encode(event))


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise FormatError("query_invalid", "A place in the chain is a height, or a height and an index with a colon.")
    return int(text)


def _place(text: str) -> Place:
    height, colon, index = text.partition(":")
    if not colon:
        raise FormatError("query_invalid", "A place in the chain is a height and an index with a colon between.")
    return Place(_natural(height), _natural(index))
