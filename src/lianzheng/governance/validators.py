"""Who orders transactions under CometBFT, read off the state, so that every node says the same (CON-7)."""

from __future__ import annotations

from collections.abc import Iterable

from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import ConflictError
from lianzheng.identity.did.model import MethodKey
from lianzheng.identity.model import did_state_key
from lianzheng.ledger.cometbft.powers import VALIDATOR_KEY_ID, Claim, owners, powers
from lianzheng.ledger.context import StateView

__all__ = ["VALIDATOR_KEY_ID", "require_free_validator_key", "validator_powers", "validators_by_member"]


def validators_by_member(state: StateView) -> dict[str, bytes]:
    """The validator's Ed25519 key of each active member that runs one, by DID."""
    return {did: claim.key for did, claim in owners(_claims(state)).items()}


def validator_powers(state: StateView) -> dict[bytes, int]:
    """Power by validator key."""
    return powers(_claims(state))


def require_free_validator_key(state: StateView, did: str, keys: Iterable[MethodKey]) -> None:
    """Return only if no other member's DID names the validator key among ``keys``: one twice is fatal to the chain.

    Raises ``ConflictError`` ``validator_key_in_use``.
    """
    own = {key.multikey for key in keys if key.id == VALIDATOR_KEY_ID}
    for _, member in state.scan("member/") if own else ():
        record = state.get(did_state_key(member["did"]))
        if member["did"] == did or record is None:
            continue
        if any(key["id"] == VALIDATOR_KEY_ID and key["multikey"] in own for key in record["keys"]):
            raise ConflictError("validator_key_in_use", "Another member's validator has this key.")


def _claims(state: StateView) -> list[Claim]:
    claims: list[Claim] = []
    for _, member in state.scan("member/"):
        record = state.get(did_state_key(member["did"])) if member["phase"] == "active" else None
        if record is None or record["status"] != "active":
            continue
        for key in record["keys"]:
            if key["id"] == VALIDATOR_KEY_ID:
                public = decode_multikey(key["multikey"], ED25519_PUB)
                claims.append(Claim(record["created_ms"], member["did"], public, member["control_group"]))
    return claims
