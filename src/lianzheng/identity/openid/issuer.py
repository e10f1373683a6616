"""What this issuer says of itself: OpenID4VCI 1.0, section 12, for every kind that a member may issue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lianzheng.encoding.canonical import JsonObject
from lianzheng.identity.credentials import CONTEXT
from lianzheng.identity.credentials.kinds import KINDS, Kind
from lianzheng.identity.openid.formats import JWT_VC, LDP_VC
from lianzheng.identity.openid.jwt import ALGORITHMS

__all__ = ["CONFIGURATIONS", "PRE_AUTHORIZED", "Configuration", "credential_issuer_metadata", "server_metadata"]

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


@dataclass(frozen=True)
class Configuration:
    """One entry of ``credential_configurations_supported``: a kind in a format, and how it is secured."""

    kind: Kind
    format: str
    cryptosuite: str
    algorithm: str


CONFIGURATIONS: Mapping[str, Configuration] = {
    f"{kind.name}.{form}": Configuration(kind, form, suite, algorithm)
    for kind in KINDS.values()
    if kind.by_members
    for form, suite, algorithm in ((JWT_VC, "vc+jwt", "EdDSA"), (LDP_VC, "eddsa-rdfc-2022", "eddsa-rdfc-2022"))
}
"""Only what a member issues about its customers; a name says kind and format."""


def credential_issuer_metadata(base_url: str) -> JsonObject:
    """Credential issuer metadata (12.2.4)."""
    return {
        "credential_issuer": base_url,
        "credential_endpoint": f"{base_url}/credential",
        "nonce_endpoint": f"{base_url}/nonce",
        "credential_configurations_supported": {name: _described(name, one) for name, one in CONFIGURATIONS.items()},
    }


def server_metadata(base_url: str) -> JsonObject:
    """Authorisation server metadata (12.3); this issuer is its own server, for pre-authorised codes alone."""
    return {
        "issuer": base_url,
        "token_endpoint": f"{base_url}/token",
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": [PRE_AUTHORIZED],
        "pre-authorized_grant_anonymous_access_supported": True,
        "authorization_details_types_supported": ["openid_credential"],
    }


def _described(name: str, one: Configuration) -> JsonObject:
    types: JsonObject = {"type": ["VerifiableCredential", one.kind.name]}
    if one.format == LDP_VC:
        types = {"@context": [CONTEXT[0], dict(CONTEXT[1])], **types}
    return {
        "format": one.format,
        "scope": name,
        "credential_definition": types,
        "credential_signing_alg_values_supported": [one.algorithm],
        "cryptographic_binding_methods_supported": ["did:key", "did:lz", "jwk"],
        "proof_types_supported": {
            "jwt": {"proof_signing_alg_values_supported": [name for names in ALGORITHMS.values() for name in names]}
        },
        "credential_metadata": {
            "display": [
                {"name": one.kind.title_zh, "locale": "zh-CN"},
                {"name": one.kind.title_en, "locale": "en"},
            ]
        },
    }
