"""What the conformance routes do, without HTTP: issue, verify, derive, present, set a status.

Proofs are checked alone (the key need not be the issuer's): published vectors name issuers that are no DIDs.
"""

from __future__ import annotations

from typing import Any

from lianzheng.api.conformance.issuers import ENVELOPE, STATUS_PROFILE, Issuer, Issuers
from lianzheng.clock import Clock
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, NotFoundError, VerificationError
from lianzheng.identity.credentials import ecdsa_sd
from lianzheng.identity.credentials.datamodel import check_credential, check_presentation, issuer_of, listed
from lianzheng.identity.credentials.enveloped import ENVELOPED_PRESENTATION, envelop
from lianzheng.identity.credentials.keys import did_key
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof, proofs_of
from lianzheng.identity.credentials.selection import check_pointers
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.credentials.verifier import (
    CredentialPolicy,
    VerifiedPresentation,
    verify_presentation,
    verify_vc,
)
from lianzheng.identity.status.bitstring import new_list, set_status
from lianzheng.identity.status.lists import (
    StatusEntry,
    allocate_index,
    build_entry,
    build_list,
    check_status,
    read_entries,
)

__all__ = ["ConformanceDesk"]

_STATUS_PURPOSES = ("revocation", "suspension", "refresh", "message")


