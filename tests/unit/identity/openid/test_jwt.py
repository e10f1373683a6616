"""Proofs of possession and encrypted answers: the texts' own tokens, joserfc as the other side, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey, OKPKey

from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.errors import FormatError, LianzhengError, VerificationError
from lianzheng.identity.credentials.keys import ProofSigner, did_key, did_key_signer
from lianzheng.identity.openid.jwe import ResponseKey, encrypt_response
from lianzheng.identity.openid.jwt import ALGORITHMS, jwk_of, key_of_jwk, read_jwt, sign_jwt
from lianzheng.identity.openid.proof import make_proof, read_proof
from lianzheng.limits import CLOCK_SKEW_MS, OPENID_JWT_BYTES_MAX, OPENID_PROOF_MS

VECTORS = Path(__file__).parents[3] / "vectors"
PROOF: dict[str, Any] = json.loads((VECTORS / "openid4vci" / "proof.json").read_text("utf-8"))
RESPONSE: dict[str, Any] = json.loads((VECTORS / "openid4vp" / "response.json").read_text("utf-8"))
ISSUER, NOW_MS = "https://issuer.example/openid", 1_790_000_000_000
TWICE = b'{"alg":"none","alg":"ES256"}'
CODECS = [ED25519_PUB, P256_PUB, P384_PUB]


def signer(codec: int = P256_PUB, number: int = 1) -> ProofSigner:
    return did_key_signer(codec, number.to_bytes(48 if codec == P384_PUB else 32, "big"))


def key_of(by: ProofSigner) -> Any:
    return did_key(by.verification_method, "authentication")


def jose_key(by: ProofSigner) -> Any:
    jwk = jwk_of(key_of(by))
    return OKPKey.import_key(jwk) if jwk["kty"] == "OKP" else ECKey.import_key(jwk)


def claims(**change: Any) -> dict[str, Any]:
    whole = {"aud": ISSUER, "iat": NOW_MS // 1000, "nonce": "n"} | change
    return {name: value for name, value in whole.items() if value is not None}


def token(header: dict[str, Any], payload: Any = None, by: ProofSigner | None = None) -> str:
    """A JWS with any header; ``None`` takes a member away."""
    by = by or signer()
    whole = {"alg": "ES256", "typ": "openid4vci-proof+jwt", "kid": by.verification_method} | header
    head = json.dumps({name: value for name, value in whole.items() if value is not None}).encode()
    first = f"{b64u_encode(head)}.{b64u_encode(json.dumps(claims() if payload is None else payload).encode())}"
    return f"{first}.{b64u_encode(by.sign(first.encode()))}"


def code_of(candidate: object, now_ms: int = NOW_MS) -> str:
    """How a proof ends under its own key."""
    try:
        proof = read_proof(candidate, ISSUER, now_ms)
        proof.jwt.verify(proof.jwk or did_key(proof.method, "authentication"))
    except LianzhengError as error:
        return error.code
    return "ok"


def test_the_texts_own_proof_holds() -> None:
    """The signature, key and claims printed in appendix F.1."""
    proof = read_proof(PROOF["jwt"], PROOF["aud"], PROOF["iat"] * 1000)
    assert proof.nonce == PROOF["nonce"]
    assert proof.jwk is not None
    assert jwk_of(proof.jwk) == proof.jwt.header["jwk"]
    proof.jwt.verify(proof.jwk)
    assert proof.did == proof.jwk.controller
    changed = PROOF["jwt"][:-2] + ("AA" if not PROOF["jwt"].endswith("AA") else "QQ")
    with pytest.raises(LianzhengError):
        read_proof(changed, PROOF["aud"], PROOF["iat"] * 1000).jwt.verify(proof.jwk)


def test_the_texts_own_encrypted_answer_opens() -> None:
    """The private key and the ciphertext printed in section 8.3."""
    key = ResponseKey("ac", ECKey.import_key(RESPONSE["jwk"]))
    assert ResponseKey.id_of(RESPONSE["response"]) == "ac"
    assert key.decrypt(RESPONSE["response"]) == RESPONSE["payload"]
    parts = RESPONSE["response"].split(".")
    body = bytearray(b64u_decode(parts[3]))
    body[0] ^= 1
    for broken in (".".join([*parts[:3], b64u_encode(bytes(body)), parts[4]]), "x", "a.b.c.d.e", ""):
        with pytest.raises(VerificationError) as caught:
            key.decrypt(broken)
        assert caught.value.code == "jwe_invalid"


@pytest.mark.parametrize("change", [{"alg": "ECDH-ES+A128KW"}, {"kty": "oct"}, {"x": "AA"}, {"crv": "P-999"}])
def test_answers_are_encrypted_to_good_keys_only(change: dict[str, str]) -> None:
    public = ResponseKey.generate("k").public
    assert "d" not in public
    assert ResponseKey.id_of(encrypt_response({"a": 1}, public)) == "k"
    with pytest.raises(FormatError) as caught:
        encrypt_response({"a": 1}, {**public, **change})
    assert caught.value.code == "jwk_malformed"


@pytest.mark.parametrize("codec", CODECS)
def test_joserfc_takes_ours_and_we_take_joserfcs(codec: int) -> None:
    by = signer(codec)
    ours = make_proof(by, ISSUER, "n", NOW_MS)
    algorithms = list(ALGORITHMS[codec])
    opened = jws.deserialize_compact(ours, jose_key(by), algorithms=algorithms)
    assert json.loads(opened.payload or b"") == claims()
    secret: Any
    if codec == ED25519_PUB:
        secret = OKPKey.import_key({**jwk_of(key_of(by)), "d": b64u_encode((1).to_bytes(32, "big"))})
    else:
        width = 48 if codec == P384_PUB else 32
        secret = ECKey.import_key({**jwk_of(key_of(by)), "d": b64u_encode((1).to_bytes(width, "big"))})
    for algorithm in algorithms:
        header = {"alg": algorithm, "typ": "openid4vci-proof+jwt", "kid": by.verification_method}
        theirs = jws.serialize_compact(header, json.dumps(claims()), secret, algorithms=[algorithm])
        assert code_of(theirs) == "ok"


@pytest.mark.parametrize("codec", CODECS)
def test_a_jwk_is_the_same_key_as_its_did_key(codec: int) -> None:
    by = signer(codec)
    key, method = key_of_jwk(jwk_of(key_of(by)))
    assert (key, method) == (key_of(by), by.verification_method)
    proof = read_proof(make_proof(by, ISSUER, "n", NOW_MS, jwk=jwk_of(key)), ISSUER, NOW_MS)
    assert (proof.did, proof.jwk) == (key.controller, key)


_EC = jwk_of(key_of(signer(P256_PUB)))


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        {},
        "x",
        {**_EC, "d": "AA"},
        {**_EC, "crv": "P-521"},
        {**_EC, "crv": ["P-256"]},
        {**_EC, "x": _EC["y"]},
        {**_EC, "y": _EC["x"]},
        {**_EC, "x": 5},
        {**_EC, "x": _EC["x"][:-4]},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "OKP", "crv": "X25519", "x": _EC["x"]},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    ],
)
def test_what_is_no_public_key(jwk: Any) -> None:
    with pytest.raises(FormatError) as caught:
        key_of_jwk(jwk)
    assert caught.value.code == "jwk_malformed"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "ok"),
        ({"alg": "none"}, "jwt_header_refused"),
        ({"alg": "HS256"}, "jwt_header_refused"),
        ({"alg": "RS256"}, "jwt_header_refused"),
        ({"alg": None}, "jwt_header_refused"),
        ({"alg": ["ES256"]}, "jwt_header_refused"),
        ({"alg": "ES384"}, "jwt_invalid"),
        ({"alg": "EdDSA"}, "jwt_invalid"),
        ({"typ": "JWT"}, "jwt_header_refused"),
        ({"typ": "oauth-authz-req+jwt"}, "jwt_header_refused"),
        ({"typ": None}, "jwt_header_refused"),
        ({"crit": ["exp"]}, "jwt_header_refused"),
        ({"b64": False}, "jwt_header_refused"),
        ({"jku": "https://evil.example"}, "jwt_header_refused"),
        ({"x5c": ["AA"]}, "jwt_header_refused"),
        ({"jwk": _EC}, "jwt_header_refused"),
        ({"kid": None}, "jwt_header_refused"),
        ({"kid": 7}, "jwt_header_refused"),
        ({"kid": "key-1"}, "jwt_header_refused"),
        ({"kid": signer().verification_method.partition("#")[0]}, "jwt_header_refused"),
        ({"kid": signer(number=2).verification_method}, "jwt_invalid"),
        ({"kid": signer(ED25519_PUB).verification_method}, "jwt_invalid"),
        ({"kid": signer().verification_method + "x"}, "verification_method_unknown"),
        ({"kid": None, "jwk": {**_EC, "d": "AA"}}, "jwk_malformed"),
    ],
)
def test_headers(header: dict[str, Any], code: str) -> None:
    assert code_of(token(header)) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "https://other.example"}, "jwt_audience_mismatch"),
        ({"aud": ISSUER + "/"}, "jwt_audience_mismatch"),
        ({"aud": [ISSUER]}, "jwt_audience_mismatch"),
        ({"aud": None}, "jwt_audience_mismatch"),
        ({"nonce": None}, "jwt_malformed"),
        ({"nonce": 5}, "jwt_malformed"),
        ({"iat": None}, "jwt_malformed"),
        ({"iat": "now"}, "jwt_malformed"),
        ({"iat": True}, "jwt_malformed"),
        ({"iat": NOW_MS}, "jwt_malformed"),
        ({"iat": 2**41}, "jwt_malformed"),
        ({"exp": NOW_MS // 1000 - 3600}, "jwt_expired"),
        ({"nbf": NOW_MS // 1000 + 3600}, "jwt_not_yet_valid"),
        ({"iss": "anybody"}, "ok"),
    ],
)
def test_claims(change: dict[str, Any], code: str) -> None:
    assert code_of(token({}, claims(**change))) == code


def test_age_with_the_clocks_difference() -> None:
    made = make_proof(signer(), ISSUER, "n", NOW_MS)
    assert code_of(made, NOW_MS + OPENID_PROOF_MS + CLOCK_SKEW_MS) == "ok"
    assert code_of(made, NOW_MS + OPENID_PROOF_MS + CLOCK_SKEW_MS + 1) == "jwt_expired"
    assert code_of(made, NOW_MS - CLOCK_SKEW_MS) == "ok"
    assert code_of(made, NOW_MS - CLOCK_SKEW_MS - 1000) == "jwt_not_yet_valid"


@pytest.mark.parametrize("secret", ["x", "y"])
def test_hs256_under_the_public_key_is_not_taken(secret: str) -> None:
    """The classic confusion: a MAC whose key is the public key that the verifier looks up."""
    header = {"alg": "HS256", "typ": "openid4vci-proof+jwt", "kid": signer().verification_method}
    forged = jws.serialize_compact(header, json.dumps(claims()), OctKey.import_key(_EC[secret]), algorithms=["HS256"])
    assert code_of(forged) == "jwt_header_refused"


@pytest.mark.parametrize(
    "candidate",
    [
        None,
        b"",
        7,
        "",
        "a.b",
        "a.b.c.d",
        "..",
        token({}).replace(".", "=.", 1),
        token({}) + "=",
        token({}, [1]),
        "A" * (OPENID_JWT_BYTES_MAX + 1),
        "e30.e30.!",
        f"{b64u_encode(b'[]')}.{b64u_encode(b'{}')}.AA",
        b64u_encode(TWICE) + ".e30.AA",
    ],
)
def test_what_is_no_token(candidate: object) -> None:
    assert code_of(candidate) == "jwt_malformed"


def test_an_unsigned_token_is_no_token() -> None:
    head, body, _ = token({"alg": "none"}).split(".")
    assert code_of(f"{head}.{body}.") == "jwt_header_refused"
    head, body, _ = token({}).split(".")
    assert code_of(f"{head}.{body}.") == "jwt_invalid"


def test_a_token_of_one_purpose_serves_no_other() -> None:
    made = sign_jwt(claims(), signer(), "oauth-authz-req+jwt")
    assert code_of(made) == "jwt_header_refused"
    assert read_jwt(made, "oauth-authz-req+jwt").claims == claims()


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "dir"},
        {"alg": "none"},
        {"alg": ["ECDH-ES"]},
        {"enc": "A256GCM"},
        {"enc": None},
        {"zip": "DEF"},
        {"crit": ["exp"]},
        {"epk": None},
        {"epk": {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}},
        {"epk": {"kty": "EC", "crv": "P-256", "x": 5, "y": "AA"}},
        {"epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": "AA", "y": ""}},
        {"epk": {"kty": "EC", "crv": "P-256", "x": _EC["x"], "y": _EC["x"]}},
        {"apu": 5},
    ],
)
def test_headers_of_encrypted_answers(change: dict[str, Any]) -> None:
    """Whatever a message names, it ends in one code: nothing that it names is looked up."""
    key = ResponseKey.generate("k")
    good = encrypt_response({"a": 1}, key.public)
    assert key.decrypt(good) == {"a": 1}
    head, rest = good.split(".", 1)
    header = json.loads(b64u_decode(head)) | change
    named = {name: value for name, value in header.items() if value is not None}
    with pytest.raises(VerificationError) as caught:
        key.decrypt(b64u_encode(json.dumps(named).encode()) + "." + rest)
    assert caught.value.code == "jwe_invalid"


@pytest.mark.parametrize("change", [{"zip": "DEF"}, {"p2c": 2**31}, {"jku": "https://evil.example"}, {"iv": "AA"}])
def test_an_answer_that_opens_but_says_more_in_its_header(change: dict[str, Any]) -> None:
    """Encrypted as it says, header and all: nothing but its header speaks against it, which may ask for work."""
    key = ResponseKey.generate("k")
    public = {name: value for name, value in key.public.items() if name in {"kty", "crv", "x", "y"}}
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A128GCM", "DEF"], strict_check_header=False)

    def token(header: dict[str, Any]) -> str:
        named = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": "k", **header}
        return jwe.encrypt_compact(named, json.dumps({"a": " " * 50_000}), ECKey.import_key(public), registry=registry)

    assert key.decrypt(token({})) == {"a": " " * 50_000}
    with pytest.raises(VerificationError) as caught:
        key.decrypt(token(change))
    assert caught.value.code == "jwe_invalid"
