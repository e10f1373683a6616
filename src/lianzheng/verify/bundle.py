"""One bundle, from the trust file down to each record (EV-4).

trust file → signers → head chain → signed head → app_hash → log root → log entry (anchor) → batch roots → leaf → record
"""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.errors import VerificationError
from lianzheng.evidence.model import (
    AnchorItem,
    BundleBody,
    CheckpointBundle,
    LeafPair,
    LedgerItem,
    Network,
    RecordItem,
    TrustFile,
    WitnessTrust,
    leaves_of,
)
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.proofs import verify_inclusion
from lianzheng.verify.checkpoint import Witnessed, check_age, verify_checkpoint
from lianzheng.verify.decode import decode_bundle, decode_trust
from lianzheng.verify.light_client import FinalHead, verify_final_head
from lianzheng.verify.report import RecordReport, Report

__all__ = ["verify_bundle"]


def verify_bundle(data: bytes, trust: bytes | None, as_of_ms: int | None = None) -> Report:
    """A report on a bundle that holds; ``trust`` None leaves it *consistent but unanchored*.

    ``as_of_ms`` is the time that ages are counted to (EV-6); None counts none.
    Raises ``VerificationError`` with a code naming the part; the codes stand in ``docs/spec/bundle.md``.
    """
    bundle = decode_bundle(data)
    trusted = None if trust is None else decode_trust(trust)
    if trusted is not None:
        _check_network(bundle.network, trusted)
    head = _check_ledger(bundle.network, bundle.ledger)
    witnessed = verify_checkpoint(bundle, head, trusted, as_of_ms) if isinstance(bundle, CheckpointBundle) else None
    _check_anchors(bundle, head)
    _check_case(bundle)
    check_age(bundle.anchors, trusted, witnessed, as_of_ms)
    return _report(bundle, trusted is not None, head, witnessed)


def _check_network(claimed: Network, trusted: TrustFile | WitnessTrust) -> None:
    if (claimed.chain_id, claimed.genesis_digest) != (trusted.chain_id, trusted.genesis_digest):
        raise VerificationError(
            "network_foreign",
            "The bundle belongs to another network than the trust file.",
            next_step="Use the trust file of the network that the bundle names, if you believe that network.",
        )
    if trusted.signers is not None and claimed.signers != trusted.signers:
        raise VerificationError("network_signers_mismatch", "The bundle names other signers than the trust file.")


def _check_ledger(network: Network, ledger: LedgerItem) -> FinalHead:
    head = verify_final_head(network.chain_id, network.signers, ledger.head_chain, ledger.head)
    computed = app_hash(ledger.schema_version, ledger.log_root, ledger.log_size, ledger.state_root)
    if computed != head.app_hash:
        raise VerificationError("app_hash_mismatch", "Log and state roots are not what the signed head carries.")
    return head


def _check_anchors(bundle: BundleBody, head: FinalHead) -> None:
    """Every anchor is an entry of the log under the head: a refused transaction has no entry there."""
    ledger, last = bundle.ledger, -1
    for anchor in bundle.anchors:
        if anchor.log_index <= last:
            raise VerificationError("anchor_order_invalid", "The anchors are not in the order of the evidence log.")
        last = anchor.log_index
        entry = anchor.entry
        try:
            verify_inclusion(entry.to_bytes(), anchor.log_index, ledger.log_size, anchor.log_path, ledger.log_root)
        except VerificationError as error:
            raise VerificationError(
                "anchor_inclusion_invalid", "An anchor is not in the evidence log under the signed head."
            ) from error
        if entry.height > head.height or entry.time_ms > head.time_ms:
            raise VerificationError(
                "anchor_after_head", "An anchor claims a later block than the head it stands under."
            )


def _check_case(bundle: BundleBody) -> None:
    """One case of one institution, complete as its head says, each record after the one it names (EV-4)."""
    case, previous = bundle.case, None
    if len(bundle.records) != case.count:
        raise VerificationError("case_count_mismatch", "The bundle does not hold as many records as its head says.")
    _check_order(bundle.records, len(bundle.anchors))
    institution = bundle.records[0].record.institution
    for item in bundle.records:
        record = item.record
        if record.case_id != case.case_id:
            raise VerificationError("record_case_mismatch", "A record belongs to another case than the bundle.")
        if record.institution != institution:
            raise VerificationError("record_institution_mismatch", "The records are of more than one institution.")
        if record.previous != previous:
            raise VerificationError("record_previous_mismatch", "A record does not follow the one before it.")
        previous = leaves_of(record, item.salt)
        _check_placed(item, previous, bundle.anchors[item.anchor])
    if previous != case.last_leaf:
        raise VerificationError("case_last_leaf_mismatch", "The last record is not the one that the head names.")


def _check_order(records: Sequence[RecordItem], anchors: int) -> None:
    """Records use the anchors from first to last without a gap, and ascend within one: one bundle, one encoding."""
    anchor, index = 0, -1
    for item in records:
        if item.anchor == anchor + 1 and index >= 0:
            anchor, index = item.anchor, -1
        if item.anchor != anchor or item.index <= index:
            raise VerificationError("record_order_invalid", "The records are not in the order of their anchors.")
        index = item.index
    if anchor != anchors - 1:
        raise VerificationError("anchor_unused", "The bundle holds an anchor that no record uses.")


def _check_placed(item: RecordItem, leaves: LeafPair, anchor: AnchorItem) -> None:
    payload = anchor.entry.payload
    if anchor.entry.sender != item.record.institution:
        raise VerificationError(
            "record_sender_mismatch", "A record is anchored by another member than its institution."
        )
    try:
        verify_inclusion(leaves.sha256, item.index, payload.count, item.path_sha256, payload.root_sha256, "sha256")
    except VerificationError as error:
        raise VerificationError(
            "record_path_sha256_invalid", "A record, its salt or its SHA-256 path does not lead to the anchor's root."
        ) from error
    try:
        verify_inclusion(leaves.sm3, item.index, payload.count, item.path_sm3, payload.root_sm3, "sm3")
    except VerificationError as error:
        raise VerificationError(
            "record_path_sm3_invalid", "A record, its salt or its SM3 path does not lead to the anchor's root."
        ) from error


def _report(bundle: BundleBody, anchored: bool, head: FinalHead, witnessed: Witnessed | None) -> Report:
    return Report(
        anchored=anchored,
        chain_id=bundle.network.chain_id,
        case_id=bundle.case.case_id,
        institution=bundle.records[0].record.institution,
        records=tuple(_record_report(item, bundle.anchors[item.anchor]) for item in bundle.records),
        signer=head.signer,
        head_height=head.height,
        head_time_ms=head.time_ms,
        signatures_checked=head.signatures + (0 if witnessed is None else witnessed.signatures),
        cosigned_by=() if witnessed is None else witnessed.groups,
    )


def _record_report(item: RecordItem, anchor: AnchorItem) -> RecordReport:
    record = item.record
    return RecordReport(
        scene=record.scene,
        operator_role=record.operator_role,
        documents=tuple((document.name, document.sha256) for document in record.documents),
        local_time_ms=record.context.local_time_ms,
        anchor_height=anchor.entry.height,
        anchor_time_ms=anchor.entry.time_ms,
        log_index=anchor.log_index,
    )
