"""consent.grant, pause, resume, revoke on the ledger, through the real machine (AUTH-4, B6..B9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger_kit import ALPHA, BETA, CHAIN, START_MS, Party, make_genesis
from lianzheng.clock import DAY_MS, day_of, end_of_day_ms
from lianzheng.consent.model import (
    ConsentGrant,
    ConsentPause,
    ConsentRecord,
    ConsentRevoke,
    Grant,
    cid_of,
    consent_key_name,
    consent_state_key,
    grant_pop_bytes,
    record_hash,
)
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import LianzhengError
from lianzheng.ledger.ports import TxResult
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody

LAST_DAY = day_of(START_MS + 90 * DAY_MS)


@dataclass
class Key:
    """One consent key and its grant."""

    name: str
    not_after: str = LAST_DAY
    poster: str = ALPHA.did
    chain_id: str = CHAIN
    seed: bytes = field(init=False)
    rk: bytes = field(init=False)
    h: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.seed = sha256_raw(self.name.encode())
        self.rk = ed25519.public_key(self.seed)
        self.h = sha256_raw(b"token of " + self.name.encode())

    @property
    def cid(self) -> bytes:
        return cid_of(self.rk, self.not_after, self.h)

    @property
    def grant(self) -> Grant:
        pop = ed25519.sign(self.seed, grant_pop_bytes(self.chain_id, self.cid, self.poster))
        return Grant(rk=self.rk, not_after=self.not_after, h=self.h, pop=pop)

    def act(self, kind: str, payload: JsonObject, now_ms: int) -> Transaction:
        body = TransactionBody(
            chain_id=CHAIN,
            kind=kind,
            sender=consent_key_name(self.rk),
            key_id="",
            nonce=None,
            expires_at=now_ms + 3_600_000,
            payload=payload,
        )
        return sign_transaction(body, lambda data: ed25519.sign(self.seed, data))

    def revoke(self, now_ms: int = START_MS) -> Transaction:
        payload = ConsentRevoke(rk=self.rk, not_after=self.not_after, h=self.h)
        return self.act("consent.revoke", payload.to_json(), now_ms)


class Chain:
    def __init__(self) -> None:
        self.machine = Machine(make_genesis())
        self.height = 0
        self.now_ms = START_MS + 1000
        self.nonces: dict[str, int] = {}

    def run(self, transaction: Transaction) -> TxResult:
        self.height += 1
        result = self.machine.execute_block(self.height, self.now_ms, [transaction.to_bytes()])[0]
        self.machine.commit()
        return result

    def send(self, party: Party, kind: str, payload: JsonObject, *, ordered: bool = False) -> TxResult:
        nonce = self.nonces[party.did] = self.nonces.get(party.did, 0) + 1
        return self.run(party.transaction(kind, payload, None if ordered else nonce, now_ms=self.now_ms))

    def grant(self, *keys: Key, party: Party = ALPHA) -> list[str]:
        fill = [Key(f"fill {self.height} {n}", not_after=day_of(self.now_ms), poster=party.did) for n in range(32)]
        grants = [key.grant for key in keys]
        grants += [key.grant for key in fill[: max(0, 32 - len(keys))]]
        result = self.send(party, "consent.grant", ConsentGrant(grants=tuple(grants)).to_json())
        assert result.code == "ok"
        codes: list[str] = result.data
        assert set(codes[len(keys) :]) <= {"ok"}
        return codes[: len(keys)]

    def record(self, key: Key) -> ConsentRecord | None:
        value = self.machine.state.get(consent_state_key(key.cid))
        return None if value is None else ConsentRecord.from_json(value)

    def switch(self, key: Key, kind: str, **changes: Any) -> str:
        record = self.record(key)
        assert record is not None
        fields: dict[str, Any] = {"cid": key.cid, "seq": record.seq + 1, "prev": record_hash(record)}
        payload = ConsentPause(**(fields | changes)).to_json()
        return self.run(key.act(kind, payload, self.now_ms)).code


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_a_grant_stands_as_b9_says(chain: Chain) -> None:
    key = Key("one")
    assert chain.grant(key) == ["ok"]
    assert chain.machine.state.get(consent_state_key(key.cid)) == {
        "rk": key.grant.to_json()["rk"],
        "not_after": LAST_DAY,
        "sender": ALPHA.did,
        "status": "active",
        "seq": 0,
    }


def test_one_existing_cid_leaves_the_others_standing(chain: Chain) -> None:
    """Must pass: a copied grant does not kill a batch."""
    one, two = Key("one"), Key("two")
    assert chain.grant(one) == ["ok"]
    assert chain.grant(one, two, two) == ["grant_exists", "ok", "grant_exists"]


def test_a_grant_with_a_copied_pop_under_another_sender_is_skipped(chain: Chain) -> None:
    key = Key("one")
    assert chain.grant(key, party=BETA) == ["grant_pop_invalid"]
    assert chain.record(key) is None
    assert chain.grant(key) == ["ok"]


def test_a_pop_of_another_chain_or_consent_is_skipped(chain: Chain) -> None:
    one, two = Key("one"), Key("two")
    mixed = one.grant.model_copy(update={"pop": two.grant.pop})
    result = chain.send(
        ALPHA,
        "consent.grant",
        ConsentGrant(
            grants=(mixed, Key("three", chain_id="other").grant, *(Key(str(n)).grant for n in range(30)))
        ).to_json(),
    )
    assert result.data == ["grant_pop_invalid"] * 2 + ["ok"] * 30


@pytest.mark.parametrize(("days", "code"), [(-1, "grant_expired"), (0, "ok"), (400, "ok"), (401, "grant_too_far")])
def test_the_days_a_grant_may_carry(chain: Chain, days: int, code: str) -> None:
    assert chain.grant(Key("one", not_after=day_of(chain.now_ms + days * DAY_MS))) == [code]


@pytest.mark.parametrize("count", [31, 129])
def test_batches_have_32_to_128_grants(chain: Chain, count: int) -> None:
    grants = [Key(str(n)).grant.to_json() for n in range(count)]
    assert chain.send(ALPHA, "consent.grant", {"grants": grants}).code == "field_invalid"


def test_a_batch_of_128_fits_a_transaction(chain: Chain) -> None:
    assert chain.grant(*(Key(str(n)) for n in range(128))) == ["ok"] * 128


def test_a_day_the_calendar_lacks_is_refused(chain: Chain) -> None:
    grants = [Key(str(n)).grant.to_json() for n in range(32)]
    grants[0]["not_after"] = "2026-11-31"
    assert chain.send(ALPHA, "consent.grant", {"grants": grants}).code == "field_invalid"


def test_pause_and_resume_are_the_keys_alone(chain: Chain) -> None:
    key, other = Key("one"), Key("two")
    chain.grant(key, other)
    assert chain.switch(key, "consent.pause") == "ok"
    assert chain.record(key).status == "paused"  # type: ignore[union-attr]
    payload = ConsentPause(cid=key.cid, seq=2, prev=record_hash(chain.record(key))).to_json()  # type: ignore[arg-type]
    assert chain.send(ALPHA, "consent.resume", payload, ordered=True).code != "ok", "resume by the sender"
    assert chain.run(other.act("consent.resume", payload, chain.now_ms)).code == "consent_key_wrong"
    assert chain.switch(key, "consent.pause") == "consent_paused"
    assert chain.switch(key, "consent.resume") == "ok"
    assert chain.switch(key, "consent.resume") == "consent_active"
    assert chain.record(key).seq == 2  # type: ignore[union-attr]


def test_an_old_state_cannot_be_brought_back(chain: Chain) -> None:
    key = Key("one")
    chain.grant(key)
    first = chain.record(key)
    assert first is not None
    assert chain.switch(key, "consent.pause", seq=2) == "seq_wrong"
    assert chain.switch(key, "consent.pause", prev=bytes(32)) == "prev_wrong"
    assert chain.switch(key, "consent.pause") == "ok"
    assert chain.switch(key, "consent.resume", prev=record_hash(first)) == "prev_wrong"
    replayed = ConsentPause(cid=key.cid, seq=1, prev=record_hash(first)).to_json()
    assert chain.switch(key, "consent.resume") == "ok"
    assert chain.run(key.act("consent.pause", replayed, chain.now_ms)).code == "seq_wrong"


def test_four_acts_a_day(chain: Chain) -> None:
    key = Key("one")
    chain.grant(key)
    for kind in ("pause", "resume", "pause", "resume"):
        assert chain.switch(key, f"consent.{kind}") == "ok"
    assert chain.switch(key, "consent.pause") == "pauses_exhausted"
    chain.now_ms += DAY_MS
    assert chain.switch(key, "consent.pause") == "ok"
    assert chain.run(key.revoke(chain.now_ms)).code == "ok", "revoking is never rationed"


def test_a_consent_that_nobody_granted_or_that_is_over_cannot_be_paused(chain: Chain) -> None:
    nobody, last = Key("nobody"), Key("one", not_after=day_of(chain.now_ms))
    payload = ConsentPause(cid=nobody.cid, seq=1, prev=bytes(32)).to_json()
    assert chain.run(nobody.act("consent.pause", payload, chain.now_ms)).code == "consent_unknown"
    chain.grant(last)
    assert chain.switch(last, "consent.pause") == "ok"
    chain.now_ms = end_of_day_ms(last.not_after)
    assert chain.switch(last, "consent.resume") == "ok"
    chain.now_ms += 1
    assert chain.switch(last, "consent.pause") == "consent_expired"


def test_revocation_is_final_whatever_the_seq(chain: Chain) -> None:
    """Must pass: a revoke whatever the record's seq. Must fail: anything after it."""
    key = Key("one")
    chain.grant(key)
    chain.switch(key, "consent.pause")
    assert chain.run(key.revoke()).code == "ok"
    assert chain.run(key.revoke()).code == "already_revoked"
    assert chain.machine.check(key.revoke().to_bytes(), chain.now_ms).code == "already_revoked"
    assert chain.switch(key, "consent.resume") == "already_revoked"
    by_sender = ConsentRevoke(cid=key.cid).to_json()
    assert chain.send(ALPHA, "consent.revoke", by_sender, ordered=True).code == "already_revoked"
    assert chain.grant(key) == ["grant_revoked"]


