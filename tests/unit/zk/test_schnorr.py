"""Schnorr: complete, strict, and refused when any public input changes (CON-5, AUTH-2)."""

from __future__ import annotations

import secrets

import pytest

from lianzheng.crypto.hazmat.bls12381 import G1, ORDER, random_scalar, scalar_to_bytes
from lianzheng.errors import FormatError, VerificationError
from lianzheng.zk import schnorr
from lianzheng.zk.schnorr import SchnorrProof
from lianzheng.zk.transcript import Transcript

G = G1.generator()
BASE = G * 7
SECRET = random_scalar()
PUBLIC = BASE * SECRET
OTHER = G1.hash_to_curve(b"other", b"TEST")


def transcript(protocol: str = "test", chain: str = "chain", terms: bytes = b"terms") -> Transcript:
    result = Transcript(protocol, chain)
    result.absorb("terms", terms)
    return result


PROOF = schnorr.prove(BASE, PUBLIC, SECRET, transcript())


def refused(base: G1, public: G1, proof: SchnorrProof, context: Transcript) -> None:
    with pytest.raises(VerificationError) as caught:
        schnorr.verify(base, public, proof, context)
    assert caught.value.code == "schnorr_invalid"


def test_a_proof_verifies_and_leaves_the_transcript_alone() -> None:
    context = transcript()
    before = context.state()
    schnorr.verify(BASE, PUBLIC, PROOF, context)
    schnorr.verify(BASE, PUBLIC, PROOF, context)
    assert context.state() == before


def test_each_public_input_counts() -> None:
    refused(OTHER, PUBLIC, PROOF, transcript())
    refused(BASE, OTHER, PROOF, transcript())
    refused(BASE, PUBLIC, PROOF._replace(commitment=OTHER), transcript())
    refused(BASE, PUBLIC, PROOF._replace(response=(PROOF.response + 1) % ORDER), transcript())
    refused(BASE, PUBLIC, PROOF, transcript(protocol="other"))
    refused(BASE, PUBLIC, PROOF, transcript(chain="other"))
    refused(BASE, PUBLIC, PROOF, transcript(terms=b"other"))


def test_scaling_base_and_key_together_is_refused() -> None:
    # z·(2A) = 2R + c·(2P) holds as an equation; only a challenge that covers A, P and R stops it.
    refused(BASE * 2, PUBLIC * 2, PROOF._replace(commitment=PROOF.commitment * 2), transcript())


def test_a_wrong_secret_proves_nothing() -> None:
    refused(BASE, PUBLIC, schnorr.prove(BASE, PUBLIC, SECRET ^ 1, transcript()), transcript())


def test_identities_are_refused() -> None:
    identity = G1.identity()
    refused(BASE, identity, schnorr.prove(BASE, identity, 0, transcript()), transcript())  # C the identity
    refused(identity, identity, schnorr.prove(identity, identity, 5, transcript()), transcript())
    context = transcript()
    context.absorb("schnorr.base", BASE)
    context.absorb("schnorr.public", PUBLIC)
    context.absorb("schnorr.commitment", identity)
    refused(BASE, PUBLIC, SchnorrProof(identity, context.challenge() * SECRET % ORDER), transcript())  # k = 0


def test_encoding_is_strict() -> None:
    data = PROOF.to_bytes()
    assert len(data) == 80 and SchnorrProof.from_bytes(data) == PROOF
    over = (PROOF.response + ORDER).to_bytes(32, "big")
    for bad, code in (
        (data[:-1], "proof_malformed"),
        (data + b"\0", "proof_malformed"),
        (data[:48] + over, "scalar_invalid"),  # z >= q
        (data[:48] + scalar_to_bytes(ORDER - 1)[:-1] + b"\1", "scalar_invalid"),  # z = q
        (b"\xc0" + bytes(47) + data[48:], "point_identity"),
    ):
        with pytest.raises(FormatError) as caught:
            SchnorrProof.from_bytes(bad)
        assert caught.value.code == code


def test_a_dead_random_source_does_not_repeat_a_commitment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    first = schnorr.prove(BASE, PUBLIC, SECRET, transcript())
    second = schnorr.prove(BASE, PUBLIC, SECRET, transcript(terms=b"other"))
    assert first.commitment != second.commitment
    schnorr.verify(BASE, PUBLIC, first, transcript())


def test_two_proofs_of_one_statement_differ() -> None:
    assert schnorr.prove(BASE, PUBLIC, SECRET, transcript()).commitment != PROOF.commitment
