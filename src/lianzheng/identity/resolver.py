"""DID documents (DID 1.1, JSON-LD) of did:lz records."""

from __future__ import annotations

from typing import Any, get_args

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import NotFoundError
from lianzheng.identity.did.model import DidRecord, Relationship, did_state_key, public_key
from lianzheng.ids import check_did
from lianzheng.ledger.context import StateView

__all__ = ["did_document", "read_did", "resolve_key"]

_CONTEXT = ["https://www.w3.org/ns/did/v1.1", "https://w3id.org/security/multikey/v1"]


def did_document(record: DidRecord) -> JsonObject:
    """The DID document that the record stands for."""
    document: dict[str, Any] = {
        "@context": list(_CONTEXT),
        "id": record.did,
        "verificationMethod": [
            {
                "id": record.did + key.id,
                "type": "Multikey",
                "controller": record.did,
                "publicKeyMultibase": key.multikey,
            }
            for key in record.keys
        ],
    }
    control = record.controls
    if control.controllers:
        document["controller"] = [record.did, *control.controllers]
    if control.also_known_as:
        document["alsoKnownAs"] = list(control.also_known_as)
    for purpose in get_args(Relationship):
        methods = [record.did + key.id for key in record.keys if purpose in key.purposes]
        if methods:
            document[purpose] = methods
    if record.services:
        document["service"] = [
            {"id": record.did + service.id, "type": service.type, "serviceEndpoint": service.endpoint}
            for service in record.services
        ]
    return document


def read_did(state: StateView, did: str) -> DidRecord:
    """The record of a DID in the ledger's state.

    Raises ``FormatError`` ``did_invalid``, ``NotFoundError`` ``did_unknown``.
    """
    value = state.get(did_state_key(check_did(did)))
    if value is None:
        raise NotFoundError("did_unknown", "The ledger has no record of this DID.")
    return DidRecord.from_json(value)


def resolve_key(state: StateView, method: str) -> bytes:
    """Raw Ed25519 key of a verification method ``<did>#<key>`` that may sign statements (``assertionMethod``).

    Raises as :func:`read_did`, and ``NotFoundError`` ``key_unknown``.
    """
    did, _, fragment = method.partition("#")
    return public_key(read_did(state, did), f"#{fragment}", "assertionMethod")