def test_a_grant_after_its_revocation_is_skipped(chain: Chain) -> None:
    key = Key("one")
    assert chain.run(key.revoke()).code == "ok"
    record = chain.record(key)
    assert record is not None
    assert (record.status, record.sender) == ("revoked", None)
    assert chain.grant(key) == ["grant_revoked"]


def test_the_sender_may_revoke_and_nobody_else(chain: Chain) -> None:
    key, other = Key("one"), Key("two")
    chain.grant(key)
    by_cid = ConsentRevoke(cid=key.cid).to_json()
    assert chain.send(BETA, "consent.revoke", by_cid, ordered=True).code == "consent_sender_wrong"
    assert chain.run(other.act("consent.revoke", by_cid, chain.now_ms)).code == "consent_sender_wrong"
    as_key = ConsentRevoke(rk=key.rk, not_after=key.not_after, h=key.h).to_json()
    assert chain.send(ALPHA, "consent.revoke", as_key, ordered=True).code == "consent_key_wrong"
    assert chain.run(other.act("consent.revoke", as_key, chain.now_ms)).code == "consent_key_wrong"
    assert chain.send(ALPHA, "consent.revoke", by_cid, ordered=True).code == "ok"
    unknown = ConsentRevoke(cid=other.cid).to_json()
    assert chain.send(ALPHA, "consent.revoke", unknown, ordered=True).code == "consent_unknown"


