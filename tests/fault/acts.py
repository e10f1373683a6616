"""What members and clients do beside the main line while nodes die: each act insists until told, and is claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fault.patient import Claims
from lianzheng.consent.model import consent_state_key
from lianzheng.demo.stage import Broker, Case, Stage
from lianzheng.demo.steps import mismatch
from lianzheng.demo.steps.assess import answers_for
from lianzheng.demo.steps.task import contract
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import RefusedError

__all__ = ["Acts"]

_POLLS = 600
_POLL_S = 1 / 10


@dataclass
class Acts:
    """``withdrawn`` names the tokens whose withdrawal was acknowledged, for who waits until it has come through."""

    stage: Stage
    claims: Claims
    withdrawn: set[str] = field(default_factory=set)

    async def turn(self, number: int, able: Sequence[Case]) -> None:
        """One round of everything that may happen beside; other customers each time."""
        rng = Random(self.stage.settings.seed * 1000 + number)
        leaves, pauses, *others = rng.sample(list(able), min(4, len(able)))
        provider = rng.choice(self.stage.providers)
        await self.granted([leaves, pauses])
        async with asyncio.TaskGroup() as group:
            group.create_task(self.withdraw(leaves, None if number % 2 else provider))
            group.create_task(self.pause(pauses, provider))
            group.create_task(self.short_task(provider))
            group.create_task(self.load(provider))
            for case in (leaves, pauses, *others):
                group.create_task(self.assess(case, "second"))

    async def granted(self, cases: Sequence[Case]) -> None:
        """Every grant of these customers stands or is withdrawn; what is withdrawn has been erased."""
        for case in cases:
            states: set[tuple[str, bool]] = set()
            for _ in range(_POLLS):
                found = await self.stage.requester.api.get(f"/api/v1/clients/{case.client}/consents")
                tokens = [token for one in found["consents"] for token in one["tokens"]]
                states = {(token["state"], token["cid"] in self.withdrawn) for token in tokens}
                if states <= {("granted", False), ("revoked", True)}:
                    break
                await asyncio.sleep(_POLL_S)
            fits = states <= {("granted", False), ("revoked", True)}
            self.stage.require(f"every grant stands or is withdrawn: {sorted(states)}", fits)

    async def assess(self, case: Case, name: str) -> dict[str, Any]:
        """The assessment of one customer under the running task."""
        questionnaire = await self.stage.requester.api.get("/api/v1/questionnaire")
        answers, warned = answers_for(questionnaire, Random(case.person.serial))
        body = {"case_id": f"{case.case_id}-{name}", "client": case.client, "answers": answers}
        body |= {"confirmed": warned, "task": self.stage.task}
        found: dict[str, Any] = await self.stage.requester.api.post("/api/v1/assessments", body)
        case.result = found
        return found

    async def withdraw(self, case: Case, at: Broker | None) -> None:
        """At the requester's counter, or by the wallet at a provider's node."""
        assert case.wallet is not None and case.consent is not None
        held = case.consent.held
        if at is None:
            at = self.stage.requester
            await at.api.post(f"/api/v1/consents/{held.consent_id}/withdrawal")
        else:
            for transaction in case.wallet.withdraw(held.consent_id):
                data = transaction.to_bytes()
                await at.api.post_bytes("/api/v1/wallet/revocations", data, "application/json")
        now_ms = self.stage.clock.now_ms()
        cids = [b64u_encode(token.cid) for token in held.tokens]
        self.claims.withdrawals.append({"member": at.did, "cids": cids, "from_ms": now_ms})
        self.withdrawn.update(cids)

    async def pause(self, case: Case, at: Broker) -> None:
        """By the wallet, through one node; between the two acts that node answers nothing under the consent."""
        assert case.wallet is not None and case.consent is not None
        held, from_ms = case.consent.held, 0
        for resume in (False, True):
            ledger = await self.stage.ledger_with(*(consent_state_key(token.cid) for token in held.tokens))
            transactions = case.wallet.pause(held.consent_id, ledger, resume=resume)
            if resume:
                times = {"from_ms": from_ms, "until_ms": self.stage.clock.now_ms()}
                cids = [b64u_encode(token.cid) for token in held.tokens]
                self.claims.pauses.append({"member": at.did, "cids": cids, **times})
            for transaction in transactions:
                data = transaction.to_bytes()
                await at.api.post_bytes("/api/v1/ledger/transactions", data, "application/json")
            from_ms = self.stage.clock.now_ms()

    async def short_task(self, provider: Broker) -> None:
        """A contract that is proposed, approved and closed without being used."""
        asking = self.stage.requester
        terms = contract(self.stage, asking, "suitability-reassessment", [provider])
        task = (await asking.api.post("/api/v1/tasks", terms))["task"]
        self.claims.tasks.append({"task": task, "requester": asking.did, "approved": [provider.did], "closed_ms": None})
        await provider.api.post(f"/api/v1/tasks/{task}/approval")
        await provider.api.post(f"/api/v1/tasks/{task}/report")
        await self.close(task)

    async def close(self, task: str) -> None:
        """The requester ends a task."""
        await self.stage.requester.api.post(f"/api/v1/tasks/{task}/closure")
        claim = next(claim for claim in self.claims.tasks if claim["task"] == task)
        claim["closed_ms"] = self.stage.clock.now_ms()

    async def load(self, broker: Broker) -> None:
        """The customer file once more, shorter by a row each time, and back."""
        rows = (broker.home / "customers.csv").read_bytes().splitlines(keepends=True)
        loads = sum(claim["member"] == broker.did for claim in self.claims.loads)
        data = b"".join(rows[: len(rows) - loads % 2])
        found = await broker.api.post_bytes(f"/api/v1/datasets/{broker.dataset}/source", data, "text/csv")
        claim = {"member": broker.did, "dataset": broker.dataset, "people": found["people"]}
        self.claims.loads.append(claim)

    async def in_private(self, broker: Broker) -> None:
        """From the next epoch on this broker's views are asked in private (PIR-2)."""
        offer = {
            "dataset": broker.dataset,
            "title": f"{broker.name} 客户",
            "as_of": self.stage.today(),
            "views": list(broker.views()),
            "purposes": ["suitability-assessment", "suitability-reassessment"],
            "functions": ["hidden-query"],
            "retrieval": "pir",
            "issuers": None,
        }
        await broker.api.post("/api/v1/datasets", offer)

    async def mismatch(self) -> None:
        """A purchase above level, from the question to the order."""
        case = mismatch._candidate(self.stage)
        if case is None or case.result is None:
            return
        api, level = self.stage.requester.api, case.result["assessment"]
        products = (await api.get("/api/v1/products"))["products"]
        product = next(product["id"] for product in products if product["risk"] == "R4")
        body = {"case_id": case.case_id, "client": case.client}
        asked = {"profile": mismatch._profile(self.stage, case), "assessment": level, "product": product}
        match = await api.post("/api/v1/matches", {**body, **asked})
        await api.post("/api/v1/mismatches", {**body, "match": match, "unprompted": True, "operator": "clerk-1"})
        events = ["show", "access", "warn", "declare", "reconfirm", "order"]
        for event in events:
            await self._step(case, event)
        claim = {"member": self.stage.requester.did, "case_id": case.case_id, "events": ["ask", *events]}
        self.claims.procedures.append(claim)

    async def _step(self, case: Case, event: str) -> None:
        """One event; a declaration waits for the reading time."""
        reference = "ORDER-1" if event == "order" else None
        step: dict[str, Any] = {"event": event, "operator": "clerk-1", "reference": reference}
        step["documents"] = [{"name": f"{event}.txt", "text": event}]
        for _ in range(_POLLS):
            try:
                await self.stage.requester.api.post(f"/api/v1/mismatches/{case.case_id}/steps", step)
                return
            except RefusedError as error:
                if error.code != "reading_time_short":
                    raise
                await asyncio.sleep(_POLL_S)
