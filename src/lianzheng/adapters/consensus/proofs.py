"""What every proof of an engine has in common: the roots, and the head that carries them."""

from __future__ import annotations

from typing import TypedDict

from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.history import Standing
from lianzheng.ledger.ports import Roots

__all__ = ["UnderHead", "standing_under", "under_head"]


class UnderHead(TypedDict):
    """The fields that ``LogProof``, ``ConsistencyProof`` and ``StateProof`` share."""

    log_size: int
    log_root: bytes
    state_root: bytes
    schema: int
    head: JsonObject
    head_chain: tuple[JsonObject, ...]


def under_head(roots: Roots, head: JsonObject, head_chain: tuple[JsonObject, ...]) -> UnderHead:
    """``head_chain`` are the signed heads at which the signers changed, before ``head``."""
    return UnderHead(
        log_size=roots.log_size,
        log_root=roots.log_root,
        state_root=roots.state_root,
        schema=roots.schema,
        head=head,
        head_chain=head_chain,
    )


def standing_under(proved: UnderHead) -> Standing:
    """What proofs under this head stand on."""
    return Standing(
        schema_version=proved["schema"],
        log_root=proved["log_root"],
        log_size=proved["log_size"],
        state_root=proved["state_root"],
        head=proved["head"],
        head_chain=proved["head_chain"],
    )
