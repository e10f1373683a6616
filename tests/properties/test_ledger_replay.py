"""One recorded chain gives the same application hashes whatever the hash seed of the process (LED-1)."""

from __future__ import annotations

from process_kit import outputs_under_hash_seeds

SCRIPT = """
from ledger_kit import *
from lianzheng.contracts.machine import Machine
from lianzheng.evidence.model import AnchorPayload, anchor_digest

machine = Machine(make_genesis())
previous = {party.did: None for party in PARTIES}
person = Party("person", key_id="#key-1")
for height in range(1, 9):
    block = []
    for party in PARTIES:
        payload = anchor_payload(previous[party.did], height)
        block.append(party.transaction("evidence.anchor", payload, 3 * height).to_bytes())
        previous[party.did] = anchor_digest(party.did, AnchorPayload.from_json(payload))
        block.append(party.transaction("member.update", update_payload(height, party.name), 3 * height + 1).to_bytes())
        block.append(party.transaction("agreement.sign", agreement_payload(), 3 * height + 2).to_bytes())
    block.append(person.transaction("did.create", {"operation": person.operation.to_json()}, height).to_bytes())
    results = machine.execute_block(height, START_MS + height, block)
    print(machine.app_hash().hex(), [result.code for result in results])
"""


def test_replay_under_two_hash_seeds() -> None:
    first, second = outputs_under_hash_seeds(SCRIPT)
    assert first == second
    lines = first.splitlines()
    assert len(lines) == 8 and len({line.split()[0] for line in lines}) == 8
    assert "agreement_already_signed" in lines[1] and "did_exists" in lines[1]