@pytest.mark.parametrize("days", [-1, 401])
def test_no_tombstone_where_no_grant_could_stand(chain: Chain, days: int) -> None:
    key = Key("one", not_after=day_of(chain.now_ms + days * DAY_MS))
    assert chain.run(key.revoke()).code == ("consent_expired" if days < 0 else "grant_too_far")
    assert chain.record(key) is None


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"cid": None},
        {"rk": "A" * 43, "not_after": LAST_DAY},
        {"rk": "A" * 43, "not_after": LAST_DAY, "h": "A" * 43, "cid": "A" * 43},
        {"rk": "A" * 43, "not_after": LAST_DAY, "h": "A" * 43, "cid": None},
    ],
)
def test_a_revocation_has_one_of_two_forms(payload: JsonObject) -> None:
    with pytest.raises(LianzhengError, match="field_invalid"):
        ConsentRevoke.from_json(payload)


@pytest.mark.parametrize("last", ["B", "C", "D"])
def test_other_spellings_of_a_cid_are_refused(chain: Chain, last: str) -> None:
    """CON-1: of the four texts that end in different spare bits, one is the value's."""
    key = Key("one")
    chain.grant(key)
    assert chain.send(ALPHA, "consent.revoke", {"cid": "A" * 42 + last}, ordered=True).code == "field_invalid"
    assert chain.send(ALPHA, "consent.revoke", {"cid": "A" * 42 + "A"}, ordered=True).code == "consent_unknown"


def test_records_are_pruned_thirty_days_after_not_after(chain: Chain) -> None:
    short, long, dead = (Key("a", not_after=day_of(chain.now_ms)), Key("b"), Key("c", not_after=day_of(chain.now_ms)))
    chain.grant(short, long)
    assert chain.run(dead.revoke()).code == "ok"
    chain.now_ms += 30 * DAY_MS
    chain.grant()
    assert chain.record(short) is not None
    assert chain.record(dead) is not None
    chain.now_ms += DAY_MS
    chain.grant()
    assert chain.record(short) is None
    assert chain.record(dead) is None
    assert chain.record(long) is not None
    assert chain.grant(short) == ["grant_expired"], "a pruned consent cannot come back"
    left = [key for key, _ in chain.machine.state.scan("consent-expiry/")]
    assert all(day_of(chain.now_ms - 32 * DAY_MS) < key.split("/")[1] for key in left)
