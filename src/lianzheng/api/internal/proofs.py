"""Proofs about the ledger for anybody inside the house; ``verify`` checks them without this node (LED-6)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lianzheng.api.following import LedgerServices
from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.answers import GrowthAnswer, LogAnswer, StateAnswer
from lianzheng.ledger.ports import ConsistencyProof, LogProof, StateProof

__all__ = ["create_router"]


def create_router(services: LedgerServices) -> APIRouter:
    """Routes under ``/api/v1/ledger/proofs``; each answers in the canonical form that ``verify`` reads."""
    router = APIRouter(prefix="/api/v1/ledger/proofs", tags=["ledger"])

    @router.get("/state")
    async def state(key: str, height: int | None = None) -> dict[str, Any]:
        """What stands at one state key, or that nothing does."""
        proof = await services.engine.prove_state(key, height)
        return StateAnswer(key=key, value=proof.value, path=proof.path, **_common(services, proof)).to_json()

    @router.get("/log/{index}")
    async def log(index: int, height: int | None = None) -> dict[str, Any]:
        """One entry of the evidence log."""
        proof = await services.engine.prove_log(index, height)
        return LogAnswer(entry=proof.entry, index=index, path=proof.path, **_common(services, proof)).to_json()

    @router.get("/growth/{old_size}")
    async def growth(old_size: int, height: int | None = None) -> dict[str, Any]:
        """That the evidence log only grew since it had ``old_size`` entries."""
        proof = await services.engine.prove_consistency(old_size, height)
        return GrowthAnswer(old_size=old_size, path=proof.path, **_common(services, proof)).to_json()

    return router


def _common(services: LedgerServices, proof: StateProof | LogProof | ConsistencyProof) -> JsonObject:
    return {
        "chain_id": services.genesis.chain_id,
        "schema": proof.schema,
        "log_root": proof.log_root,
        "log_size": proof.log_size,
        "state_root": proof.state_root,
        "head": proof.head,
        "head_chain": proof.head_chain,
    }
