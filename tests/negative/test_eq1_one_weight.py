"""EQ-1 must-fail: what one weight per token lets through, shown to work against a naive check and refused by ours."""

from __future__ import annotations

import pytest

from lianzheng.crypto.h2c import hash_to_g1
from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER, msm, pairing_check, random_scalar, random_weight
from lianzheng.errors import VerificationError
from lianzheng.zk import batch, dleq, spseq
from lianzheng.zk.batch import SignatureClaim
from lianzheng.zk.spseq import Message, PublicKey, SecretKey, Signature
from lianzheng.zk.transcript import Transcript

G, H = G1.generator(), G2.generator()


def naive_verify(key: PublicKey, message: Message, signature: Signature) -> bool:
    """The wrong check: both equations of the token multiplied by the same weight and then together."""
    weight = random_weight()
    pairs = [(point * weight, twist) for point, twist in zip(message, key, strict=True)]
    pairs += [(-(signature.z * weight), signature.y2)]
    pairs += [(signature.y * weight, H), (-(G * weight), signature.y2)]
    return pairing_check(pairs)


def forge(key: PublicKey, identity: G1) -> tuple[Message, Signature]:
    """From nothing but the person's number and the issuer's public key."""
    m1, m2, m3, b = (random_scalar() for _ in range(4))
    y2 = key.x1 * m1 + key.x2 * m2 + key.x3 * m3 + H * b
    return (identity * m1, identity * m2, identity * m3), Signature(identity - G, identity * b, y2)


def test_the_forgery_from_nothing_but_a_number() -> None:
    key = SecretKey.generate().public()
    message, signature = forge(key, hash_to_g1("IDENTITY", b"a number"))
    assert naive_verify(key, message, signature)  # the attack is real
    for _ in range(20):  # and no draw of the weight lets it through
        with pytest.raises(VerificationError) as caught:
            spseq.verify(key, message, signature)
        assert caught.value.code == "spseq_invalid"


def test_an_honest_signature_passes_both_checks() -> None:
    key = SecretKey.generate()
    message: Message = (G, hash_to_g1("IDENTITY", b"a number"), G * 5)
    signature = spseq.sign(key, message)
    assert naive_verify(key.public(), message, signature)
    spseq.verify(key.public(), message, signature)


def naive_batch(claims: list[SignatureClaim]) -> bool:
    """The wrong batch: one weight a token."""
    pairs = []
    for key, message, signature in claims:
        weight = random_weight()
        pairs += [(point * weight, twist) for point, twist in zip(message, key, strict=True)]
        pairs += [(signature.y * weight, H), (-((signature.z + G) * weight), signature.y2)]
    return pairing_check(pairs)


def test_the_forgery_among_honest_tokens() -> None:
    key = SecretKey.generate()
    honest = []
    for serial in range(2, 10):
        message: Message = (G, hash_to_g1("IDENTITY", b"another number"), G * serial)
        honest.append(SignatureClaim(key.public(), message, spseq.sign(key, message)))
    forged = SignatureClaim(key.public(), *forge(key.public(), hash_to_g1("IDENTITY", b"a number")))
    claims = [*honest[:3], forged, *honest[3:]]
    assert naive_batch(claims)  # the attack is real
    for _ in range(20):
        assert batch.invalid_spseq(claims) == (3,)
    assert batch.invalid_spseq([forged] * 6) == tuple(range(6))


def test_a_dleq_merged_under_one_weight() -> None:
    k, delta, nonce = random_scalar(), random_scalar(), random_scalar()
    p, b = G * k, hash_to_g1("IDENTITY", b"a number")
    w = b * k + (G + b) * delta
    transcript = Transcript("test", "chain")
    context = transcript.fork()
    for label, point in (("base", G), ("key", p), ("element", b), ("result", w)):
        context.absorb(f"dleq.{label}", point)
    r1, r2 = G * nonce, b * nonce
    context.absorb("dleq.commitments", r1, r2)
    c = context.challenge()
    z = (nonce + c * (k + delta)) % ORDER
    weight = random_weight()
    left = msm([G, b], [z * weight % ORDER] * 2)
    assert left == (r1 + r2 + (p + w) * c) * weight  # one weight for both equations: the attack is real
    with pytest.raises(VerificationError) as caught:
        dleq.verify(G, p, b, w, dleq.DleqProof(c, z), transcript)
    assert caught.value.code == "dleq_invalid"
    with pytest.raises(VerificationError) as caught:
        batch.verify_dleq(G, p, [(b, w)], dleq.DleqProof(c, z), transcript)
    assert caught.value.code == "dleq_invalid"


def test_flaws_of_two_dleq_pairs_under_one_weight() -> None:
    k, error = random_scalar(), hash_to_g1("IDENTITY", b"an error")
    p, first, second = G * k, hash_to_g1("IDENTITY", b"a number"), hash_to_g1("IDENTITY", b"another number")
    pairs = [(first, first * k + error), (second, second * k - error)]
    transcript = Transcript("test", "chain")
    total = pairs[0][0] + pairs[1][0], pairs[0][1] + pairs[1][1]
    plain = dleq.prove(k, G, p, *total, transcript)
    dleq.verify(G, p, *total, plain, transcript)  # both pairs under one weight: the attack is real
    for proof in (plain, batch.prove_dleq(k, G, p, pairs, transcript)):
        with pytest.raises(VerificationError) as caught:
            batch.verify_dleq(G, p, pairs, proof, transcript)
        assert caught.value.code == "dleq_invalid"


def test_one_flawed_dleq_pair_among_honest_ones() -> None:
    k, delta = random_scalar(), random_scalar()
    p = G * k
    elements = [hash_to_g1("IDENTITY", bytes([serial])) for serial in range(5)]
    pairs = [(b, b * k) for b in elements]
    pairs[2] = (elements[2], elements[2] * k + (G + elements[2]) * delta)
    transcript = Transcript("test", "chain")
    with pytest.raises(VerificationError) as caught:
        batch.verify_dleq(G, p, pairs, batch.prove_dleq(k, G, p, pairs, transcript), transcript)
    assert caught.value.code == "dleq_invalid"
