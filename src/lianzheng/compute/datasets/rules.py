"""Ledger rules of ``dataset.publish`` and ``dataset.withdraw``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lianzheng.compute.datasets.model import (
    DatasetPublish,
    DatasetRecord,
    DatasetWithdraw,
    dataset_key,
    dataset_record,
)
from lianzheng.compute.model import view_parts
from lianzheng.errors import ConflictError, FormatError, RefusedError
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.registry import FUNCTIONS, PURPOSES, check_view

__all__ = ["RULES", "require_sorted"]


def require_sorted(values: Sequence[str], code_text: str) -> None:
    """Each list has one form: ascending, nothing twice. Raises ``FormatError`` ``list_not_sorted``."""
    if any(left >= right for left, right in pairwise(values)):
        raise FormatError("list_not_sorted", f"The list of {code_text} is not ascending and without repeats.")


def _check_offer(offer: DatasetPublish) -> None:
    require_sorted(offer.views, "views")
    require_sorted(offer.purposes, "purposes")
    require_sorted(offer.functions, "functions")
    require_sorted(offer.issuers or (), "issuers")
    if any(code not in PURPOSES for code in offer.purposes):
        raise RefusedError("purpose_unknown", "A purpose is not in the registry.")
    if any(code not in FUNCTIONS for code in offer.functions):
        raise RefusedError("function_unknown", "A function is not in the registry.")
    for view in offer.views:
        dataset, bundle, form = view_parts(view)
        if dataset != offer.dataset:
            raise RefusedError("view_not_in_dataset", "A view names another dataset.")
        check_view(bundle, form)
        if not any(bundle in PURPOSES[code].bundles for code in offer.purposes):
            raise RefusedError("view_without_purpose", "No purpose of the dataset allows one of its views.")


def _publish(
    state: StateView, sender: Sender, payload: DatasetPublish, body: TransactionBody, block: BlockContext
) -> Effects:
    """A new dataset of the sender, or the next version of its own.

    Refuses ``dataset_taken``, ``dataset_withdrawn``, ``dataset_day_ahead``, ``issuer_unknown``, ``list_not_sorted``,
    ``purpose_unknown``, ``function_unknown``, ``view_not_in_dataset``, ``view_without_purpose`` and what
    ``registry.check_view`` refuses.
    """
    _check_offer(payload)
    if payload.as_of > block.day:
        raise RefusedError("dataset_day_ahead", "The day of the data lies after the block's day.")
    if any(block.members.get(did) is None for did in payload.issuers or ()):
        raise RefusedError("issuer_unknown", "An issuer is not a member.")
    version = 1
    if state.get(dataset_key(payload.dataset)) is not None:
        before = dataset_record(state, payload.dataset)
        if before.owner != sender.name:
            raise ConflictError("dataset_taken", "Another member has a dataset of this name.")
        if before.status == "withdrawn":
            raise ConflictError("dataset_withdrawn", "The dataset was withdrawn; a withdrawal is final.")
        version = before.version + 1
    record = DatasetRecord(
        **dict(payload), version=version, owner=sender.name, status="published", time_ms=block.time_ms
    )
    return Effects(
        writes=((dataset_key(payload.dataset), record.to_json()),),
        events=({"type": "dataset.published", "dataset": payload.dataset, "version": version},),
    )


def _withdraw(
    state: StateView, sender: Sender, payload: DatasetWithdraw, body: TransactionBody, block: BlockContext
) -> Effects:
    """The dataset is withdrawn for good. Refuses ``dataset_unknown``, ``dataset_not_yours``, ``dataset_withdrawn``."""
    before = dataset_record(state, payload.dataset)
    if before.owner != sender.name:
        raise RefusedError("dataset_not_yours", "Only its owner may withdraw a dataset.")
    if before.status == "withdrawn":
        raise ConflictError("dataset_withdrawn", "The dataset was withdrawn before.")
    after = before.model_copy(update={"version": before.version + 1, "status": "withdrawn", "time_ms": block.time_ms})
    return Effects(
        writes=((dataset_key(payload.dataset), after.to_json()),),
        events=({"type": "dataset.withdrawn", "dataset": payload.dataset},),
    )


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("dataset.publish", DatasetPublish, _publish),
    RuleSpec("dataset.withdraw", DatasetWithdraw, _withdraw),
)
