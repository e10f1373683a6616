"""OpenID4VCI 1.0, pre-authorised code flow: offer, token, nonce, credential. The codes raised are those of the text."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.errors import FormatError, LianzhengError, RefusedError, VerificationError
from lianzheng.flows.credentials import CredentialDesk, IssueOptions
from lianzheng.flows.keyring import KeyFinder
from lianzheng.flows.openid.nonces import Nonces
from lianzheng.flows.openid.shelf import Shelf, secret
from lianzheng.identity.credentials import CONTEXT
from lianzheng.identity.credentials.kinds import check_kind, schema_entry
from lianzheng.identity.openid.formats import packed
from lianzheng.identity.openid.issuer import (
    CONFIGURATIONS,
    PRE_AUTHORIZED,
    credential_issuer_metadata,
    server_metadata,
)
from lianzheng.identity.openid.proof import read_proof
from lianzheng.limits import (
    DCQL_BYTES_MAX,
    OPENID_ATTEMPTS_MAX,
    OPENID_CODE_MS,
    OPENID_OFFER_CREDENTIALS_MAX,
    OPENID_TOKEN_MS,
    OPENID_TX_CODE_DIGITS,
)

__all__ = ["Granted", "IssuanceDesk", "Offered"]

_BINDING = frozenset({"key", "lz"})
"""DID methods that a credential can be bound to."""
_PLACEHOLDER = "did:key:holder"
"""Stands in for the holder while an offer's content is looked at."""


@dataclass(frozen=True)
class Granted:
    """One credential that an offer gives: a configuration, and what is said, without the subject's ``id``."""

    configuration: str
    credential: JsonObject
    status: bool = True


@dataclass(frozen=True)
class Offered:
    """What the operator hands on: either URI to the wallet, ``tx_code`` to the person by another way."""

    offer: JsonObject
    uri: str
    uri_by_reference: str
    tx_code: str | None


@dataclass
class _Offer:
    granted: tuple[Granted, ...]
    holder: str | None
    tx_code: str | None
    object: JsonObject
    reference: str
    failures: int = 0


@dataclass
class _Grant:
    granted: dict[str, Granted]
    holder: str | None
    identifiers: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


