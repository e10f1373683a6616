"""An authorisation request as a wallet reads it (OpenID4VP 1.0, section 5): who asks, for what, where to answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import FormatError, RefusedError, VerificationError
from lianzheng.identity.credentials.keys import ProofKey
from lianzheng.identity.openid.dcql import Query, parse_query
from lianzheng.identity.openid.jwt import check_times, read_jwt
from lianzheng.identity.openid.verifier import AUDIENCE, REQUEST_TYP
from lianzheng.limits import DCQL_BYTES_MAX, OPENID_REQUEST_MS
from lianzheng.registry.purposes import PURPOSES

__all__ = ["PresentationRequest", "read_parameters", "read_request_object"]

_DID = "decentralized_identifier:"
_REDIRECT = "redirect_uri:"
_PLAIN = re.compile(r"[A-Za-z0-9._~-]{1,512}\Z")
_OBJECTS = ("dcql_query", "client_metadata")


@dataclass(frozen=True)
class PresentationRequest:
    """A request that may be shown to a person. ``verifier``: the DID that signed it; None: nobody did.

    ``purpose``: what the request says it is for; None where a verifier of others says nothing.
    """

    client_id: str
    verifier: str | None
    response_uri: str
    nonce: str
    state: str | None
    query: Query
    encryption: JsonObject | None
    purpose: str | None


def read_parameters(query: Mapping[str, str]) -> PresentationRequest:
    """An unsigned request out of a link's parameters, under the prefix ``redirect_uri:`` (5.9.3).

    Raises ``FormatError`` ``openid_request_malformed`` and those of ``parse_query``; ``RefusedError``
    ``openid_client_refused``, ``openid_purpose_refused``, ``openid_request_unsupported``.
    """
    values: JsonObject = dict(query)
    for name in _OBJECTS:
        if name in values:
            values[name] = parse_w3c(query[name].encode(), DCQL_BYTES_MAX)
    client = values.get("client_id", "")
    if not client.startswith(_REDIRECT):
        raise RefusedError("openid_client_refused", "Who asks without a signature is known by redirect_uri alone.")
    uri = client.removeprefix(_REDIRECT)
    if values.setdefault("response_uri", uri) != uri:
        raise RefusedError("openid_client_refused", "The answer would go to another place than the client id names.")
    return _read(values, None)


async def read_request_object(
    token: str,
    client_id: str,
    find_key: Callable[[str, str], Awaitable[ProofKey]],
    now_ms: int,
    *,
    wallet_nonce: str | None = None,
) -> PresentationRequest:
    """A signed request object (RFC 9101) under the prefix ``decentralized_identifier:``.

    ``client_id``: that of the link, which must be the same. Raises as :func:`read_parameters`, as ``read_jwt`` and
    ``check_times``; ``VerificationError``: ``jwt_invalid``, ``jwt_audience_mismatch``, ``openid_nonce_mismatch``.
    """
    jwt = read_jwt(token, REQUEST_TYP)
    claims, kid = jwt.claims, jwt.header.get("kid")
    did = client_id.removeprefix(_DID)
    if claims.get("client_id") != client_id or not client_id.startswith(_DID):
        raise RefusedError("openid_client_refused", "A signed request is of the DID that the link named.")
    if not isinstance(kid, str) or kid.partition("#")[0] != did or not kid.partition("#")[2]:
        raise RefusedError("openid_client_refused", "The request is not signed by a key of the client's DID.")
    jwt.verify(await find_key(kid, "authentication"))
    check_times(claims, now_ms, OPENID_REQUEST_MS, iat_required=False)
    if claims.get("aud") != AUDIENCE:
        raise VerificationError("jwt_audience_mismatch", "The request was made for another party.")
    if wallet_nonce is not None and claims.get("wallet_nonce") != wallet_nonce:
        raise VerificationError("openid_nonce_mismatch", "The request does not answer this wallet's nonce.")
    return _read(claims, did)


def _read(values: Mapping[str, Any], verifier: str | None) -> PresentationRequest:
    mode, nonce, state = values.get("response_mode"), values.get("nonce"), values.get("state")
    if values.get("response_type") != "vp_token" or mode not in ("direct_post", "direct_post.jwt"):
        raise RefusedError("openid_request_unsupported", "Only vp_token by direct_post is answered.")
    if "transaction_data" in values or "redirect_uri" in values or "scope" in values:
        raise RefusedError("openid_request_unsupported", "transaction_data, redirect_uri and scope are not taken.")
    if not isinstance(nonce, str) or not _PLAIN.match(nonce):
        raise _malformed()
    if state is not None and (not isinstance(state, str) or not _PLAIN.match(state)):
        raise _malformed()
    purpose = values.get("lianzheng_purpose")
    if purpose is not None and (not isinstance(purpose, str) or purpose not in PURPOSES):
        raise RefusedError("openid_purpose_refused", "The request is for a purpose that the registry does not have.")
    uri = values.get("response_uri")
    if not isinstance(uri, str):
        raise _malformed()
    encryption = _encryption(values.get("client_metadata")) if mode == "direct_post.jwt" else None
    query = parse_query(values.get("dcql_query"))
    return PresentationRequest(values["client_id"], verifier, uri, nonce, state, query, encryption, purpose)


def _encryption(metadata: Any) -> JsonObject:
    """The first key for ECDH-ES on P-256; the default content encryption is A128GCM (8.3)."""
    try:
        keys = metadata["jwks"]["keys"]
        return next(one for one in keys if one.get("alg") == "ECDH-ES" and one.get("crv") == "P-256")
    except (TypeError, KeyError, AttributeError, StopIteration) as error:
        raise _malformed() from error


def _malformed() -> FormatError:
    return FormatError("openid_request_malformed", "The presentation request lacks a parameter, or has one in no form.")
