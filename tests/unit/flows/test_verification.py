"""What a node's verifier demands beside proofs: who presents is who it is about; a key of the past needs an answer.

Signers are of did:key, or of a did:lz on the kit's ledger; all are named by the caller, so that trust decides nothing.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

from credential_kit import EXAMPLES, issuer_name, signer, unsigned
from did_kit import Holder, Network
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import LianzhengError
from lianzheng.flows.keyring import KeyFinder
from lianzheng.flows.verification import CredentialVerifier, Demand
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.resolution.resolver import Resolver
from lianzheng.ledger.context import StateView

MINUTE_MS = 60_000
LIST = "https://issuer.example/status/list-0"
ISSUER = signer(number=9)
ALICE, MALLORY = signer(number=1), signer(number=2)


class Book:
    """``StatusChecker``: keeps what it was asked, and finds nothing taken back."""

    def __init__(self) -> None:
        self.asked: list[JsonObject] = []

    async def check(self, credential: JsonObject) -> tuple[str, ...]:
        self.asked.append(credential)
        return ()


class World:
    def __init__(self) -> None:
        self.network, self.book = Network(), Book()
        self.clock = ManualClock(self.network.time_ms)
        finder = KeyFinder(self, Resolver({}), self.clock)
        self.verifier = CredentialVerifier("did:lz:a:b", self, finder, self.book, self.clock)

    @property
    def state(self) -> StateView:
        return self.network.state

    def now_block_ms(self) -> int:
        return self.network.time_ms

    def signed(self, by: ProofSigner, **change: Any) -> JsonObject:
        now = rfc3339(self.clock.now_ms())
        document = unsigned(by, **{"validFrom": None, **change})
        return create_proof(document, by, ProofOptions("eddsa-jcs-2022", created=now))

    def about(self, *subjects: ProofSigner) -> JsonObject:
        claims = [{"id": issuer_name(one), "alumniOf": "A school"} for one in subjects]
        return self.signed(ISSUER, credentialSubject=claims if len(claims) > 1 else claims[0])

    def presented(self, credentials: list[JsonObject], *by: ProofSigner) -> JsonObject:
        document: JsonObject = {
            "@context": [CREDENTIALS_V2, EXAMPLES],
            "type": ["VerifiablePresentation"],
            "verifiableCredential": credentials,
        }
        for one in by:
            options = ProofOptions(
                "eddsa-jcs-2022", rfc3339(self.clock.now_ms()), purpose="authentication", challenge="c", domain="d"
            )
            document = create_proof(document, one, options)
        return document

    async def code(self, presentation: JsonObject, **change: Any) -> str:
        demand = Demand(
            methods=frozenset({"key"}), issuers=frozenset({issuer_name(ISSUER)}), challenge="c", domain="d", **change
        )
        try:
            await self.verifier.verify_presentation(presentation, demand)
        except LianzhengError as error:
            return error.code
        return "ok"


async def test_every_credential_and_every_subject_of_it_is_the_holder() -> None:
    """One of one's own does not carry another's with it."""
    world = World()
    own, foreign, both = world.about(ALICE), world.about(MALLORY), world.about(ALICE, MALLORY)
    assert await world.code(world.presented([own, own], ALICE)) == "ok"
    for credentials in (*permutations([own, foreign]), [both], [own, both]):
        shown = world.presented([*credentials], ALICE)
        assert await world.code(shown) == "presentation_subject_mismatch"
        assert await world.code(shown, any_subject=True) == "ok"


async def test_a_presentation_has_one_author() -> None:
    """It names no holder, so nothing but the proofs says who presents: of two, neither."""
    world = World()
    own = world.about(ALICE)
    for by in permutations([ALICE, MALLORY]):
        assert await world.code(world.presented([own], *by)) == "presentation_holder_mismatch"
        assert await world.code(world.presented([own], *by), any_subject=True) == "presentation_holder_mismatch"
    assert await world.code(world.presented([own], ALICE, ALICE)) == "ok", "one author with two proofs is one"


def _entry(purpose: str) -> JsonObject:
    return {
        "id": f"{LIST}#{purpose}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": "7",
        "statusListCredential": LIST,
    }


async def test_a_key_of_the_past_needs_an_end_and_a_revocation() -> None:
    """Who still has it can sign with an earlier date: the issuer must be able to take back what it never made."""
    world = World()
    holder = world.network.created(Holder("issuer"))
    by = ProofSigner(f"{holder.did}#key-1", ED25519_PUB, lambda data: ed25519.sign(holder.seed(0), data))
    world.clock.advance(MINUTE_MS)
    until = {"validUntil": rfc3339(world.clock.now_ms() + 100 * MINUTE_MS)}
    cases: tuple[tuple[JsonObject, str], ...] = (
        ({}, "proof_key_past"),
        (until, "proof_key_past"),
        ({"credentialStatus": _entry("revocation")}, "proof_key_past"),
        ({**until, "credentialStatus": _entry("suspension")}, "proof_key_past"),
        ({**until, "credentialStatus": _entry("revocation")}, "ok"),
        ({**until, "credentialStatus": [_entry("suspension"), _entry("revocation")]}, "ok"),
    )
    made = [world.signed(by, **change) for change, _ in cases]
    demand = Demand(issuers=frozenset({holder.did}))
    for document in made:  # while the key stands
        assert not (await world.verifier.verify_credential(document, demand)).keys[0].past
    world.network.time_ms += 2 * MINUTE_MS
    assert world.network.update(holder, keys=(holder.key(1),)) == "ok"
    world.clock.advance(2 * MINUTE_MS)
    world.book.asked.clear()
    for document, (_, code) in zip(made, cases, strict=True):
        try:
            found = (await world.verifier.verify_credential(document, demand)).keys[0]
            assert found.past
            assert code == "ok"
        except LianzhengError as error:
            assert error.code == code
    assert world.book.asked == made[-2:], "and it is asked whether it was taken back"
