"""Epochs of views as the ledger knows them (GATE-0, PIR-1, B15).

State: ``epoch/<view>/<n>`` → :class:`EpochRecord`; ``viewkey/<base64url of k·G>`` → view and epoch, for ever.
"""

from __future__ import annotations

from typing import Literal

from lianzheng.compute.model import Positive, Proof80
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.model import Bytes32, Bytes48, Record, TimeMs
from lianzheng.errors import NotFoundError
from lianzheng.ids import Did, ViewId
from lianzheng.ledger.context import StateView
from lianzheng.zk.schnorr import SchnorrProof
from lianzheng.zk.transcript import Transcript

__all__ = [
    "EpochCommit",
    "EpochPublish",
    "EpochRecord",
    "TableParameters",
    "epoch_key",
    "epoch_record",
    "key_proof_transcript",
    "read_key_proof",
    "viewkey_key",
]


class TableParameters(Record):
    """Shape of the table; public (PIR-1, B21)."""

    retrieval: Literal["pir", "table"]
    """How requesters read it, by the dataset's policy (PIR-2)."""
    entries: Positive
    """Size class: real entries and dummies together."""
    columns: Positive
    """M, a power of two that divides ``entries``."""
    entry_bytes: Literal[16] = 16


class _Epoch(Record):
    view: ViewId
    epoch: Positive
    key_point: Bytes48
    """k·G."""
    salt: Bytes32
    """Salt of the snapshot: HKDF's salt."""
    columns_root: Bytes32
    """RFC 9162 root over the columns' bytes (B22)."""
    boundaries: Bytes32
    """Digest of the boundaries (B20, B22)."""
    parameters: TableParameters
    from_ms: TimeMs
    until_ms: TimeMs
    """The key answers from ``from_ms`` up to, not including, ``until_ms``."""


class EpochCommit(_Epoch):
    """``epoch.commit``: the provider is bound to one table and one key before anybody asks."""

    key_proof: Proof80
    """Knowledge of k; transcript in :func:`key_proof_transcript`."""


class EpochPublish(Record):
    """``epoch.publish``: the table can be had; ``hint`` is the digest of its hint, null under retrieval ``table``."""

    view: ViewId
    epoch: Positive
    hint: Bytes32 | None


class EpochRecord(_Epoch):
    """The epoch's state on the ledger."""

    version: Positive
    provider: Did
    status: Literal["committed", "published"]
    hint: Bytes32 | None
    time_ms: TimeMs


def epoch_key(view: str, epoch: int) -> str:
    """State key."""
    return f"epoch/{view}/{epoch}"


def viewkey_key(point: bytes) -> str:
    """State key under which a key point stays known for ever (GATE-0)."""
    return f"viewkey/{b64u_encode(point)}"


def epoch_record(state: StateView, view: str, epoch: int) -> EpochRecord:
    """The record of an epoch. Raises ``NotFoundError`` ``epoch_unknown``."""
    found = state.get(epoch_key(view, epoch))
    if found is None:
        raise NotFoundError("epoch_unknown", "The view has no such epoch on the ledger.")
    return EpochRecord.from_json(found)


def key_proof_transcript(chain_id: str, provider: str, view: str, epoch: int) -> Transcript:
    """Protocol ``view-key``: chain id, provider, view, epoch; then base, key point and commitment of the proof."""
    transcript = Transcript("view-key", chain_id)
    transcript.absorb("provider", provider)
    transcript.absorb("view", view)
    transcript.absorb("epoch", epoch)
    return transcript


def read_key_proof(commit: EpochCommit) -> tuple[G1, SchnorrProof]:
    """Key point and proof, fully checked as encodings (CON-4)."""
    return G1.from_bytes(commit.key_point), SchnorrProof.from_bytes(commit.key_proof)
