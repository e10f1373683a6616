"""What this verifier says of itself and may ask for: OpenID4VP 1.0, sections 5 and 11, and the product's policy."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError
from lianzheng.identity.credentials.kinds import KINDS
from lianzheng.identity.openid.dcql import Query
from lianzheng.identity.openid.formats import FORMATS, JWT_VC, LDP_VC
from lianzheng.identity.openid.jwt import ALGORITHMS

__all__ = ["AUDIENCE", "REQUEST_TYP", "asked_kinds", "client_metadata"]

AUDIENCE = "https://self-issued.me/v2"
"""``aud`` of a request object to a wallet whose metadata are static (5.8)."""
REQUEST_TYP = "oauth-authz-req+jwt"
_VOCABULARY = "urn:lianzheng:v1#"
_SUITES = ("eddsa-jcs-2022", "eddsa-rdfc-2022", "ecdsa-jcs-2019", "ecdsa-rdfc-2019")


def client_metadata(encryption: JsonObject | None) -> JsonObject:
    """Verifier metadata in a request; ``encryption``: the public JWK for this answer alone."""
    algorithms = [name for names in ALGORITHMS.values() for name in names]
    found: JsonObject = {
        "vp_formats_supported": {
            JWT_VC: {"alg_values": algorithms},
            LDP_VC: {"proof_type_values": ["DataIntegrityProof"], "cryptosuite_values": list(_SUITES)},
        }
    }
    return found if encryption is None else {**found, "jwks": {"keys": [encryption]}}


def asked_kinds(query: Query) -> frozenset[str]:
    """The kinds that ``query`` asks for: the alliance's, each by its type, and with a proof by the holder.

    Raises ``RefusedError`` ``openid_query_refused``.
    """
    kinds: set[str] = set()
    for one in query.credentials:
        if one.format not in FORMATS or not one.holder_binding or one.authorities or not one.types:
            raise _refused()
        for alternative in one.types:
            found = {name.removeprefix(_VOCABULARY) for name in alternative} & set(KINDS)
            if len(found) != 1:
                raise _refused()
            kinds |= found
    return frozenset(kinds)


def _refused() -> RefusedError:
    return RefusedError(
        "openid_query_refused",
        "Each credential is asked for in jwt_vc_json or ldp_vc, by type_values that name one of the alliance's kinds, "
        "with holder binding and without trusted_authorities.",
        next_step="Compare the query with docs/spec/openid.md.",
    )
