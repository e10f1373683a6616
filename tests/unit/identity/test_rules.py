"""did.create and issuer.publish on the ledger (ID-3, ID-7, EQ-1)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_kit import ALPHA, BETA, CHAIN, START_MS, Party, make_genesis
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G2
from lianzheng.errors import LianzhengError
from lianzheng.identity.model import (
    CreationOperation,
    DidCreate,
    IssuerPublish,
    did_of,
    ed25519_key,
    issuer_state_key,
)
from lianzheng.identity.resolver import did_document, read_did, resolve_key
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import CREDENTIAL_PERIOD_MS
from lianzheng.zk import spseq

PERSON = Party("person", key_id="#key-1")
KEY = spseq.SecretKey.generate()


class Chain:
    def __init__(self) -> None:
        self.machine = Machine(make_genesis())
        self.height = 0

    def run(self, transaction: Transaction, time_ms: int = START_MS + 1000) -> str:
        self.height += 1
        return self.machine.execute_block(self.height, time_ms, [transaction.to_bytes()])[0].code


@pytest.fixture
def chain() -> Chain:
    return Chain()


def _create(party: Party = PERSON, nonce: int = 1, **changes: Any) -> Transaction:
    return party.transaction("did.create", DidCreate(operation=party.operation).to_json(), nonce, **changes)


def _publish(
    period: int = 0, key: spseq.SecretKey = KEY, nonce: int = 1, now_ms: int = START_MS, **changes: Any
) -> Transaction:
    fields: dict[str, Any] = {"period": period, "key": key.public().to_bytes()}
    fields["pop"] = spseq.prove_possession(key, CHAIN, ALPHA.did, "credential", period)
    payload = IssuerPublish(**(fields | changes)).to_json()
    return ALPHA.transaction("issuer.publish", payload, nonce, now_ms=now_ms)


def test_a_did_certifies_itself_and_resolves(chain: Chain) -> None:
    assert chain.run(_create()) == "ok"
    record = read_did(chain.machine.state, PERSON.did)
    assert did_of(PERSON.operation) == record.did
    document = did_document(record)
    assert document["id"] == PERSON.did
    assert document["authentication"] == document["assertionMethod"] == [f"{PERSON.did}#key-1"]
    assert document["verificationMethod"][0]["publicKeyMultibase"].startswith("z6Mk")
    assert resolve_key(chain.machine.state, f"{PERSON.did}#key-1") == ed25519.public_key(PERSON.seed)


def test_a_did_is_created_once(chain: Chain) -> None:
    assert chain.run(_create()) == "ok"
    assert chain.run(_create(nonce=2)) == "did_exists"


def test_somebody_else_cannot_create_it(chain: Chain) -> None:
    stolen = ALPHA.transaction("did.create", DidCreate(operation=PERSON.operation).to_json(), 1)
    assert chain.run(stolen) != "ok"
    assert chain.run(_create(sender=BETA.did)) != "ok"
    with pytest.raises(LianzhengError, match="did_unknown"):
        read_did(chain.machine.state, PERSON.did)


def test_an_operation_of_another_network_is_refused(chain: Chain) -> None:
    stranger = Party("stranger", chain_id="other-net", key_id="#key-1")
    assert chain.run(_create(stranger, chain_id=CHAIN)) != "ok"


def test_ids_in_an_operation_are_distinct() -> None:
    key = PERSON.operation.keys[0]
    with pytest.raises(LianzhengError, match="field_invalid"):
        CreationOperation.from_json({**PERSON.operation.to_json(), "keys": [key.to_json(), key.to_json()]})


def test_every_part_of_the_operation_enters_the_did() -> None:
    operation = PERSON.operation
    other_key = ed25519_key("#key-1", bytes(range(32)), "authentication")
    for change in ({"salt": b"\3" * 32}, {"network": "x"}, {"keys": (other_key,)}):
        try:
            assert did_of(operation.model_copy(update=change)) != PERSON.did
        except LianzhengError as error:
            assert error.code == "did_invalid"


def test_an_issuer_has_one_key_a_period(chain: Chain) -> None:
    assert chain.run(_publish()) == "ok"
    assert chain.machine.state.get(issuer_state_key(ALPHA.did, 0)) is not None
    assert chain.run(_publish(nonce=2, key=spseq.SecretKey.generate())) == "issuer_key_exists"
    assert chain.run(_publish(period=1, nonce=3)) == "ok"


@pytest.mark.parametrize("period", [2, 9])
def test_a_key_for_a_later_period_is_refused(chain: Chain, period: int) -> None:
    assert chain.run(_publish(period=period)) == "issuer_period_invalid"


def test_a_key_for_a_past_period_is_refused(chain: Chain) -> None:
    later = START_MS + CREDENTIAL_PERIOD_MS
    assert chain.run(_publish(now_ms=later), later) == "issuer_period_invalid"


def test_a_multiple_of_a_key_without_possession_is_refused(chain: Chain) -> None:
    multiple = b"".join((point * 5).to_bytes() for point in KEY.public())
    assert chain.run(_publish_bytes(multiple)) == "possession_invalid"


def _publish_bytes(key: bytes) -> Transaction:
    pop = spseq.prove_possession(KEY, CHAIN, ALPHA.did, "credential", 0)
    return ALPHA.transaction("issuer.publish", IssuerPublish(period=0, key=key, pop=pop).to_json(), 1)


@pytest.mark.parametrize(
    ("member", "purpose", "period", "network"),
    [(BETA.did, "credential", 0, CHAIN), (ALPHA.did, "gate", 0, CHAIN), (ALPHA.did, "credential", 1, CHAIN),
     (ALPHA.did, "credential", 0, "other")],
)  # fmt: skip
def test_possession_shown_for_something_else_is_refused(
    chain: Chain, member: str, purpose: str, period: int, network: str
) -> None:
    pop = spseq.prove_possession(KEY, network, member, purpose, period)
    assert chain.run(_publish(pop=pop)) == "possession_invalid"


@pytest.mark.parametrize("bad", [bytes(96), b"\xc0" + bytes(95), b"\xff" * 96])
def test_points_of_a_key_are_checked(chain: Chain, bad: bytes) -> None:
    good = G2.generator().to_bytes()
    code = chain.run(_publish_bytes(good + good + bad))
    assert code in ("point_malformed", "point_identity", "point_not_in_subgroup")


def test_only_members_issue(chain: Chain) -> None:
    assert chain.run(_create()) == "ok"
    payload = IssuerPublish(
        period=0,
        key=KEY.public().to_bytes(),
        pop=spseq.prove_possession(KEY, CHAIN, PERSON.did, "credential", 0),
    )
    assert chain.run(PERSON.transaction("issuer.publish", payload.to_json(), 2)) != "ok"
    assert chain.machine.state.get(issuer_state_key(PERSON.did, 0)) is None
