"""What a verifier makes of the lists that it is handed: only the one that the ledger names says anything."""

from __future__ import annotations

from typing import Any

import pytest

from did_kit import Holder, Network
from ledger_kit import CHAIN
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.flows import status_check
from lianzheng.flows.keyring import KeyFinder
from lianzheng.flows.status_check import LedgerStatusChecker
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.resolution.resolver import Resolver
from lianzheng.identity.status.bitstring import new_list, set_status
from lianzheng.identity.status.lists import StatusEntry, build_entry, build_list, list_digest
from lianzheng.identity.status.model import StatusPublish
from lianzheng.ledger.context import StateView
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import TransactionBody

BASE = "https://alpha.example"
INDEX = 94_567


class Web:
    """``StatusFetcher``: whoever serves the lists, honest or not."""

    def __init__(self) -> None:
        self.lists: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []

    async def fetch(self, issuer: str, name: str, url: str) -> bytes:
        self.asked.append((issuer, name))
        if url not in self.lists:
            raise UnavailableError("peer_unreachable", "The other member's node does not answer.")
        return self.lists[url]


class World:
    """A ledger of the kit's founders, of whom alpha issues; this node only verifies."""

    def __init__(self) -> None:
        self.network, self.web = Network(), Web()
        self.alpha, self.beta = Holder.named("alpha"), Holder.named("beta")
        self.clock = ManualClock(self.network.time_ms)
        self.nonces: dict[str, int] = {}
        finder = KeyFinder(self, Resolver({}), self.clock)
        self.checker = LedgerStatusChecker(self, finder, self.web, self.clock)

    @property
    def state(self) -> StateView:
        return self.network.state

    def now_block_ms(self) -> int:
        return self.network.time_ms

    def list_of(self, by: Holder, bits: bytearray, purpose: str = "revocation", **change: Any) -> JsonObject:
        signer = ProofSigner(by.did + by.key_id, ED25519_PUB, lambda data: ed25519.sign(by.seed(0), data))
        made = build_list(by.did, f"{BASE}/status-lists/{purpose}-0", purpose, bits, rfc3339(self.network.time_ms))
        return create_proof(made | change, signer, ProofOptions("eddsa-jcs-2022", rfc3339(self.network.time_ms)))

    def publish(self, document: JsonObject, by: Holder, version: int, purpose: str = "revocation") -> None:
        payload = StatusPublish(name=f"{purpose}-0", version=version, digest=list_digest(document))
        nonce = self.nonces[by.did] = self.nonces.get(by.did, 0) + 1
        body = TransactionBody(
            chain_id=CHAIN,
            kind="status.publish",
            sender=by.did,
            key_id=by.key_id,
            nonce=nonce,
            expires_at=self.network.time_ms + 3_600_000,
            payload=payload.to_json(),
        )
        code = self.network.send(sign_transaction(body, lambda message: ed25519.sign(by.seed(0), message)))
        assert code == "ok"
        self.clock.advance(1000)

    def serve(self, document: JsonObject, purpose: str = "revocation") -> None:
        self.web.lists[f"{BASE}/status-lists/{purpose}-0"] = encode_w3c(document)

    def credential(self, purpose: str = "revocation", **change: Any) -> JsonObject:
        """Its own proof is looked at elsewhere."""
        entry = build_entry(StatusEntry(purpose, f"{BASE}/status-lists/{purpose}-0", INDEX)) | change
        return {"issuer": self.alpha.did, "credentialStatus": entry}

    async def code(self, credential: JsonObject | None = None) -> str:
        try:
            await self.checker.check(credential or self.credential())
        except LianzhengError as error:
            return error.code
        return "ok"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(status_check, "CATCH_UP_MS", 0)  # nothing here is a block behind
    return World()


def revoking() -> bytearray:
    bits = new_list()
    set_status(bits, INDEX, 1)
    return bits


async def test_the_list_that_the_ledger_names_decides(world: World) -> None:
    first = world.list_of(world.alpha, new_list())
    world.publish(first, world.alpha, 1)
    world.serve(first)
    assert await world.code() == "ok"
    second = world.list_of(world.alpha, revoking())
    world.publish(second, world.alpha, 2)
    world.serve(second)
    assert await world.code() == "credential_revoked"


