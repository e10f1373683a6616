"""Before an investor reads an offer: whom it names is who the ledger says that they are."""

from __future__ import annotations

from lianzheng.consent.named import ConsentOffer
from lianzheng.errors import RefusedError
from lianzheng.governance.members import member_of
from lianzheng.ledger.context import StateView

__all__ = ["check_offer"]


def check_offer(offer: ConsentOffer, ledger: StateView) -> None:
    """Requester and providers are active members under the very names that the offer gives, none twice.

    Nor do the tokens hold for more than the queries that are shown: a use is one view in one query (AUTH-1).
    Raises ``RefusedError`` ``offer_member_unknown``, ``offer_name_differs``, ``offer_provider_twice``,
    ``offer_uses_beyond_queries``.
    """
    asking = offer.requester
    named = [(asking.did, asking.name), *((one.did, one.name) for one in offer.providers)]
    if len({did for did, _ in named}) != len(named):
        raise RefusedError("offer_provider_twice", "The offer names a member twice.")
    for did, name in named:
        member = member_of(ledger, did)
        if member is None or member.phase != "active":
            raise RefusedError("offer_member_unknown", "The offer names somebody who is no active member.")
        if member.name != name or (did == asking.did and member.uscc != asking.uscc):
            raise RefusedError(
                "offer_name_differs",
                "The offer gives a member another name or code than the ledger does.",
                next_step="Do not sign: ask the member for a new offer.",
            )
    if any(one.max_uses > offer.queries * len(set(one.views)) for one in offer.providers):
        raise RefusedError(
            "offer_uses_beyond_queries",
            "The offer asks for more uses at a provider than its queries need.",
            next_step="Do not sign: ask the member for a new offer.",
        )
