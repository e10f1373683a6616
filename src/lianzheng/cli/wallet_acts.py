"""What ``lianzheng wallet`` does; imported when it runs. Everything is saved, sealed, before anything leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lianzheng.adapters.keystore.files import locked
from lianzheng.adapters.keystore.passphrase import create_passphrase_file, load_passphrase
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import SystemClock
from lianzheng.consent.model import consent_state_key
from lianzheng.consent.named import ConsentOffer, Presentation, Tick
from lianzheng.consent.text import template_of
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError, NotFoundError, RefusedError, UnavailableError, VerificationError
from lianzheng.evidence.model import Acknowledgement
from lianzheng.governance.model import parameter_key
from lianzheng.identity.enrolment import EnrolmentChallenge, EnrolmentRequest, EnrolmentResponse, IdentityDocument
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.receipt import decode_receipt
from lianzheng.ledger.sender import require_ok
from lianzheng.ledger.transaction import Transaction
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

_NAME = "own"
_JSON = "application/json"
_LOOKS = 50
_LOOK_S = 1 / 10
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signing:
    """How the investor has read and ticked."""

    ticked: tuple[str, ...]
    read_to_end: bool
    staff: str | None
    shown_ms: int


def run(addresses: Sequence[str], act: Callable[[list[NodeClient]], Awaitable[T]]) -> T:
    """``act`` with one client for each member's node."""

    async def with_nodes() -> T:
        async with AsyncExitStack() as stack:
            return await act([await stack.enter_async_context(NodeClient(one)) for one in addresses])

    return asyncio.run(with_nodes())


@contextmanager
def _opened(folder: Path, *, test_network: bool = False) -> Iterator[Wallet]:
    """The wallet, for one process at a time: two would use a consent key twice.

    Raises ``ConfigError`` ``wallet_missing`` and those of the store.
    """
    if not (folder / "store.key").exists():
        raise ConfigError("wallet_missing", f"{folder} holds no wallet.", next_step="Run `lianzheng wallet create`.")
    with locked(folder / "wallet"):
        store = SealedWalletStore.open(folder, load_passphrase(folder / "passphrase"))
        yield Wallet.load(_NAME, store, SystemClock(), test_network=test_network)


async def create(folder: Path, nodes: Sequence[NodeClient]) -> JsonObject:
    """A new sealed wallet, and its DID on the ledger. Raises ``ConfigError`` ``wallet_exists``."""
    ledger = await AgreedLedger.read_patiently(nodes, [parameter_key("test_network")])
    chain_id = await _chain_id(nodes)
    passphrase = _prepare(folder)
    with locked(folder / "wallet"):
        store = SealedWalletStore.create(folder, passphrase)
        wallet = Wallet.create(_NAME, chain_id, store, SystemClock(), test_network=_is_test(ledger))
        await _register(wallet, nodes)
        return _public(wallet)


