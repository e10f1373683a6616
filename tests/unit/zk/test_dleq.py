"""DLEQ: complete, strict, and refused when any public input changes (CON-5, GATE-9)."""

from __future__ import annotations

import secrets

import pytest

from lianzheng.crypto.hazmat.bls12381 import G1, ORDER, random_scalar
from lianzheng.errors import FormatError, VerificationError
from lianzheng.zk import dleq
from lianzheng.zk.dleq import DleqProof
from lianzheng.zk.transcript import Transcript

G = G1.generator()
K = random_scalar()
P = G * K
B = G1.hash_to_curve(b"blinded", b"TEST")
W = B * K
OTHER = G1.hash_to_curve(b"other", b"TEST")


def transcript(protocol: str = "test", chain: str = "chain", request: bytes = b"request") -> Transcript:
    result = Transcript(protocol, chain)
    result.absorb("request", request)
    return result


PROOF = dleq.prove(K, G, P, B, W, transcript())


def refused(g: G1, p: G1, b: G1, w: G1, proof: DleqProof, context: Transcript) -> None:
    with pytest.raises(VerificationError) as caught:
        dleq.verify(g, p, b, w, proof, context)
    assert caught.value.code == "dleq_invalid"


def test_a_proof_verifies_and_leaves_the_transcript_alone() -> None:
    context = transcript()
    dleq.verify(G, P, B, W, PROOF, context)
    dleq.verify(G, P, B, W, PROOF, context)


def test_each_public_input_counts() -> None:
    refused(OTHER, P, B, W, PROOF, transcript())
    refused(G, OTHER, B, W, PROOF, transcript())
    refused(G, P, OTHER, W, PROOF, transcript())
    refused(G, P, B, OTHER, PROOF, transcript())
    refused(B, W, G, P, PROOF, transcript())  # the two pairs exchanged
    refused(G, P, B, W, PROOF._replace(c=(PROOF.c + 1) % ORDER), transcript())
    refused(G, P, B, W, PROOF._replace(z=(PROOF.z + 1) % ORDER), transcript())
    refused(G, P, B, W, PROOF, transcript(protocol="other"))
    refused(G, P, B, W, PROOF, transcript(chain="other"))
    refused(G, P, B, W, PROOF, transcript(request=b"other"))


def test_another_key_on_the_element_is_refused() -> None:
    for key in (K, K + 1):
        wrong = B * (K + 1)
        refused(G, P, B, wrong, dleq.prove(key, G, P, B, wrong, transcript()), transcript())


def test_identities_are_refused() -> None:
    o = G1.identity()
    refused(G, o, B, o, dleq.prove(0, G, o, B, o, transcript()), transcript())
    refused(G, P, o, o, dleq.prove(K, G, P, o, o, transcript()), transcript())


def test_encoding_is_strict() -> None:
    data = PROOF.to_bytes()
    assert len(data) == 64 and DleqProof.from_bytes(data) == PROOF
    high = ORDER.to_bytes(32, "big")
    for bad, code in (
        (data[:-1], "proof_malformed"),
        (data + b"\0", "proof_malformed"),
        (high + data[32:], "scalar_invalid"),
        (data[:32] + high, "scalar_invalid"),
    ):
        with pytest.raises(FormatError) as caught:
            DleqProof.from_bytes(bad)
        assert caught.value.code == code


def test_a_dead_random_source_does_not_give_the_key_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    first = dleq.prove(K, G, P, B, W, transcript())
    second = dleq.prove(K, G, P, B, W, transcript(request=b"other"))
    # With one nonce for both, k would be (z1 - z2) / (c1 - c2).
    assert (first.z - second.z) * pow(first.c - second.c, -1, ORDER) % ORDER != K
