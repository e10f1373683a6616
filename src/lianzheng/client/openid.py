"""The holder's side of OpenID4VCI and OpenID4VP: receive a credential for an offer, answer a presentation request.

What came by an offer or a link is nobody's word yet: issuer and verifier are taken by their own metadata, signatures
and keys, and nothing is sent before the caller has looked at the request and said so.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from lianzheng.client.http import NodeClient
from lianzheng.clock import Clock
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.errors import FormatError, LianzhengError, RefusedError, UnavailableError, VerificationError
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner, did_key
from lianzheng.identity.credentials.signers import signers_of
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.openid.dcql import evaluate
from lianzheng.identity.openid.formats import FORMATS, held_of, unpacked_credential
from lianzheng.identity.openid.issuer import PRE_AUTHORIZED
from lianzheng.identity.openid.jwe import encrypt_response
from lianzheng.identity.openid.proof import make_proof
from lianzheng.identity.openid.request import PresentationRequest, read_parameters, read_request_object
from lianzheng.identity.openid.verifier import REQUEST_TYP
from lianzheng.identity.openid.wallet import HeldVc, content_of, make_presentation
from lianzheng.identity.resolution.keys import published_key
from lianzheng.limits import OPENID_BODY_BYTES_MAX, OPENID_FORM_FIELDS_MAX

__all__ = ["FindKey", "OpenIdHolder", "resolved_keys"]

FindKey = Callable[[str, str], Awaitable[ProofKey]]
"""(verification method, purpose) → the key, from the ledger or wherever the DID's method says; else it raises."""
_REQUEST_OBJECT = {"accept": f"application/{REQUEST_TYP}"}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def resolved_keys(node: NodeClient) -> FindKey:
    """Keys by a node's resolver; those of did:key by themselves.

    Raises as ``published_key`` and ``did_key``; what the node's problem says.
    """

    async def find(method: str, purpose: str) -> ProofKey:
        did = method.partition("#")[0]
        if did.startswith("did:key:"):
            return did_key(method, purpose)
        answer = await node.get(f"/1.0/identifiers/{quote(did, safe=':')}")
        document = answer.get("didDocument") if isinstance(answer, dict) else None
        if not isinstance(document, dict) or document.get("id") != did:
            raise VerificationError("verification_method_unknown", "The node's resolver knows no such DID.")
        return published_key(document, method, purpose).key

    return find


