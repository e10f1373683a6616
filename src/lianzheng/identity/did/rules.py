"""What the ledger does with ``did.create``, ``did.update``, ``did.recover`` and ``did.deactivate`` (ID-3, LED-3).

Every change names the version that it makes and the hash of the one that it follows, so none stands twice. Where
commitments stand, a *rotation* (a change of keys or control) is signed and approved by committed keys alone: whoever
holds the present keys and nothing else can change services and names, and no more.
"""

from __future__ import annotations

from lianzheng.clock import day_of
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import ConflictError, NotFoundError, RefusedError, VerificationError
from lianzheng.identity.did.model import (
    Approval,
    DidContent,
    DidControl,
    DidCreate,
    DidCreate2,
    DidCreateSchema2,
    DidDeactivate,
    DidRecord,
    DidRecover,
    DidRecoverSchema2,
    DidUpdate,
    DidUpdateSchema2,
    MethodKey,
    approval_bytes,
    commitment,
    did_of,
    did_record,
    did_record_hash,
    did_state_key,
    did_version_key,
    is_ed25519,
)
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView, Write
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.limits import DID_CHANGES_PER_DAY_MAX, DID_ROTATIONS_PER_DAY_MAX

__all__ = ["RECOVERY_KEY_ID", "RULES", "revealed_key"]

RECOVERY_KEY_ID = "#recovery"
"""Key id of a transaction that is signed by a key which no record names: a recovery or a committed key."""
_NODE, _VALIDATOR = "#node", "#validator"
_SEQUENCER = "sequencer"
"""State key of who orders under the embedded engine (``governance.model`` stands further out)."""


def revealed_key(payload: object, record: JsonObject, key_id: str) -> str | None:
    """The multikey with which ``payload`` is signed if the record only holds a commitment to it; None: a present key.

    ``record`` is the state entry of the sender. The same for authentication and rule, so that both mean one key.
    """
    if not isinstance(payload, DidUpdate | DidRecover | DidDeactivate) or "control" not in record:
        return None
    known = DidControl.from_json(record["control"])
    if isinstance(payload, DidUpdate) and payload.did == record["did"]:
        for key in payload.content.keys:
            if key.id == key_id and "authentication" in key.purposes and _committed(known, key.multikey):
                return key.multikey
    if isinstance(payload, DidRecover | DidDeactivate) and payload.did == record["did"] and key_id == RECOVERY_KEY_ID:
        key_text = payload.key or ""
        if _recovers(known, key_text) or (isinstance(payload, DidDeactivate) and _committed(known, key_text)):
            return key_text
    return None


def create_did(
    state: StateView, sender: Sender, payload: DidCreate | DidCreate2, body: TransactionBody, block: BlockContext
) -> Effects:
    """The DID exists, certified by its own operation and signed by one of its own keys.

    Refuses: ``did_network_wrong``, ``did_sender_wrong``, ``key_unknown``, ``did_exists`` (ID-3); of version 2 also as
    ``_require_usable``.
    """
    operation = payload.operation
    if operation.network != block.chain_id:
        raise RefusedError("did_network_wrong", "The creation operation names another network.")
    did = did_of(operation)
    if sender.name != did:
        raise RefusedError("did_sender_wrong", "A DID is created by itself only.")
    record = did_record(operation, block.time_ms, did)
    if not any(key.id == body.key_id and "authentication" in key.purposes for key in record.keys):
        raise RefusedError("key_unknown", "The signing key is not an authentication key of the operation.")
    if state.get(did_state_key(did)) is not None:
        raise ConflictError("did_exists", "This DID exists already.")
    if record.control is not None:
        _require_usable(did, DidContent(keys=record.keys, services=record.services, control=record.control))
    return Effects(
        writes=((did_state_key(did), record.to_json()),),
        events=({"type": "did.created", "did": did},),
        data={"did": did},
    )


