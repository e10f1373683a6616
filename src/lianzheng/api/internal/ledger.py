"""Health, status, the ledger's public state and its door for signed transactions: no token, nothing personal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from lianzheng.api.body import read_body
from lianzheng.api.following import LedgerServices
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import NotFoundError
from lianzheng.ledger.genesis import genesis_digest
from lianzheng.ledger.receipt import encode_receipt
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import TRANSACTION_BYTES_MAX

__all__ = ["create_router"]

_SCAN_MAX = 1000


def create_router(services: LedgerServices) -> APIRouter:
    """Routes under ``/api/v1`` that anybody inside the house may call."""
    router = APIRouter(prefix="/api/v1", tags=["ledger"])

    @router.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the node runs, and its ledger with it."""
        stopped = services.engine.status().stopped
        return {"ok": stopped is None, "stopped": stopped, "did": services.did}

    @router.get("/status")
    async def status() -> dict[str, Any]:
        """Where the ledger engine stands, and what to know about it."""
        found = asdict(services.engine.status())
        found["warnings"] = (*found["warnings"], *await services.checkpoints.warnings())
        return {key: b64u_encode(value) if isinstance(value, bytes) else value for key, value in found.items()}

    @router.get("/network")
    async def network() -> dict[str, Any]:
        """What a wallet needs to know of the network: names, times, members."""
        genesis = services.genesis
        return {
            "chain_id": genesis.chain_id,
            "genesis_digest": b64u_encode(genesis_digest(genesis)),
            "genesis_time_ms": genesis.time_ms,
            "block_time_ms": services.engine.now_block_ms(),
            "did": services.did,
            "members": [_public(member.to_json()) for member in services.directory.all()],
        }

    @router.get("/ledger/state")
    async def state(key: str) -> dict[str, Any]:
        """The value at one state key."""
        value = services.engine.state.get(key)
        if value is None:
            raise NotFoundError("state_unknown", "The ledger has nothing at this key.")
        return {"key": key, "value": value}

    @router.get("/ledger/entries")
    async def entries(prefix: str) -> dict[str, Any]:
        """State entries under a prefix, at most a thousand."""
        found: list[dict[str, Any]] = []
        for key, value in services.engine.state.scan(prefix):
            if len(found) == _SCAN_MAX:
                return {"entries": found, "truncated": True}
            found.append({"key": key, "value": value})
        return {"entries": found, "truncated": False}

    @router.post("/ledger/transactions")
    async def submit(request: Request) -> dict[str, Any]:
        """Order a signed transaction given in its canonical encoding; answers when the result is final."""
        tx = Transaction.parse(await read_body(request, TRANSACTION_BYTES_MAX))
        return encode_receipt(await services.engine.submit(tx))

    return router


def _public(member: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in member.items() if key != "certificate"}
