"""What drivers and resolver answer, and the errors of DID Resolution §11 by their reason codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.identity.resolution.url import DidUrl

__all__ = [
    "DOCUMENT_CONTEXT",
    "Dereferenced",
    "Driver",
    "Options",
    "Resolved",
    "date_time",
    "error_object",
    "read_date_time",
    "status_of",
]

DOCUMENT_CONTEXT = ("https://www.w3.org/ns/did/v1.1", "https://w3id.org/security/multikey/v1")
_DID = "https://www.w3.org/ns/did#"
_SECURITY = "https://w3id.org/security#"
_ERRORS: Mapping[str, tuple[str, int]] = {
    "did_invalid": (_DID + "INVALID_DID", 400),
    "did_url_invalid": (_DID + "INVALID_DID_URL", 400),
    "did_options_invalid": (_DID + "INVALID_OPTIONS", 400),
    "did_unknown": (_DID + "NOT_FOUND", 404),
    "did_resource_unknown": (_DID + "NOT_FOUND", 404),
    "did_representation_unsupported": (_DID + "REPRESENTATION_NOT_SUPPORTED", 406),
    "did_document_invalid": (_DID + "INVALID_DID_DOCUMENT", 500),
    "did_method_unsupported": (_DID + "METHOD_NOT_SUPPORTED", 501),
    "did_feature_unsupported": (_DID + "FEATURE_NOT_SUPPORTED", 501),
    "schema_without_proofs": (_DID + "FEATURE_NOT_SUPPORTED", 501),
    "verification_method_invalid": (_SECURITY + "INVALID_VERIFICATION_METHOD", 500),
    "verification_relationship_invalid": (_SECURITY + "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD", 500),
}
"""Reason code → error type and HTTP status (DID Resolution §12.1); everything else is ``INTERNAL_ERROR``."""
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """Resolution options; what a driver cannot do it refuses."""

    version_id: str | None = None
    version_time_ms: int | None = None
    """The last millisecond of the second that was named: metadata has seconds too."""
    proof: bool = False
    no_cache: bool = False
    derive_encryption_key: bool = False
    """did:key: the X25519 key that belongs to an Ed25519 key (``enableEncryptionKeyDerivation``)."""

    @property
    def versioned(self) -> bool:
        """Whether a version other than the present one may be meant."""
        return self.version_id is not None or self.version_time_ms is not None


@dataclass(frozen=True, slots=True)
class Resolved:
    """``document`` is None of a deactivated DID, and of one that does not exist, whose ``error`` then says so."""

    document: JsonObject | None
    document_metadata: JsonObject = field(default_factory=dict)
    resolution_metadata: JsonObject = field(default_factory=dict)
    error: LianzhengError | None = None

    @property
    def deactivated(self) -> bool:
        """Whether the DID is dead."""
        return self.document_metadata.get("deactivated") is True


@dataclass(frozen=True, slots=True)
class Dereferenced:
    """A document, a part of one, or the URLs of the selected services."""

    content: JsonObject | None
    content_metadata: JsonObject
    metadata: JsonObject
    urls: tuple[str, ...] = ()


class Driver(Protocol):
    """One DID method."""

    async def resolve(self, did: DidUrl, options: Options) -> Resolved:
        """The document. Raises the errors that stand in the table of this module."""


def error_object(error: LianzhengError) -> JsonObject:
    """RFC 9457 as DID Resolution §11 has it; what is ours to know only is left out."""
    kind, _ = _ERRORS.get(error.code, (_DID + "INTERNAL_ERROR", 500))
    value: JsonObject = {"type": kind, "title": error.text, "code": error.code}
    if error.next_step:
        value["detail"] = error.next_step
    return value


def status_of(error: LianzhengError) -> int:
    """HTTP status of an error (DID Resolution §12.1)."""
    return _ERRORS.get(error.code, ("", 500))[1]


def date_time(time_ms: int) -> str:
    """XML date-time in UTC without fractions, as document metadata has it."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_date_time(text: str) -> int:
    """Milliseconds at the end of the second; raises ``FormatError`` ``did_options_invalid``."""
    try:
        if not _DATE_TIME.match(text):
            raise ValueError
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()) * 1000 + 999
    except ValueError:
        raise FormatError("did_options_invalid", "versionTime is YYYY-MM-DDThh:mm:ssZ.") from None