def update_did(
    state: StateView, sender: Sender, payload: DidUpdate, body: TransactionBody, block: BlockContext
) -> Effects:
    """The DID has the payload's content from now on; what it had before stays as a version.

    Refuses: ``did_unknown``, ``did_deactivated``, ``version_wrong``, ``prev_wrong``, ``did_sender_wrong``,
    ``rotation_not_committed`` (signed by a present key where commitments stand), ``key_not_committed``,
    ``approvals_missing``, ``approval_invalid``, ``did_changes_exhausted``; as ``_require_usable`` and
    ``_require_member_keys``.
    """
    record = _present(state, payload)
    control, content = record.controls, payload.content
    if sender.name != record.did and sender.name not in control.controllers:
        raise RefusedError("did_sender_wrong", "A DID is changed by itself or a controller of it.")
    rotation = (
        content.keys != record.keys
        or content.control.model_copy(update={"also_known_as": control.also_known_as}) != control
    )
    revealed = None if sender.name != record.did else revealed_key(payload, record.to_json(), body.key_id)
    if rotation:
        if control.next:
            _require_committed(record, content.keys, revealed)
        _require_threshold(state, record, payload, _first_voice(record, sender, body, revealed), block.chain_id)
    _require_usable(record.did, content)
    _require_pace(state, record, block, committed=revealed is not None)
    _require_member_keys(state, record, content.keys, block)
    return _next_version(record, content, block, "did.updated")


def recover_did(
    state: StateView, sender: Sender, payload: DidRecover, body: TransactionBody, block: BlockContext
) -> Effects:
    """The recovery key has given the DID new content, and is used up.

    Refuses as :func:`update_did`, and ``recovery_key_wrong``, ``commitment_revealed`` (the same key committed again).
    """
    record = _present(state, payload)
    _require_recovery(record, sender, payload.key, body.key_id)
    if payload.content.control.recovery == record.controls.recovery:
        raise RefusedError("commitment_revealed", "A recovery key serves once: commit to another.")
    _require_usable(record.did, payload.content)
    _require_pace(state, record, block, committed=True)
    _require_member_keys(state, record, payload.content.keys, block)
    return _next_version(record, payload.content, block, "did.recovered")


def deactivate_did(
    state: StateView, sender: Sender, payload: DidDeactivate, body: TransactionBody, block: BlockContext
) -> Effects:
    """The DID is dead for good; its versions stay.

    Refuses as :func:`update_did`, and ``did_of_member``: a member leaves first.
    """
    record = _present(state, payload)
    member = block.members.get(record.did)
    if member is not None and member.phase not in ("left", "expelled"):
        raise RefusedError("did_of_member", "A member's DID is not deactivated before it has left.")
    control = record.controls
    if sender.name != record.did and sender.name not in control.controllers:
        raise RefusedError("did_sender_wrong", "A DID is deactivated by itself or a controller of it.")
    revealed = None if sender.name != record.did else revealed_key(payload, record.to_json(), body.key_id)
    if control.next and revealed is None:
        raise RefusedError("rotation_not_committed", "Where commitments stand, a committed key deactivates.")
    if revealed is None or not _recovers(control, revealed):
        _require_threshold(state, record, payload, _first_voice(record, sender, body, revealed), block.chain_id)
    return _next_version(record, None, block, "did.deactivated")


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("did.create", DidCreate, create_did, until=2),
    RuleSpec("did.create", DidCreateSchema2, create_did, since=2, until=3),
    RuleSpec("did.create", DidCreate2, create_did, since=3),
    RuleSpec("did.update", DidUpdateSchema2, update_did, ordered=True, since=2, until=3),
    RuleSpec("did.update", DidUpdate, update_did, ordered=True, since=3),
    RuleSpec("did.recover", DidRecoverSchema2, recover_did, ordered=True, since=2, until=3),
    RuleSpec("did.recover", DidRecover, recover_did, ordered=True, since=3),
    RuleSpec("did.deactivate", DidDeactivate, deactivate_did, ordered=True, since=2),
)


