"""An offer that names somebody else than the ledger does is not even shown."""

from __future__ import annotations

from typing import Any

import pytest

from consent_kit import ALPHA, BETA, DELTA, GAMMA, MachineLedger, offer
from ledger_kit import START_MS
from lianzheng.clock import ManualClock
from lianzheng.consent.named import ConsentOffer
from lianzheng.errors import RefusedError
from lianzheng.governance.members import member_of
from lianzheng.ledger.context import StateView
from lianzheng.wallet.offers import check_offer


@pytest.fixture(scope="module")
def state() -> StateView:
    return MachineLedger(ManualClock(START_MS)).state


def true_offer(state: StateView) -> ConsentOffer:
    """With the names and the code that stand on the ledger; 4 queries of 2 views are 8 uses."""
    made = offer()
    records = {did: member_of(state, did) for did in (ALPHA.did, BETA.did, GAMMA.did)}
    asking = records[ALPHA.did]
    assert asking is not None
    providers = []
    for one in made.providers:
        record = records[one.did]
        assert record is not None
        providers.append(one.model_copy(update={"name": record.name, "max_uses": 8}))
    requester = made.requester.model_copy(update={"name": asking.name, "uscc": asking.uscc})
    return made.model_copy(update={"requester": requester, "providers": tuple(providers)})


def test_the_names_of_the_ledger_pass(state: StateView) -> None:
    check_offer(true_offer(state), state)


@pytest.mark.parametrize(
    ("member", "changes", "code"),
    [
        ("requester", {"name": "Broker beta"}, "offer_name_differs"),
        ("requester", {"uscc": "91110000MA99999999"}, "offer_name_differs"),
        ("requester", {"did": "did:lz:test:zNobody"}, "offer_member_unknown"),
        ("provider", {"name": "Broker Alpha"}, "offer_name_differs"),
        ("provider", {"did": "did:lz:test:zNobody"}, "offer_member_unknown"),
        ("provider", {"did": ALPHA.did}, "offer_provider_twice"),
        ("provider", {"did": GAMMA.did}, "offer_provider_twice"),
        ("provider", {"did": DELTA.did}, "offer_name_differs"),
        ("provider", {"max_uses": 9}, "offer_uses_beyond_queries"),
    ],
)
def test_anything_else_does_not(state: StateView, member: str, changes: dict[str, Any], code: str) -> None:
    made = true_offer(state)
    if member == "requester":
        made = made.model_copy(update={"requester": made.requester.model_copy(update=changes)})
    else:
        first, *rest = made.providers
        made = made.model_copy(update={"providers": (first.model_copy(update=changes), *rest)})
    with pytest.raises(RefusedError) as caught:
        check_offer(made, state)
    assert caught.value.code == code
