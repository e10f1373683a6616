"""One evidence record and its two leaves (EV-1, EV-2).

Leaf_h = h(tag ``evidence-leaf`` ‖ salt ‖ JCS(record))    h in {SHA-256, SM3}

``salt``    32 random bytes, one per record, the same under both hashes
``record``  :class:`EvidenceRecord`
Leaf_h is the *entry* of the batch tree: RFC 9162 hashes it again behind 0x00.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from lianzheng.crypto.digest import sha256_raw, sm3_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Natural, Record, TimeMs
from lianzheng.ids import Did
from lianzheng.limits import RECORD_DOCUMENTS_MAX
from lianzheng.registry import SCENES

__all__ = [
    "CaptureContext",
    "CaseId",
    "Document",
    "DocumentDigest",
    "EvidenceRecord",
    "LeafPair",
    "describe_document",
    "digest_document",
    "leaf_hashes",
    "leaves_of",
    "leaves_of_bytes",
]


def _scene(code: str) -> str:
    if code not in SCENES:
        raise ValueError("scene_unknown")
    return code


CaseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Safe as a file name; chosen by the member, and no personal data."""
Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=120)]
SceneCode = Annotated[str, AfterValidator(_scene)]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is handed in; its bytes stay at the member."""

    name: str
    media_type: str
    data: bytes


class DocumentDigest(Record):
    """What a record says about one document: both digests over its plain bytes."""

    name: Label
    media_type: Label
    size_bytes: Natural
    sha256: Bytes32
    sm3: Bytes32


class CaptureContext(Record):
    """Where an act was captured. ``local_time_ms`` is a claim; the anchor's block time is the evidence (EV-3)."""

    system: Label
    software_version: Label
    channel: Label
    local_time_ms: TimeMs


class LeafPair(Record):
    """The two leaves of one record."""

    sha256: Bytes32
    sm3: Bytes32


class EvidenceRecord(Record):
    """One act of one case at one institution (EV-1); its place in the case follows from ``previous``."""

    v: Literal[1] = 1
    case_id: CaseId
    scene: SceneCode
    institution: Did
    operator_role: Role
    context: CaptureContext
    documents: Annotated[tuple[DocumentDigest, ...], Field(strict=False, min_length=1, max_length=RECORD_DOCUMENTS_MAX)]
    previous: LeafPair | None
    """Leaves of the previous record of the case; null in the first."""


def digest_document(document: Document) -> DocumentDigest:
    """Name, size and both digests of ``document``. Raises ``FormatError`` ``field_invalid``."""
    return DocumentDigest.from_json(describe_document(document)[1])


def describe_document(document: Document) -> tuple[bytes, JsonObject]:
    """The SHA-256 of ``document``, and the members of its :class:`DocumentDigest`, not looked at yet."""
    sha256 = sha256_raw(document.data)
    return sha256, {
        "name": document.name,
        "media_type": document.media_type,
        "size_bytes": len(document.data),
        "sha256": b64u_encode(sha256),
        "sm3": b64u_encode(sm3_raw(document.data)),
    }


def leaves_of(record: EvidenceRecord, salt: bytes) -> LeafPair:
    """Both leaves of ``record`` under ``salt`` (EV-2)."""
    return leaves_of_bytes(record.to_bytes(), salt)


def leaves_of_bytes(record: bytes, salt: bytes) -> LeafPair:
    """As :func:`leaves_of` for the record's canonical bytes."""
    sha256, sm3 = leaf_hashes(record, salt)
    return LeafPair(sha256=sha256, sm3=sm3)


def leaf_hashes(record: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """As :func:`leaves_of_bytes`, the bare hashes: SHA-256 and SM3."""
    message = tagged("evidence-leaf", salt, record)
    return sha256_raw(message), sm3_raw(message)
