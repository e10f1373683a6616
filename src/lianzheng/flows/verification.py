"""Verifying credentials and presentations under the product's strict policy: form, proofs, kind, trust, status.

What needs others (documents of did:web, status lists) is fetched first; each verification then runs in one thread
without waiting for anybody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError, VerificationError
from lianzheng.flows.keyring import KeyFinder
from lianzheng.flows.trust import Trust, trust_of
from lianzheng.identity.credentials.datamodel import issuer_of, listed
from lianzheng.identity.credentials.ecdsa_sd import CRYPTOSUITE as SELECTIVE
from lianzheng.identity.credentials.kinds import Kind, check_kind, kind_of
from lianzheng.identity.credentials.verifier import CredentialPolicy, VerifiedCredential, open_presentation, verify_vc
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolution.keys import KeyUse

__all__ = ["CredentialVerifier", "Demand", "PresentationVerdict", "StatusChecker", "Verdict"]


class StatusChecker(Protocol):
    """Says whether a credential was taken back."""

    async def check(self, credential: JsonObject) -> tuple[str, ...]:
        """Purposes that are set without taking it back. Raises as ``identity.status.lists.check_status``."""


@dataclass(frozen=True)
class Demand:
    """What the caller asks for, beside the product's rules.

    ``methods``: DID methods of signers that are looked at. ``issuers``: whom the caller trusts by itself, whatever
    the ledger says. ``kinds``: only these, where any are named. ``suites``: a credential carries a proof of each, for a
    verifier that counts on one of a dual credential's two worlds. Of a presentation: ``challenge``, ``domain``, and
    ``any_subject``, where credentials about others than the holder are taken too.
    """

    methods: frozenset[str] = frozenset({"lz"})
    issuers: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    suites: frozenset[str] = frozenset()
    challenge: str | None = None
    domain: str | None = None
    any_subject: bool = False


@dataclass(frozen=True)
class Verdict:
    """A credential that holds: what it says, of which kind, by which rule it is believed, under which keys."""

    credential: VerifiedCredential
    kind: Kind | None
    trust: Trust
    keys: tuple[KeyUse, ...]
    notes: tuple[str, ...]
    """Purposes of status entries that are set without taking it back: ``refresh``, ``message``."""

    @property
    def document(self) -> JsonObject:
        """What was signed; of an envelope its content."""
        return self.credential.document


@dataclass(frozen=True)
class PresentationVerdict:
    """A presentation that holds, who presents, and the verdict on each credential in it."""

    document: JsonObject
    holder: str
    credentials: tuple[Verdict, ...]


class CredentialVerifier:
    """Verifies at this node's head, as the member ``me``."""

    def __init__(self, me: str, ledger: LedgerReader, keys: KeyFinder, status: StatusChecker, clock: Clock) -> None:
        self._me = me
        self._ledger = ledger
        self._keys = keys
        self._status = status
        self._clock = clock

    async def verify_credential(self, document: JsonObject, demand: Demand | None = None) -> Verdict:
        """The credential holds now, under the product's policy.

        Raises as ``verify_vc``, ``ledger_key``, ``check_kind``, ``trust_of`` and ``StatusChecker.check``;
        ``issuer_method_refused``, ``credential_kind_refused``, ``proof_key_past``.
        """
        demand = demand or Demand()
        ring = await self._keys.keys_of(document, "assertionMethod", demand.methods)
        # Of our kinds the context is known and the claims are listed: every word has a meaning without JSON-LD.
        linked = kind_of(document) is None
        policy = CredentialPolicy(self._clock.now_ms(), ring, linked=linked, required_suites=demand.suites)
        verified = await asyncio.to_thread(verify_vc, document, policy)
        signed, kind = verified.document, kind_of(verified.document)
        if demand.kinds and (kind is None or kind.name not in demand.kinds):
            raise RefusedError("credential_kind_refused", "The credential is of another kind than was asked for.")
        if kind is not None:
            derived = any(proof.cryptosuite == SELECTIVE for proof in verified.proofs)
            check_kind(signed, kind, disclosed=derived)
        trust = trust_of(self._ledger.state, signed, kind, issuer_of(signed), self._me, demand.issuers)
        if any(use.past for use in ring.uses):
            _require_recallable(signed)
        return Verdict(verified, kind, trust, ring.uses, await self._status.check(signed))

    async def verify_presentation(self, document: JsonObject, demand: Demand) -> PresentationVerdict:
        """The presentation answers ``demand.challenge`` for ``demand.domain``, and every credential in it holds.

        Raises as :meth:`verify_credential` and ``open_presentation``; ``presentation_empty``,
        ``presentation_subject_mismatch``.
        """
        ring = await self._keys.keys_of(document, "authentication", demand.methods)
        policy = CredentialPolicy(self._clock.now_ms(), ring, domain=demand.domain, challenge=demand.challenge)
        opened, proofs, inside = await asyncio.to_thread(open_presentation, document, policy)
        if not inside:
            raise VerificationError("presentation_empty", "The presentation holds no credential.")
        holders = {proof.controller for proof in proofs}
        if len(holders) != 1:
            raise VerificationError("presentation_holder_mismatch", "The presentation is signed by several parties.")
        verdicts = [await self.verify_credential(one, demand) for one in inside]
        holder = holders.pop()
        if not demand.any_subject and not all(_is_about(verdict.document, holder) for verdict in verdicts):
            raise VerificationError("presentation_subject_mismatch", "A credential is about another than the holder.")
        return PresentationVerdict(opened, holder, tuple(verdicts))


def _is_about(document: JsonObject, holder: str) -> bool:
    subjects = listed(document.get("credentialSubject"))
    return all(isinstance(one, dict) and one.get("id") == holder for one in subjects)


def _require_recallable(document: JsonObject) -> None:
    """A signature under a key of the past can be backdated by who holds that key: its issuer must be able to answer.

    Raises ``VerificationError`` ``proof_key_past``.
    """
    entries = listed(document.get("credentialStatus", []))
    if "validUntil" in document and any(
        isinstance(one, dict) and one.get("statusPurpose") == "revocation" for one in entries
    ):
        return
    raise VerificationError(
        "proof_key_past",
        "The key was rotated out, and the credential has no end or no entry by which its issuer could revoke it.",
        next_step="Ask the issuer to issue the credential again.",
    )
