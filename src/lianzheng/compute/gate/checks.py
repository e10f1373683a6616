"""The gates before the cryptography, one function each, in the order of §6; every refusal has its own code.

All of them are pure: the ledger's state, the two clocks and the request come in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from lianzheng.compute.datasets.model import dataset_record
from lianzheng.compute.gate.model import GateRequest, request_signing_bytes
from lianzheng.compute.model import dataset_of
from lianzheng.compute.tasks.model import TaskContract, approval_record, task_record
from lianzheng.compute.views.model import EpochRecord, epoch_record
from lianzheng.consent.model import Terms
from lianzheng.crypto import ed25519
from lianzheng.errors import NotFoundError, RefusedError, UnavailableError, VerificationError
from lianzheng.governance.incidents.model import require_not_contained
from lianzheng.governance.members import member_of
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.context import StateView
from lianzheng.limits import REQUEST_SKEW_MS

__all__ = ["Moment", "check_asker", "check_issuer_policy", "check_peer", "check_scope", "check_task", "open_epochs"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, as this node's clock and as the ledger has it."""

    clock_ms: int
    block_ms: int
    genesis_ms: int


def check_peer(state: StateView, peer: str, me: str, chain_id: str, request: GateRequest, now: Moment) -> None:
    """GATE-1: an active member asks in its own name, under its signature, now, and asks this node.

    Refuses ``peer_not_active``, ``contained``, ``requester_mismatch``, ``chain_id_wrong``, ``provider_mismatch``,
    ``request_time_skew``, ``request_signature_invalid``. :func:`check_asker`, rate and nonce complete GATE-1.
    """
    member = member_of(state, peer)
    if member is None or member.phase != "active":
        raise RefusedError("peer_not_active", "The asking member is not active in this network.")
    require_not_contained(state, "member", peer)
    require_not_contained(state, "member", me)
    if request.requester != peer:
        raise RefusedError("requester_mismatch", "The request is in another member's name than its certificate.")
    if request.chain_id != chain_id:
        raise RefusedError("chain_id_wrong", "The request belongs to another network.")
    if request.provider != me:
        raise RefusedError("provider_mismatch", "The request is for another provider.")
    if abs(request.time_ms - now.clock_ms) > REQUEST_SKEW_MS:
        raise RefusedError(
            "request_time_skew", "The request's time is more than 5 minutes off.", next_step="Check both clocks (NTP)."
        )
    try:
        key = public_key(read_did(state, peer), request.key_id, "authentication")
        ed25519.verify(key, request_signing_bytes(request), request.signature)
    except (NotFoundError, VerificationError) as error:
        raise VerificationError("request_signature_invalid", "The request is not signed by its requester.") from error


def check_asker(terms: Terms, request: GateRequest) -> None:
    """GATE-1: who asks is the requester of the terms; terms with an agent wait for delegation to be provable (AUTH-5).

    Refuses ``consent_requester_mismatch``, ``consent_agent_unproven``.
    """
    if terms.requester != request.requester:
        raise RefusedError("consent_requester_mismatch", "The consent names another requester.")
    if terms.agent is not None:
        raise RefusedError("consent_agent_unproven", "No proof of delegation to the agent was shown (AUTH-5).")


def check_task(state: StateView, me: str, request: GateRequest, now: Moment) -> TaskContract:
    """GATE-2: the contract that covers requester, function and views, approved by this provider and unexpired.

    Refuses ``task_unknown``, ``task_ended``, ``task_expired``, ``task_not_approved``, ``task_requester_mismatch``,
    ``task_function_mismatch``, ``view_not_in_task``. Whether it is exhausted is counted with the uses (B28).
    """
    record = task_record(state, request.task)
    contract = record.contract
    if record.status != "proposed":
        raise RefusedError("task_ended", "The task was cancelled or closed.")
    if contract.expires_ms <= max(now.clock_ms, now.block_ms):
        raise RefusedError("task_expired", "The task contract has expired.")
    approval = approval_record(state, request.task, me)
    if approval is None or approval.decision != "approved":
        raise RefusedError("task_not_approved", "This provider has not approved the task.")
    if contract.requester != request.requester:
        raise RefusedError("task_requester_mismatch", "The task belongs to another requester.")
    if contract.function != "hidden-query":
        raise RefusedError("task_function_mismatch", "The task is for another function.")
    for view in request.views:
        if view.view not in contract.views or dataset_record(state, dataset_of(view.view)).owner != me:
            raise RefusedError("view_not_in_task", "The task does not cover a view that is asked for.")
    return contract


def check_scope(state: StateView, terms: Terms, contract: TaskContract, request: GateRequest) -> None:
    """GATE-3, what ties terms, task and policy together: one purpose, one function, every view allowed.

    The terms by themselves are ``consent.token``'s to check. Refuses ``purpose_mismatch``, ``function_mismatch``,
    ``contained``, ``dataset_withdrawn``, ``view_not_offered``, ``purpose_not_allowed``.
    """
    if terms.purpose != contract.purpose:
        raise RefusedError("purpose_mismatch", "The consent is for another purpose than the task.")
    if terms.function != contract.function:
        raise RefusedError("function_mismatch", "The consent is for another function than the task.")
    require_not_contained(state, "function", terms.function)
    for asked in request.views:
        require_not_contained(state, "dataset", dataset_of(asked.view))
        dataset = dataset_record(state, dataset_of(asked.view))
        if dataset.status != "published":
            raise RefusedError("dataset_withdrawn", "The dataset was withdrawn.")
        if asked.view not in dataset.views or terms.function not in dataset.functions:
            raise RefusedError("view_not_offered", "The dataset's policy does not offer this view for this function.")
        if terms.purpose not in dataset.purposes:
            raise RefusedError("purpose_not_allowed", "The dataset's policy does not allow this purpose.")


def check_issuer_policy(state: StateView, terms: Terms, request: GateRequest) -> None:
    """GATE-5, the part of policy: a dataset may rely on fewer issuers, never on more. ``issuer_not_allowed``."""
    for asked in request.views:
        allowed = dataset_record(state, dataset_of(asked.view)).issuers
        if allowed is not None and terms.issuer not in allowed:
            raise RefusedError("issuer_not_allowed", "The dataset's policy does not rely on this issuer.")


def open_epochs(state: StateView, request: GateRequest, now: Moment) -> tuple[EpochRecord, ...]:
    """GATE-0: the epochs asked for are published and answer at this moment; each (view, epoch) once.

    Refuses ``view_repeated``, ``epoch_unknown``, ``epoch_not_published``, ``epoch_not_open``.
    """
    pairs = [(view.view, view.epoch) for view in request.views]
    if len(set(pairs)) != len(pairs):
        raise RefusedError("view_repeated", "A view is asked for twice in one request.")
    records = tuple(epoch_record(state, view, epoch) for view, epoch in pairs)
    for record in records:
        if record.status != "published":
            raise UnavailableError("epoch_not_published", "The view's epoch is not published yet.")
        if not record.from_ms <= now.clock_ms < record.until_ms:
            raise RefusedError("epoch_not_open", "The view's epoch is over; ask in the present one.")
    return records
