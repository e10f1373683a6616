"""Status list credentials and the entries that point into them (Bitstring Status List 1.0 §2, §3.1, §3.2)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import ConflictError, FormatError, VerificationError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.datamodel import issuer_of, listed, types_of
from lianzheng.identity.credentials.urls import is_url
from lianzheng.identity.status.bitstring import decode_list, encode_list, get_status
from lianzheng.limits import STATUS_TTL_MS_MAX

__all__ = [
    "ENTRY_TYPE",
    "LIST_TYPE",
    "PURPOSES",
    "StatusEntry",
    "allocate_index",
    "build_entry",
    "build_list",
    "check_status",
    "list_digest",
    "list_name_of",
    "read_entries",
    "ttl_ms_of",
]

ENTRY_TYPE = "BitstringStatusListEntry"
LIST_TYPE = "BitstringStatusListCredential"
PURPOSES = ("revocation", "suspension", "refresh", "message")
_INDEX = re.compile(r"(0|[1-9][0-9]{0,8})\Z", re.ASCII)
_NAME = re.compile(r"[a-z0-9-]{1,40}\Z", re.ASCII)
_TRIES = 256
_DEFAULT_TTL_MS = 5 * 60 * 1000

LoadList = Callable[[str], JsonObject]
"""URL of a status list credential to that credential, verified; raises where it cannot."""


@dataclass(frozen=True)
class StatusEntry:
    """One ``credentialStatus``: which bit of which list says what."""

    purpose: str
    list_url: str
    index: int
    size: int = 1


def allocate_index(taken: Container[int], entries: int) -> int:
    """A free index, drawn evenly: order of issue must not show. Raises ``ConflictError`` ``status_list_full``."""
    for _ in range(_TRIES):  # at nine in ten taken it fails once in 10^11
        index = secrets.randbelow(entries)
        if index not in taken:
            return index
    raise ConflictError("status_list_full", "The status list has hardly a free entry left.", next_step="Open another.")


def build_entry(entry: StatusEntry) -> JsonObject:
    """``credentialStatus`` for a credential that is to be issued."""
    return {
        "id": f"{entry.list_url}#{entry.index}",
        "type": ENTRY_TYPE,
        "statusPurpose": entry.purpose,
        "statusListIndex": str(entry.index),
        "statusListCredential": entry.list_url,
    }


def build_list(
    issuer: str, url: str, purpose: str, bits: bytes | bytearray, valid_from: str, ttl_ms: int = _DEFAULT_TTL_MS
) -> JsonObject:
    """The status list credential, to be signed by ``issuer``. ``valid_from``: an RFC 3339 time."""
    return {
        "@context": [CREDENTIALS_V2],
        "id": url,
        "type": ["VerifiableCredential", LIST_TYPE],
        "issuer": issuer,
        "validFrom": valid_from,
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": encode_list(bits),
            "ttl": ttl_ms,
        },
    }


def list_digest(document: JsonObject) -> bytes:
    """SHA-256 of the list credential's RFC 8785 bytes, proof included: what ``status.publish`` puts on the ledger."""
    return sha256_raw(encode_w3c(document))


def list_name_of(url: str) -> str:
    """The name by which the ledger knows the list at ``url``: its last segment.

    Raises ``FormatError`` ``status_entry_malformed``.
    """
    name = url.rpartition("/")[2]
    if _NAME.match(name) is None:
        raise _bad_entry()
    return name


def read_entries(credential: JsonObject) -> tuple[StatusEntry, ...]:
    """The entries of ``credential`` that this method knows. Raises ``FormatError`` ``status_entry_malformed``."""
    found = []
    for item in listed(credential.get("credentialStatus", [])):
        if not isinstance(item, dict) or ENTRY_TYPE not in types_of(item):
            continue
        purpose, index, url = (item.get(name) for name in ("statusPurpose", "statusListIndex", "statusListCredential"))
        size = item.get("statusSize", 1)
        if not isinstance(purpose, str) or not isinstance(index, str) or _INDEX.match(index) is None:
            raise _bad_entry()
        if not isinstance(url, str) or not is_url(url) or type(size) is not int or not 1 <= size <= 8:
            raise _bad_entry()
        found.append(StatusEntry(purpose, url, int(index), size))
    return tuple(found)


def check_status(credential: JsonObject, load_list: LoadList, *, any_issuer: bool = False) -> tuple[str, ...]:
    """No entry says that ``credential`` is withdrawn; the purposes that are set without being a withdrawal.

    A list counts only if the credential's own issuer signed it, as somebody else could otherwise revive or revoke;
    ``any_issuer`` leaves that out, where the caller itself holds the lists.
    Raises ``VerificationError``: ``credential_revoked``, ``credential_suspended``, ``status_list_mismatch``;
    ``FormatError`` of the bit array and ``status_entry_malformed``; whatever ``load_list`` raises.
    """
    notes = []
    for entry in read_entries(credential):
        document = load_list(entry.list_url)
        subject = document.get("credentialSubject")
        if not isinstance(subject, dict) or LIST_TYPE not in types_of(document):
            raise _mismatch()
        if entry.purpose not in listed(subject.get("statusPurpose")):
            raise _mismatch()
        if not any_issuer and issuer_of(document) != issuer_of(credential):
            raise _mismatch()
        if document.get("id", entry.list_url) != entry.list_url:
            raise _mismatch()
        if get_status(decode_list(subject.get("encodedList")), entry.index, entry.size):
            if entry.purpose == "revocation":
                raise VerificationError("credential_revoked", "The issuer has revoked the credential.")
            if entry.purpose == "suspension":
                raise VerificationError("credential_suspended", "The issuer has suspended the credential.")
            notes.append(entry.purpose)
    return tuple(notes)


def ttl_ms_of(document: JsonObject) -> int:
    """How long a list may be used again, in milliseconds, our own limit included."""
    subject = document.get("credentialSubject")
    ttl = subject.get("ttl", _DEFAULT_TTL_MS) if isinstance(subject, dict) else 0
    return min(ttl, STATUS_TTL_MS_MAX) if type(ttl) is int and ttl > 0 else 0


def _bad_entry() -> FormatError:
    return FormatError("status_entry_malformed", "credentialStatus is not an entry of a bitstring status list.")


def _mismatch() -> VerificationError:
    return VerificationError("status_list_mismatch", "The status list is another issuer's, or serves another purpose.")
