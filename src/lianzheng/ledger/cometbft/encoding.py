"""The bytes that CometBFT v0.38 hashes and signs, written by hand: a few protobuf fields and its Merkle tree.

    header hash     = merkle(version, chain_id, height, time, last_block_id, last_commit, data, validators,
                             next_validators, consensus, app, last_results, evidence, proposer)
    validators hash = merkle(SimpleValidator for each, in the set's order)
    signed vote     = uvarint(length) ‖ CanonicalVote{2, height, round, block_id, time, chain_id}

merkle is the tree of RFC 6962 over SHA-256. A protobuf field with its type's zero value is not written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from lianzheng.encoding.binary import varint_encode
from lianzheng.ledger.cometbft.model import BlockId, CometHeader, CommitSignature, CommitVotes, Time, Validator
from lianzheng.ledger.hashing import digest_of, leaf_hash, node_hash

__all__ = ["address_of", "header_hash", "validators_hash", "vote_bytes"]

_PRECOMMIT = 2
_VARINT, _FIXED64, _BYTES = 0, 1, 2
_DIGEST = digest_of("sha256")


def address_of(key: bytes) -> bytes:
    """The engine's 20-byte name for a validator's key."""
    return hashlib.sha256(key).digest()[:20]


def header_hash(header: CometHeader) -> bytes:
    """32 bytes naming the block."""
    version = _number(1, header.version_block) + _number(2, header.version_app)
    return _merkle(
        [
            version,
            _bytes(1, header.chain_id.encode()),
            _number(1, header.height),
            _time(header.time),
            _block_id(header.last_block_id),
            _bytes(1, header.last_commit_hash),
            _bytes(1, header.data_hash),
            _bytes(1, header.validators_hash),
            _bytes(1, header.next_validators_hash),
            _bytes(1, header.consensus_hash),
            _bytes(1, header.app_hash),
            _bytes(1, header.last_results_hash),
            _bytes(1, header.evidence_hash),
            _bytes(1, header.proposer_address),
        ]
    )


def validators_hash(validators: Sequence[Validator]) -> bytes:
    """32 bytes naming a validator set."""
    return _merkle([_message(1, _bytes(1, one.key)) + _number(2, one.power) for one in validators])


def vote_bytes(chain_id: str, height: int, commit: CommitVotes, signature: CommitSignature) -> bytes:
    """What a validator signs when it precommits."""
    vote = (
        _number(1, _PRECOMMIT)
        + _fixed64(2, height)
        + _fixed64(3, commit.round)
        + _message(4, _block_id(commit.block_id))
        + _message(5, _time(signature.time))
        + _bytes(6, chain_id.encode())
    )
    return varint_encode(len(vote)) + vote


def _block_id(value: BlockId) -> bytes:
    parts = _number(1, value.parts_total) + _bytes(2, value.parts_hash)
    return _bytes(1, value.hash) + _message(2, parts)


def _time(value: Time) -> bytes:
    return _number(1, value.seconds) + _number(2, value.nanos)


def _number(field: int, value: int) -> bytes:
    return _tag(field, _VARINT) + varint_encode(value) if value else b""


def _fixed64(field: int, value: int) -> bytes:
    return _tag(field, _FIXED64) + value.to_bytes(8, "little") if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _message(field, value) if value else b""


def _message(field: int, value: bytes) -> bytes:
    """An embedded message is written even if it is empty."""
    return _tag(field, _BYTES) + varint_encode(len(value)) + value


def _tag(field: int, kind: int) -> bytes:
    return bytes([field << 3 | kind])


def _merkle(items: Sequence[bytes]) -> bytes:
    if not items:
        return _DIGEST(b"")
    if len(items) == 1:
        return leaf_hash(items[0], _DIGEST)
    split = 1 << (len(items) - 1).bit_length() - 1
    return node_hash(_merkle(items[:split]), _merkle(items[split:]), _DIGEST)
