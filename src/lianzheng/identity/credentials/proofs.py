"""Data Integrity proofs: one, a set, a chain (``previousProof``); made and verified over the registry of suites.

Verifying returns what was proved and by whom, or raises (CON-6). Every proof of a document must hold: a
document with one good and one bad proof is a document that somebody altered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lianzheng.encoding.binary import multibase_decode, multibase_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, LianzhengError, VerificationError
from lianzheng.identity.credentials import ecdsa_sd
from lianzheng.identity.credentials.datamodel import listed
from lianzheng.identity.credentials.keys import ProofSigner, ResolveKey
from lianzheng.identity.credentials.suites import find_suite, signed_bytes
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.identity.credentials.urls import is_url
from lianzheng.limits import CLOCK_SKEW_MS, PROOFS_MAX

__all__ = ["Expectation", "Proven", "ProofOptions", "create_proof", "proofs_of", "verify_proofs"]

_REQUIRED = {"type", "cryptosuite", "verificationMethod", "proofPurpose", "proofValue"}
_TEXTS = _REQUIRED | {"id", "created", "expires", "challenge", "nonce"}
_MEMBERS = _TEXTS | {"domain", "previousProof", "@context"}


@dataclass(frozen=True)
class ProofOptions:
    """What the maker of a proof chooses; ``None`` and empty mean left out. Times are RFC 3339 texts."""

    cryptosuite: str
    created: str | None = None
    expires: str | None = None
    purpose: str = "assertionMethod"
    proof_id: str | None = None
    domain: str | list[str] | None = None
    challenge: str | None = None
    previous: str | list[str] | None = None
    mandatory_pointers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expectation:
    """What a verifier demands of every proof; ``domain`` and ``challenge`` only where given.

    ``required``: suites of which the document must carry a proof each. A proof of a set can be taken away unseen, so
    who counts on the signatures of two worlds asks for both.
    """

    now_ms: int
    purpose: str = "assertionMethod"
    domain: str | None = None
    challenge: str | None = None
    cryptosuites: frozenset[str] = field(default_factory=frozenset)
    required: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Proven:
    """One proof that holds: the key, its controller and the suite."""

    verification_method: str
    controller: str
    cryptosuite: str


def create_proof(
    document: JsonObject, signer: ProofSigner, options: ProofOptions, *, sd: ecdsa_sd.BaseKeys | None = None
) -> JsonObject:
    """``document`` with one more proof. ``sd``: fixed keys of an ecdsa-sd-2023 base proof, fresh ones where absent.

    Raises ``FormatError``: ``proof_previous_unknown``, ``proofs_too_many`` and those of the canonical forms;
    ``VerificationError`` as of ``find_suite``.
    """
    present = proofs_of(document) if "proof" in document else []
    if len(present) >= PROOFS_MAX:
        raise FormatError("proofs_too_many", f"A document carries at most {PROOFS_MAX} proofs.")
    suite = find_suite(options.cryptosuite, signer.codec)
    proof: JsonObject = {"type": "DataIntegrityProof", "cryptosuite": options.cryptosuite}
    proof |= {"id": options.proof_id, "created": options.created, "expires": options.expires}
    proof |= {"verificationMethod": signer.verification_method, "proofPurpose": options.purpose}
    proof |= {"domain": options.domain, "challenge": options.challenge, "previousProof": options.previous}
    proof = {name: value for name, value in proof.items() if value is not None}
    unsecured = _covered(document, present, proof)
    if "@context" in document and suite.form == "jcs":
        proof["@context"] = document["@context"]
    _check_members({**proof, "proofValue": "z"})
    config = _config(proof, unsecured)
    if suite.form == "sd":
        value = ecdsa_sd.create_base(unsecured, config, options.mandatory_pointers, signer.sign, sd)
    else:
        value = multibase_encode(signer.sign(signed_bytes(suite, signer.codec, unsecured, config)))
    made = {**proof, "proofValue": value}
    return {**document, "proof": [*present, made] if present else made}


def verify_proofs(document: JsonObject, resolve_key: ResolveKey, expected: Expectation) -> tuple[Proven, ...]:
    """Each proof of ``document``, in order; all of them hold and are as ``expected``.

    Raises ``VerificationError``: ``proof_missing``, ``proof_malformed``, ``proof_purpose_wrong``,
    ``proof_domain_mismatch``, ``proof_challenge_mismatch``, ``proof_expired``, ``proof_not_yet_valid``,
    ``proof_previous_unknown``, ``proof_context_mismatch``, ``proof_suite_missing``, ``cryptosuite_unknown``,
    ``cryptosuite_key_mismatch``, ``proof_invalid``; ``FormatError`` of the canonical forms; whatever ``resolve_key``
    raises.
    """
    proofs = proofs_of(document)
    for proof in proofs:  # all cheap checks before the first costly one
        _check_members(proof)
        _check_expected(proof, expected)
    if expected.required - {proof["cryptosuite"] for proof in proofs}:
        raise VerificationError("proof_suite_missing", "The document lacks a proof of a cryptosuite asked for.")
    names = [proof["id"] for proof in proofs if "id" in proof]
    if len(names) != len({*names}):
        raise VerificationError("proof_malformed", "Two proofs have one id.")
    return tuple(_verify_one(document, proofs, proof, resolve_key) for proof in proofs)


def proofs_of(document: JsonObject) -> list[JsonObject]:
    """The proofs of ``document``. Raises ``VerificationError``: ``proof_missing``, ``proof_malformed``."""
    value = document.get("proof")
    proofs: list[Any] = value if isinstance(value, list) else [value]
    if value is None or not proofs:
        raise VerificationError("proof_missing", "The document carries no proof.")
    if len(proofs) > PROOFS_MAX or not all(isinstance(proof, dict) for proof in proofs):
        raise VerificationError("proof_malformed", "A proof is not an object, or there are too many.")
    return proofs


def _verify_one(
    document: JsonObject, proofs: Sequence[JsonObject], proof: JsonObject, resolve_key: ResolveKey
) -> Proven:
    method = proof["verificationMethod"]
    key = resolve_key(method, proof["proofPurpose"])
    suite = find_suite(proof["cryptosuite"], key.codec)
    unsecured = _covered(document, proofs, proof)
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    if "@context" in options:
        unsecured["@context"] = _context_at_signing(unsecured.get("@context"), options["@context"])
    config = _config(options, unsecured)
    try:
        if suite.form == "sd":
            ecdsa_sd.verify_derived(unsecured, config, proof["proofValue"], key.verify)
        else:
            signature = multibase_decode(proof["proofValue"], size_max=96)
            key.verify(signed_bytes(suite, key.codec, unsecured, config), signature)
    except VerificationError as error:
        raise VerificationError("proof_invalid", "The proof does not hold.", detail=error.code) from error
    except LianzhengError as error:
        if error.code in {"multibase_invalid", "cbor_invalid", "base64url_invalid"}:
            raise VerificationError("proof_invalid", "The proof does not hold.", detail=error.code) from error
        raise
    return Proven(method, key.controller, suite.name)


def _config(options: JsonObject, unsecured: JsonObject) -> JsonObject:
    """Proof options as they are hashed: RDF suites need the document's context to give them a meaning."""
    if options["cryptosuite"].find("-jcs-") >= 0 or "@context" not in unsecured:
        return options
    return {**options, "@context": unsecured["@context"]}


