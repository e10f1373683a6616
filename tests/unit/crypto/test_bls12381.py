"""The curve wrapper: arithmetic against the other library, refusals of CON-4."""

from __future__ import annotations

import secrets

import py_arkworks_bls12381 as arkworks
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.crypto.hazmat.bls12381 import (
    G1,
    G2,
    ORDER,
    msm,
    pairing_check,
    random_scalar,
    random_weight,
    scalar_from_bytes,
    scalar_to_bytes,
)
from lianzheng.errors import FormatError

G, H = G1.generator(), G2.generator()
scalars = st.integers(0, ORDER - 1)
FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB


def other(scalar: int) -> arkworks.Scalar:
    return arkworks.Scalar.from_be_bytes(scalar.to_bytes(32, "big"))


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(FormatError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_generators_are_those_of_the_other_library() -> None:
    assert G.to_bytes() == bytes(arkworks.G1Point().to_compressed_bytes())
    assert H.to_bytes() == bytes(arkworks.G2Point().to_compressed_bytes())


@settings(max_examples=30, deadline=None)
@given(scalars, scalars)
def test_arithmetic_agrees_with_the_other_library(a: int, b: int) -> None:
    left, right = arkworks.G1Point() * other(a), arkworks.G1Point() * other(b)
    assert (G * a + G * b).to_bytes() == bytes((left + right).to_compressed_bytes())
    assert (G * a - G * b).to_bytes() == bytes((left - right).to_compressed_bytes())
    assert (-(H * a)).to_bytes() == bytes((-(arkworks.G2Point() * other(a))).to_compressed_bytes())


def test_arithmetic_at_the_edges() -> None:
    assert G + G == G * 2
    assert (G - G).is_identity() and (G * 0).is_identity() and (H * 0).is_identity()
    assert G * (ORDER - 1) == -G
    assert G + G1.identity() == G
    assert not G.is_identity()
    assert hash(G * 3) == hash(G + G + G)
    assert 3 * G == G * 3


def test_points_of_different_groups_do_not_mix() -> None:
    assert G != H
    with pytest.raises(TypeError):
        G + H  # type: ignore[operator]
    with pytest.raises(TypeError):
        G - H  # type: ignore[operator]


def test_a_point_is_never_printed() -> None:
    assert repr(G) == "<G1 point>" and str(H) == "<G2 point>"


@pytest.mark.parametrize("scalar", [-1, ORDER, ORDER + 1, 2**256, True, 1.0, "1"])
def test_scalars_outside_the_field_are_refused(scalar: object) -> None:
    assert code_of(G.__mul__, scalar) == "scalar_invalid"
    assert code_of(scalar_to_bytes, scalar) == "scalar_invalid"
    assert code_of(msm, [G] * 20, [scalar] * 20) == "scalar_invalid"


def test_scalar_encoding_is_strict() -> None:
    for scalar in (0, 1, ORDER - 1):
        assert scalar_from_bytes(scalar_to_bytes(scalar)) == scalar
    for data in (b"", bytes(31), bytes(33), ORDER.to_bytes(32, "big"), b"\xff" * 32):
        assert code_of(scalar_from_bytes, data) == "scalar_invalid"


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(scalars, scalars), max_size=40))
def test_msm_is_the_sum_whichever_library_does_it(terms: list[tuple[int, int]]) -> None:
    expected = sum(a * b for a, b in terms) % ORDER
    points = [G * a for a, _ in terms]
    assert msm(points, [b for _, b in terms]) == G * expected
    assert msm(points, [b for _, b in terms]).to_bytes() == (G * expected).to_bytes()


@pytest.mark.parametrize("size", [1, 20])
def test_msm_refuses_lists_of_unequal_length(size: int) -> None:
    assert code_of(msm, [G] * size, [1] * (size + 1)) == "length_mismatch"
    assert code_of(msm, [G] * (size + 1), [1] * size) == "length_mismatch"


def test_msm_of_many_points_may_be_the_identity() -> None:
    assert msm([G, -G] * 20, [5] * 40).is_identity()
    assert msm([G1.identity()] * 20, [5] * 20).is_identity()


