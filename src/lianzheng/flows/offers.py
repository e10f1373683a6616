"""What the alliance offers for a purpose, and the consent offer that a clerk puts before a client (TASK-1, AUTH-3)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.compute.datasets.model import DatasetRecord
from lianzheng.compute.model import view_parts
from lianzheng.consent.named import ConsentOffer, OfferedProvider, RequesterInfo
from lianzheng.consent.text import template_of
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import RefusedError
from lianzheng.governance.members import member_of
from lianzheng.ledger.context import StateView
from lianzheng.registry import FUNCTIONS, PURPOSES

__all__ = ["OfferOrder", "Offered", "catalogue", "make_offer", "require_purpose"]


@dataclass(frozen=True, slots=True)
class Offered:
    """One active member's views that may be asked for."""

    provider: str
    name: str
    views: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferOrder:
    """What the clerk decides about an offer; everything else stands on the ledger."""

    client: str
    purpose: str
    function: str
    providers: tuple[str, ...]
    """Empty: everybody who offers something for the purpose."""
    queries: int
    look_back_months: int
    retention_days: int
    contact: str
    complaints: str
    template: str
    processors: tuple[str, ...] = ()


def require_purpose(purpose: str, function: str) -> None:
    """Both are registered, and go together.

    Raises ``RefusedError`` ``purpose_unknown``, ``function_unknown``, ``purpose_function``.
    """
    if purpose not in PURPOSES:
        raise RefusedError("purpose_unknown", "The purpose is not in the registry.")
    if function not in FUNCTIONS:
        raise RefusedError("function_unknown", "The function or its version is not in the registry.")
    if function not in PURPOSES[purpose].functions:
        raise RefusedError("purpose_function", "The purpose does not allow this function.")


def catalogue(state: StateView, me: str, purpose: str, function: str) -> tuple[Offered, ...]:
    """Views of other active members that may be asked for, by provider. Raises as :func:`require_purpose`."""
    require_purpose(purpose, function)
    bundles = PURPOSES[purpose].bundles
    found: dict[str, list[str]] = {}
    for _, value in state.scan("dataset/"):
        record = DatasetRecord.from_json(value)
        allowed = purpose in record.purposes and function in record.functions
        if record.status == "published" and record.owner != me and allowed:
            found.setdefault(record.owner, []).extend(view for view in record.views if view_parts(view)[1] in bundles)
    offered = []
    for did in sorted(found):
        member = member_of(state, did)
        if member is not None and member.phase == "active" and found[did]:
            offered.append(Offered(did, member.name, tuple(sorted(found[did]))))
    return tuple(offered)


def make_offer(state: StateView, me: str, chain_id: str, order: OfferOrder) -> ConsentOffer:
    """An offer with a fresh id, naming every provider with all its views for the purpose (AUTH-3).

    Raises as :func:`require_purpose`; ``RefusedError`` ``provider_offers_nothing``, ``nothing_offered``,
    ``member_unknown``, ``consent_template_unknown``; ``FormatError`` ``field_invalid``.
    """
    template_of(order.template)
    asking = member_of(state, me)
    if asking is None:
        raise RefusedError("member_unknown", "The requester is not a member.")
    chosen = _choose(catalogue(state, me, order.purpose, order.function), order.providers)
    return ConsentOffer.from_json(
        {
            "v": 1,
            "chain_id": chain_id,
            "consent_id": b64u_encode(secrets.token_bytes(16)),
            "client_reference": order.client,
            "requester": RequesterInfo(did=me, name=asking.name, uscc=asking.uscc, contact=order.contact).to_json(),
            "providers": [
                OfferedProvider(
                    did=one.provider, name=one.name, views=one.views, max_uses=order.queries * len(one.views)
                ).to_json()
                for one in chosen
            ],
            "processors": list(order.processors),
            "purpose": order.purpose,
            "function": order.function,
            "queries": order.queries,
            "look_back_months": order.look_back_months,
            "retention_days": order.retention_days,
            "complaints": order.complaints,
            "template": order.template,
        }
    )


def _choose(offered: Sequence[Offered], wanted: Sequence[str]) -> list[Offered]:
    by_did = {one.provider: one for one in offered}
    if any(did not in by_did for did in wanted):
        raise RefusedError(
            "provider_offers_nothing",
            "A provider named offers nothing for this purpose.",
            next_step="See who does: `lianzheng task offers`.",
        )
    chosen = [one for one in offered if not wanted or one.provider in wanted]
    if not chosen:
        raise RefusedError("nothing_offered", "No active member offers data for this purpose.")
    return chosen
