"""Who orders under CometBFT and with what power: one rule for state and genesis (CON-7).

Each control group has a power of 2520, split equally among those of its members that run a validator, the remainder
to the lowest DID: 2520 is divisible by 1 to 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.binary import multibase_encode
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.ledger.cometbft.encoding import address_of
from lianzheng.ledger.cometbft.model import Validator
from lianzheng.ledger.genesis import Genesis

__all__ = ["GROUP_POWER", "VALIDATOR_KEY_ID", "Claim", "genesis_validators", "in_order", "owners", "powers"]

GROUP_POWER = 2520
VALIDATOR_KEY_ID = "#validator"
"""A member runs a validator if its DID has a key of this name."""


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A member names a key as its validator's."""

    since_ms: int
    did: str
    key: bytes
    group: str


def owners(claims: Iterable[Claim]) -> dict[str, Claim]:
    """The claim that stands for each member, by DID: a key belongs to the member whose DID had it first."""
    first: dict[bytes, Claim] = {}
    for claim in sorted(claims):
        first.setdefault(claim.key, claim)
    return {claim.did: claim for claim in sorted(first.values(), key=lambda one: one.did)}


def powers(claims: Iterable[Claim]) -> dict[bytes, int]:
    """Power by validator key (CON-7)."""
    groups: dict[str, list[Claim]] = {}
    for claim in owners(claims).values():
        groups.setdefault(claim.group, []).append(claim)
    found: dict[bytes, int] = {}
    for members in groups.values():
        share, rest = divmod(GROUP_POWER, len(members))
        for index, claim in enumerate(members):  # in the order of DIDs
            found[claim.key] = share + (rest if index == 0 else 0)
    return found


def in_order(found: dict[bytes, int]) -> tuple[Validator, ...]:
    """A set in the engine's order: most power first, then by address."""
    places = sorted(found.items(), key=lambda one: (-one[1], address_of(one[0])))
    return tuple(Validator(key=key, power=power) for key, power in places)


def genesis_validators(genesis: Genesis) -> tuple[Validator, ...]:
    """The validators of the first block, in the engine's order."""
    claims: list[Claim] = []
    for member in genesis.members:
        operation = member.did_operation
        did = f"did:lz:{operation['network']}:{multibase_encode(sha256('did', encode(operation)))}"
        for key in operation["keys"]:
            if key["id"] == VALIDATOR_KEY_ID:
                public = decode_multikey(key["multikey"], ED25519_PUB)
                claims.append(Claim(genesis.time_ms, did, public, member.control_group))
    return in_order(powers(claims))
