"""Roots over a block's transactions and results: RFC 9162 trees (B31, B7)."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.ledger.block import BlockResult, result_leaf
from lianzheng.ledger.merkle import root_of

__all__ = ["results_root", "transactions_root"]


def transactions_root(transactions: Sequence[bytes]) -> bytes:
    """Root over the exact bytes of the transactions."""
    return root_of(transactions)


def results_root(results: Sequence[BlockResult]) -> bytes:
    """Root over the results, each as JCS of ``{code, data}``."""
    return root_of([result_leaf(result.code, result.data) for result in results])