class ConformanceDesk:
    """State of one run: the issuers and one status list for each issuer and purpose."""

    def __init__(self, issuers: Issuers, clock: Clock, base_url: str) -> None:
        self._issuers = issuers
        self._clock = clock
        self._base_url = base_url
        self._lists: dict[tuple[str, str], bytearray] = {}
        self._taken: dict[tuple[str, str], set[int]] = {}

    def issue(self, profile: str, body: JsonObject) -> JsonObject:
        """The credential of ``body`` secured by the issuer of ``profile``. Raises what makes it impossible."""
        issuer = self._issuers.find(profile)
        options = _options(body)
        credential = _object(body, "credential")
        wanted = "revocation" if profile == STATUS_PROFILE and "credentialStatus" not in credential else None
        purpose = options.get("statusPurpose", wanted)
        if isinstance(purpose, str):
            credential = {**credential, "credentialStatus": self._new_entry(issuer, purpose)}
        check_credential(_with_named_digests(credential))
        read_entries(credential)
        if issuer.suite == ENVELOPE:
            return envelop(credential, issuer.signer)
        return create_proof(credential, issuer.signer, self._proof_options(issuer, options))

    def verify(self, profile: str | None, body: JsonObject) -> None:
        """Return only if the credential of ``body`` holds."""
        options = _options(body)
        if _text(options, "expectedProofPurpose") not in {None, "assertionMethod"}:
            raise VerificationError("proof_purpose_wrong", "A credential's proof serves another purpose than expected.")
        credential = _object(body, "verifiableCredential")
        _check_bound(credential, _text(options, "domain"), _text(options, "challenge"))
        verify_vc(credential, self._policy(profile, options))

    def verify_presented(self, profile: str | None, body: JsonObject) -> None:
        """Return only if the presentation of ``body`` holds, with every credential in it."""
        policy = self._policy(profile, _options(body))
        if "presentation" in body and "verifiablePresentation" not in body:
            for one in check_presentation(_object(body, "presentation")):  # nobody vouches for such a presentation
                verify_vc(one, policy)
            return
        document = _without_empty_list(_object(body, "verifiablePresentation"))
        _check_self_asserted(verify_presentation(document, policy))

    def derive(self, body: JsonObject) -> JsonObject:
        """A derived credential that shows what ``options.selectivePointers`` name."""
        credential = _object(body, "verifiableCredential")
        check_credential(credential)
        pointers = check_pointers(_options(body).get("selectivePointers", []))
        proofs = [proof for proof in proofs_of(credential) if proof.get("cryptosuite") == ecdsa_sd.CRYPTOSUITE]
        if len(proofs) != 1 or not isinstance(proofs[0].get("proofValue"), str):
            raise FormatError("proof_not_base", "The credential has not one base proof, from which one could derive.")
        return ecdsa_sd.derive(credential, proofs[0], pointers)

    def present(self, profile: str, body: JsonObject) -> JsonObject:
        """The presentation of ``body`` with the holder's proof."""
        holder = self._issuers.find(profile)
        options = _options(body)
        presentation = _object(body, "presentation")
        check_presentation(presentation)
        if holder.suite == ENVELOPE:
            claims = {"nonce": options.get("challenge"), "aud": options.get("domain")}
            present = {name: value for name, value in claims.items() if value is not None}
            return envelop({**presentation, **present}, holder.signer, ENVELOPED_PRESENTATION)
        chosen = self._proof_options(holder, {**options, "mandatoryPointers": []}, "authentication")
        return create_proof(presentation, holder.signer, chosen)

    def set_status(self, body: JsonObject) -> None:
        """Set or clear the bit that ``credentialStatus`` of ``body`` names, in a list of ours."""
        entries, status = read_entries(body), body.get("status", True)
        if len(entries) != 1 or not isinstance(status, (bool, int)):
            raise FormatError("body_invalid", "credentialStatus must be one entry of a list, status true or false.")
        (entry,) = entries
        set_status(self._list_at(entry.list_url)[1], entry.index, int(status), entry.size)

    def status_list(self, profile: str, purpose: str) -> JsonObject:
        """The signed list of one issuer and purpose. Raises ``NotFoundError`` ``status_list_unknown``."""
        issuer = self._issuers.find(profile)
        url = self._list_url(issuer, purpose)
        bits = self._list_at(url)[1]
        now = rfc3339(self._clock.now_ms())
        unsigned = build_list(issuer.did, url, purpose, bits, now)
        if issuer.suite == ENVELOPE:
            return envelop(unsigned, issuer.signer)
        if issuer.suite == ecdsa_sd.CRYPTOSUITE:
            everything = tuple(f"/{name}" for name in unsigned if name != "@context")
            base = create_proof(unsigned, issuer.signer, ProofOptions(issuer.suite, now, mandatory_pointers=everything))
            return ecdsa_sd.derive(base, base["proof"], ())
        return create_proof(unsigned, issuer.signer, ProofOptions(issuer.suite, now))

    def _new_entry(self, issuer: Issuer, purpose: str) -> JsonObject:
        if purpose not in _STATUS_PURPOSES:
            raise FormatError("body_invalid", "statusPurpose is not one that status lists have.")
        key = (issuer.profile, purpose)
        bits = self._lists.setdefault(key, new_list())
        taken = self._taken.setdefault(key, set())
        index = allocate_index(taken, len(bits) * 8)
        taken.add(index)
        return build_entry(StatusEntry(purpose, self._list_url(issuer, purpose), index))

    def _list_url(self, issuer: Issuer, purpose: str) -> str:
        return f"{self._base_url}/{issuer.profile}/status/{purpose}"

    def _list_at(self, url: str) -> tuple[Issuer, bytearray]:
        for (profile, purpose), bits in self._lists.items():
            issuer = self._issuers.find(profile)
            if self._list_url(issuer, purpose) == url:
                return issuer, bits
        raise NotFoundError("status_list_unknown", "There is no such status list here.")

    def _check_status(self, credential: JsonObject) -> None:
        # Lists of others would have to be fetched, which this server never does: it says nothing about them.
        ours = [entry for entry in read_entries(credential) if entry.list_url.startswith(self._base_url + "/")]
        if ours:
            known = {**credential, "credentialStatus": [build_entry(entry) for entry in ours]}
            check_status(known, self._load_list, any_issuer=True)

    def _load_list(self, url: str) -> JsonObject:
        profile, _, purpose = url.removeprefix(self._base_url + "/").partition("/status/")
        return verify_vc(self.status_list(profile, purpose), self._policy(None, {})).document

    def _policy(self, profile: str | None, options: JsonObject) -> CredentialPolicy:
        suite = None if profile is None else self._issuers.find(profile).suite
        return CredentialPolicy(
            now_ms=self._clock.now_ms(),
            resolve_key=did_key,
            check_status=self._check_status,
            proof_only=True,
            cryptosuites=frozenset({suite} if suite and suite != ENVELOPE else ()),
            domain=_text(options, "domain"),
            challenge=_text(options, "challenge"),
            challenge_required=False,
        )

    def _proof_options(self, issuer: Issuer, options: JsonObject, purpose: str = "assertionMethod") -> ProofOptions:
        return ProofOptions(
            issuer.suite,
            created=_text(options, "created") or rfc3339(self._clock.now_ms()),
            expires=_text(options, "expires"),
            purpose=purpose,
            proof_id=_text(options, "proofId"),
            domain=options.get("domain"),
            challenge=_text(options, "challenge"),
            previous=options.get("previousProof"),
            mandatory_pointers=check_pointers(options.get("mandatoryPointers", [])),
        )


