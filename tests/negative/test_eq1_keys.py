"""EQ-1, §4 must-fail: keys without possession, and one y for two messages."""

from __future__ import annotations

import pytest

from lianzheng.crypto.h2c import hash_to_g1
from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER, random_scalar, scalar_from_bytes, scalar_to_bytes
from lianzheng.errors import VerificationError
from lianzheng.zk import spseq
from lianzheng.zk.spseq import Message, PublicKey, SecretKey, Signature

G, H = G1.generator(), G2.generator()
CONTEXT = ("chain", "did:lz:chain:member", "credential", 0)


def test_a_multiple_of_another_members_key_without_possession() -> None:
    victim = SecretKey.generate()
    factor = random_scalar()
    key = PublicKey(*(point * factor for point in victim.public()))
    message: Message = (G, hash_to_g1("IDENTITY", b"a number"), G * 5)
    stolen = spseq.sign(victim, message)
    spseq.verify(key, message, stolen._replace(z=stolen.z * factor))  # such a key would re-badge every signature
    proof = spseq.prove_possession(victim, *CONTEXT)
    responses = [scalar_from_bytes(proof[at : at + 32]) * factor % ORDER for at in (288, 320, 352)]
    commitments = [(G2.from_bytes(proof[at : at + 96]) * factor).to_bytes() for at in (0, 96, 192)]
    scaled = b"".join(commitments) + b"".join(scalar_to_bytes(z) for z in responses)
    for attempt in (proof, scaled):
        with pytest.raises(VerificationError) as caught:
            spseq.verify_possession(key, attempt, *CONTEXT)
        assert caught.value.code == "possession_invalid"


@pytest.mark.parametrize(
    "context",
    [
        ("chain", "did:lz:chain:other", "credential", 0),
        ("chain", "did:lz:chain:member", "gate", 0),
        ("chain", "did:lz:chain:member", "credential", 1),
        ("elsewhere", "did:lz:chain:member", "credential", 0),
    ],
    ids=["another member", "another purpose", "another period", "another chain"],
)
def test_a_proof_of_possession_of_something_else(context: tuple[str, str, str, int]) -> None:
    key = SecretKey.generate()
    proof = spseq.prove_possession(key, *context)
    spseq.verify_possession(key.public(), proof, *context)
    with pytest.raises(VerificationError) as caught:
        spseq.verify_possession(key.public(), proof, *CONTEXT)
    assert caught.value.code == "possession_invalid"


def test_one_y_for_two_messages_signs_their_sum() -> None:
    key, y = SecretKey.generate(), random_scalar()
    inverse = pow(y, -1, ORDER)
    one: Message = (G, hash_to_g1("IDENTITY", b"one"), G * 5)
    two: Message = (G, hash_to_g1("IDENTITY", b"two"), G * 9)

    def sign_with_fixed_y(message: Message) -> Signature:
        z = message[0] * key.x1 + message[1] * key.x2 + message[2] * key.x3
        return Signature(z * y, G * inverse, H * inverse)

    bad_one, bad_two = sign_with_fixed_y(one), sign_with_fixed_y(two)
    total: Message = (one[0] + two[0], one[1] + two[1], one[2] + two[2])
    spseq.verify(key.public(), total, bad_one._replace(z=bad_one.z + bad_two.z))  # the attack is real
    first, second = spseq.sign(key, one), spseq.sign(key, two)
    assert first.y != second.y
    for signature in (first._replace(z=first.z + second.z), second._replace(z=first.z + second.z)):
        with pytest.raises(VerificationError):
            spseq.verify(key.public(), total, signature)