async def test_an_old_list_does_not_bring_a_revoked_credential_back(world: World) -> None:
    """Good signature, right issuer, right name; only the ledger knows that it is not the newest."""
    first, second = world.list_of(world.alpha, new_list()), world.list_of(world.alpha, revoking())
    world.publish(first, world.alpha, 1)
    world.serve(first)
    assert await world.code() == "ok"
    world.publish(second, world.alpha, 2)
    assert await world.code() == "status_list_digest_mismatch", "not from what is kept, either"


async def test_a_list_that_was_never_published_revokes_nobody(world: World) -> None:
    world.serve(world.list_of(world.alpha, revoking()))
    assert await world.code() == "status_list_unpublished"
    other = world.list_of(world.beta, revoking())
    world.publish(other, world.beta, 1)
    world.serve(other)
    assert await world.code() == "status_list_unpublished", "another member's list of the same name"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuer": None}, "credential_malformed"),
        ({"type": ["VerifiableCredential"]}, "status_list_mismatch"),
        ({"id": f"{BASE}/status-lists/revocation-1"}, "status_list_mismatch"),
        ({"validUntil": "2026-09-01T00:00:00Z"}, "credential_expired"),
    ],
)
async def test_a_named_list_must_still_be_a_list(world: World, change: dict[str, Any], code: str) -> None:
    made = world.list_of(world.alpha, new_list(), **{"validFrom": "2026-01-01T00:00:00Z", **change})
    world.publish(made, world.alpha, 1)
    world.serve(made)
    assert await world.code() == code


async def test_a_list_of_another_signer_or_purpose_is_refused(world: World) -> None:
    posed = world.list_of(world.beta, new_list()) | {"issuer": world.alpha.did}
    world.publish(posed, world.alpha, 1)
    world.serve(posed)
    assert await world.code() == "proof_invalid"
    suspension = world.list_of(world.alpha, new_list(), "suspension")
    renamed = suspension | {"id": f"{BASE}/status-lists/revocation-0"}
    world.publish(renamed, world.alpha, 2)
    world.serve(renamed)
    assert await world.code() == "proof_invalid"


async def test_a_list_is_asked_for_once_in_its_ttl(world: World) -> None:
    made = world.list_of(world.alpha, new_list())
    world.publish(made, world.alpha, 1)
    world.serve(made)
    for _ in range(3):
        assert await world.code() == "ok"
    assert world.web.asked == [(world.alpha.did, "revocation-0")]
    world.clock.advance(5 * 60 * 1000)  # the list's own ttl
    assert await world.code() == "ok"
    assert len(world.web.asked) == 2


async def test_without_the_list_nothing_is_said(world: World) -> None:
    made = world.list_of(world.alpha, new_list())
    world.publish(made, world.alpha, 1)
    assert await world.code() == "peer_unreachable", "a list that is withheld is no clean bill"
    world.serve(made)
    assert await world.code() == "ok", "and a failure is not kept"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "RevocationList2020Status"}, "status_type_unknown"),
        ({"type": []}, "status_type_unknown"),
        ({"statusListIndex": "131072"}, "status_index_out_of_range"),
        ({"statusListIndex": -1}, "status_entry_malformed"),
        ({"statusListCredential": f"{BASE}/status-lists/Revocation"}, "status_entry_malformed"),
        ({"statusListCredential": f"{BASE}/other-0"}, "status_list_unpublished"),
        ({"statusPurpose": "suspension"}, "status_list_mismatch"),
    ],
)
async def test_entries_that_point_nowhere(world: World, change: dict[str, Any], code: str) -> None:
    made = world.list_of(world.alpha, new_list())
    world.publish(made, world.alpha, 1)
    world.serve(made)
    assert await world.code(world.credential(**change)) == code


async def test_notes_are_told_and_refuse_nothing(world: World) -> None:
    made = world.list_of(world.alpha, revoking(), "refresh")
    world.publish(made, world.alpha, 1, "refresh")
    world.serve(made, "refresh")
    assert await world.checker.check(world.credential("refresh")) == ("refresh",)
    assert await world.checker.check({"issuer": world.alpha.did}) == ()
