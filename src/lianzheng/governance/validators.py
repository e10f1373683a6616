"""Who orders transactions under CometBFT, and with what power: read off the state, so that every node says the same.

A member runs a validator if its DID has a key ``#validator``. Each control group has a power of 2520, split equally
among those of its active members that run one, the remainder to the lowest DID (CON-7): 2520 is divisible by 1 to 10.
"""

from __future__ import annotations

from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.identity.model import did_state_key
from lianzheng.ledger.context import StateView

__all__ = ["GROUP_POWER", "VALIDATOR_KEY_ID", "validator_powers", "validators_by_member"]

GROUP_POWER = 2520
VALIDATOR_KEY_ID = "#validator"


def validators_by_member(state: StateView) -> dict[str, bytes]:
    """The validator's Ed25519 key of each active member that runs one, by DID.

    A key stands for the member whose DID had it first; a later one that names the same key runs none.
    """
    claims: list[tuple[int, str, bytes]] = []
    for _, member in state.scan("member/"):
        record = state.get(did_state_key(member["did"])) if member["phase"] == "active" else None
        if record is None or record["status"] != "active":
            continue
        for key in record["keys"]:
            if key["id"] == VALIDATOR_KEY_ID:
                claims.append((record["created_ms"], member["did"], decode_multikey(key["multikey"], ED25519_PUB)))
    owners: dict[bytes, str] = {}
    for _, did, public in sorted(claims):
        owners.setdefault(public, did)
    return {did: public for public, did in sorted(owners.items(), key=lambda item: item[1])}


def validator_powers(state: StateView) -> dict[bytes, int]:
    """Power by validator key (CON-7)."""
    keys = validators_by_member(state)
    groups: dict[str, list[str]] = {}
    for _, member in state.scan("member/"):
        if member["did"] in keys:
            groups.setdefault(member["control_group"], []).append(member["did"])
    powers: dict[bytes, int] = {}
    for dids in groups.values():
        share, rest = divmod(GROUP_POWER, len(dids))
        for index, did in enumerate(sorted(dids)):
            powers[keys[did]] = share + (rest if index == 0 else 0)
    return powers
