"""Step 9: what must not work, tried with real keys, real tokens and real certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

from lianzheng.adapters.transport.client import PeerAddress, PeerClient
from lianzheng.clock import SystemClock
from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.compute.gate.requester import GateClient
from lianzheng.consent.model import ConsentGrant, Grant, consent_state_key, decode_token, token_digest
from lianzheng.consent.submission import ConsentSubmission, TokenDelivery
from lianzheng.crypto.hazmat.bls12381 import scalar_from_bytes
from lianzheng.demo.stage import Broker, Case, Stage
from lianzheng.demo.steps.consent import make_offer, present
from lianzheng.demo.steps.data import open_epochs
from lianzheng.demo.steps.dishonest import fill_batch, send_as, sign_under
from lianzheng.demo.steps.enrolment import enrol_at
from lianzheng.demo.steps.task import contract
from lianzheng.encoding.binary import b64u_decode
from lianzheng.errors import LianzhengError

__all__ = ["refusals"]

_POLLS = 100


async def refusals(stage: Stage) -> None:
    """Withdrawn, used up, unnamed requester, sister company, own issuer, marketing."""
    able = [case for case in stage.cases if case.consent is not None]
    await open_epochs(stage)
    await _follow(stage, *(f"epoch/{view}/{number}" for view, number in stage.epochs.items()))
    await _withdrawn(stage, able[0])
    await _used_up(stage, able[1])
    await _unnamed(stage, able[2])
    await _own_issuer(stage, able[3])
    await _marketing(stage, able[2])


async def _withdrawn(stage: Stage, case: Case) -> None:
    if case.wallet is None or case.consent is None:
        return
    provider = stage.providers[0]
    for transaction in case.wallet.withdraw(case.consent.held.consent_id):
        # The withdrawal goes to a member that has nothing to do with the consent: any node takes it.
        await provider.api.post_bytes("/api/v1/wallet/revocations", transaction.to_bytes(), "application/json")
    stage.screen.act("a wallet", "withdraws at broker B's node: refused there at once, passed to all, on the ledger")
    ask = _ask(stage, stage.requester, provider, _delivery(case, provider), stage.task)
    stage.expect(
        provider.short,
        "broker A keeps a copy of the token and asks in the new epoch",
        await _caught(ask),
        "consent_revoked",
    )


async def _used_up(stage: Stage, case: Case) -> None:
    provider = stage.providers[0]
    ask = _ask(stage, stage.requester, provider, _delivery(case, provider), stage.task)
    stage.expect(
        provider.short, "a token whose two uses are counted, in the new epoch", await _caught(ask), "uses_exhausted"
    )


async def _unnamed(stage: Stage, case: Case) -> None:
    """Two members that the consent does not name, each with an approved contract of its own."""
    provider, other = stage.providers
    delivery = _delivery(case, provider)
    task = (await other.api.post("/api/v1/tasks", contract(stage, other, "suitability-assessment", [provider])))["task"]
    await provider.api.post(f"/api/v1/tasks/{task}/approval")
    ask = _ask(stage, other, provider, delivery, task)
    stage.expect(
        provider.short,
        f"{other.short} asks with a token made for broker A",
        await _caught(ask),
        "consent_requester_mismatch",
    )
    if stage.sister is not None:
        terms = contract(stage, stage.sister, "suitability-assessment", [provider])
        receipt = await send_as(stage, stage.sister, "task.propose", {"contract": terms})
        await provider.api.post(f"/api/v1/tasks/{receipt['result']['data']['task']}/approval")
        ask = _ask(stage, stage.sister, provider, delivery, receipt["result"]["data"]["task"])
        what = "sister A2 asks with a token made for broker A"
        stage.expect(provider.short, what, await _caught(ask), "consent_requester_mismatch")


async def _own_issuer(stage: Stage, case: Case) -> None:
    """Broker A vouches for its own customer, posts the grant itself and asks: GATE-5."""
    if case.wallet is None:
        return
    ledger, provider = await stage.ledger(), stage.providers[0]
    await enrol_at(case.wallet, case.person, stage.requester, ledger)
    signed = sign_under(case.wallet, stage, case, ledger.genesis_time_ms)
    refusal = await _caught(
        stage.requester.api.post_bytes("/api/v1/wallet/consents", signed.submission.to_bytes(), "application/json")
    )
    stage.expect(
        "broker A",
        "its own desk: a consent under a credential of its own group",
        refusal,
        "token_issuer_group_forbidden",
    )
    delivery = _pick(signed.submission, provider)
    token = decode_token(delivery.token)
    grant = Grant(rk=token.terms.rk, not_after=token.terms.not_after, h=token_digest(token), pop=delivery.pop)
    batch = ConsentGrant(grants=fill_batch(grant, stage.network.chain_id, stage.requester.did))
    await send_as(stage, stage.requester, "consent.grant", batch.to_json())
    await _follow(stage, consent_state_key(grant.cid))
    ask = _ask(stage, stage.requester, provider, delivery, stage.task)
    what = "broker A posts that grant by itself and asks all the same"
    stage.expect(provider.short, what, await _caught(ask), "token_issuer_group_forbidden")


async def _marketing(stage: Stage, case: Case) -> None:
    terms = contract(stage, stage.requester, "marketing", stage.providers)
    refusal = await _caught(stage.requester.api.post("/api/v1/tasks", terms))
    stage.expect("ledger", "a task contract for marketing: no such purpose exists", refusal, "purpose_unknown")
    if case.wallet is None:
        return
    ledger, caught = await stage.ledger(), None
    try:
        case.wallet.consent(
            make_offer(stage, case, purpose="marketing"),
            present(stage),
            members=ledger.view(),
            genesis_time_ms=ledger.genesis_time_ms,
            block_ms=ledger.block_time_ms,
        )
    except LianzhengError as error:
        caught = error
    stage.expect("a wallet", "an offer for marketing", caught, "purpose_unknown")


async def _ask(stage: Stage, asker: Broker, provider: Broker, delivery: TokenDelivery, task: str) -> None:
    """Ask ``provider`` in the name of ``asker``, with its real key and certificate, whatever its node would say."""
    ledger = await stage.ledger_with(*(f"epoch/{view}/" for view in provider.views()))
    addresses = {
        broker.did: PeerAddress(str(broker.card.endpoint), broker.card.certificate) for broker in stage.brokers
    }
    peers = PeerClient(asker.home / "peer.crt.pem", asker.home / "peer.key.pem", addresses.get)
    sign = partial(asker.keystore().sign, "node")
    client = GateClient(asker.did, stage.network.chain_id, sign, peers, lambda: ledger, SystemClock())
    views = tuple(ViewEpoch(view=view, epoch=stage.epochs[view]) for view in provider.views())
    try:
        await client.ask(b64u_decode(task), delivery.token, scalar_from_bytes(delivery.r), views)
    finally:
        await peers.close()


async def _caught(call: Awaitable[Any]) -> LianzhengError | None:
    try:
        await call
    except LianzhengError as error:
        return error
    return None


async def _follow(stage: Stage, *keys: str) -> None:
    """Wait until every node has these entries of the ledger."""
    for _ in range(_POLLS):
        found = await asyncio.gather(
            *(_caught(node.get("/api/v1/ledger/state", key=key)) for node in stage.nodes for key in keys)
        )
        if not any(found):
            return
        await asyncio.sleep(1 / 20)


def _delivery(case: Case, provider: Broker) -> TokenDelivery:
    if case.consent is None:
        raise RuntimeError("a consented customer is needed")
    return _pick(case.consent.submission, provider)


def _pick(submission: ConsentSubmission, provider: Broker) -> TokenDelivery:
    return next(item for item in submission.tokens if decode_token(item.token).terms.provider == provider.did)
