"""A client as a broker's back office would write it: it asks again until it is told, and keeps what it was told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from lianzheng.client.http import NodeClient
from lianzheng.demo.stage import CHAIN_ID
from lianzheng.errors import LianzhengError, UnavailableError

__all__ = ["Claims", "PatientClient"]

_TRIES = 600
_PAUSE_S = 1 / 10
_DONE_BEFORE = {
    "agreement_already_signed": "/api/v1/agreement/signature",
    "event_out_of_order": "/steps",
}
"""What a repeat is told where the first try came through and its answer was lost: no acknowledgement, no failure."""


@dataclass
class Claims:
    """Everything that was acknowledged, for the checker."""

    transactions: list[dict[str, Any]] = field(default_factory=list)
    promises: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    enrolments: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)
    pauses: list[dict[str, Any]] = field(default_factory=list)
    loads: list[dict[str, Any]] = field(default_factory=list)
    procedures: list[dict[str, Any]] = field(default_factory=list)

    def note(self, did: str, path: str, sent: Any, answer: Any) -> None:
        """What ``answer`` of the node of ``did`` acknowledges."""
        if not isinstance(answer, dict):
            return
        act = path.removeprefix("/api/v1/tasks/").removesuffix("/approval")
        if path == "/api/v1/agreement/signature":  # on record, whether this try or an earlier one came through
            self.cases.append({"member": did, "case_id": f"network-{CHAIN_ID}", "records": 1})
        elif path == f"/api/v1/tasks/{act}/approval":
            self.cases.append({"member": did, "case_id": f"task-{act}", "records": 1})
        if "tx_id" in answer and answer["height"] > 0 and answer["result"]["code"] == "ok":
            self.transactions.append({key: answer[key] for key in ("tx_id", "height", "index")})
        elif path == "/api/v1/wallet/consents":
            leaf = answer["acknowledgement"]["promise"]["body"]["leaves"]["sha256"]
            self.promises.append({"member": did, "leaf": leaf})
            self.consents.append({"member": did, "consent_id": answer["consent_id"], "cids": answer["cids"]})
        elif path == "/api/v1/wallet/enrolments":
            self.enrolments.append({"issuer": did, "did": answer["did"]})
        elif path == "/api/v1/epochs":
            self.epochs.append({"provider": did, "view": answer["view"], "epoch": answer["epoch"]})
        elif path == "/api/v1/assessments":
            self.cases.append({"member": did, "case_id": sent["case_id"], "records": 2})
            said = [trace["bands"] for trace in answer["traces"]]
            self.answers += [
                {"requester": did, "client": sent["client"], "provider": bands["provider"]}
                for bands in said
                if bands["status"] == "answered"
            ]

    def save(self, path: Path, genesis: Path, members: list[dict[str, str]]) -> None:
        """The file that the checker reads."""
        path.write_text(json.dumps({"genesis": str(genesis), "members": members, **vars(self)}), "utf-8")


class PatientClient(NodeClient):
    """Sends the same request again while the node or its ledger is away."""

    def __init__(self, base_url: str, token: str, did: str, claims: Claims) -> None:
        super().__init__(base_url, token)
        self._did = did
        self._claims = claims

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        response = await self._insist(method, path, arguments)
        if method == "POST":
            self._claims.note(self._did, path, arguments.get("json"), response.json())
        return response

    async def _insist(self, method: str, path: str, arguments: dict[str, Any]) -> httpx.Response:
        error: LianzhengError | None = None
        for _ in range(_TRIES):
            try:
                return await super()._send(method, path, **arguments)
            except UnavailableError as away:
                error = away
                await asyncio.sleep(_PAUSE_S)
            except LianzhengError as refused:
                if error is not None and path.endswith(_DONE_BEFORE.get(refused.code, "\n")):
                    return httpx.Response(200, json={"height": 0})
                raise
        assert error is not None
        raise error