def _present(state: StateView, payload: DidUpdate | DidRecover | DidDeactivate) -> DidRecord:
    value = state.get(did_state_key(payload.did))
    if value is None:
        raise NotFoundError("did_unknown", "The ledger has no record of this DID.")
    record = DidRecord.from_json(value)
    if record.status != "active":
        raise ConflictError("did_deactivated", "This DID is deactivated for good.")
    if payload.version != record.version + 1:
        raise ConflictError("version_wrong", "The change does not make the DID's next version.")
    if payload.prev != did_record_hash(record):
        raise ConflictError("prev_wrong", "prev is not the hash of the record's present state.")
    return record


def _next_version(record: DidRecord, content: DidContent | None, block: BlockContext, event: str) -> Effects:
    """The old version moves aside whole; without content, nothing but the tombstone remains in its place."""
    after = DidRecord(
        did=record.did,
        version=record.version + 1,
        status="deactivated" if content is None else "active",
        keys=() if content is None else content.keys,
        services=() if content is None else content.services,
        created_ms=record.created_ms,
        updated_ms=block.time_ms,
        control=None if content is None else content.control,
    )
    writes: tuple[Write, ...] = (
        (did_version_key(record.did, record.version), record.to_json()),
        (did_state_key(record.did), after.to_json()),
    )
    return Effects(
        writes=writes,
        events=({"type": event, "did": record.did, "version": after.version},),
        data={"version": after.version},
    )


def _require_committed(record: DidRecord, keys: tuple[MethodKey, ...], revealed: str | None) -> None:
    if revealed is None:
        raise RefusedError("rotation_not_committed", "Where commitments stand, a committed key signs a rotation.")
    present = {key.multikey for key in record.keys}
    if any(key.multikey not in present and not _committed(record.controls, key.multikey) for key in keys):
        raise RefusedError("key_not_committed", "A new key has no commitment in the present version.")


def _require_recovery(record: DidRecord, sender: Sender, key: str, key_id: str) -> None:
    own = sender.name == record.did and key_id == RECOVERY_KEY_ID
    if not own or not _recovers(record.controls, key):
        raise RefusedError("recovery_key_wrong", "Not the key that the DID's recovery is committed to.")


def _require_usable(did: str, content: DidContent) -> None:
    """Return only if the content can be changed again, and reveals nothing that it commits to.

    Refuses: ``did_authentication_missing``, ``threshold_unreachable``, ``controller_invalid`` (itself),
    ``commitment_revealed``.
    """
    control = content.control
    voters = [key.multikey for key in content.keys if _votes(key)]
    if not voters and not control.controllers:
        raise RefusedError(
            "did_authentication_missing", "A DID keeps an Ed25519 key for authentication, or has a controller."
        )
    if control.threshold > len(set(voters)) + len(control.controllers) or (
        control.next and control.threshold > len(control.next)
    ):
        raise RefusedError("threshold_unreachable", "Fewer keys and controllers than must agree.")
    if did in control.controllers:
        raise RefusedError("controller_invalid", "A DID is not listed as a controller of its own.")
    shown = {commitment(use, key.multikey) for key in content.keys for use in ("next", "recovery")}
    if shown & {*control.next, control.recovery}:
        raise RefusedError("commitment_revealed", "A commitment is to a key that the same content shows.")


def _require_pace(state: StateView, record: DidRecord, block: BlockContext, *, committed: bool) -> None:
    """Bounds the versions of a day; whoever holds present keys only cannot use up what rotation needs."""
    most = DID_ROTATIONS_PER_DAY_MAX if committed else DID_CHANGES_PER_DAY_MAX
    since = record.version + 1 - most
    if since < 1:
        return
    value = record.to_json() if since == record.version else state.get(did_version_key(record.did, since))
    if value is not None and day_of(value["updated_ms"]) == block.day:
        raise RefusedError("did_changes_exhausted", "This DID has been changed too often today.")


