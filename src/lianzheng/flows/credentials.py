"""The member's credential desk: issue, verify, derive, present, take back. HTTP, CLI and OpenID all stand on it."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from typing import Any

from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import FormatError, UnavailableError, VerificationError
from lianzheng.flows.credential_keys import CredentialKeys, CredentialKind
from lianzheng.flows.status_lists import StatusDesk
from lianzheng.flows.trust import trust_of
from lianzheng.flows.verification import CredentialVerifier, Demand, PresentationVerdict, Verdict
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.identity.credentials import CONTEXT, ecdsa_sd
from lianzheng.identity.credentials.datamodel import check_credential, check_presentation, issuer_of
from lianzheng.identity.credentials.enveloped import envelop
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.kinds import Kind, check_kind, require_kind, schema_entry
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof, proofs_of
from lianzheng.identity.credentials.selection import check_pointers
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.identity.status.ports import StatusStore

__all__ = ["ENVELOPE", "CredentialDesk", "IssueOptions"]

ENVELOPE = "vc+jwt"
"""In the place of a cryptosuite: the credential as the payload of a JWS."""
_ALONE = {ENVELOPE, ecdsa_sd.CRYPTOSUITE}
"""An envelope has no set of proofs; a base proof is for the holder, who could show nothing without it."""
_STATUS_SCHEMA = 2
"""The first schema of the ledger with ``status.publish``."""
_OURS = ("credentialSchema", "credentialStatus", "proof")
"""What the desk puts in; who asks for a credential may not."""


@dataclass(frozen=True)
class IssueOptions:
    """How a credential is secured; ``status``: whether it can be taken back.

    ``mandatory``: what the holder of an ecdsa-sd-2023 credential must always show, beside what every verifier needs.
    ``beside``: further cryptosuites, of which the credential carries a proof each, every one over the same document.
    """

    cryptosuite: str = "eddsa-jcs-2022"
    status: bool = True
    mandatory: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def cryptosuites(self) -> tuple[str, ...]:
        """All of them. Raises ``FormatError`` ``cryptosuites_apart`` for what cannot stand in one set of proofs."""
        names = (self.cryptosuite, *self.beside)
        if len({*names}) < len(names) or (self.beside and _ALONE & {*names}):
            raise FormatError(
                "cryptosuites_apart",
                "These cryptosuites do not stand beside each other in one credential.",
                next_step="Name each once; ecdsa-sd-2023 and vc+jwt stand alone.",
            )
        return names


class CredentialDesk:
    """What one member does with credentials, under its own DID and key."""

    def __init__(
        self,
        me: str,
        keys: CredentialKeys,
        verifier: CredentialVerifier,
        status: StatusDesk,
        store: StatusStore,
        ledger: LedgerReader,
        clock: Clock,
    ) -> None:
        self._me = me
        self._keys = keys
        self._verifier = verifier
        self._status = status
        self._store = store
        self._ledger = ledger
        self._clock = clock

    @property
    def did(self) -> str:
        """The member."""
        return self._me

    async def issue(self, credential: JsonObject, options: IssueOptions | None = None) -> JsonObject:
        """``credential`` completed, secured and noted: of one of the alliance's kinds, about whom it names, by this
        member, with its schema and with entries by which it can be taken back.

        ``@context``, ``id``, ``issuer`` and ``validFrom`` are filled in where they are missing. Raises
        ``FormatError``: ``credential_kind_unknown``, ``credential_member_reserved`` and those of the data model;
        ``VerificationError``: ``credential_issuer_mismatch``, ``credential_schema_invalid``, ``issuer_not_trusted``,
        ``cryptosuite_unknown``; ``cryptosuites_apart``; as ``CredentialKeys.signer``; ``ConflictError``
        ``credential_exists``; ``UnavailableError`` ``credential_key_changed``; as ``StatusDesk.allocate``.
        """
        options = options or IssueOptions()
        now_ms = max(self._clock.now_ms(), self._ledger.now_block_ms())  # never before the version that has our key
        kind, unsigned = self._complete(credential, now_ms)
        signers = {name: self._keys.signer(name) for name in options.cryptosuites}
        await asyncio.to_thread(check_credential, unsigned)
        check_kind(unsigned, kind)
        trust_of(self._ledger.state, unsigned, kind, self._me, self._me)
        if options.status:
            unsigned["credentialStatus"] = await self._status.allocate(unsigned["id"])
        issued = await asyncio.to_thread(self._secure, unsigned, options, now_ms, signers)
        await asyncio.to_thread(self._check_own, issued, options, now_ms)
        subject = str(unsigned["credentialSubject"].get("id", ""))
        digest = sha256_raw(encode_w3c(issued))
        await self._store.add_issued(unsigned["id"], kind.name, subject, digest, now_ms)
        return issued

    async def rotate_key(self, kind: CredentialKind = "selective") -> str:
        """As ``CredentialKeys.rotate``."""
        return await self._keys.rotate(kind)

    async def verify_credential(self, document: JsonObject, demand: Demand | None = None) -> Verdict:
        """As ``CredentialVerifier.verify_credential``."""
        return await self._verifier.verify_credential(document, demand)

    async def verify_presentation(self, document: JsonObject, demand: Demand) -> PresentationVerdict:
        """As ``CredentialVerifier.verify_presentation``."""
        return await self._verifier.verify_presentation(document, demand)

    async def derive(self, credential: JsonObject, pointers: Any) -> JsonObject:
        """A copy that shows what ``pointers`` (RFC 6901) and the issuer's mandatory ones reach.

        Raises ``FormatError``: ``proof_not_base``, ``pointer_invalid``, ``pointer_unknown``, ``disclosure_empty``.
        """
        return await asyncio.to_thread(_derive, credential, pointers)

    async def present(self, presentation: JsonObject, challenge: str, domain: str | None) -> JsonObject:
        """The member's own presentation, answering a verifier's ``challenge`` for its ``domain``.

        Raises ``FormatError`` ``credential_member_reserved``, ``presentation_malformed``; ``VerificationError``
        ``presentation_holder_mismatch``.
        """
        if "proof" in presentation:
            raise _reserved("proof")
        whole = {
            "@context": [CONTEXT[0]],
            "type": ["VerifiablePresentation"],
            "holder": self._me,
            **presentation,
        }
        holder = whole["holder"]
        if (holder.get("id") if isinstance(holder, dict) else holder) != self._me:
            raise VerificationError("presentation_holder_mismatch", "This member presents for itself only.")
        now_ms = max(self._clock.now_ms(), self._ledger.now_block_ms())
        options = ProofOptions(
            "eddsa-jcs-2022", rfc3339(now_ms), purpose="authentication", domain=domain, challenge=challenge
        )
        return await asyncio.to_thread(_present, whole, self._keys.signer("eddsa-jcs-2022"), options)

    async def allocate_status(self, credential_id: str) -> list[JsonObject]:
        """As ``StatusDesk.allocate``, for credentials that another desk signs, such as enrolment's.

        Empty while the network's schema has no status lists: enrolment goes on without.
        """
        network = self._ledger.state.get(NETWORK_KEY)
        if network is None or network["schema"] < _STATUS_SCHEMA:
            return []
        return await self._status.allocate(credential_id)

    async def set_status(self, credential_id: str, purpose: str, value: bool) -> int:
        """As ``StatusDesk.set_status``."""
        return await self._status.set_status(credential_id, purpose, value)

    async def publish_statuses(self) -> None:
        """As ``StatusDesk.publish_all``."""
        await self._status.publish_all()

    async def status_list(self, name: str) -> bytes:
        """As ``StatusDesk.document``."""
        return await self._status.document(name)

    def _complete(self, credential: JsonObject, now_ms: int) -> tuple[Kind, JsonObject]:
        for name in _OURS:
            if name in credential:
                raise _reserved(name)
        whole: JsonObject = {
            "@context": [CONTEXT[0], dict(CONTEXT[1])],
            "id": f"urn:uuid:{uuid.uuid4()}",
            "issuer": self._me,
            "validFrom": rfc3339(now_ms),
            **credential,
        }
        kind = require_kind(whole)
        if issuer_of(whole) != self._me:
            raise VerificationError("credential_issuer_mismatch", "This member issues in its own name only.")
        return kind, {**whole, "credentialSchema": schema_entry(kind)}

    def _secure(
        self, unsigned: JsonObject, options: IssueOptions, now_ms: int, signers: dict[str, ProofSigner]
    ) -> JsonObject:
        if options.cryptosuite == ENVELOPE:
            return envelop(unsigned, signers[ENVELOPE])
        made = unsigned
        for cryptosuite, signer in signers.items():
            proof = ProofOptions(cryptosuite, created=rfc3339(now_ms))
            if cryptosuite == ecdsa_sd.CRYPTOSUITE:
                shown = [f"/{name}" for name in unsigned if name not in {"@context", "credentialSubject"}]
                always = dict.fromkeys((*shown, "/credentialSubject/id", *options.mandatory))
                proof = replace(proof, mandatory_pointers=check_pointers(tuple(always)))
            made = create_proof(made, signer, proof)
        return made

    def _check_own(self, issued: JsonObject, options: IssueOptions, now_ms: int) -> None:
        """What leaves the house verifies. It does not where the key was rotated while it was signed."""
        if options.cryptosuite == ecdsa_sd.CRYPTOSUITE:
            return  # a base proof verifies for nobody
        state, second = self._ledger.state, now_ms // 1000 * 1000 + 999
        policy = CredentialPolicy(
            now_ms, lambda method, purpose: ledger_key(state, method, purpose, second).key, linked=False
        )
        try:
            verify_vc(issued, policy)
        except VerificationError as error:
            raise UnavailableError(
                "credential_key_changed",
                "This member's key was changed while the credential was signed.",
                next_step="Ask for it again.",
                detail=error.code,
            ) from error


def _derive(credential: JsonObject, pointers: Any) -> JsonObject:
    check_credential(credential)
    chosen = check_pointers(pointers)
    proofs = [proof for proof in proofs_of(credential) if proof.get("cryptosuite") == ecdsa_sd.CRYPTOSUITE]
    if len(proofs) != 1 or not isinstance(proofs[0].get("proofValue"), str):
        raise FormatError("proof_not_base", "The credential has not one base proof, from which one could derive.")
    return ecdsa_sd.derive(credential, proofs[0], chosen)


def _present(whole: JsonObject, signer: ProofSigner, options: ProofOptions) -> JsonObject:
    check_presentation(whole)
    return create_proof(whole, signer, options)


def _reserved(name: str) -> FormatError:
    return FormatError(
        "credential_member_reserved", f"{name} is put in by the issuing node.", next_step="Leave it out."
    )
