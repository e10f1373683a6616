"""One recorded chain gives the same application hashes whatever the hash seed of the process (LED-1)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
    repository = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(repository / "src"), str(repository / "tests")])
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    lines = outputs[0].splitlines()
    assert len(lines) == 8 and len({line.split()[0] for line in lines}) == 8
    assert "agreement_already_signed" in lines[1] and "did_exists" in lines[1]
