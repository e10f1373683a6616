"""SPS-EQ: signing, adapting, possession; every input changed in turn (§4, EQ-1, CON-5)."""

from __future__ import annotations

import secrets
from typing import Any

import py_arkworks_bls12381 as arkworks
import pytest

from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER, random_scalar
from lianzheng.errors import FormatError, LianzhengError, RefusedError, VerificationError
from lianzheng.zk import spseq
from lianzheng.zk.spseq import Message, PublicKey, SecretKey, Signature

G = G1.generator()
U = G1.hash_to_curve(b"person", b"TEST")
OTHER = G1.hash_to_curve(b"other", b"TEST")
KEY = SecretKey.generate()
PUBLIC = KEY.public()
MESSAGE: Message = (G, U, G * random_scalar())
SIGNATURE = spseq.sign(KEY, MESSAGE)


def refused(key: PublicKey, message: Message, signature: Signature) -> None:
    with pytest.raises(VerificationError) as caught:
        spseq.verify(key, message, signature)
    assert caught.value.code == "spseq_invalid"


def test_a_signature_satisfies_both_equations_in_the_other_library() -> None:
    spseq.verify(PUBLIC, MESSAGE, SIGNATURE)
    one = [arkworks.G1Point.from_compressed_bytes(point.to_bytes()) for point in (*MESSAGE, -SIGNATURE.z)]
    two = [arkworks.G2Point.from_compressed_bytes(point.to_bytes()) for point in (*PUBLIC, SIGNATURE.y2)]
    assert arkworks.GT.pairing_check(one, two)
    y, y2 = (point.to_bytes() for point in (SIGNATURE.y, SIGNATURE.y2))
    left = arkworks.GT.pairing(arkworks.G1Point.from_compressed_bytes(y), arkworks.G2Point())
    assert left == arkworks.GT.pairing(arkworks.G1Point(), arkworks.G2Point.from_compressed_bytes(y2))


def test_each_input_counts() -> None:
    for at in range(3):
        changed: Any = [*MESSAGE]
        changed[at] = OTHER
        refused(PUBLIC, (changed[0], changed[1], changed[2]), SIGNATURE)
        keys = [*PUBLIC]
        keys[at] = G2.generator() * 5
        refused(PublicKey(*keys), MESSAGE, SIGNATURE)
    refused(PUBLIC, (MESSAGE[1], MESSAGE[0], MESSAGE[2]), SIGNATURE)
    refused(PUBLIC, MESSAGE, SIGNATURE._replace(z=OTHER))
    refused(PUBLIC, MESSAGE, SIGNATURE._replace(y=OTHER))
    refused(PUBLIC, MESSAGE, SIGNATURE._replace(y2=G2.generator() * 5))


def test_both_equations_are_checked() -> None:
    # Only e(Y, Ĝ) = e(G, Ŷ) fails in the first, only the other in the second.
    refused(PUBLIC, MESSAGE, SIGNATURE._replace(y=SIGNATURE.y + G))
    refused(PUBLIC, MESSAGE, SIGNATURE._replace(z=SIGNATURE.z + G))


def test_identities_are_refused() -> None:
    o, o2 = G1.identity(), G2.identity()
    refused(PUBLIC, (o, o, o), Signature(o, SIGNATURE.y, SIGNATURE.y2))  # holds as an equation
    refused(PublicKey(o2, o2, o2), MESSAGE, Signature(o, SIGNATURE.y, SIGNATURE.y2))  # so does this
    refused(PUBLIC, MESSAGE, Signature(o, o, o2))
    for at in range(3):
        changed: Any = [*MESSAGE]
        changed[at] = o
        with pytest.raises(RefusedError) as caught:
            spseq.sign(KEY, (changed[0], changed[1], changed[2]))
        assert caught.value.code == "spseq_message_refused"


def test_a_vector_in_the_kernel_of_the_key_is_not_signed() -> None:
    third = -(G * (KEY.x1 * pow(KEY.x3, -1, ORDER) % ORDER) + U * (KEY.x2 * pow(KEY.x3, -1, ORDER) % ORDER))
    with pytest.raises(RefusedError) as caught:
        spseq.sign(KEY, (G, U, third))
    assert caught.value.code == "spseq_message_refused"


@pytest.mark.parametrize("size", [2, 4])
def test_vectors_of_other_lengths_are_refused(size: int) -> None:
    message: Any = (G, U, G, U)[:size]
    calls: list[Any] = [
        lambda: spseq.sign(KEY, message),
        lambda: spseq.verify(PUBLIC, message, SIGNATURE),
        lambda: spseq.change_representative(message, SIGNATURE, 5),
    ]
    for call in calls:
        with pytest.raises(FormatError) as caught:
            call()
        assert caught.value.code == "message_malformed"


def test_adapted_signatures_hold_on_their_own_representative_only() -> None:
    r = random_scalar()
    message, signature = spseq.change_representative(MESSAGE, SIGNATURE, r)
    assert message == tuple(point * r for point in MESSAGE)
    spseq.verify(PUBLIC, message, signature)
    refused(PUBLIC, MESSAGE, signature)
    refused(PUBLIC, message, SIGNATURE)
    again, signature = spseq.change_representative(message, signature, pow(r, -1, ORDER))
    assert again == MESSAGE
    spseq.verify(PUBLIC, again, signature)