class IssuanceDesk:
    """One member as credential issuer and as its own authorisation server, under ``base_url``."""

    def __init__(self, base_url: str, desk: CredentialDesk, keys: KeyFinder, clock: Clock) -> None:
        self._base = base_url
        self._desk = desk
        self._keys = keys
        self._clock = clock
        self._offers: Shelf[_Offer] = Shelf(clock, OPENID_CODE_MS)
        self._references: Shelf[_Offer] = Shelf(clock, OPENID_CODE_MS)
        self._grants: Shelf[_Grant] = Shelf(clock, OPENID_TOKEN_MS)
        self._nonces = Nonces(clock)

    def metadata(self) -> JsonObject:
        """Credential issuer metadata (12.2)."""
        return credential_issuer_metadata(self._base)

    def server_metadata(self) -> JsonObject:
        """OAuth 2.0 authorisation server metadata (12.3, RFC 8414)."""
        return server_metadata(self._base)

    def offer(self, granted: Sequence[Granted], *, tx_code: bool = True, holder: str | None = None) -> Offered:
        """A credential offer (4.1) for one wallet; with ``holder`` only for that DID.

        Raises ``FormatError``: ``openid_offer_invalid``, ``credential_member_reserved``; ``VerificationError`` of
        ``check_kind`` where a credential would not have the shape of its kind.
        """
        names = [one.configuration for one in granted]
        unknown = [name for name in names if name not in CONFIGURATIONS]
        if not 0 < len(names) <= OPENID_OFFER_CREDENTIALS_MAX or unknown or len(set(names)) != len(names):
            raise FormatError(
                "openid_offer_invalid",
                "An offer names one to eight configurations of the issuer metadata, each once.",
                next_step="Take names out of credential_configurations_supported.",
            )
        for one in granted:
            _check_content(one)
        code, reference = secret(), secret()
        typed = _digits() if tx_code else None
        grant: JsonObject = {"pre-authorized_code": code}
        if typed is not None:
            grant["tx_code"] = {"input_mode": "numeric", "length": OPENID_TX_CODE_DIGITS}
        offer = {
            "credential_issuer": self._base,
            "credential_configuration_ids": names,
            "grants": {PRE_AUTHORIZED: grant},
        }
        kept = _Offer(tuple(granted), holder, typed, offer, reference)
        self._offers.put(code, kept)
        self._references.put(reference, kept)
        by_value = quote(encode_w3c(offer).decode(), safe="")
        by_reference = quote(f"{self._base}/offers/{reference}", safe="")
        scheme = "openid-credential-offer://?"
        return Offered(
            offer, f"{scheme}credential_offer={by_value}", f"{scheme}credential_offer_uri={by_reference}", typed
        )

    def offer_object(self, reference: str) -> JsonObject | None:
        """The offer that ``credential_offer_uri`` names; None where there is none (any more)."""
        found = self._references.get(reference)
        return None if found is None else found.object

    def token(self, form: Mapping[str, str]) -> JsonObject:
        """The token response (6.2) to a form of section 6.1. A code serves once; five wrong transaction codes end it.

        Raises ``RefusedError``: ``invalid_request``, ``invalid_grant``, ``unsupported_grant_type``,
        ``invalid_authorization_details``.
        """
        if form.get("grant_type") != PRE_AUTHORIZED:
            raise (
                _request()
                if "grant_type" not in form
                else RefusedError("unsupported_grant_type", "Only pre-authorised codes are taken.")
            )
        code = form.get("pre-authorized_code", "")
        if not code:
            raise _request()
        offer = self._offers.get(code)
        if offer is None:
            raise _grant_refused()
        if (offer.tx_code is None) != ("tx_code" not in form):
            raise _request()
        if offer.tx_code is not None and not hmac.compare_digest(offer.tx_code.encode(), form["tx_code"].encode()):
            offer.failures += 1
            if offer.failures >= OPENID_ATTEMPTS_MAX:
                self._end(code, offer)
            raise _grant_refused()
        grant = _Grant({one.configuration: one for one in offer.granted}, offer.holder)
        answer: JsonObject = {"token_type": "Bearer", "expires_in": OPENID_TOKEN_MS // 1000}
        if "authorization_details" in form:
            answer["authorization_details"] = _details(form["authorization_details"], grant)
        token = secret()
        self._grants.put(token, grant)
        self._end(code, offer)
        return {"access_token": token, **answer}

    def nonce(self) -> JsonObject:
        """A nonce response (7.2)."""
        return {"c_nonce": self._nonces.make()}

    async def credential(self, token: str, request: JsonObject) -> JsonObject:
        """The credential response (8.3): one credential for one proof, of each configuration once a token.

        Raises ``RefusedError``: ``invalid_token``, ``invalid_credential_request``,
        ``unknown_credential_configuration``, ``unknown_credential_identifier``, ``invalid_proof``, ``invalid_nonce``,
        ``invalid_encryption_parameters``, ``credential_request_denied``.
        """
        grant = self._grants.get(token)
        if grant is None:
            raise RefusedError("invalid_token", "The access token is unknown or has expired.")
        if "credential_response_encryption" in request:
            raise RefusedError("invalid_encryption_parameters", "Responses are encrypted by TLS alone.")
        wanted = _wanted(request, grant)
        holder = await self._holder(request.get("proofs"), grant)
        if wanted.configuration in grant.taken:
            raise RefusedError("credential_request_denied", "This credential was issued under the token already.")
        grant.taken.add(wanted.configuration)  # before anything is awaited: two requests must not both be served
        try:
            issued = await self._issue(wanted, holder)
        except LianzhengError:
            grant.taken.discard(wanted.configuration)
            raise
        return {"credentials": [{"credential": packed(issued)}]}

    async def _holder(self, proofs: Any, grant: _Grant) -> str:
        """Whose key made the one proof; raises ``invalid_proof``, ``invalid_nonce``."""
        tokens = proofs.get("jwt") if isinstance(proofs, dict) and len(proofs) == 1 else None
        if not isinstance(tokens, list) or len(tokens) != 1:
            raise _proof_refused("one proof of type jwt is needed")
        try:
            proof = read_proof(tokens[0], self._base, self._clock.now_ms())
            key = proof.jwk
            if key is None:
                key = (await self._keys.find(proof.method, "authentication", _BINDING)).key
            proof.jwt.verify(key)
        except LianzhengError as error:
            raise _proof_refused(error.code) from error
        self._nonces.use(proof.nonce)
        if grant.holder is not None and proof.did != grant.holder:
            raise _proof_refused("the offer is for another holder")
        return proof.did

    async def _issue(self, wanted: Granted, holder: str) -> JsonObject:
        configuration = CONFIGURATIONS[wanted.configuration]
        try:
            return await self._desk.issue(
                _bound(wanted, holder), IssueOptions(configuration.cryptosuite, status=wanted.status)
            )
        except (FormatError, VerificationError, RefusedError) as error:
            raise RefusedError(
                "credential_request_denied", f"The credential cannot be issued ({error.code})."
            ) from error

    def _end(self, code: str, offer: _Offer) -> None:
        self._offers.drop(code)
        self._references.drop(offer.reference)


def _check_content(one: Granted) -> None:
    kind = CONFIGURATIONS[one.configuration].kind
    subject = one.credential.get("credentialSubject")
    for name in ("issuer", "type", "credentialSchema", "credentialStatus", "proof", "@context"):
        if name in one.credential:
            raise FormatError("credential_member_reserved", f"{name} follows from the configuration.")
    if not isinstance(subject, dict) or "id" in subject:
        raise FormatError(
            "openid_offer_invalid",
            "credentialSubject is one object without id: that is the wallet's key.",
            next_step="Give the customer's DID as holder if it has to be a certain one.",
        )
    trial = {
        "@context": [CONTEXT[0], dict(CONTEXT[1])],
        "issuer": _PLACEHOLDER,
        "validFrom": "2000-01-01T00:00:00Z",
        **_bound(one, _PLACEHOLDER),
        "credentialSchema": schema_entry(kind),
    }
    check_kind(trial, kind)


def _bound(one: Granted, holder: str) -> JsonObject:
    kind = CONFIGURATIONS[one.configuration].kind
    return {
        **one.credential,
        "type": ["VerifiableCredential", kind.name],
        "credentialSubject": {**one.credential["credentialSubject"], "id": holder},
    }


def _wanted(request: JsonObject, grant: _Grant) -> Granted:
    """What the request names, by the rule of section 8.2."""
    identifier, configuration = request.get("credential_identifier"), request.get("credential_configuration_id")
    if grant.identifiers:
        if configuration is not None or not isinstance(identifier, str):
            raise RefusedError("invalid_credential_request", "The token asks for credential_identifier.")
        if identifier not in grant.identifiers:
            raise RefusedError("unknown_credential_identifier", "The token gives no such credential.")
        return grant.granted[grant.identifiers[identifier]]
    if identifier is not None or not isinstance(configuration, str):
        raise RefusedError("invalid_credential_request", "The token asks for credential_configuration_id.")
    if configuration not in CONFIGURATIONS:
        raise RefusedError("unknown_credential_configuration", "There is no such configuration.")
    if configuration not in grant.granted:
        raise RefusedError("credential_request_denied", "The offer did not hold this configuration.")
    return grant.granted[configuration]


def _details(text: str, grant: _Grant) -> list[JsonObject]:
    """``authorization_details`` of a token request (6.1.1), answered with identifiers (6.2)."""
    try:
        value = parse_w3c(b'{"list":' + text.encode() + b"}", DCQL_BYTES_MAX)["list"]
    except FormatError as error:
        raise _details_refused() from error
    answer = []
    if not isinstance(value, list) or not value:
        raise _details_refused()
    for one in value:
        name = one.get("credential_configuration_id") if isinstance(one, dict) else None
        if not isinstance(name, str) or one.get("type") != "openid_credential" or name not in grant.granted:
            raise _details_refused()
        if name not in grant.identifiers.values():
            grant.identifiers[f"{name}-1"] = name
            answer.append(
                {
                    "type": "openid_credential",
                    "credential_configuration_id": name,
                    "credential_identifiers": [f"{name}-1"],
                }
            )
    return answer


def _digits() -> str:
    return f"{secrets.randbelow(10**OPENID_TX_CODE_DIGITS):0{OPENID_TX_CODE_DIGITS}d}"


def _request() -> RefusedError:
    return RefusedError("invalid_request", "The request lacks a parameter, or has one that was not asked for.")


def _grant_refused() -> RefusedError:
    return RefusedError("invalid_grant", "The code is unknown, used or expired, or the transaction code is wrong.")


def _proof_refused(why: str) -> RefusedError:
    return RefusedError("invalid_proof", f"The proof of possession does not hold ({why}).")


def _details_refused() -> RefusedError:
    return RefusedError("invalid_authorization_details", "The authorization details do not fit the offer.")