def _prepare(folder: Path) -> bytes:
    """The passphrase of a wallet to be; the folder is made for its owner alone where it is not there."""
    if (folder / "store.key").exists():
        raise ConfigError("wallet_exists", f"{folder} holds a wallet already.", next_step="Name another folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "passphrase"
    return load_passphrase(path) if path.exists() else create_passphrase_file(path)


def show(folder: Path) -> JsonObject:
    """What the wallet holds; no secret, no number."""
    with _opened(folder) as wallet:
        return {
            **_public(wallet),
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
    ledger = await _ledger(nodes, f"did/{did}")
    with _opened(folder, test_network=_is_test(ledger)) as wallet:
        await _register(wallet, nodes)
        challenge = EnrolmentChallenge.from_json(
            await issuer.post("/api/v1/wallet/enrolment-challenges", {"did": wallet.did})
        )
        request = wallet.enrol(challenge, did, document)
        signed = await issuer.post_bytes("/api/v1/wallet/enrolments", request.to_bytes(), _JSON)
        response = EnrolmentResponse.from_json(signed)
        wallet.accept(response, did, document, ledger)
        return {"did": wallet.did, "issuer": did, "period": response.period}


def answer(folder: Path, challenge: EnrolmentChallenge, document: IdentityDocument) -> EnrolmentRequest:
    """The answer to a counter's challenge, to be handed over as a file."""
    with _opened(folder) as wallet:
        return wallet.enrol(challenge, challenge.issuer, document)


async def receive(
    folder: Path, nodes: Sequence[NodeClient], response: EnrolmentResponse, document: IdentityDocument
) -> JsonObject:
    """What the counter has issued, verified under the ledger's key and kept."""
    ledger = await _ledger(nodes, f"did/{response.issuer}")
    with _opened(folder, test_network=_is_test(ledger)) as wallet:
        wallet.accept(response, response.issuer, document, ledger)
        return {"did": wallet.did, "issuer": response.issuer, "period": response.period}


async def preview(nodes: Sequence[NodeClient], offer: ConsentOffer) -> str:
    """The whole text of an offer whose names are the ledger's. Raises as ``check_offer``, ``consent_text``."""
    ledger = await _ledger(nodes)
    check_offer(offer, ledger)
    period = (ledger.block_time_ms - ledger.genesis_time_ms) // CREDENTIAL_PERIOD_MS
    return preview_text(offer, period, ledger.genesis_time_ms)


async def sign(folder: Path, nodes: Sequence[NodeClient], offer: ConsentOffer, how: Signing) -> SignedConsent:
    """The named consent and its tokens. Raises as ``check_offer``, ``Wallet.consent``, and for what was not ticked."""
    ledger = await _ledger(nodes)
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
    with _opened(folder, test_network=_is_test(ledger)) as wallet:
        return wallet.consent(
            offer,
            presentation,
            members=ledger.view(),
            genesis_time_ms=ledger.genesis_time_ms,
            block_ms=ledger.block_time_ms,
        )


async def deliver(nodes: Sequence[NodeClient], requester: NodeClient, offer: ConsentOffer, data: bytes) -> JsonObject:
    """The requester's signed promise that the act is on record, checked under the ledger's key (EV-3)."""
    asking = offer.requester.did
    ledger = await AgreedLedger.read_patiently(nodes, [f"did/{asking}"])
    found = await requester.post_bytes("/api/v1/wallet/consents", data, _JSON)
    kept = Acknowledgement.from_json(found["acknowledgement"])
    kept.verify(public_key(read_did(ledger, asking), "#node", "assertionMethod"))
    if kept.promise.body.member != asking:
        raise VerificationError("promise_member_wrong", "The promise is another member's than the requester's.")
    return kept.to_json()


async def withdraw(folder: Path, nodes: Sequence[NodeClient], consent_id: str) -> JsonObject:
    """Every token revoked by its own key, at the first node that answers; it passes them on to all (AUTH-4)."""
    with _opened(folder) as wallet:
        transactions = wallet.withdraw(consent_id)
    heights = [(await _post(nodes, "/api/v1/wallet/revocations", one))["height"] for one in transactions]
    return {"consent_id": consent_id, "status": "withdrawn", "heights": heights}


async def switch(folder: Path, nodes: Sequence[NodeClient], consent_id: str, *, resume: bool) -> JsonObject:
    """Every token paused by its own key, or active again."""
    with _opened(folder) as wallet:
        held = next((one for one in wallet.consents if one.consent_id == consent_id), None)
        if held is None:
            raise NotFoundError("consent_unknown", "The wallet holds no such consent.")
        ledger = await AgreedLedger.read_patiently(nodes, [consent_state_key(token.cid) for token in held.tokens])
        transactions = wallet.pause(consent_id, ledger, resume=resume)
    heights = [(await _post(nodes, "/api/v1/wallet/pauses", one))["height"] for one in transactions]
    return {"consent_id": consent_id, "status": "signed" if resume else "paused", "heights": heights}


async def _post(nodes: Sequence[NodeClient], path: str, transaction: Transaction) -> dict[str, Any]:
    """Any member's node takes it: the first one that answers."""
    for node in nodes[:-1]:
        try:
            first: dict[str, Any] = await node.post_bytes(path, transaction.to_bytes(), _JSON)
        except UnavailableError:
            continue
        return first
    last: dict[str, Any] = await nodes[-1].post_bytes(path, transaction.to_bytes(), _JSON)
    return last


async def _register(wallet: Wallet, nodes: Sequence[NodeClient]) -> None:
    """The wallet's DID stands on the ledger, and every node has heard of it.

    Raises ``UnavailableError`` ``did_not_seen`` where one is more than a few seconds behind.
    """
    key = f"did/{wallet.did}"
    try:
        await nodes[0].get("/api/v1/ledger/state", key=key)
    except NotFoundError:
        found = await _post(nodes, "/api/v1/ledger/transactions", wallet.create_did())
        require_ok(decode_receipt(found), "did.create")
    for _ in range(_LOOKS):
        if (await AgreedLedger.read_patiently(nodes, [key])).get(key) is not None:
            return
        await asyncio.sleep(_LOOK_S)
    raise UnavailableError("did_not_seen", "A node has not heard of the wallet's DID yet.", next_step="Try again.")


async def _ledger(nodes: Sequence[NodeClient], *more: str) -> AgreedLedger:
    prefixes = ["member/", "issuer/", parameter_key("test_network"), *more]
    return await AgreedLedger.read_patiently(nodes, prefixes)


async def _chain_id(nodes: Sequence[NodeClient]) -> str:
    found = await asyncio.gather(*(node.get("/api/v1/network") for node in nodes))
    return str(found[0]["chain_id"])  # the nodes' genesis digests were found alike


def _is_test(ledger: AgreedLedger) -> bool:
    found = ledger.get(parameter_key("test_network"))
    return found is not None and found["value"] == 1


def _public(wallet: Wallet) -> JsonObject:
    return {"did": wallet.did, "chain_id": wallet.chain_id}
