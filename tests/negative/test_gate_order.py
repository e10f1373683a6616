"""The order of §6: a request with a defect and every later defect besides is refused for the first of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gate_kit import (
    ALPHA,
    BETA,
    DATASET,
    DELTA,
    EXPERIENCE,
    GAMMA,
    MANY,
    START_MS,
    VIEWS,
    WEALTH,
    WORDS,
    GateNet,
    Party,
)
from lianzheng.clock import DAY_MS, day_of
from lianzheng.compute.datasets.model import DatasetWithdraw
from lianzheng.compute.gate.model import GateRequest, ViewEpoch
from lianzheng.crypto.hazmat.bls12381 import ORDER, scalar_from_bytes, scalar_to_bytes
from lianzheng.governance.model import member_key
from lianzheng.limits import REQUEST_SKEW_MS

IDENTITY = bytes([0xC0]) + bytes(47)


@dataclass
class Case:
    """An honest request of two views, and what is wrong with it."""

    peer: Party = ALPHA
    issuer: Party = GAMMA
    terms: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    epoch: int = 1
    is_approved: bool = True
    is_signed: bool = True
    is_granted: bool = True
    is_active: bool = True
    is_withdrawn: bool = False
    is_stopped: bool = False
    is_fast: bool = False
    has_old_nonce: bool = False
    has_forged_sigma: bool = False


Defect = Callable[[Case], Any]
DEFECTS: list[tuple[str, Defect]] = [
    ("peer_not_active", lambda case: setattr(case, "is_active", False)),
    ("requester_mismatch", lambda case: setattr(case, "peer", GAMMA)),
    ("chain_id_wrong", lambda case: case.request.update(chain_id="test-other")),
    ("provider_mismatch", lambda case: case.request.update(provider=GAMMA.did)),
    ("request_time_skew", lambda case: case.request.update(time_ms=START_MS + 2 * REQUEST_SKEW_MS)),
    ("request_signature_invalid", lambda case: setattr(case, "is_signed", False)),
    ("consent_requester_mismatch", lambda case: case.terms.update(requester=DELTA.did)),
    ("consent_agent_unproven", lambda case: case.terms.update(agent=DELTA.did)),
    ("rate_limited", lambda case: setattr(case, "is_fast", True)),
    ("nonce_reused", lambda case: setattr(case, "has_old_nonce", True)),
    ("task_not_approved", lambda case: setattr(case, "is_approved", False)),
    ("view_not_in_task", lambda case: case.contract.update(views=[EXPERIENCE, MANY])),
    ("task_exhausted", lambda case: case.contract.update(quota=1)),
    ("token_function_unknown", lambda case: case.terms.update(function="joint-statistics")),
    ("token_view_not_in_terms", lambda case: case.terms.update(views=(EXPERIENCE, MANY))),
    ("token_expired", lambda case: case.terms.update(not_before="2026-01-01", not_after=day_of(START_MS - DAY_MS))),
    ("purpose_mismatch", lambda case: case.terms.update(purpose=WORDS[1])),
    ("dataset_withdrawn", lambda case: setattr(case, "is_withdrawn", True)),
    ("consent_mismatch", lambda case: case.request.update(cid=bytes(32))),
    ("consent_unknown", lambda case: setattr(case, "is_granted", False)),
    ("ledger_stopped", lambda case: setattr(case, "is_stopped", True)),
    ("token_issuer_group_forbidden", lambda case: setattr(case, "issuer", DELTA)),
    ("issuer_not_allowed", lambda case: case.policy.update(issuers=[ALPHA.did])),
    ("token_issuer_key_unknown", lambda case: setattr(case, "issuer", BETA)),
    ("token_points_invalid", lambda case: case.token.update(b=IDENTITY)),
    ("token_issuer_signature_invalid", lambda case: setattr(case, "has_forged_sigma", True)),
    ("token_holder_signature_invalid", lambda case: case.token.update(z=None)),
    ("epoch_unknown", lambda case: setattr(case, "epoch", 2)),
    ("uses_exhausted", lambda case: case.terms.update(max_uses=1)),
]


@pytest.mark.parametrize("first", range(len(DEFECTS) + 1), ids=[code for code, _ in DEFECTS] + ["answered"])
async def test_the_first_defect_decides(tmp_path: Path, first: int) -> None:
    net = await GateNet(tmp_path).open()
    case = Case()
    for _, defect in reversed(DEFECTS[first:]):  # the earlier one has the last word on what both change
        defect(case)
    issued, request = await play(net, case)
    if first < len(DEFECTS):
        await net.refused(DEFECTS[first][0], request, issued.token, case.peer.did)
    else:
        await net.send(request, issued.token)
    await net.close()


async def play(net: GateNet, case: Case) -> tuple[Any, GateRequest]:
    """Network and request as the case says."""
    old_nonce = secrets.token_bytes(32)
    await net.deny("task_unknown", await net.granted(), nonce=old_nonce, task=bytes(32))
    contract: dict[str, Any] = {"views": list(VIEWS)} | case.contract
    task = await net.propose(approve=case.is_approved, **contract)
    issued = net.issue(issuer=case.issuer, **case.terms)
    changes = dict(case.token)
    if "z" in changes:
        changes["z"] = scalar_to_bytes((scalar_from_bytes(issued.token.z) + 1) % ORDER)
    if case.has_forged_sigma:
        changes["sigma_i"] = net.issue(net.people[5]).token.sigma_i
    issued = replace(issued, token=issued.token.model_copy(update=changes))
    if case.is_granted:
        assert await net.grant(issued) == ["ok"]
    if case.policy:
        await net.loading.publish(net.offer(**case.policy))
    if case.is_withdrawn:
        await net.sender(BETA).send("dataset.withdraw", DatasetWithdraw(dataset=DATASET))
    if not case.is_active:
        for party in (ALPHA, GAMMA):
            net.ledger.put(member_key(party.did), phase="suspended")
    if case.is_fast:
        net.per_minute = 0
        net.gate = net.make_gate(net.ledger)
    if case.is_stopped:
        await net.stop_ledger()
    if case.has_old_nonce:
        case.request["nonce"] = old_nonce
    views = (ViewEpoch(view=WEALTH, epoch=case.epoch), ViewEpoch(view=EXPERIENCE, epoch=case.epoch))
    signer = ALPHA if case.is_signed else DELTA
    return issued, net.request(issued, views, signer, **({"task": task, "requester": ALPHA.did} | case.request))
