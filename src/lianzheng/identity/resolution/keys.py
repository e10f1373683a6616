"""Which key a verification method names: now, or when a signature was made that a later rotation has outlived.

What is trusted of a did:lz key that was rotated out stands in docs/spec/credentials.md, "Keys of the past".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB, SM2_PUB, decode_any_multikey
from lianzheng.errors import FormatError, NotFoundError, VerificationError
from lianzheng.identity.credentials.keys import ProofKey
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.identity.did.model import DidRecord, MethodKey, did_state_key, did_version_key
from lianzheng.identity.resolution.did_lz import version_of
from lianzheng.identity.resolution.model import Options
from lianzheng.ids import check_did
from lianzheng.ledger.context import StateView

__all__ = ["KeyUse", "ledger_key", "published_key"]

_SIGNS = (ED25519_PUB, P256_PUB, P384_PUB, SM2_PUB)


@dataclass(frozen=True)
class KeyUse:
    """A key that may have made a signature. ``until_ms``: block time at which it was rotated out; None: it stands."""

    key: ProofKey
    version: int | None = None
    until_ms: int | None = None

    @property
    def past(self) -> bool:
        """Whether the key no longer stands."""
        return self.until_ms is not None


def ledger_key(state: StateView, method: str, purpose: str, signed_ms: int | None = None) -> KeyUse:
    """The key that ``method`` of a did:lz names; with ``signed_ms`` the one it named at that block time.

    A key that was rotated out counts only for ``assertionMethod``, and not where a recovery has taken it away.
    Raises ``VerificationError``: ``did_deactivated``, ``verification_method_unknown``, ``proof_key_recovered``;
    ``NotFoundError`` ``did_unknown``; ``FormatError`` ``did_invalid``.
    """
    did, _, fragment = method.partition("#")
    value = state.get(did_state_key(check_did(did)))
    if value is None:
        raise NotFoundError("did_unknown", "The ledger has no record of the signer's DID.")
    present = DidRecord.from_json(value)
    if present.status != "active":
        raise VerificationError("did_deactivated", "The signer's DID is deactivated for good.")
    if signed_ms is not None and purpose == "assertionMethod":
        then = version_of(state, present, Options(version_time_ms=signed_ms))
        old = None if then is None else _find(then, fragment, purpose)
        if then is not None and old is not None and not _stands(present, old):
            return _past(state, present, then, old)
        if then is not None and old is not None:
            return KeyUse(_proof_key(did, old.multikey), then.version)
    found = _find(present, fragment, purpose)
    if found is None:
        raise _unknown()
    return KeyUse(_proof_key(did, found.multikey), present.version)


def published_key(document: JsonObject, method: str, purpose: str, now_ms: int | None = None) -> KeyUse:
    """The key that ``method`` names in a resolved DID document, which lists it under ``purpose`` as its own.

    One that the document calls ``revoked`` is none any more, and one past its ``expires`` (Controlled Identifiers 1.0,
    2.2); without ``now_ms`` every key with an end is refused. Raises ``VerificationError``
    ``verification_method_unknown``.
    """
    did = method.partition("#")[0]
    listed: list[Any] = document.get(purpose, []) if isinstance(document.get(purpose), list) else []
    inside = [one for one in listed if isinstance(one, dict)]
    names = [one.get("id") if isinstance(one, dict) else one for one in listed]
    methods = document.get("verificationMethod")
    for one in [*(methods if isinstance(methods, list) else []), *inside]:
        if not isinstance(one, dict) or _absolute(one.get("id"), did) != method:
            continue
        authorised = method in {_absolute(name, did) for name in names}
        if not authorised or one.get("controller") != did or _has_ended(one, now_ms):
            continue
        if one.get("type") == "Multikey" and isinstance(one.get("publicKeyMultibase"), str):
            return KeyUse(_proof_key(did, one["publicKeyMultibase"]))
    raise _unknown()


def _past(state: StateView, present: DidRecord, then: DidRecord, old: MethodKey) -> KeyUse:
    """The end of ``old``: the first later version without it. A recovery ends it for everything it ever signed.

    A recovery always commits to another recovery key, so a version that ends a key and changes that commitment is
    taken for one, even if it was an ordinary update.
    """
    before = then
    for number in range(then.version + 1, present.version + 1):
        value = state.get(did_version_key(then.did, number)) if number < present.version else present.to_json()
        if value is None:
            raise _unknown()
        record = DidRecord.from_json(value)
        ended = not _stands(record, old)
        if ended and record.controls.recovery != before.controls.recovery:
            raise VerificationError(
                "proof_key_recovered",
                "The key was taken away by a recovery of the DID; nothing that it signed counts any more.",
                next_step="Ask the issuer to issue the credential again.",
            )
        if ended:
            return KeyUse(_proof_key(then.did, old.multikey), then.version, record.updated_ms)
        before = record
    raise _unknown()


def _find(record: DidRecord, fragment: str, purpose: str) -> MethodKey | None:
    return next((key for key in record.keys if key.id == f"#{fragment}" and purpose in key.purposes), None)


def _stands(record: DidRecord, key: MethodKey) -> bool:
    return any(one.multikey == key.multikey and "assertionMethod" in one.purposes for one in record.keys)


def _proof_key(did: str, multikey: str) -> ProofKey:
    try:
        codec, raw = decode_any_multikey(multikey)
    except FormatError as error:
        raise _unknown() from error
    if codec not in _SIGNS:
        raise _unknown()
    return ProofKey(codec, raw, did)


def _has_ended(method: JsonObject, now_ms: int | None) -> bool:
    if "revoked" in method:
        return True
    try:
        return "expires" in method and (now_ms is None or xsd_time_ms(method["expires"]) <= now_ms)
    except FormatError:
        return True


def _absolute(text: object, did: str) -> str:
    return (did + text if text.startswith("#") else text) if isinstance(text, str) else ""


def _unknown() -> VerificationError:
    return VerificationError(
        "verification_method_unknown", "The proof names a key that its controller does not list for this purpose."
    )
