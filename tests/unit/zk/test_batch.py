"""Batch verification: complete, each public input counts, flawed positions named, one weight an equation (EQ-1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER, random_scalar
from lianzheng.errors import FormatError, VerificationError
from lianzheng.zk import batch, dleq, schnorr, spseq
from lianzheng.zk.batch import KnowledgeClaim, SignatureClaim
from lianzheng.zk.spseq import PublicKey, SecretKey, Signature
from lianzheng.zk.transcript import Transcript

G, H = G1.generator(), G2.generator()
OTHER, OTHER2 = G1.hash_to_curve(b"other", b"TEST"), H * 11
KEYS = [SecretKey.generate() for _ in range(3)]


def transcript(terms: bytes = b"terms", chain: str = "chain") -> Transcript:
    result = Transcript("test", chain)
    result.absorb("terms", terms)
    return result


def signature_claim(serial: int) -> SignatureClaim:
    key = KEYS[serial % len(KEYS)]
    message = (G * (serial + 2), G1.hash_to_curve(bytes([serial]), b"TEST"), G * (serial * 7 + 3))
    return SignatureClaim(key.public(), message, spseq.sign(key, message))


def knowledge_claim(serial: int) -> KnowledgeClaim:
    base, secret, context = G * (serial + 2), random_scalar(), transcript(bytes([serial]))
    return KnowledgeClaim(base, base * secret, schnorr.prove(base, base * secret, secret, context), context)


SIGNATURES = [signature_claim(serial) for serial in range(21)]
PROOFS = [knowledge_claim(serial) for serial in range(21)]


# --- signatures ----------------------------------------------------------------------------------------------


def test_honest_signatures_under_several_keys_pass() -> None:
    for count in (0, 1, 2, 3, 20, 21):
        assert batch.invalid_spseq(SIGNATURES[:count]) == ()
    batch.verify_spseq(SIGNATURES)


@pytest.mark.parametrize("flawed", [(0,), (20,), (9, 10), (0, 7, 20), tuple(range(21))])
def test_flawed_signatures_are_named(flawed: tuple[int, ...]) -> None:
    claims = list(SIGNATURES)
    for at in flawed:
        claims[at] = claims[at]._replace(signature=claims[at].signature._replace(z=OTHER))
    assert batch.invalid_spseq(claims) == flawed
    with pytest.raises(VerificationError) as caught:
        batch.verify_spseq(claims)
    assert caught.value.code == "spseq_batch_invalid"
    assert caught.value.text.endswith(f"positions {', '.join(map(str, flawed))}.")


ALTERED: list[Callable[[SignatureClaim], SignatureClaim]] = [
    lambda claim: claim._replace(key=claim.key._replace(x1=OTHER2)),
    lambda claim: claim._replace(key=claim.key._replace(x2=OTHER2)),
    lambda claim: claim._replace(key=claim.key._replace(x3=OTHER2)),
    lambda claim: claim._replace(message=(OTHER, *claim.message[1:])),
    lambda claim: claim._replace(message=(claim.message[0], OTHER, claim.message[2])),
    lambda claim: claim._replace(message=(*claim.message[:2], OTHER)),
    lambda claim: claim._replace(message=claim.message[::-1]),
    lambda claim: claim._replace(signature=claim.signature._replace(z=OTHER)),
    lambda claim: claim._replace(signature=claim.signature._replace(y=OTHER)),
    lambda claim: claim._replace(signature=claim.signature._replace(y2=OTHER2)),
    lambda claim: claim._replace(message=claim.message[:2]),  # type: ignore[arg-type]
    lambda claim: claim._replace(message=(G1.identity(), *claim.message[1:])),
    lambda claim: claim._replace(signature=claim.signature._replace(y=G1.identity(), y2=G2.identity())),
    lambda claim: claim._replace(key=claim.key._replace(x2=G2.identity())),
]


@pytest.mark.parametrize("alter", ALTERED)
def test_each_public_input_of_a_signature_counts(alter: Callable[[SignatureClaim], SignatureClaim]) -> None:
    claims = [*SIGNATURES[:4], alter(SIGNATURES[4]), *SIGNATURES[5:9]]
    assert batch.invalid_spseq(claims) == (4,)


def test_flaws_of_two_signatures_do_not_cancel() -> None:
    # Under one common Ŷ, Z + D and Z − D sum to what the two honest ones do: weights 1 and 1 would take both.
    first, second = SIGNATURES[0], SIGNATURES[3]
    assert first.key == second.key
    y = random_scalar()
    inverse = pow(y, -1, ORDER)
    claims = []
    for claim, sign in ((first, 1), (second, ORDER - 1)):
        z = sum((m * (x * y % ORDER) for m, x in zip(claim.message, KEYS[0], strict=True)), G1.identity())
        honest = Signature(z, G * inverse, H * inverse)
        spseq.verify(claim.key, claim.message, honest)
        claims.append(claim._replace(signature=honest._replace(z=z + OTHER * sign)))
    for _ in range(5):
        assert batch.invalid_spseq([*claims, *SIGNATURES[4:12]]) == (0, 1)


def test_every_equation_draws_its_own_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def weight() -> int:
        drawn.append(len(drawn) + 1)
        return drawn[-1]

    monkeypatch.setattr(batch, "random_weight", weight)
    assert batch.invalid_spseq(SIGNATURES) == ()
    assert len(drawn) == 2 * len(SIGNATURES)
    assert batch.invalid_schnorr(PROOFS) == ()
    assert len(drawn) == 3 * len(SIGNATURES)


def test_the_table_multiplies_as_the_curve_does() -> None:
    for weight in (1, 255, 256, 2**64 + 5, 2**127, 2**128 - 1):
        assert batch._generator_times(weight) == G * weight


# --- proofs of knowledge -------------------------------------------------------------------------------------


def test_honest_proofs_pass() -> None:
    for count in (0, 1, 2, 7, 21):
        assert batch.invalid_schnorr(PROOFS[:count]) == ()
    batch.verify_schnorr(PROOFS)


@pytest.mark.parametrize("flawed", [(0,), (20,), (9, 10), (0, 7, 20), tuple(range(21))])
def test_flawed_proofs_are_named(flawed: tuple[int, ...]) -> None:
    claims = list(PROOFS)
    for at in flawed:
        claims[at] = claims[at]._replace(public=OTHER)
    assert batch.invalid_schnorr(claims) == flawed
    with pytest.raises(VerificationError) as caught:
        batch.verify_schnorr(claims)
    assert caught.value.code == "schnorr_batch_invalid"


@pytest.mark.parametrize(
    "alter",
    [
        lambda claim: claim._replace(base=OTHER),
        lambda claim: claim._replace(public=OTHER),
        lambda claim: claim._replace(proof=claim.proof._replace(commitment=OTHER)),
        lambda claim: claim._replace(proof=claim.proof._replace(response=(claim.proof.response + 1) % ORDER)),
        lambda claim: claim._replace(proof=claim.proof._replace(response=claim.proof.response + ORDER)),
        lambda claim: claim._replace(transcript=transcript(b"other")),
        lambda claim: claim._replace(transcript=transcript(bytes([4]), "other chain")),
        lambda claim: claim._replace(public=G1.identity()),
        lambda claim: claim._replace(proof=claim.proof._replace(commitment=G1.identity())),
        lambda claim: claim._replace(base=claim.base * 2, public=claim.public * 2),
    ],
)
def test_each_public_input_of_a_proof_counts(alter: Callable[[KnowledgeClaim], KnowledgeClaim]) -> None:
    claims = [*PROOFS[:4], alter(PROOFS[4]), *PROOFS[5:9]]
    assert batch.invalid_schnorr(claims) == (4,)


# --- one proof for several pairs -----------------------------------------------------------------------------

K = random_scalar()
P = G * K
PAIRS = [(element, element * K) for element in (G1.hash_to_curve(bytes([at]), b"TEST") for at in range(19))]
PROOF = batch.prove_dleq(K, G, P, PAIRS, transcript())


def refused(
    pairs: list[batch.Pair], proof: dleq.DleqProof = PROOF, p: G1 = P, context: Transcript | None = None
) -> None:
    with pytest.raises(VerificationError) as caught:
        batch.verify_dleq(G, p, pairs, proof, context or transcript())
    assert caught.value.code == "dleq_invalid"


def test_one_proof_for_many_pairs() -> None:
    batch.verify_dleq(G, P, PAIRS, PROOF, transcript())
    for count in (1, 2, 15, 16):
        batch.verify_dleq(G, P, PAIRS[:count], batch.prove_dleq(K, G, P, PAIRS[:count], transcript()), transcript())


def test_each_public_input_of_the_pairs_counts() -> None:
    refused(PAIRS[:-1])
    refused([*PAIRS, PAIRS[0]])
    refused([PAIRS[1], PAIRS[0], *PAIRS[2:]])
    refused([(OTHER, PAIRS[0][1]), *PAIRS[1:]])
    refused([(PAIRS[0][0], OTHER), *PAIRS[1:]])
    refused([(G1.identity(), G1.identity()), *PAIRS[1:]])
    nobody = [(G1.identity(), G1.identity()), *PAIRS[1:]]  # an honest proof of them: the pair adds nothing to the sums
    refused(nobody, proof=batch.prove_dleq(K, G, P, nobody, transcript()))
    refused(PAIRS, p=OTHER)
    refused(PAIRS, proof=PROOF._replace(c=(PROOF.c + 1) % ORDER))
    refused(PAIRS, proof=PROOF._replace(z=(PROOF.z + 1) % ORDER))
    refused(PAIRS, context=transcript(b"other"))
    refused(PAIRS, context=transcript(chain="other"))


def test_no_pairs_prove_nothing() -> None:
    for act in (
        lambda: batch.prove_dleq(K, G, P, [], transcript()),
        lambda: batch.verify_dleq(G, P, [], PROOF, transcript()),
    ):
        with pytest.raises(FormatError) as caught:
            act()
        assert caught.value.code == "batch_empty"


def test_another_base_is_refused() -> None:
    with pytest.raises(VerificationError):
        batch.verify_dleq(OTHER, P, PAIRS, PROOF, transcript())


def test_a_key_of_other_shape_is_another_key() -> None:
    key: PublicKey = KEYS[0].public()
    assert batch.invalid_spseq([SIGNATURES[0]._replace(key=PublicKey(key.x2, key.x1, key.x3)), SIGNATURES[1]]) == (0,)
