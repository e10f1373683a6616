"""A cosigned checkpoint: the same log and head as the bundle's, signed by enough independent groups in time (EV-6).

witness keys of the trust file → cosignatures over the note's text → head hash, app_hash, log root of the bundle
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import FormatError, VerificationError
from lianzheng.evidence.model import AnchorItem, BundleBody, CheckpointBundle, TrustFile, WitnessTrust
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.checkpoint import checkpoint_of, log_key
from lianzheng.ledger.note import COSIGNATURE, LOG_SIGNATURE, Note, NoteKey, NoteSignature, verify_note
from lianzheng.limits import CHECKPOINT_NEEDED_MS, CHECKPOINT_RENEWAL_MS, COSIGNATURE_SKEW_MS
from lianzheng.verify.light_client import FinalHead

__all__ = ["Witnessed", "check_age", "verify_checkpoint", "witness_keys"]


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint that counts: which control groups cosigned it, and the signatures on it."""

    groups: tuple[str, ...]
    signatures: int


def verify_checkpoint(
    bundle: CheckpointBundle, head: FinalHead, trust: TrustFile | WitnessTrust | None, as_of_ms: int | None
) -> Witnessed | None:
    """What the bundle's checkpoint is worth under ``trust``; None without one: then only its text is compared.

    Every signature must be by a key that the trust file names, or the sequencer's, and hold. A control group counts
    once; that of the bundle's institution and that of the sequencer do not count where the trust file tells them.
    Raises ``VerificationError``: ``checkpoint_note_malformed``, ``checkpoint_mismatch``, ``witnesses_missing``,
    ``checkpoint_not_pinned``, ``cosignature_unknown``, ``cosignature_order``, ``cosignature_invalid``,
    ``cosignature_time_invalid``, ``checkpoint_expired``, ``cosignatures_few``.
    """
    note = _note(bundle.checkpoint)
    ledger = bundle.ledger
    if note.text != checkpoint_of(bundle.network.chain_id, ledger.head, ledger.log_size, ledger.log_root).to_text():
        raise VerificationError(
            "checkpoint_mismatch", "The checkpoint is of another network, head or log than the bundle."
        )
    if trust is None:
        return None
    if isinstance(trust, TrustFile):
        raise VerificationError(
            "witnesses_missing",
            "The bundle stands under a checkpoint, and the trust file names no witness that could vouch for it.",
            next_step="Get a trust file with witnesses from a party that you believe.",
        )
    if trust.checkpoint is not None and _note(trust.checkpoint).text != note.text:
        raise VerificationError("checkpoint_not_pinned", "The checkpoint is not the one that the trust file pins.")
    groups_of = witness_keys(trust)
    cosigned = [one for key, one in _verified(note, bundle, [*groups_of]) if key.kind == COSIGNATURE]
    for one in cosigned:
        _check_time(one, head.time_ms, as_of_ms)
    by_line = {(key.name, key.key_id): group for key, group in groups_of.items()}
    ignored = _own_groups(bundle, head, groups_of)
    groups = {by_line[one.name, one.key_id] for one in cosigned} - ignored
    if len(groups) < trust.cosignatures:
        raise VerificationError(
            "cosignatures_few",
            f"{len(groups)} independent control groups cosigned the checkpoint; the trust file asks for "
            f"{trust.cosignatures}.",
            next_step="Ask the member for a bundle under a checkpoint that an independent witness cosigned.",
        )
    return Witnessed(tuple(sorted(groups)), len(note.signatures))


def check_age(
    anchors: Sequence[AnchorItem],
    trust: TrustFile | WitnessTrust | None,
    witnessed: Witnessed | None,
    as_of_ms: int | None,
) -> None:
    """Return only if no anchor is older than a year, or a checkpoint that counts is over it (EV-6).

    Raises ``VerificationError`` ``checkpoint_required``. Without a trust file nothing is believed anyway.
    """
    if trust is None or witnessed is not None:
        return
    oldest = min(anchor.entry.time_ms for anchor in anchors)
    if trust.signers is None or (as_of_ms is not None and as_of_ms - oldest > CHECKPOINT_NEEDED_MS):
        raise VerificationError(
            "checkpoint_required",
            "A record is older than one year, or the trust file believes cosigners alone: the signers' keys are "
            "not enough for it.",
            next_step="Ask the member for the bundle under a cosigned checkpoint, and use a trust file with witnesses.",
        )


