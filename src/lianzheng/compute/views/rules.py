"""Ledger rules of ``epoch.commit`` and ``epoch.publish`` (GATE-0, PIR-1)."""

from __future__ import annotations

from lianzheng.compute.datasets.model import dataset_record
from lianzheng.compute.model import dataset_of
from lianzheng.compute.views.model import (
    EpochCommit,
    EpochPublish,
    EpochRecord,
    TableParameters,
    epoch_key,
    epoch_record,
    key_proof_transcript,
    read_key_proof,
    viewkey_key,
)
from lianzheng.compute.views.size import is_size_class
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import ConflictError, NotFoundError, RefusedError
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.limits import EPOCH_MS_MAX
from lianzheng.zk import schnorr

__all__ = ["RULES"]


def _check_dataset(state: StateView, sender: Sender, view: str, retrieval: str | None) -> None:
    dataset = dataset_record(state, dataset_of(view))
    if dataset.owner != sender.name:
        raise RefusedError("dataset_not_yours", "Only the owner of the dataset opens epochs of its views.")
    if dataset.status != "published":
        raise RefusedError("dataset_withdrawn", "The dataset was withdrawn.")
    if view not in dataset.views:
        raise RefusedError("view_unknown", "The dataset does not offer this view.")
    if retrieval is not None and dataset.retrieval != retrieval:
        raise RefusedError("retrieval_mismatch", "The table is read in another way than the dataset's policy says.")


def _check_number(state: StateView, payload: EpochCommit) -> None:
    if state.get(epoch_key(payload.view, payload.epoch)) is not None:
        raise ConflictError("epoch_exists", "The view has an epoch of this number.")
    if payload.epoch == 1:
        return
    try:
        before = epoch_record(state, payload.view, payload.epoch - 1)
    except NotFoundError as error:
        raise ConflictError("epoch_not_consecutive", "Epochs of a view are numbered 1, 2, 3 …") from error
    if payload.from_ms < before.from_ms:
        raise RefusedError("epoch_times_invalid", "An epoch begins no earlier than the one before it.")


def _check_times(payload: EpochCommit, block: BlockContext) -> None:
    if not payload.from_ms < payload.until_ms or payload.until_ms - payload.from_ms > EPOCH_MS_MAX:
        raise RefusedError("epoch_times_invalid", "An epoch ends after it begins, and within the longest time allowed.")
    if payload.until_ms <= block.time_ms:
        raise RefusedError("epoch_over", "The epoch would be over before it is committed.")
    if payload.from_ms > block.time_ms + EPOCH_MS_MAX:
        raise RefusedError("epoch_times_invalid", "The epoch begins too far ahead.")


def _check_parameters(parameters: TableParameters) -> None:
    if not is_size_class(parameters.entries, parameters.columns):
        raise RefusedError("size_class_invalid", "Entries or columns are not those of a public size class (B21).")


def _commit(
    state: StateView, sender: Sender, payload: EpochCommit, body: TransactionBody, block: BlockContext
) -> Effects:
    """A provider binds itself to one key and one table.

    Refuses ``dataset_unknown``, ``dataset_not_yours``, ``dataset_withdrawn``, ``view_unknown``, ``retrieval_mismatch``,
    ``epoch_exists``, ``epoch_not_consecutive``, ``epoch_times_invalid``, ``epoch_over``, ``size_class_invalid``,
    ``view_key_reused`` (a point that the ledger has ever seen), ``schnorr_invalid`` and the codes of CON-4.
    """
    _check_dataset(state, sender, payload.view, payload.parameters.retrieval)
    _check_number(state, payload)
    _check_times(payload, block)
    _check_parameters(payload.parameters)
    point, proof = read_key_proof(payload)
    seen = viewkey_key(payload.key_point)
    if state.get(seen) is not None or point == G1.generator():
        raise RefusedError("view_key_reused", "A view key is drawn fresh for every epoch.")
    transcript = key_proof_transcript(block.chain_id, sender.name, payload.view, payload.epoch)
    schnorr.verify(G1.generator(), point, proof, transcript)
    fields = {name: value for name, value in payload if name != "key_proof"}
    record = EpochRecord(
        **fields, version=1, provider=sender.name, status="committed", hint=None, time_ms=block.time_ms
    )
    return Effects(
        writes=(
            (epoch_key(payload.view, payload.epoch), record.to_json()),
            (seen, {"view": payload.view, "epoch": payload.epoch}),
        ),
        events=({"type": "epoch.committed", "view": payload.view, "epoch": payload.epoch},),
    )


def _publish(
    state: StateView, sender: Sender, payload: EpochPublish, body: TransactionBody, block: BlockContext
) -> Effects:
    """The committed table can be asked for.

    Refuses ``epoch_unknown``, ``dataset_not_yours``, ``dataset_withdrawn``, ``view_unknown``,
    ``epoch_already_published``, ``epoch_over``, ``hint_missing``, ``hint_unexpected``.
    """
    before = epoch_record(state, payload.view, payload.epoch)
    _check_dataset(state, sender, payload.view, None)
    if before.provider != sender.name:
        raise RefusedError("dataset_not_yours", "Only the member that committed an epoch publishes it.")
    if before.status != "committed":
        raise ConflictError("epoch_already_published", "The epoch is published already.")
    if before.until_ms <= block.time_ms:
        raise RefusedError("epoch_over", "The epoch is over.")
    if payload.hint is None and before.parameters.retrieval == "pir":
        raise RefusedError("hint_missing", "A table that is asked in private is published with its hint's digest.")
    if payload.hint is not None and before.parameters.retrieval != "pir":
        raise RefusedError("hint_unexpected", "A table that is downloaded whole has no hint.")
    changes = {"status": "published", "hint": payload.hint, "time_ms": block.time_ms}
    after = before.model_copy(update=changes | {"version": before.version + 1})
    return Effects(
        writes=((epoch_key(payload.view, payload.epoch), after.to_json()),),
        events=({"type": "epoch.published", "view": payload.view, "epoch": payload.epoch},),
    )


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("epoch.commit", EpochCommit, _commit),
    RuleSpec("epoch.publish", EpochPublish, _publish),
)
