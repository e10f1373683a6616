"""What a node asks of its own engine over loopback; never ``broadcast_tx_commit`` (``ledger.md``)."""

from __future__ import annotations

import base64

from lianzheng.adapters.consensus.cometbft.loopback import LoopbackHttp
from lianzheng.adapters.consensus.faults import ledger_busy, ledger_unavailable
from lianzheng.encoding.canonical import JsonObject, decode, encode, parse
from lianzheng.errors import FormatError, UnavailableError
from lianzheng.ledger.ports import TxResult

__all__ = ["CometRpc", "engine_unreachable"]

_TIMEOUT_S = 10


class CometRpc:
    """JSON-RPC over HTTP to one engine."""

    def __init__(self, address: str) -> None:
        """``address`` is as in the engine's configuration: ``tcp://127.0.0.1:26657``."""
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._client = LoopbackHttp(host, int(port))

    async def call(self, method: str, **params: str | bool) -> JsonObject:
        """The result of one call.

        Raises ``UnavailableError`` ``engine_unreachable``, ``engine_error`` (its text in ``detail``).
        """
        body = encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            answer = parse(await self._client.post(body, _TIMEOUT_S))
        except (OSError, TimeoutError, FormatError) as error:
            raise engine_unreachable() from error
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            fault = answer.get("error") if isinstance(answer, dict) else None
            detail = str(fault.get("data", "")) if isinstance(fault, dict) else ""
            raise UnavailableError("engine_error", "The engine refused a call.", detail=detail[:500])
        return result

    async def broadcast(self, transaction: bytes) -> TxResult | None:
        """Hand over a transaction: None if the engine has it now, else the refusal at the door.

        Raises ``UnavailableError`` ``ledger_busy``, ``engine_unreachable``, ``ledger_unavailable``.
        """
        try:
            answer = await self.call("broadcast_tx_sync", tx=base64.b64encode(transaction).decode("ascii"))
        except UnavailableError as error:
            if error.code == "engine_error":
                if "already exists in cache" in error.detail:
                    return None
                if "mempool is full" in error.detail:
                    raise ledger_busy() from error
                raise ledger_unavailable() from error
            raise
        if not answer.get("code"):
            return None
        leaf = decode(bytes.fromhex(str(answer.get("data", ""))))
        return TxResult(str(leaf["code"]), leaf["data"], final=False)

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()


def engine_unreachable() -> UnavailableError:
    """The engine does not answer now."""
    return UnavailableError(
        "engine_unreachable",
        "The consensus engine does not answer.",
        next_step="Look at the node's log: it says why the engine stopped; it is started again by itself.",
    )
