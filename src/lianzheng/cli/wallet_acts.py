"""What ``lianzheng wallet`` does; imported when it runs. Everything is saved, sealed, before anything leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.keystore.files import locked
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.cli.wallet_session import (
    JSON,
    NAME,
    is_test,
    opened,
    post,
    prepare,
    public,
    read_ledger,
    run,
    schema_of,
)
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import SystemClock
from lianzheng.consent.model import consent_state_key
from lianzheng.consent.named import ConsentOffer, Presentation, Tick
from lianzheng.consent.submission import ConsentSubmission
from lianzheng.consent.text import template_of
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import NotFoundError, RefusedError, UnavailableError, VerificationError
from lianzheng.evidence.model import Acknowledgement
from lianzheng.governance.model import NETWORK_KEY, parameter_key
from lianzheng.identity.enrolment import EnrolmentChallenge, EnrolmentRequest, EnrolmentResponse, IdentityDocument
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.receipt import decode_receipt
from lianzheng.ledger.sender import require_ok
from lianzheng.limits import CREDENTIAL_PERIOD_MS
from lianzheng.wallet.acts import SignedConsent, preview_text
from lianzheng.wallet.offers import check_offer
from lianzheng.wallet.wallet import Wallet

__all__ = [
    "Signing",
    "answer",
    "create",
    "deliver",
    "enrol",
    "preview",
    "receive",
    "run",
    "show",
    "sign",
    "switch",
    "withdraw",
]

_LOOKS = 50
_LOOK_S = 1 / 10


@dataclass(frozen=True, slots=True)
class Signing:
    """How the investor has read and ticked."""

    ticked: tuple[str, ...]
    read_to_end: bool
    staff: str | None
    shown_ms: int


async def create(folder: Path, nodes: Sequence[NodeClient]) -> JsonObject:
    """A new sealed wallet, and its DID on the ledger. Raises ``ConfigError`` ``wallet_exists``."""
    ledger = await AgreedLedger.read_patiently(nodes, [NETWORK_KEY, parameter_key("test_network")])
    chain_id = await _chain_id(nodes)
    passphrase = prepare(folder)
    with locked(folder / "wallet"):
        store = SealedWalletStore.create(folder, passphrase)
        wallet = Wallet.create(
            NAME, chain_id, store, SystemClock(), test_network=is_test(ledger), committed=schema_of(ledger) > 1
        )
        await _register(wallet, nodes)
        return public(wallet)


def show(folder: Path) -> JsonObject:
    """What the wallet holds; no secret, no number."""
    with opened(folder) as wallet:
        return {
            **public(wallet),
            "credentials": [{"issuer": one.issuer, "period": one.period} for one in wallet.credentials],
            "consents": [
                {
                    "consent_id": one.consent_id,
                    "status": one.status,
                    "tokens": [
                        {"provider": token.provider, "cid": b64u_encode(token.cid), "not_after": token.not_after}
                        for token in one.tokens
                    ],
                }
                for one in wallet.consents
            ],
            "access": [one.to_json() for one in wallet.access_log],
        }


async def enrol(
    folder: Path, nodes: Sequence[NodeClient], issuer: NodeClient, document: IdentityDocument
) -> JsonObject:
    """A credential of the member whose node ``issuer`` is, verified under the ledger's key and kept (ID-7)."""
    did = (await issuer.get("/api/v1/network"))["did"]
    ledger = await read_ledger(nodes, f"did/{did}")
    with opened(folder, test_network=is_test(ledger)) as wallet:
        await _register(wallet, nodes)
        challenge = EnrolmentChallenge.from_json(
            await issuer.post("/api/v1/wallet/enrolment-challenges", {"did": wallet.did})
        )
        request = wallet.enrol(challenge, did, document)
        signed = await issuer.post_bytes("/api/v1/wallet/enrolments", request.to_bytes(), JSON)
        response = EnrolmentResponse.from_json(signed)
        wallet.accept(response, did, document, ledger)
        return {"did": wallet.did, "issuer": did, "period": response.period}


def answer(folder: Path, challenge: EnrolmentChallenge, document: IdentityDocument) -> EnrolmentRequest:
    """The answer to a counter's challenge, to be handed over as a file."""
    with opened(folder) as wallet:
        return wallet.enrol(challenge, challenge.issuer, document)


async def receive(
    folder: Path, nodes: Sequence[NodeClient], response: EnrolmentResponse, document: IdentityDocument
) -> JsonObject:
    """What the counter has issued, verified under the ledger's key and kept."""
    ledger = await read_ledger(nodes, f"did/{response.issuer}")
    with opened(folder, test_network=is_test(ledger)) as wallet:
        wallet.accept(response, response.issuer, document, ledger)
        return {"did": wallet.did, "issuer": response.issuer, "period": response.period}