def _covered(document: JsonObject, proofs: Sequence[JsonObject], proof: JsonObject) -> JsonObject:
    """What ``proof`` covers: the document without proofs, but with those that its ``previousProof`` names."""
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    previous = proof.get("previousProof")
    if previous is None:
        return unsecured
    by_name = {other.get("id"): other for other in proofs if other is not proof}
    wanted = previous if isinstance(previous, list) else [previous]
    if not wanted or any(name not in by_name for name in wanted):
        raise VerificationError("proof_previous_unknown", "A proof names a previous proof that is not there.")
    return {**unsecured, "proof": [by_name[name] for name in wanted]}


def _context_at_signing(now: Any, then: Any) -> Any:
    """The context the proof was made under, which must be the document's (context substitution).

    The JCS suites let a document gain contexts at the end; one gained there gives signed terms a new meaning, so we
    do not.
    """
    if listed(now) != listed(then):
        raise VerificationError("proof_context_mismatch", "The proof was made under another context.")
    return then


def _check_members(proof: JsonObject) -> None:
    lists = (proof.get("domain", "-"), proof.get("previousProof", "-"))
    if proof.get("type") != "DataIntegrityProof":
        raise _malformed("The proof is not a DataIntegrityProof.")
    if _REQUIRED - set(proof) or set(proof) - _MEMBERS:
        raise _malformed("The proof lacks a member, or has an unknown one.")
    if not all(isinstance(proof[name], str) and proof[name] for name in _TEXTS & set(proof)):
        raise _malformed("A member of the proof is not a text.")
    for value in lists:
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(item, str) and item for item in items):
            raise _malformed("A member of the proof is not a text, nor a list of texts.")
    if not is_url(proof["verificationMethod"]) or not is_url(proof.get("id", "urn:x:y")):
        raise _malformed("The proof's id or key is not named by a URL.")
    for name in ("created", "expires"):
        if name in proof:
            xsd_time_ms(proof[name])


def _check_expected(proof: JsonObject, expected: Expectation) -> None:
    if proof["proofPurpose"] != expected.purpose:
        raise VerificationError("proof_purpose_wrong", "The proof serves another purpose.")
    if expected.cryptosuites and proof["cryptosuite"] not in expected.cryptosuites:
        raise VerificationError("cryptosuite_unknown", "The proof is of a cryptosuite that is not accepted here.")
    domains = proof.get("domain", [])
    if expected.domain is not None and expected.domain not in (domains if isinstance(domains, list) else [domains]):
        raise VerificationError("proof_domain_mismatch", "The proof was made for another domain.")
    if expected.challenge is not None and proof.get("challenge") != expected.challenge:
        raise VerificationError("proof_challenge_mismatch", "The proof answers another challenge.")
    if "created" in proof and xsd_time_ms(proof["created"]) > expected.now_ms + CLOCK_SKEW_MS:
        raise VerificationError("proof_not_yet_valid", "The proof was made in the future; compare the clocks.")
    if "expires" in proof and xsd_time_ms(proof["expires"]) <= expected.now_ms - CLOCK_SKEW_MS:
        raise VerificationError("proof_expired", "The proof has expired.")


def _malformed(text: str) -> VerificationError:
    return VerificationError("proof_malformed", text)
