"""The token's vector, recomputed from ``docs/spec/token.md`` and ``consent.md`` with hashlib and the group alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.consent.model import decode_token
from lianzheng.consent.token import verify_token
from lianzheng.crypto.h2c import hash_to_g1, hash_to_scalar
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.zk.spseq import PublicKey


def _lp(*parts: bytes | str) -> bytes:
    plain = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in plain)


def _tagged(purpose: str, *parts: bytes | str) -> bytes:
    return b"lianzheng/v1/" + purpose.encode() + b"\0" + _lp(*parts)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _jcs(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def vector() -> dict[str, str]:
    value: dict[str, str] = json.loads(Path(__file__).with_name("token.json").read_text("utf-8"))
    return value


def test_digest_cid_and_pop(vector: dict[str, str]) -> None:
    token = json.loads(vector["token"])
    assert _jcs(token).decode() == vector["token"]
    h = hashlib.sha256(_tagged("token", vector["token"])).digest()
    terms = token["terms"]
    cid = hashlib.sha256(_tagged("cid", _bytes(terms["rk"]), terms["not_after"], h)).digest()
    assert (h.hex(), cid.hex()) == (vector["h"], vector["cid"])
    assert _tagged("consent-pop", terms["chain_id"], cid, terms["requester"]).hex() == vector["pop_bytes"]


def test_transcript_and_holder_signature(vector: dict[str, str]) -> None:
    token = json.loads(vector["token"])
    a, b, c, commitment = (_bytes(token[name]) for name in ("a", "b", "c", "R"))
    sigma = [_bytes(token["sigma_i"][name]) for name in ("z", "y", "y2")]
    state = b"lianzheng/v1/transcript\0" + _lp("token", token["terms"]["chain_id"])
    for label, parts in (
        ("suite", ["BLS12381-SPSEQ-SCHNORR-SHA-256"]),
        ("terms", [_jcs(token["terms"])]),
        ("points", [a, b, c]),
        ("sigma_i", sigma),
        ("keys", [_jcs(token["keys"])]),
    ):
        state += _lp(label, _lp(*parts))
    assert state.hex() == vector["transcript"]
    state += _lp("schnorr.base", _lp(a)) + _lp("schnorr.public", _lp(c)) + _lp("schnorr.commitment", _lp(commitment))
    challenge = hash_to_scalar(state, b"LIANZHENG-V1-TOKEN-XMD:SHA-256_SCALAR_")
    z = int.from_bytes(_bytes(token["z"]), "big")
    assert G1.from_bytes(a) * z == G1.from_bytes(commitment) + G1.from_bytes(c) * challenge


def test_points(vector: dict[str, str]) -> None:
    token = json.loads(vector["token"])
    r, v = int(vector["r"], 16), int(vector["v"], 16)
    u = hash_to_g1("IDENTITY", bytes.fromhex(vector["idnorm"]))
    assert G1.from_bytes(_bytes(token["a"])) == G1.generator() * r
    assert G1.from_bytes(_bytes(token["b"])) == u * r
    assert G1.from_bytes(_bytes(token["c"])) == G1.generator() * r * v


def test_it_verifies(vector: dict[str, str]) -> None:
    key = PublicKey.from_bytes(bytes.fromhex(vector["issuer_key"]))
    verify_token(decode_token(vector["token"].encode()), json.loads(vector["token"])["terms"]["chain_id"], key)
