"""Encrypted answers (OpenID4VP 1.0, section 8.3): ECDH-ES with a key of one request, A128GCM, and nothing else."""

from __future__ import annotations

from typing import Any, Self

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from lianzheng.encoding.binary import b64u_decode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.errors import FormatError, VerificationError
from lianzheng.limits import OPENID_BODY_BYTES_MAX

__all__ = ["ResponseKey", "encrypt_response"]

_ALG, _ENC = "ECDH-ES", "A128GCM"
_REGISTRY = jwe.JWERegistry(algorithms=[_ALG, _ENC])
_REGISTRY.max_ciphertext_length = OPENID_BODY_BYTES_MAX


class ResponseKey:
    """An ephemeral P-256 key of one request."""

    def __init__(self, name: str, key: Any) -> None:
        self.id = name
        self._key = key

    @classmethod
    def generate(cls, name: str) -> Self:
        """A fresh key whose ``kid`` is ``name``."""
        return cls(name, ECKey.generate_key("P-256"))

    @property
    def public(self) -> JsonObject:
        """Its public JWK, as client metadata carry it."""
        found: dict[str, Any] = self._key.as_dict(private=False)
        named = {name: found[name] for name in ("kty", "crv", "x", "y")}
        return {**named, "kid": self.id, "use": "enc", "alg": _ALG}

    @staticmethod
    def id_of(token: str) -> str:
        """The ``kid`` that a compact JWE names; empty where it names none."""
        try:
            header = parse_w3c(b64u_decode(token.split(".")[0]), OPENID_BODY_BYTES_MAX)
        except FormatError:
            return ""
        kid = header.get("kid")
        return kid if isinstance(kid, str) else ""

    def decrypt(self, token: str) -> JsonObject:
        """The parameters inside. Raises ``VerificationError`` ``jwe_invalid``; ``FormatError`` of ``parse_w3c``."""
        try:
            _check_header(parse_w3c(b64u_decode(token.split(".")[0]), OPENID_BODY_BYTES_MAX))
            opened = jwe.decrypt_compact(token, self._key, registry=_REGISTRY)
        except (JoseError, FormatError, ValueError, TypeError) as error:
            raise VerificationError("jwe_invalid", "The answer cannot be decrypted with the request's key.") from error
        return parse_w3c(opened.plaintext or b"", OPENID_BODY_BYTES_MAX)


def _check_header(header: JsonObject) -> None:
    """The one way of encrypting that was asked for; the library would look up whatever the message names."""
    epk = header.get("epk")
    texts = {"alg": _ALG, "enc": _ENC}
    if any(header.get(name) != value for name, value in texts.items()) or not isinstance(epk, dict):
        raise _bad_header()
    if not set(header) <= {"alg", "enc", "epk", "kid", "apu", "apv", "typ", "cty"}:
        raise _bad_header()
    point = [epk.get(name) for name in ("x", "y")]
    if (epk.get("kty"), epk.get("crv")) != ("EC", "P-256") or not all(isinstance(one, str) for one in point):
        raise _bad_header()
    if not set(epk) <= {"kty", "crv", "x", "y"}:
        raise _bad_header()


def _bad_header() -> FormatError:
    return FormatError("jwe_header_refused", "The answer is encrypted in another way than was asked for.")


def encrypt_response(parameters: JsonObject, jwk: JsonObject) -> str:
    """``parameters`` for the holder of ``jwk``. Raises ``FormatError`` ``jwk_malformed``."""
    if jwk.get("alg") != _ALG or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise FormatError("jwk_malformed", "The verifier's key is not one of ECDH-ES on P-256.")
    header = {"alg": _ALG, "enc": _ENC, **({"kid": jwk["kid"]} if "kid" in jwk else {})}
    try:
        key = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk})
        return jwe.encrypt_compact(header, encode_w3c(parameters), key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise FormatError("jwk_malformed", "The verifier's key is no point on its curve.") from error
