"""Verifiable Credentials in the wallet: verified when they come, sealed, shown as far as the holder chooses (AUTH-7).

A base proof of ecdsa-sd-2023 is verified by deriving everything from it; it never leaves the wallet itself, because
who has it can derive whatever they like. A presentation is signed by the DID's present key, for one challenge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import decode_w3c, encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import FormatError, NotFoundError, RefusedError, VerificationError
from lianzheng.identity.credentials import ecdsa_sd
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.datamodel import issuer_of, listed, types_of
from lianzheng.identity.credentials.enveloped import is_enveloped
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner, ResolveKey, did_key
from lianzheng.identity.credentials.kinds import check_kind, kind_of
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof, proofs_of
from lianzheng.identity.credentials.signers import signers_of
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.did.model import did_state_key
from lianzheng.identity.model import did_of
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.ledger.context import StateView
from lianzheng.limits import WALLET_DOCUMENT_BYTES_MAX, WALLET_DOCUMENTS_MAX
from lianzheng.wallet.model import HeldDocument, WalletState

__all__ = ["Presented", "documents_of", "find_document", "present", "receive_document", "signer_keys"]

_BASE_VALUE = "u2V0A"
"""Multibase text of d9 5d 00, with which base proofs begin (VC-DI-ECDSA 3.5.2)."""
_SUITES = frozenset({"eddsa-jcs-2022", "eddsa-rdfc-2022"})


@dataclass(frozen=True, slots=True)
class Presented:
    """What a verifier asks for, and what the holder chooses: credentials by name, pointers into what allows it."""

    names: Sequence[str]
    challenge: str
    domain: str
    pointers: Sequence[str] = ()
    suite: str = "eddsa-jcs-2022"


def signer_keys(document: JsonObject) -> tuple[str, ...]:
    """The prefixes of the ledger that :func:`receive_document` wants. Raises as ``signers_of``."""
    people = {method.partition("#")[0] for method, _ in signers_of(document)}
    on_ledger = [did for did in people if did.startswith("did:lz:")]
    return tuple(sorted({did_state_key(did) for did in on_ledger} | {f"did-version/{did}/" for did in on_ledger}))


def receive_document(state: WalletState, document: JsonObject, ledger: StateView, now_ms: int) -> WalletState:
    """The wallet holds ``document``: it is about the wallet's own DID, and holds as a whole under its issuer's key.

    Keys are those of did:lz on the *ledger* and of did:key. Raises as ``verify_vc`` and ``check_kind``;
    ``VerificationError`` ``credential_mismatch`` (about somebody else), ``verification_method_unknown``;
    ``RefusedError`` ``documents_too_many``; ``FormatError`` ``too_large``.
    """
    data = encode_w3c(document)
    if len(data) > WALLET_DOCUMENT_BYTES_MAX:
        raise FormatError("too_large", f"A credential in a wallet has at most {WALLET_DOCUMENT_BYTES_MAX} bytes.")
    shown = _whole(document)
    verified = verify_vc(shown, CredentialPolicy(now_ms, _resolver(shown, ledger)))
    content, me = verified.document, did_of(state.operation)
    if not all(isinstance(one, dict) and one.get("id") == me for one in listed(content.get("credentialSubject"))):
        raise VerificationError("credential_mismatch", "The credential is about somebody else than this wallet's DID.")
    kind = kind_of(content)
    if kind is not None:
        check_kind(content, kind, disclosed=any(one.cryptosuite == ecdsa_sd.CRYPTOSUITE for one in verified.proofs))
    held = _held(document, content, data, now_ms)
    others = [one for one in state.documents if one.name != held.name]
    if len(others) >= WALLET_DOCUMENTS_MAX:
        raise RefusedError("documents_too_many", f"A wallet holds at most {WALLET_DOCUMENTS_MAX} credentials.")
    return state.model_copy(update={"documents": (*others, held)})


def documents_of(state: WalletState) -> tuple[HeldDocument, ...]:
    """Every credential: those of enrolment first, then the others as they came."""
    enrolled = [(one.credential, encode_w3c(one.credential)) for one in state.credentials]
    return (*(_held(document, document, data, 0) for document, data in enrolled), *state.documents)


def find_document(state: WalletState, name: str) -> JsonObject:
    """The credential of this name. Raises ``NotFoundError`` ``document_unknown``."""
    for held in documents_of(state):
        if held.name == name:
            return decode_w3c(held.data)
    raise NotFoundError(
        "document_unknown",
        "The wallet holds no credential of this name.",
        next_step="`lianzheng wallet credentials list` shows the names.",
    )


def present(state: WalletState, wanted: Presented, now_ms: int) -> JsonObject:
    """A presentation of the holder's, good for one challenge and domain.

    Raises ``NotFoundError`` ``document_unknown``; ``FormatError``: ``disclosure_missing`` (a base proof, and nothing
    chosen), ``disclosure_unsupported`` (something chosen of a credential that is shown whole or not),
    ``presentation_empty``, ``challenge_missing``, ``cryptosuite_unknown``; as ``ecdsa_sd.derive``.
    """
    if not wanted.challenge or not wanted.domain:
        raise FormatError("challenge_missing", "A presentation names the verifier's challenge and domain.")
    if wanted.suite not in _SUITES:
        raise FormatError("cryptosuite_unknown", "A wallet signs with eddsa-jcs-2022 or eddsa-rdfc-2022.")
    if not wanted.names:
        raise FormatError("presentation_empty", "Name the credentials to be presented.")
    me = did_of(state.operation)
    unsigned: JsonObject = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "holder": me,
        "verifiableCredential": [
            _disclosed(find_document(state, name), wanted.pointers) for name in dict.fromkeys(wanted.names)
        ],
    }
    options = ProofOptions(
        wanted.suite,
        created=rfc3339(now_ms),
        purpose="authentication",
        domain=wanted.domain,
        challenge=wanted.challenge,
    )
    return create_proof(unsigned, ProofSigner(me + state.key.id, ED25519_PUB, state.key.sign), options)


def _held(document: JsonObject, content: JsonObject, data: bytes, now_ms: int) -> HeldDocument:
    return HeldDocument(
        name=b64u_encode(sha256_raw(data))[:16],
        received_ms=now_ms,
        issuer=issuer_of(content),
        types=tuple(types_of(content)),
        data=data,
    )


def _disclosed(document: JsonObject, pointers: Sequence[str]) -> JsonObject:
    base = _base_proof(document)
    if base is None:
        if pointers:
            raise FormatError(
                "disclosure_unsupported", "Of this credential nothing can be chosen: it is shown whole or not at all."
            )
        return document
    if not pointers:
        raise FormatError(
            "disclosure_missing",
            "This credential is shown in parts: choose which.",
            next_step="Name --show /credentialSubject/… for each part; the issuer's mandatory parts come with them.",
        )
    return ecdsa_sd.derive(document, base, pointers)


def _whole(document: JsonObject) -> JsonObject:
    """What can be verified of ``document``: of a base proof everything derived from it."""
    base = _base_proof(document)
    if base is None:
        return document
    everything = [f"/{_escaped(name)}" for name in document if name not in ("@context", "proof")]
    return ecdsa_sd.derive(document, base, everything)


def _base_proof(document: JsonObject) -> JsonObject | None:
    """The one base proof of ecdsa-sd-2023, if that is how the document is secured."""
    if is_enveloped(document) or "proof" not in document:
        return None
    proofs = proofs_of(document)
    if len(proofs) != 1 or proofs[0].get("cryptosuite") != ecdsa_sd.CRYPTOSUITE:
        return None
    return proofs[0] if str(proofs[0].get("proofValue")).startswith(_BASE_VALUE) else None


def _resolver(document: JsonObject, ledger: StateView) -> ResolveKey:
    made = dict(signers_of(document))

    def resolve(method: str, purpose: str) -> ProofKey:
        if method.startswith("did:lz:"):
            return ledger_key(ledger, method, purpose, made.get(method)).key
        if method.startswith("did:key:"):
            return did_key(method, purpose)
        raise VerificationError(
            "verification_method_unknown", "The credential is signed by a key that a wallet cannot look up."
        )

    return resolve


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