def test_adapting_twice_shares_no_element() -> None:
    first = spseq.change_representative(MESSAGE, SIGNATURE, 5)[1]
    second = spseq.change_representative(MESSAGE, SIGNATURE, 5)[1]
    assert not {first.z, first.y, SIGNATURE.z, SIGNATURE.y} & {second.z, second.y}
    assert first.y2 != second.y2


@pytest.mark.parametrize("r", [-1, 0, 1, ORDER, ORDER + 2])
def test_a_factor_that_hides_nothing_is_refused(r: int) -> None:
    with pytest.raises(FormatError) as caught:
        spseq.change_representative(MESSAGE, SIGNATURE, r)
    assert caught.value.code == "scalar_invalid"


def test_y_differs_between_messages_even_without_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    assert spseq.sign(KEY, MESSAGE).y != spseq.sign(KEY, (G, OTHER, G)).y


def test_encodings_are_strict() -> None:
    assert Signature.from_bytes(SIGNATURE.to_bytes()) == SIGNATURE and len(SIGNATURE.to_bytes()) == 192
    assert PublicKey.from_bytes(PUBLIC.to_bytes()) == PUBLIC and len(PUBLIC.to_bytes()) == 288
    assert SecretKey.from_bytes(KEY.to_bytes()) == KEY
    o, o2 = b"\xc0" + bytes(47), b"\xc0" + bytes(95)
    cases: list[tuple[Any, bytes, str]] = [
        (Signature.from_bytes, SIGNATURE.to_bytes()[:-1], "signature_malformed"),
        (Signature.from_bytes, SIGNATURE.to_bytes() + b"\0", "signature_malformed"),
        (Signature.from_bytes, o + SIGNATURE.to_bytes()[48:], "point_identity"),
        (Signature.from_bytes, SIGNATURE.to_bytes()[:96] + o2, "point_identity"),
        (PublicKey.from_bytes, PUBLIC.to_bytes()[:-1], "key_malformed"),
        (PublicKey.from_bytes, PUBLIC.to_bytes()[:192] + o2, "point_identity"),
        (SecretKey.from_bytes, KEY.to_bytes()[:-1], "key_malformed"),
        (SecretKey.from_bytes, bytes(32) + KEY.to_bytes()[32:], "key_malformed"),
        (SecretKey.from_bytes, ORDER.to_bytes(32, "big") + KEY.to_bytes()[32:], "scalar_invalid"),
    ]
    for decode, data, code in cases:
        with pytest.raises(FormatError) as caught:
            decode(data)
        assert caught.value.code == code


def test_a_secret_key_is_never_printed() -> None:
    assert str(KEY.x1) not in repr(KEY) + str(KEY) + f"{KEY}"


POSSESSION = ("chain", "did:lz:chain:member", "credential", 3)
PROOF = spseq.prove_possession(KEY, *POSSESSION)


def possession_refused(key: PublicKey, proof: bytes, arguments: tuple[str, str, str, int], code: str) -> None:
    with pytest.raises(LianzhengError) as caught:
        spseq.verify_possession(key, proof, *arguments)
    assert caught.value.code == code


def test_possession_binds_chain_member_purpose_and_period() -> None:
    spseq.verify_possession(PUBLIC, PROOF, *POSSESSION)
    for arguments in (
        ("other", "did:lz:chain:member", "credential", 3),
        ("chain", "did:lz:chain:other", "credential", 3),
        ("chain", "did:lz:chain:member", "gate", 3),
        ("chain", "did:lz:chain:member", "credential", 4),
    ):
        possession_refused(PUBLIC, PROOF, arguments, "possession_invalid")
    possession_refused(PUBLIC, PROOF, ("chain", "did:lz:chain:member", "endorse", 3), "key_purpose_unknown")


def test_possession_covers_each_part_of_the_key_and_of_the_proof() -> None:
    for at in range(3):
        keys = [*PUBLIC]
        keys[at] = G2.generator() * 5
        possession_refused(PublicKey(*keys), PROOF, POSSESSION, "possession_invalid")
        for offset, size, value in ((96 * at, 96, (G2.generator() * 5).to_bytes()), (288 + 32 * at, 32, bytes(32))):
            changed = PROOF[:offset] + value + PROOF[offset + size :]
            possession_refused(PUBLIC, changed, POSSESSION, "possession_invalid")
        wide = PROOF[: 288 + 32 * at] + ORDER.to_bytes(32, "big") + PROOF[320 + 32 * at :]
        possession_refused(PUBLIC, wide, POSSESSION, "possession_invalid")
    for proof in (PROOF[:-1], PROOF + b"\0", b""):
        possession_refused(PUBLIC, proof, POSSESSION, "possession_invalid")


def test_possession_of_parts_in_another_order_is_refused() -> None:
    swapped = PublicKey(PUBLIC.x2, PUBLIC.x1, PUBLIC.x3)
    proof = PROOF[96:192] + PROOF[:96] + PROOF[192:288] + PROOF[320:352] + PROOF[288:320] + PROOF[352:]
    possession_refused(swapped, proof, POSSESSION, "possession_invalid")
