"""Step 3: wallets make their DIDs; a broker that knows the person checks the document and signs (ID-7)."""

from __future__ import annotations

import asyncio
import secrets

from lianzheng.adapters.keystore.passphrase import create_passphrase_file
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.client.ledger import AgreedLedger
from lianzheng.demo.people import Person
from lianzheng.demo.stage import CHAIN_ID, REQUESTER, Broker, Case, Stage, document_of
from lianzheng.identity.enrolment import EnrolmentChallenge, EnrolmentResponse
from lianzheng.wallet.wallet import Wallet

__all__ = ["enrol", "enrol_at"]

_AT_ONCE = 8


async def enrol(stage: Stage) -> None:
    """Every customer of the requester: a wallet, a DID, and a credential where somebody else knows the person."""
    folder = stage.settings.out / "wallets"
    folder.mkdir(mode=0o700)
    stage.wallets = SealedWalletStore.create(folder, create_passphrase_file(folder / "passphrase"))
    for person in stage.people:
        if person.at(REQUESTER) is not None:
            found = await stage.requester.api.post("/api/v1/clients/lookup", document_of(person).to_json())
            stage.cases.append(Case(person, found["client"]))
    ledger = await stage.ledger()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> None:
        async with gate:
            await _enrol_one(stage, case, ledger)

    await asyncio.gather(*(one(case) for case in stage.cases))
    known = [case for case in stage.cases if case.issuer is not None]
    stage.screen.act("wallets", f"{len(stage.cases)} wallets sealed, {len(stage.cases)} DIDs on the ledger")
    sample = known[0]
    if sample.wallet is not None:
        stage.screen.note(f"for example {sample.wallet.did}: no part of it derives from the person (ID-3)")
    for index, broker in enumerate(stage.brokers):
        count = sum(case.issuer == index for case in known)
        if count:
            stage.screen.act(
                broker.short, f"saw the documents of {count} of them, signed (G, U, V) and a KycCredential"
            )
    alone = len(stage.cases) - len(known)
    stage.screen.note(f"{alone} are customers of broker A alone: no issuer outside its group, local assessment only")
    stage.screen.warn("Tokens of version 1: one dishonest issuer could forge a person's consent without a trace.")


async def enrol_at(wallet: Wallet, person: Person, issuer: Broker, ledger: AgreedLedger) -> None:
    """The wallet proves v, the issuer checks the document and signs, the wallet verifies under the ledger's key."""
    answer = await issuer.api.post("/api/v1/wallet/enrolment-challenges", {"did": wallet.did})
    request = wallet.enrol(EnrolmentChallenge.from_json(answer), issuer.did, document_of(person))
    signed = await issuer.api.post_bytes("/api/v1/wallet/enrolments", request.to_bytes(), "application/json")
    wallet.accept(EnrolmentResponse.from_json(signed), issuer.did, document_of(person), ledger)


async def _enrol_one(stage: Stage, case: Case, ledger: AgreedLedger) -> None:
    if stage.wallets is None:
        raise RuntimeError("the wallet store is made first")
    wallet = Wallet.create(
        case.wallet_name, CHAIN_ID, stage.wallets, stage.clock, test_network=True, seed=secrets.token_bytes(32)
    )
    case.wallet = wallet
    others = [broker for broker in case.person.brokers() if broker != REQUESTER]
    case.issuer = others[case.person.serial % len(others)] if others else None
    home = stage.brokers[REQUESTER if case.issuer is None else case.issuer]
    created = wallet.create_did()
    await home.api.post_bytes("/api/v1/ledger/transactions", created.to_bytes(), "application/json")
    if case.issuer is not None:
        await enrol_at(wallet, case.person, home, ledger)