def witness_keys(trust: WitnessTrust) -> dict[NoteKey, str]:
    """Control group by key. Raises ``VerificationError`` ``trust_file_malformed``."""
    try:
        found = {NoteKey.from_text(one.key): one.control_group for one in trust.witnesses}
    except FormatError as error:
        raise _trust_malformed() from error
    names = {(key.name, key.key_id) for key in found}
    publics = {key.public for key in found}
    if not len(trust.witnesses) == len(names) == len(publics) or any(key.kind != COSIGNATURE for key in found):
        raise _trust_malformed()
    return found


def _verified(
    note: Note, bundle: BundleBody, witnesses: Sequence[NoteKey]
) -> tuple[tuple[NoteKey, NoteSignature], ...]:
    keys = [*witnesses, *_log_keys(bundle)]
    known = {(key.name, key.key_id): key.kind for key in keys}
    kinds = [known.get((one.name, one.key_id)) for one in note.signatures]
    if None in kinds:
        raise VerificationError(
            "cosignature_unknown",
            "A signature on the checkpoint is by a key that the trust file does not name.",
            next_step="Ask for the bundle with the signatures of your witnesses alone, or use a fuller trust file.",
        )
    places = [(kind != LOG_SIGNATURE, one.name, one.key_id) for kind, one in zip(kinds, note.signatures, strict=True)]
    if places != sorted(places) or kinds.count(LOG_SIGNATURE) > 1:
        raise VerificationError("cosignature_order", "The signatures on the checkpoint are not in their order.")
    try:
        return verify_note(note, keys)
    except VerificationError as error:
        raise VerificationError("cosignature_invalid", "A signature on the checkpoint does not hold.") from error


def _log_keys(bundle: BundleBody) -> list[NoteKey]:
    """The sequencer's key after the head; under CometBFT the log has no key of its own."""
    head = bundle.ledger.head
    return [log_key(bundle.network.chain_id, head.head.next_signer)] if isinstance(head, SignedHead) else []


def _own_groups(bundle: BundleBody, head: FinalHead, groups_of: dict[NoteKey, str]) -> set[str]:
    institution = bundle.records[0].record.institution
    sequencer = head.signer if isinstance(bundle.ledger.head, SignedHead) else None
    return {
        group
        for key, group in groups_of.items()
        if key.name == institution or encode_multikey(ED25519_PUB, key.public) == sequencer
    }


def _check_time(one: NoteSignature, head_ms: int, as_of_ms: int | None) -> None:
    """Made while the head's keys were in use, and not longer ago than checkpoints are good for."""
    made_ms = one.time_s * 1000
    late = as_of_ms is not None and made_ms > as_of_ms + COSIGNATURE_SKEW_MS
    if late or not head_ms - COSIGNATURE_SKEW_MS <= made_ms <= head_ms + CHECKPOINT_NEEDED_MS:
        raise VerificationError(
            "cosignature_time_invalid", "A cosignature was not made within a year of the head, or is of the future."
        )
    if as_of_ms is not None and as_of_ms - made_ms > CHECKPOINT_RENEWAL_MS:
        raise VerificationError(
            "checkpoint_expired",
            "The checkpoint was cosigned more than three years ago.",
            next_step="Ask the member for the bundle under a newer checkpoint.",
        )


def _note(text: str) -> Note:
    try:
        return Note.from_bytes(text.encode())
    except FormatError as error:
        raise VerificationError("checkpoint_note_malformed", "The checkpoint is no signed note.") from error


def _trust_malformed() -> VerificationError:
    return VerificationError(
        "trust_file_malformed",
        "Not a trust file: its witnesses' keys are malformed, or one stands there twice.",
        next_step="Get the network's trust file again from a party that you believe.",
    )
