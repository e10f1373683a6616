"""did:lz from this node's committed state, with a proof for whoever does not trust the node (LED-6)."""

from __future__ import annotations

import re
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, NotFoundError, RefusedError
from lianzheng.identity.did.model import DidRecord, did_state_key, did_version_key
from lianzheng.identity.resolution.model import Options, Resolved, date_time
from lianzheng.identity.resolution.url import DidUrl
from lianzheng.identity.resolver import did_document
from lianzheng.ids import chain_of_did, check_did
from lianzheng.ledger.answers import StateAnswer
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import StateProof

__all__ = ["PROOF_TYPE", "LedgerDriver", "ProvingLedger", "version_of"]

PROOF_TYPE = "LianzhengStateProof"
"""A ``StateAnswer`` with this ``type``; what it proves stands in ``docs/did-lz.md``."""
_VERSION = re.compile(r"[1-9][0-9]{0,7}\Z", re.ASCII)


class ProvingLedger(Protocol):
    """What resolution needs of the ledger; every ``LedgerEngine`` is one."""

    @property
    def state(self) -> StateView: ...

    async def prove_state(self, key: str, height: int | None = None) -> StateProof: ...


class LedgerDriver:
    """Resolves the DIDs of one network."""

    def __init__(self, ledger: ProvingLedger, chain_id: str) -> None:
        self._ledger = ledger
        self._chain_id = chain_id

    async def resolve(self, did: DidUrl, options: Options) -> Resolved:
        """The version asked for, by default the present one.

        Raises ``did_invalid``, ``did_options_invalid``; ``did_unknown`` (another network's DIDs among them) stands in
        the result, beside the proof that there is no such DID.
        """
        if chain_of_did(check_did(did.did)) != self._chain_id:
            raise NotFoundError(
                "did_unknown", "The DID is of another network.", next_step="Ask a node of that network."
            )
        state, place = self._ledger.state, did_state_key(did.did)
        first = await self._prove(place) if options.proof else None
        # What is proven may be one block older than what is committed: then it is the older that is answered.
        value = state.get(place) if first is None else first.value
        present = None if value is None else DidRecord.from_json(value)
        record = None if present is None else version_of(state, present, options)
        if present is None or record is None:
            unknown = NotFoundError("did_unknown", "The ledger has no such DID or version.")
            return Resolved(None, {}, _proofs(first), unknown)
        following = None if record is present else _version(state, present, record.version + 1)
        more = [await self._prove(key) for key in _older_keys(present, record, following)] if options.proof else []
        document = did_document(record) if record.status == "active" else None
        return Resolved(document, _metadata(record, following), _proofs(first, *more))

    async def _prove(self, key: str) -> StateAnswer:
        try:
            proof = await self._ledger.prove_state(key)
        except RefusedError as error:
            raise RefusedError(
                "did_feature_unsupported", "This network's ledger proves no state.", detail=error.code
            ) from error
        return StateAnswer(
            key=key,
            value=proof.value,
            path=proof.path,
            chain_id=self._chain_id,
            schema=proof.schema,
            log_root=proof.log_root,
            log_size=proof.log_size,
            state_root=proof.state_root,
            head=proof.head,
            head_chain=proof.head_chain,
        )


def version_of(state: StateView, present: DidRecord, options: Options) -> DidRecord | None:
    """The version that the options name; None where there was none.

    Raises ``FormatError`` ``did_options_invalid`` for a malformed ``versionId`` or both options at once.
    """
    if options.version_id is not None:
        if not _VERSION.match(options.version_id) or options.version_time_ms is not None:
            raise FormatError("did_options_invalid", "versionId is a decimal number, and comes without versionTime.")
        return _version(state, present, int(options.version_id))
    if options.version_time_ms is None or present.updated_ms <= options.version_time_ms:
        return present
    low, high = 1, present.version  # times never fall from version to version: the last one not after it, by halves
    while low < high:
        middle = (low + high) // 2
        record = _version(state, present, middle)
        if record is not None and record.updated_ms <= options.version_time_ms:
            low = middle + 1
        else:
            high = middle
    return _version(state, present, low - 1)


def _version(state: StateView, present: DidRecord, number: int) -> DidRecord | None:
    if number == present.version:
        return present
    value = state.get(did_version_key(present.did, number))
    return None if value is None else DidRecord.from_json(value)


def _older_keys(present: DidRecord, record: DidRecord, following: DidRecord | None) -> tuple[str, ...]:
    """Of an old version its own entry and the next, which says until when it stood."""
    if following is None:
        return ()
    after = () if following is present else (did_version_key(record.did, following.version),)
    return (did_version_key(record.did, record.version), *after)


def _proofs(*answers: StateAnswer | None) -> JsonObject:
    found = [{"type": PROOF_TYPE, "stateAnswer": one.to_json()} for one in answers if one is not None]
    return {"proof": found} if found else {}


def _metadata(record: DidRecord, following: DidRecord | None) -> JsonObject:
    value: JsonObject = {"created": date_time(record.created_ms), "versionId": str(record.version)}
    if record.version > 1:
        value["updated"] = date_time(record.updated_ms)
    if following is not None:
        value |= {"nextUpdate": date_time(following.updated_ms), "nextVersionId": str(following.version)}
    if record.status != "active":
        value["deactivated"] = True
    return value
