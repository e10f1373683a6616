"""Step 4: at account opening the wallet shows the terms, signs the named consent and makes one token a provider."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from lianzheng.consent.named import ConsentOffer, OfferedProvider, Presentation, RequesterInfo, Tick
from lianzheng.consent.text import template_of
from lianzheng.demo.stage import CHAIN_ID, Case, Stage
from lianzheng.demo.steps.enrolment import enrol_at
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import LianzhengError
from lianzheng.evidence.model import Acknowledgement
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did

__all__ = ["MAX_USES", "consent", "granted", "make_offer", "present"]

MAX_USES = 8
"""Two views in four epochs (AUTH-1 counts views)."""
_TEMPLATE = "sharing-zh-1"
_AT_ONCE = 4
_POLLS = 200


def make_offer(
    stage: Stage, case: Case, *, max_uses: int = MAX_USES, purpose: str = "suitability-assessment"
) -> ConsentOffer:
    """What broker A's clerk puts before the client."""
    asking = stage.requester
    return ConsentOffer(
        chain_id=CHAIN_ID,
        consent_id=b64u_encode(secrets.token_bytes(16)),
        client_reference=case.client,
        requester=RequesterInfo(did=asking.did, name=asking.name, uscc=asking.card.uscc, contact="400-000-0000"),
        providers=tuple(
            OfferedProvider(did=broker.did, name=broker.name, views=broker.views(), max_uses=max_uses)
            for broker in sorted(stage.providers, key=lambda broker: broker.did)
        ),
        processors=(),
        purpose=purpose,
        function="hidden-query",
        queries=4,
        look_back_months=24,
        retention_days=365,
        complaints="400-000-0000；营业部；投资者服务热线",
        template=_TEMPLATE,
    )


def present(stage: Stage) -> Presentation:
    """Shown to the end, each item ticked by itself."""
    now = stage.clock.now_ms()
    return Presentation(
        shown_ms=now,
        scrolled_to_end=True,
        ticks=tuple(Tick(item=item, time_ms=now) for item in template_of(_TEMPLATE).items),
        authentication="wallet-passphrase",
        channel="wallet",
        terminal="demonstration",
        staff_id=None,
        proxy=None,
    )


async def consent(stage: Stage) -> None:
    """Every customer whom an outside issuer knows consents; the others are told why they cannot."""
    ledger, screen = await stage.ledger(), stage.screen
    able = [case for case in stage.cases if case.issuer is not None]
    counts = {f"issuer {index}": sum(case.issuer == index for case in able) for index in range(len(stage.brokers))}
    node_key = public_key(read_did(ledger, stage.requester.did), "#node", "assertionMethod")
    gate = asyncio.Semaphore(_AT_ONCE)
    sizes: list[int] = []

    async def one(case: Case) -> None:
        async with gate:
            if case.wallet is None:
                return
            # One customer's tokens hold for a single query, to show what a used-up token gets.
            uses = 2 if case is able[1] else MAX_USES
            case.consent = case.wallet.consent(
                make_offer(stage, case, max_uses=uses),
                present(stage),
                members=ledger.view(),
                genesis_time_ms=ledger.genesis_time_ms,
                block_ms=ledger.block_time_ms,
                shared_by={"issuer": counts[f"issuer {case.issuer}"]},
            )
            data = case.consent.submission.to_bytes()
            sizes.append(len(data))
            answer = await stage.requester.api.post_bytes("/api/v1/wallet/consents", data, "application/json")
            # The wallet recomputes both leaves and checks the signed promise before it trusts the desk (EV-3).
            kept = Acknowledgement.from_json(answer["acknowledgement"])
            kept.verify(node_key)
            kept.verify_for(encode_w3c(case.consent.submission.named), CHAIN_ID, stage.clock.now_ms())

    await asyncio.gather(*(one(case) for case in able))
    screen.act("wallets", f"{len(able)} named consents signed (eddsa-jcs-2022), one token a provider", sum(sizes))
    screen.note(
        "grants go on the ledger shuffled, 32 or more at a time: cid, consent key, expiry and who posted, no person"
    )
    first = able[0].consent
    if first is not None:
        for warning in first.warnings:
            screen.warn(f"wallet: {warning.code}: only {warning.number} people share the same {warning.what}")
    await _refuse_alone(stage)


async def granted(stage: Stage, cases: Sequence[Case]) -> None:
    """Wait until the grants of these customers stand; the last few of a day wait 5 s for company (AUTH-4)."""
    for case in cases:
        for _ in range(_POLLS):
            found = await stage.requester.api.get(f"/api/v1/clients/{case.client}/consents")
            states = {token["state"] for token in found["consents"][0]["tokens"]}
            if "queued" not in states:
                break
            await asyncio.sleep(1 / 5)
        stage.require("every grant stands", states == {"granted"})
    await stage.caught_up()  # a provider that has not seen the grant yet would refuse


async def _refuse_alone(stage: Stage) -> None:
    """A customer of A alone enrols with A; the wallet refuses to consent under an issuer of A's group (GATE-5)."""
    case = next((case for case in stage.cases if case.issuer is None), None)
    if case is None or case.wallet is None:
        return
    ledger = await stage.ledger()
    await enrol_at(case.wallet, case.person, stage.requester, ledger)
    refusal: LianzhengError | None = None
    try:
        case.wallet.consent(
            make_offer(stage, case),
            present(stage),
            members=ledger.view(),
            genesis_time_ms=ledger.genesis_time_ms,
            block_ms=ledger.block_time_ms,
        )
    except LianzhengError as error:
        refusal = error
    stage.expect("a wallet", "whom only broker A knows: local assessment only", refusal, "no_issuer_outside_group")
