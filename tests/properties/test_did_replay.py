"""A chain of DID changes gives the same application hashes whatever the hash seed of the process (LED-1)."""

from __future__ import annotations

from process_kit import outputs_under_hash_seeds

SCRIPT = """
from did_kit import Holder, Network
from lianzheng.identity.did.model import commitment

network = Network()
bosses = [network.created(Holder(f"boss {number}")) for number in range(3)]
control = {"controllers": tuple(sorted(boss.did for boss in bosses)), "threshold": 3}
ruled = network.created(Holder("ruled", control=control))
alone = network.created(Holder("alone", next_keys=2, recovery=True))
keys = (ruled.key(0), ruled.key(1, "#more"))
codes = [
    network.update(ruled, sender=bosses[0], approvals=(bosses[1],), keys=keys),
    network.update(ruled, sender=bosses[0], approvals=(bosses[1], bosses[2]), keys=keys),
    network.update(alone, signer=1, keys=(alone.key(1), alone.key(2, "#more")), control={}),
    network.update(Holder.named("alpha"), services=()),
    network.deactivate(alone, signer=1),
]
print(network.machine.app_hash().hex(), codes)
"""


def test_replay_under_two_hash_seeds() -> None:
    first, second = outputs_under_hash_seeds(SCRIPT)
    assert first == second
    assert first.endswith("['approvals_missing', 'ok', 'ok', 'ok', 'ok']\n"), first
