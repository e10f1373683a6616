"""A credential checked without network: the issuer's keys come from a resolution result that carries its proof.

Resolution result → proofs of the ledger's state → the trust file's signers (LED-6, EV-4). What needs a node is not
looked at: whether the issuer is believed, and whether the credential was taken back since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.datamodel import issuer_of
from lianzheng.identity.credentials.proofs import Proven
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.did.model import DidRecord, did_state_key
from lianzheng.identity.resolution.did_lz import PROOF_TYPE
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.ledger.answers import StateAnswer
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.cometbft import parse_head
from lianzheng.verify.proofs import verify_proof

__all__ = ["OfflineVerdict", "verify_offline"]

_PROOFS_MAX = 4
"""Entries that prove a version: the present one, its own, the next; one to spare."""


@dataclass(frozen=True, slots=True)
class OfflineVerdict:
    """Proofs that hold under keys of the issuer's DID, as it stood at the block time ``proven_ms``."""

    issuer: str
    version: int
    proven_ms: int
    proofs: tuple[Proven, ...]


def verify_offline(
    credential: JsonObject, resolution: JsonObject, trust: bytes, now_ms: int, suites: frozenset[str] = frozenset()
) -> OfflineVerdict:
    """``credential`` is well formed, valid at ``now_ms``, and its issuer's by keys that the ledger proves.

    ``suites``: cryptosuites of which it must carry a proof each. Raises ``VerificationError``
    ``resolution_unproven``, and those of ``verify_proof``, ``ledger_key`` and ``verify_vc``.
    """
    state = _Proven(resolution, trust)
    policy = CredentialPolicy(
        now_ms, lambda method, purpose: ledger_key(state, method, purpose).key, required_suites=suites
    )
    proofs = verify_vc(credential, policy).proofs
    issuer = issuer_of(credential)
    place = did_state_key(issuer)
    record = DidRecord.from_json(state.get(place) or {})
    return OfflineVerdict(issuer, record.version, state.proven_ms(place), proofs)


class _Proven:
    """The entries of the ledger's state that a resolution result proves, and no others."""

    def __init__(self, resolution: JsonObject, trust: bytes) -> None:
        self._entries: dict[str, tuple[JsonObject | None, int]] = {}
        for one in _answers(resolution):
            answer = verify_proof(encode(one), trust)
            # Of two answers about one entry the older may be true no more: which of them counts is not for its sender.
            if not isinstance(answer, StateAnswer) or answer.key in self._entries:
                raise _unproven()
            self._entries[answer.key] = (answer.value, _head_ms(answer.head))

    def proven_ms(self, key: str) -> int:
        """Block time at which the entry stood so; another entry's proof makes this one no younger."""
        return self._entry(key)[1]

    def get(self, key: str) -> JsonObject | None:
        """As ``StateView.get``. Raises ``VerificationError`` ``resolution_unproven`` for what was not proven."""
        return self._entry(key)[0]

    def _entry(self, key: str) -> tuple[JsonObject | None, int]:
        if key not in self._entries:
            raise _unproven()
        return self._entries[key]

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        """Nothing: that a list is whole is not proven."""
        return iter(())


def _answers(resolution: JsonObject) -> list[Any]:
    metadata = resolution.get("didResolutionMetadata")
    proofs = metadata.get("proof") if isinstance(metadata, dict) else None
    if not isinstance(proofs, list) or not 0 < len(proofs) <= _PROOFS_MAX:
        raise _unproven()
    if not all(isinstance(one, dict) and one.get("type") == PROOF_TYPE for one in proofs):
        raise _unproven()
    return [one.get("stateAnswer") for one in proofs]


def _head_ms(value: JsonObject) -> int:
    try:
        head = parse_head(value)
    except FormatError as error:  # verified before, so that it cannot happen
        raise _unproven() from error
    if isinstance(head, SignedHead):
        return head.head.time_ms
    return head.header.time.seconds * 1000 + head.header.time.nanos // 1_000_000


def _unproven() -> VerificationError:
    return VerificationError(
        "resolution_unproven",
        "The resolution result does not prove what the ledger holds for the signer's DID.",
        next_step="Resolve the issuer's DID with proofs: `lianzheng did resolve`.",
    )