def _require_member_keys(state: StateView, record: DidRecord, keys: tuple[MethodKey, ...], block: BlockContext) -> None:
    """An institution keeps the keys that the network relies on.

    Refuses: ``member_key_missing``, ``sequencer_key_fixed`` (followers know the heads' key from genesis on, and no
    rule hands it over), ``validator_key_in_use`` (two owners of one key are fatal to the chain),
    ``validator_key_missing`` (nobody would order any more).
    """
    if block.members.get(record.did) is None:
        return
    if not any(key.id == _NODE and {"assertionMethod", "authentication"} <= {*key.purposes} for key in keys):
        raise RefusedError("member_key_missing", "A member's DID keeps a #node key that authenticates and asserts.")
    orders = state.get(_SEQUENCER)
    if orders is not None and orders["did"] == record.did and _key(record.keys, _NODE) != _key(keys, _NODE):
        raise RefusedError(
            "sequencer_key_fixed",
            "This member's #node key signs the head of every block; it cannot be changed while the member orders.",
        )
    before, after = _key(record.keys, _VALIDATOR), _key(keys, _VALIDATOR)
    if before == after:
        return
    others = [one for one in block.members.all() if one.did != record.did]
    held = [(one.phase, _key(_keys_of(state, one.did), _VALIDATOR)) for one in others]
    if after is not None and any(key == after for _, key in held):
        raise ConflictError("validator_key_in_use", "Another member's validator has this key.")
    if after is None and not any(phase == "active" and key is not None for phase, key in held):
        raise RefusedError("validator_key_missing", "The last validator keeps its key.")


def _first_voice(record: DidRecord, sender: Sender, body: TransactionBody, revealed: str | None) -> str:
    if sender.name != record.did:
        return sender.name
    return revealed or next((key.multikey for key in record.keys if key.id == body.key_id), "")


def _require_threshold(
    state: StateView, record: DidRecord, payload: DidUpdate | DidDeactivate, first: str, chain_id: str
) -> None:
    """As many distinct keys and controllers as the DID's threshold have signed; a controller counts once."""
    control = record.controls
    own = {key.id: key.multikey for key in record.keys if _votes(key)}
    if control.next:  # present keys have no say
        keys = payload.content.keys if isinstance(payload, DidUpdate) else ()
        own = {key.id: key.multikey for key in keys if _votes(key) and _committed(control, key.multikey)}
    message = approval_bytes(chain_id, payload) if payload.approvals else b""
    voices = {first, *(_voice(state, record, approval, own, message) for approval in payload.approvals)}
    if len(voices) < control.threshold:
        raise RefusedError("approvals_missing", "Fewer keys and controllers agree than the DID asks for.")


def _voice(state: StateView, record: DidRecord, approval: Approval, own: dict[str, str], message: bytes) -> str:
    """Who agrees: a multikey of the DID, or the DID of a controller. Raises ``approval_invalid``."""
    did, _, name = approval.method.partition("#")
    key = own.get(f"#{name}") if did == record.did else None
    if did in record.controls.controllers and not record.controls.next:
        key = next((one.multikey for one in _keys_of(state, did) if one.id == f"#{name}" and _votes(one)), None)
    if key is None:
        raise VerificationError("approval_invalid", "An approval is by a key that has no say in this change.")
    try:
        ed25519.verify(decode_multikey(key, ED25519_PUB), message, approval.signature)
    except VerificationError as error:
        raise VerificationError("approval_invalid", "An approval's signature does not hold.") from error
    return key if did == record.did else did


def _keys_of(state: StateView, did: str) -> tuple[MethodKey, ...]:
    value = state.get(did_state_key(did))
    return () if value is None else DidRecord.from_json(value).keys


def _key(keys: tuple[MethodKey, ...], key_id: str) -> str | None:
    return next((key.multikey for key in keys if key.id == key_id), None)


def _votes(key: MethodKey) -> bool:
    return "authentication" in key.purposes and is_ed25519(key.multikey)


def _committed(control: DidControl, multikey: str) -> bool:
    return bool(control.next) and commitment("next", multikey) in control.next


def _recovers(control: DidControl, multikey: str) -> bool:
    return control.recovery is not None and commitment("recovery", multikey) == control.recovery