class OpenIdHolder:
    """One key of a wallet, towards issuers and verifiers. ``http`` must not follow redirects."""

    def __init__(self, http: httpx.AsyncClient, signer: ProofSigner, find_key: FindKey, clock: Clock) -> None:
        self._http = http
        self._signer = signer
        self._find_key = find_key
        self._clock = clock

    @property
    def did(self) -> str:
        """The wallet's name here."""
        return self._signer.verification_method.partition("#")[0]

    async def offer(self, uri: str) -> JsonObject:
        """The credential offer in ``uri``, by value or fetched (OpenID4VCI 4.1); nothing in it is believed yet.

        Raises ``FormatError`` ``openid_offer_malformed``; as :meth:`receive`.
        """
        query = _query(uri, "openid_offer_malformed")
        if ("credential_offer" in query) == ("credential_offer_uri" in query):
            raise _bad_offer()
        if "credential_offer" in query:
            offer = parse_w3c(query["credential_offer"].encode(), OPENID_BODY_BYTES_MAX)
        else:
            offer = await self._json("GET", query["credential_offer_uri"])
        names = offer.get("credential_configuration_ids")
        if not isinstance(offer.get("credential_issuer"), str) or not isinstance(names, list) or not names:
            raise _bad_offer()
        return offer

    async def receive(self, offer: JsonObject, tx_code: str | None = None) -> list[HeldVc]:
        """Every credential of ``offer``, each verified and bound to this wallet's key.

        Raises ``RefusedError`` ``openid_refused`` with the issuer's error; ``UnavailableError`` ``openid_unreachable``,
        ``openid_answer_invalid``; ``VerificationError``: ``openid_metadata_mismatch``, ``openid_credential_foreign``;
        as ``verify_vc``.
        """
        grants = offer.get("grants")
        grant = grants.get(PRE_AUTHORIZED) if isinstance(grants, dict) else None
        if not isinstance(grant, dict) or not isinstance(grant.get("pre-authorized_code"), str):
            raise _bad_offer()
        issuer = offer["credential_issuer"]
        metadata = await self._metadata(issuer, "openid-credential-issuer", "credential_issuer")
        servers = metadata.get("authorization_servers", [issuer])
        server_name = servers[0] if isinstance(servers, list) and servers else None
        server = await self._metadata(server_name, "oauth-authorization-server", "issuer")
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": grant["pre-authorized_code"]}
        if tx_code is not None:
            form["tx_code"] = tx_code
        token = await self._json("POST", server.get("token_endpoint"), data=form)
        bearer = token.get("access_token")
        if not isinstance(bearer, str) or str(token.get("token_type")).lower() != "bearer":
            raise _bad_answer()
        return [
            await self._credential(issuer, metadata, bearer, name) for name in offer["credential_configuration_ids"]
        ]

    async def request(self, uri: str) -> PresentationRequest:
        """The presentation request in ``uri``, its author authenticated as far as its client id allows.

        Errors: those of ``read_parameters`` and ``read_request_object``; as :meth:`receive`.
        """
        query = _query(uri, "openid_request_malformed")
        if "request_uri" not in query and "request" not in query:
            return read_parameters(query)
        nonce = None
        if "request" in query:
            token = query["request"]
        elif query.get("request_uri_method") == "post":
            nonce = b64u_encode(secrets.token_bytes(16))
            form = {"wallet_nonce": nonce}
            token = await self._text("POST", query["request_uri"], data=form, headers=_REQUEST_OBJECT)
        else:
            token = await self._text("GET", query["request_uri"], headers=_REQUEST_OBJECT)
        return await read_request_object(
            token, query.get("client_id", ""), self._find_key, self._clock.now_ms(), wallet_nonce=nonce
        )

    def choose(self, request: PresentationRequest, wallet: Sequence[HeldVc]) -> dict[str, list[HeldVc]]:
        """What of ``wallet`` would answer ``request``, for the person to look at. Raises ``dcql_unsatisfied``."""
        mine = [one for one in wallet if _is_bound(content_of(one), self.did)]
        held = [held_of(content_of(one), one.format) for one in mine]
        found = evaluate(request.query, held)
        return {name: [mine[one.index] for one in matches] for name, matches in found.items()}

    async def present(self, request: PresentationRequest, chosen: Mapping[str, Sequence[HeldVc]]) -> str | None:
        """Send ``chosen`` under this wallet's proof; where the verifier wants the person to go afterwards."""
        now_ms = self._clock.now_ms()
        token = {
            name: [make_presentation(one, self._signer, request.client_id, request.nonce, now_ms) for one in many]
            for name, many in chosen.items()
        }
        return await self._answer(request, {"vp_token": token})

    async def decline(self, request: PresentationRequest, error: str = "access_denied") -> str | None:
        """Answer without a presentation; the same error whether the person or the wallet said no (15.4.1)."""
        return await self._answer(request, {"error": error})

    async def _answer(self, request: PresentationRequest, parameters: JsonObject) -> str | None:
        if request.state is not None:
            parameters = {**parameters, "state": request.state}
        if request.encryption is not None:
            form = {"response": encrypt_response(parameters, request.encryption)}
        else:
            form = {
                name: value if isinstance(value, str) else encode_w3c(value).decode()
                for name, value in parameters.items()
            }
        answer = await self._json("POST", request.response_uri, data=form)
        onward = answer.get("redirect_uri")
        return onward if isinstance(onward, str) else None

    async def _metadata(self, name: object, document: str, member: str) -> JsonObject:
        """What a party says of itself, at the place that follows from its name (OpenID4VCI 12.2.2, RFC 8414)."""
        if not isinstance(name, str):
            raise _bad_offer()
        if not _is_safe(name):
            raise _unsafe()
        parts = urlsplit(name)
        found = await self._json("GET", f"{parts.scheme}://{parts.netloc}/.well-known/{document}{parts.path}")
        if found.get(member) != name:
            raise VerificationError("openid_metadata_mismatch", "The metadata are of another party than was asked.")
        return found

    async def _credential(self, issuer: str, metadata: JsonObject, bearer: str, name: object) -> HeldVc:
        supported = metadata.get("credential_configurations_supported")
        configuration = supported.get(name) if isinstance(supported, dict) and isinstance(name, str) else None
        if not isinstance(configuration, dict) or configuration.get("format") not in FORMATS:
            raise RefusedError("openid_format_unsupported", "The offered credential is of a format not held here.")
        nonce = (await self._json("POST", metadata.get("nonce_endpoint"))).get("c_nonce")
        if not isinstance(nonce, str):
            raise _bad_answer()
        proof = make_proof(self._signer, issuer, nonce, self._clock.now_ms())
        request = {"credential_configuration_id": name, "proofs": {"jwt": [proof]}}
        answer = await self._json(
            "POST",
            metadata.get("credential_endpoint"),
            content=encode_w3c(request),
            headers={"authorization": f"Bearer {bearer}", "content-type": "application/json"},
        )
        credentials = answer.get("credentials")
        if not isinstance(credentials, list) or len(credentials) != 1 or not isinstance(credentials[0], dict):
            raise _bad_answer()
        return await self._verified(configuration, credentials[0].get("credential"))

    async def _verified(self, configuration: JsonObject, value: Any) -> HeldVc:
        """What came is what was offered, signed by its issuer, about this wallet."""
        document = unpacked_credential(value, configuration["format"])
        keys = {method: await self._find_key(method, "assertionMethod") for method, _ in signers_of(document)}

        def known(method: str, _purpose: str) -> ProofKey:
            if method not in keys:
                raise VerificationError("verification_method_unknown", "The proof names a key that was not looked up.")
            return keys[method]

        content = verify_vc(document, CredentialPolicy(self._clock.now_ms(), known)).document
        definition = configuration.get("credential_definition")
        types = definition.get("type") if isinstance(definition, dict) else None
        if content.get("type") != types or not _is_bound(content, self.did):
            raise VerificationError("openid_credential_foreign", "The credential is another, or about somebody else.")
        return HeldVc(configuration["format"], value)

    async def _text(self, method: str, url: object, **arguments: Any) -> str:
        return (await self._send(method, url, **arguments)).decode("ascii", "replace")

    async def _json(self, method: str, url: object, **arguments: Any) -> JsonObject:
        data = await self._send(method, url, **arguments)
        try:
            return parse_w3c(data, OPENID_BODY_BYTES_MAX)
        except LianzhengError as error:
            raise _bad_answer() from error

    async def _send(self, method: str, url: object, **arguments: Any) -> bytes:
        """The body of a 200 answer, read up to a bound. Raises as :meth:`receive`."""
        if not isinstance(url, str) or not _is_safe(url):
            raise _unsafe()
        try:
            async with self._http.stream(method, url, **arguments) as response:
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > OPENID_BODY_BYTES_MAX:
                        raise _bad_answer()
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL, ValueError) as error:
            raise UnavailableError("openid_unreachable", "The other party does not answer.") from error
        if response.status_code != 200:
            raise RefusedError("openid_refused", f"The other party refused: {_said(bytes(data))}.")
        return bytes(data)


