"""EQ-1: on any mix of honest and corrupted items a batch names exactly those that single verification refuses."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER
from lianzheng.errors import LianzhengError
from lianzheng.zk import batch, schnorr, spseq
from lianzheng.zk.batch import KnowledgeClaim, SignatureClaim
from lianzheng.zk.spseq import SecretKey
from lianzheng.zk.transcript import Transcript

G, H = G1.generator(), G2.generator()
KEYS = [SecretKey(3, 5, 7), SecretKey(11, 13, 17)]


def _signature(serial: int) -> SignatureClaim:
    key = KEYS[serial % 2]
    message = (G * (serial + 2), G * (serial * 3 + 5), G * (serial * 5 + 7))
    return SignatureClaim(key.public(), message, spseq.sign(key, message))


def _proof(serial: int) -> KnowledgeClaim:
    context = Transcript("test", f"chain {serial}")
    base, secret = G * (serial + 2), serial * 1_000_003 + 9
    return KnowledgeClaim(base, base * secret, schnorr.prove(base, base * secret, secret, context), context)


SIGNATURES = [_signature(serial) for serial in range(24)]
PROOFS = [_proof(serial) for serial in range(24)]


def _corrupt_signature(claim: SignatureClaim, rng: Random) -> SignatureClaim:
    """One flaw, or a change that none of the equations minds."""
    psi = rng.randrange(2, ORDER)
    inverse = pow(psi, -1, ORDER)
    key, message, signature = claim
    choices = [
        claim._replace(signature=signature._replace(z=signature.z * psi)),
        claim._replace(signature=signature._replace(y=signature.y * psi)),
        claim._replace(signature=signature._replace(y2=signature.y2 * psi)),
        claim._replace(key=KEYS[rng.randrange(2)].public()),
        claim._replace(message=(message[1], message[0], message[2])),
        claim._replace(message=(message[0], message[1], G1.identity())),
        claim._replace(signature=SIGNATURES[rng.randrange(24)].signature),
        claim._replace(
            signature=spseq.Signature(signature.z * psi, signature.y * inverse, signature.y2 * inverse)
        ),  # the same signature under another ψ: valid
        SignatureClaim(key, *spseq.change_representative(message, signature, psi)),  # valid
    ]
    return choices[rng.randrange(len(choices))]


def _corrupt_proof(claim: KnowledgeClaim, rng: Random) -> KnowledgeClaim:
    proof = claim.proof
    choices = [
        claim._replace(proof=proof._replace(response=rng.randrange(ORDER))),
        claim._replace(proof=proof._replace(response=proof.response + ORDER)),
        claim._replace(proof=proof._replace(commitment=-proof.commitment)),
        claim._replace(public=claim.public + claim.base),
        claim._replace(base=claim.base * 2),
        claim._replace(transcript=PROOFS[rng.randrange(24)].transcript),
        claim._replace(proof=PROOFS[rng.randrange(24)].proof),
    ]
    return choices[rng.randrange(len(choices))]


@settings(max_examples=25, deadline=None)
@given(size=st.integers(0, 24), flaws=st.integers(0, 24), seed=st.integers(0, 2**64))
def test_a_batch_of_signatures_says_what_single_verification_says(size: int, flaws: int, seed: int) -> None:
    rng = Random(seed)
    claims = rng.sample(SIGNATURES, size)
    for at in rng.sample(range(size), min(size, flaws)):
        claims[at] = _corrupt_signature(claims[at], rng)
    single = []
    for at, claim in enumerate(claims):
        try:
            spseq.verify(*claim)
        except LianzhengError:
            single.append(at)
    assert batch.invalid_spseq(claims) == tuple(single)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(0, 24), flaws=st.integers(0, 24), seed=st.integers(0, 2**64))
def test_a_batch_of_proofs_says_what_single_verification_says(size: int, flaws: int, seed: int) -> None:
    rng = Random(seed)
    claims = rng.sample(PROOFS, size)
    for at in rng.sample(range(size), min(size, flaws)):
        claims[at] = _corrupt_proof(claims[at], rng)
    single = []
    for at, claim in enumerate(claims):
        try:
            schnorr.verify(*claim)
        except LianzhengError:
            single.append(at)
    assert batch.invalid_schnorr(claims) == tuple(single)
