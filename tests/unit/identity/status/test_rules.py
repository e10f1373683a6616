"""``status.publish`` on the ledger: forward only, by the issuer, in every phase in which evidence is kept."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_kit import ALPHA, BETA, START_MS, Party, make_genesis
from lianzheng.contracts.machine import Machine
from lianzheng.identity.status.model import StatusListRecord, StatusPublish, status_state_key


class Chain:
    def __init__(self) -> None:
        self.machine = Machine(make_genesis(schema=2))
        self.height = 0
        self.nonces: dict[str, int] = {}

    def publish(self, by: Party, version: int, name: str = "revocation-0", digest: bytes = b"\1" * 32) -> str:
        self.nonces[by.name] = self.nonces.get(by.name, 0) + 1
        payload = StatusPublish(name=name, version=version, digest=digest).to_json()
        return self.send(by, payload, self.nonces[by.name])

    def send(self, by: Party, payload: dict[str, Any], nonce: int) -> str:
        self.height += 1
        transaction = by.transaction("status.publish", payload, nonce)
        return self.machine.execute_block(self.height, START_MS + 1000, [transaction.to_bytes()])[0].code

    def record(self, by: Party, name: str = "revocation-0") -> StatusListRecord:
        value = self.machine.state.get(status_state_key(by.did, name))
        assert value is not None
        return StatusListRecord.from_json(value)


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_a_list_moves_one_version_at_a_time(chain: Chain) -> None:
    assert chain.publish(ALPHA, 1) == "ok"
    assert chain.publish(ALPHA, 2, digest=b"\2" * 32) == "ok"
    record = chain.record(ALPHA)
    assert (record.version, record.digest, record.published_ms) == (2, b"\2" * 32, START_MS + 1000)
    for version in (1, 2, 4):
        assert chain.publish(ALPHA, version) == "status_version_stale"
    assert chain.record(ALPHA) == record


def test_lists_of_two_issuers_and_two_names_are_apart(chain: Chain) -> None:
    assert chain.publish(ALPHA, 1) == chain.publish(BETA, 1, digest=b"\3" * 32) == "ok"
    assert chain.publish(ALPHA, 1, name="suspension-0") == "ok"
    assert chain.record(BETA).digest == b"\3" * 32
    assert chain.record(ALPHA).digest == b"\1" * 32


def test_a_person_publishes_no_list(chain: Chain) -> None:
    assert chain.publish(Party("person", key_id="#key-1"), 1) != "ok"


@pytest.mark.parametrize("change", [{"version": 0}, {"digest": "AAAA"}, {"name": "Zhang San"}, {"surplus": 1}])
def test_payloads_of_another_form_are_refused(chain: Chain, change: dict[str, Any]) -> None:
    payload = StatusPublish(name="revocation-0", version=1, digest=b"\1" * 32).to_json()
    assert chain.send(ALPHA, {**payload, **change}, 1) == "field_invalid"