def _said(data: bytes) -> str:
    try:
        error = parse_w3c(data, OPENID_BODY_BYTES_MAX).get("error")
    except LianzhengError:
        error = None
    named = isinstance(error, str) and error.isascii() and error.replace("_", "").isalnum() and len(error) <= 64
    return str(error) if named else "without a code"


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return host is not None and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def _unsafe() -> RefusedError:
    return RefusedError("openid_url_refused", "A URL is not https; plain http is for this machine alone.")


def _is_bound(content: JsonObject, did: str) -> bool:
    subject = content.get("credentialSubject")
    return isinstance(subject, dict) and subject.get("id") == did


def _query(uri: str, code: str) -> dict[str, str]:
    """The parameters of a link, each once."""
    try:
        pairs = parse_qsl(
            urlsplit(uri).query, keep_blank_values=True, errors="strict", max_num_fields=OPENID_FORM_FIELDS_MAX
        )
    except ValueError:
        pairs = []
    found = dict(pairs)
    if not found or len(found) != len(pairs):
        if code == "openid_offer_malformed":
            raise _bad_offer()
        raise FormatError("openid_request_malformed", "The link holds no presentation request.")
    return found


def _bad_offer() -> FormatError:
    return FormatError("openid_offer_malformed", "The link holds no credential offer with a pre-authorised code.")


def _bad_answer() -> UnavailableError:
    return UnavailableError("openid_answer_invalid", "The other party's answer has not the form of the protocol.")
