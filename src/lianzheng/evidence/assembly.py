"""Putting a bundle together from stored records, batch trees and log proofs (EV-4). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lianzheng.errors import ConflictError
from lianzheng.evidence.model import (
    AnchorItem,
    Bundle,
    CaseHead,
    CheckpointBundle,
    LeafPair,
    LedgerItem,
    LogEntry,
    RecordItem,
    TrustFile,
)
from lianzheng.evidence.ports import PlacedRecord
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.cometbft import CometHead, parse_head
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.ports import LogProof

__all__ = ["BatchPaths", "assemble_bundle"]


class BatchPaths:
    """Both trees of one batch."""

    def __init__(self, leaves: Sequence[LeafPair]) -> None:
        self._sha256, self._sm3 = MerkleTree("sha256"), MerkleTree("sm3")
        self._sha256.extend(pair.sha256 for pair in leaves)
        self._sm3.extend(pair.sm3 for pair in leaves)

    def item(self, placed: PlacedRecord, anchor: int, index: int) -> RecordItem:
        """``placed`` as a bundle holds it."""
        return RecordItem(
            record=placed.stored.record,
            salt=placed.stored.salt,
            anchor=anchor,
            index=index,
            path_sha256=self._sha256.inclusion_path(index),
            path_sm3=self._sm3.inclusion_path(index),
        )


def assemble_bundle(
    trust: TrustFile,
    placed: Sequence[PlacedRecord],
    paths: Mapping[int, BatchPaths],
    proofs: Mapping[int, LogProof],
    note: str | None = None,
) -> Bundle | CheckpointBundle:
    """The bundle of one case; ``paths`` by batch number, ``proofs`` by log index, all under one head.

    With ``note``, the cosigned checkpoint of that head, a bundle under it (EV-6).

    Raises ``ConflictError`` ``not_anchored_yet``.
    """
    records: list[RecordItem] = []
    order: list[int] = []
    for item in placed:
        batch, index = item.batch, item.index
        if batch is None or index is None or batch.log_index is None:
            raise ConflictError("not_anchored_yet", "A record of this case is not on the ledger yet.")
        if batch.log_index not in order:
            order.append(batch.log_index)
        records.append(paths[batch.number].item(item, order.index(batch.log_index), index))
    case = CaseHead(case_id=placed[0].stored.record.case_id, count=len(placed), last_leaf=placed[-1].stored.leaves)
    anchors, ledger = tuple(_anchor(proofs[index]) for index in order), _ledger(proofs[order[0]])
    network = trust.network()
    if note is None:
        return Bundle(network=network, case=case, records=tuple(records), anchors=anchors, ledger=ledger)
    return CheckpointBundle(
        network=network, case=case, records=tuple(records), anchors=anchors, ledger=ledger, checkpoint=note
    )


def _anchor(proof: LogProof) -> AnchorItem:
    return AnchorItem(entry=LogEntry.from_bytes(proof.entry), log_index=proof.index, log_path=proof.path)


def _ledger(proof: LogProof) -> LedgerItem:
    head = parse_head(proof.head)
    return LedgerItem(
        schema_version=proof.schema,
        log_root=proof.log_root,
        log_size=proof.log_size,
        state_root=proof.state_root,
        head=head,
        head_chain=tuple(change for change in map(parse_head, proof.head_chain) if _height(change) < _height(head)),
    )


def _height(head: SignedHead | CometHead) -> int:
    return head.header.height if isinstance(head, CometHead) else head.head.height