@settings(max_examples=8, deadline=None)
@given(scalars, scalars)
def test_pairing_is_bilinear_and_agrees_with_the_other_library(a: int, b: int) -> None:
    pairs = [(G * a, H * b), (-(G * (a * b % ORDER)), H)]
    assert pairing_check(pairs)
    wrong = [(G * a, H * b), (-(G * ((a * b + 1) % ORDER)), H)]
    assert not pairing_check(wrong)
    left = [arkworks.G1Point.from_compressed_bytes(point.to_bytes()) for point, _ in pairs]
    right = [arkworks.G2Point.from_compressed_bytes(point.to_bytes()) for _, point in pairs]
    assert arkworks.GT.pairing_check(left, right)


def test_pairing_is_not_degenerate_and_never_vacuous() -> None:
    assert not pairing_check([(G, H)])
    assert pairing_check([(G1.identity(), H)])
    assert pairing_check([(G, G2.identity())])
    assert code_of(pairing_check, []) == "length_mismatch"


def test_random_scalars_stay_in_range(monkeypatch: pytest.MonkeyPatch) -> None:
    for lowest_draw, scalar in ((True, 2), (False, ORDER - 1)):
        monkeypatch.setattr(secrets, "randbelow", lambda n, low=lowest_draw: 0 if low else n - 1)
        assert random_scalar() == scalar


def test_random_weights_have_128_bits_and_are_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter((bytes(16), bytes(15) + b"\x01", b"\xff" * 16))
    monkeypatch.setattr(secrets, "token_bytes", lambda size: next(draws) if size == 16 else b"")
    assert random_weight() == 1, "a weight of zero is drawn again"
    assert random_weight() == 2**128 - 1


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=48, max_size=48), st.sampled_from([0, 0x80, 0xA0, 0xC0, 0xE0]))
def test_any_48_bytes_are_refused_or_have_one_encoding(data: bytes, flags: int) -> None:
    data = bytes([data[0] & 0x1F | flags]) + data[1:]
    try:
        point = G1.from_bytes(data)
    except FormatError as error:
        assert error.code in ("point_malformed", "point_not_in_subgroup", "point_identity")
        return
    assert (point + G - G).to_bytes() == data  # computed anew, not the remembered bytes
    assert arkworks.G1Point.from_compressed_bytes(data).is_in_subgroup()


@settings(max_examples=60, deadline=None)
@given(scalars.filter(bool), st.integers(0, 383))
def test_a_flipped_bit_never_decodes_to_the_same_point(scalar: int, bit: int) -> None:
    point = G * scalar
    data = (int.from_bytes(point.to_bytes(), "big") ^ 1 << bit).to_bytes(48, "big")
    try:
        changed = G1.from_bytes(data)
    except FormatError:
        return
    assert changed != point and (changed + G - G).to_bytes() == data


@settings(max_examples=60, deadline=None)
@given(st.integers(0, FIELD - 1))
def test_points_outside_the_subgroup_are_refused_by_name(x: int) -> None:
    data = (x | 1 << 383).to_bytes(48, "big")
    try:
        on_curve = arkworks.G1Point.from_compressed_bytes_unchecked(data)
    except ValueError:
        assert code_of(G1.from_bytes, data) == "point_malformed"
        return
    assert not on_curve.is_in_subgroup()  # one x in about 2^125 would be
    assert code_of(G1.from_bytes, data) == "point_not_in_subgroup"


@pytest.mark.parametrize("group", [G1, G2])
def test_the_identity_is_never_read(group: type[G1] | type[G2]) -> None:
    """Its canonical encoding, which both libraries take; and every other that says infinity (CON-4)."""
    encoded = group.identity().to_bytes()
    assert encoded == b"\xc0" + bytes(group.SIZE - 1)
    for data, code in (
        (encoded, "point_identity"),
        (b"\xe0" + encoded[1:], "point_malformed"),
        (b"\xc0" + encoded[2:] + b"\1", "point_malformed"),
        (encoded[:-1], "point_malformed"),
        (encoded + b"\0", "point_malformed"),
        (b"\x40" + encoded[1:], "point_malformed"),
    ):
        with pytest.raises(FormatError) as caught:
            group.from_bytes(data)
        assert caught.value.code == code


@pytest.mark.parametrize("dst", [b"", b"D" * 256])
def test_hashing_refuses_unusable_tags(dst: bytes) -> None:
    assert code_of(G1.hash_to_curve, b"m", dst) == "dst_invalid"