def _check_bound(credential: JsonObject, domain: str | None, challenge: str | None) -> None:
    """Embedded proofs are for ``domain`` and answer ``challenge``, where given: for credentials only suites ask that.

    Raises ``VerificationError``: ``proof_domain_mismatch``, ``proof_challenge_mismatch``.
    """
    for proof in proofs_of(credential) if "proof" in credential else []:
        if domain is not None and domain not in listed(proof.get("domain")):
            raise VerificationError("proof_domain_mismatch", "The proof was made for another domain.")
        if challenge is not None and proof.get("challenge") != challenge:
            raise VerificationError("proof_challenge_mismatch", "The proof answers another challenge.")


def _without_empty_list(presentation: JsonObject) -> JsonObject:
    """``presentation`` without an empty ``verifiableCredential``, which the suite sends and RDF proofs never cover."""
    proofs = listed(presentation.get("proof"))
    covered = any(isinstance(proof, dict) and "-jcs-" in str(proof.get("cryptosuite")) for proof in proofs)
    if covered or presentation.get("verifiableCredential") != []:
        return presentation
    return {name: value for name, value in presentation.items() if name != "verifiableCredential"}


def _check_self_asserted(presented: VerifiedPresentation) -> None:
    """The holder is the signer, and is named beside a credential that the signer issued to itself [4.13.4].

    Raises ``VerificationError`` ``presentation_holder_mismatch``.
    """
    holder = presented.document.get("holder")
    named = holder["id"] if isinstance(holder, dict) else holder
    signers = {proof.controller for proof in presented.proofs}
    own = any(issuer_of(one.document) in signers for one in presented.credentials)
    if (own and named is None) or (named is not None and signers != {named}):
        raise VerificationError("presentation_holder_mismatch", "The presentation does not name its signer as holder.")


def _with_named_digests(credential: JsonObject) -> JsonObject:
    """``credential`` as it is checked: a bare SHA-256 in ``digestMultibase``, which the suite sends, gets its name."""
    if "relatedResource" not in credential:
        return credential
    return {**credential, "relatedResource": [_named_digest(item) for item in listed(credential["relatedResource"])]}


def _named_digest(item: Any) -> Any:
    value = item.get("digestMultibase") if isinstance(item, dict) else None
    if not isinstance(value, str) or len(value) != 44 or value[0] != "u":
        return item
    return {**item, "digestMultibase": "u" + b64u_encode(b"\x12\x20" + b64u_decode(value[1:]))}


def _options(body: JsonObject) -> JsonObject:
    options: Any = body.get("options", {})
    if not isinstance(options, dict):
        raise FormatError("body_invalid", "options is not an object.")
    return options


def _object(body: JsonObject, name: str) -> JsonObject:
    value: Any = body.get(name)
    if not isinstance(value, dict):
        raise FormatError("body_invalid", f"{name} is missing, or no object.")
    return value


def _text(options: JsonObject, name: str) -> str | None:
    value: Any = options.get(name)
    if value is not None and not isinstance(value, str):
        raise FormatError("body_invalid", f"options.{name} is not a text.")
    return value
