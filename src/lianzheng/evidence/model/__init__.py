"""Frozen types of the slice: records and leaves, anchors, promises, bundles and trust files."""

from __future__ import annotations

from lianzheng.evidence.model.anchor import AnchorPayload, AnchorState, LogEntry, anchor_digest
from lianzheng.evidence.model.bundle import (
    AnchorItem,
    Bundle,
    BundleBody,
    CaseHead,
    CheckpointBundle,
    LedgerItem,
    Network,
    RecordItem,
    TrustedWitness,
    TrustFile,
    WitnessTrust,
)
from lianzheng.evidence.model.promise import Acknowledgement, Promise, PromiseBody, Promiser, promise_bytes
from lianzheng.evidence.model.record import (
    CaptureContext,
    Document,
    DocumentDigest,
    EvidenceRecord,
    LeafPair,
    describe_document,
    digest_document,
    leaf_hashes,
    leaves_of,
    leaves_of_bytes,
)

__all__ = [
    "Acknowledgement",
    "AnchorItem",
    "AnchorPayload",
    "AnchorState",
    "Bundle",
    "BundleBody",
    "CaptureContext",
    "CaseHead",
    "CheckpointBundle",
    "Document",
    "DocumentDigest",
    "EvidenceRecord",
    "LeafPair",
    "LedgerItem",
    "LogEntry",
    "Network",
    "Promise",
    "PromiseBody",
    "Promiser",
    "RecordItem",
    "TrustFile",
    "TrustedWitness",
    "WitnessTrust",
    "anchor_digest",
    "describe_document",
    "digest_document",
    "leaf_hashes",
    "leaves_of",
    "leaves_of_bytes",
    "promise_bytes",
]