async def preview(nodes: Sequence[NodeClient], offer: ConsentOffer) -> str:
    """The whole text of an offer whose names are the ledger's. Raises as ``check_offer``, ``consent_text``."""
    ledger = await read_ledger(nodes)
    check_offer(offer, ledger)
    period = (ledger.block_time_ms - ledger.genesis_time_ms) // CREDENTIAL_PERIOD_MS
    return preview_text(offer, period, ledger.genesis_time_ms)


async def sign(folder: Path, nodes: Sequence[NodeClient], offer: ConsentOffer, how: Signing) -> SignedConsent:
    """The named consent and its tokens. Raises as ``check_offer``, ``Wallet.consent``, and for what was not ticked."""
    ledger = await read_ledger(nodes)
    check_offer(offer, ledger)
    now = SystemClock().now_ms()
    if not how.read_to_end:
        raise RefusedError("consent_not_read", "The text was not shown to its end.")
    if set(how.ticked) != set(template_of(offer.template).items):
        raise RefusedError("consent_item_unticked", "Not every item was ticked by itself after the text was shown.")
    presentation = Presentation(
        shown_ms=how.shown_ms,
        scrolled_to_end=how.read_to_end,
        ticks=tuple(Tick(item=item, time_ms=now) for item in template_of(offer.template).items),
        authentication="wallet-passphrase",
        channel="wallet",
        terminal="lianzheng-cli",
        staff_id=how.staff,
        proxy=None,
    )
    with opened(folder, test_network=is_test(ledger)) as wallet:
        return wallet.consent(
            offer,
            presentation,
            members=ledger.view(),
            genesis_time_ms=ledger.genesis_time_ms,
            block_ms=ledger.block_time_ms,
        )


async def deliver(nodes: Sequence[NodeClient], requester: NodeClient, offer: ConsentOffer, data: bytes) -> JsonObject:
    """The requester's signed promise that this very consent is on record, checked under the ledger's key (EV-3)."""
    asking = offer.requester.did
    ledger = await AgreedLedger.read_patiently(nodes, [f"did/{asking}"])
    found = await requester.post_bytes("/api/v1/wallet/consents", data, JSON)
    kept = Acknowledgement.from_json(found["acknowledgement"])
    kept.verify(public_key(read_did(ledger, asking), "#node", "assertionMethod"))
    named = encode_w3c(ConsentSubmission.from_bytes(data).named)
    kept.verify_for(named, offer.chain_id, SystemClock().now_ms())
    if kept.promise.body.member != asking:
        raise VerificationError("promise_member_wrong", "The promise is another member's than the requester's.")
    return kept.to_json()


async def withdraw(folder: Path, nodes: Sequence[NodeClient], consent_id: str) -> JsonObject:
    """Every token revoked by its own key, at the first node that answers; it passes them on to all (AUTH-4)."""
    with opened(folder) as wallet:
        transactions = wallet.withdraw(consent_id)
    heights = [(await post(nodes, "/api/v1/wallet/revocations", one))["height"] for one in transactions]
    return {"consent_id": consent_id, "status": "withdrawn", "heights": heights}


async def switch(folder: Path, nodes: Sequence[NodeClient], consent_id: str, *, resume: bool) -> JsonObject:
    """Every token paused by its own key, or active again."""
    with opened(folder) as wallet:
        held = next((one for one in wallet.consents if one.consent_id == consent_id), None)
        if held is None:
            raise NotFoundError("consent_unknown", "The wallet holds no such consent.")
        ledger = await AgreedLedger.read_patiently(nodes, [consent_state_key(token.cid) for token in held.tokens])
        transactions = wallet.pause(consent_id, ledger, resume=resume)
    heights = [(await post(nodes, "/api/v1/wallet/pauses", one))["height"] for one in transactions]
    return {"consent_id": consent_id, "status": "signed" if resume else "paused", "heights": heights}


async def _register(wallet: Wallet, nodes: Sequence[NodeClient]) -> None:
    """The wallet's DID stands on the ledger, and every node has heard of it.

    Raises ``UnavailableError`` ``did_not_seen`` where one is more than a few seconds behind.
    """
    key = f"did/{wallet.did}"
    try:
        await nodes[0].get("/api/v1/ledger/state", key=key)
    except NotFoundError:
        found = await post(nodes, "/api/v1/ledger/transactions", wallet.create_did())
        require_ok(decode_receipt(found), "did.create")
    for _ in range(_LOOKS):
        if (await AgreedLedger.read_patiently(nodes, [key])).get(key) is not None:
            return
        await asyncio.sleep(_LOOK_S)
    raise UnavailableError("did_not_seen", "A node has not heard of the wallet's DID yet.", next_step="Try again.")


async def _chain_id(nodes: Sequence[NodeClient]) -> str:
    found = await asyncio.gather(*(node.get("/api/v1/network") for node in nodes))
    return str(found[0]["chain_id"])  # the nodes' genesis digests were found alike
