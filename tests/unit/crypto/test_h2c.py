"""Our own tags for hashing (CON-3)."""

from __future__ import annotations

import pytest

from lianzheng.crypto.h2c import expand_message_xmd, hash_to_g1, hash_to_scalar
from lianzheng.crypto.hazmat.bls12381 import G1, ORDER
from lianzheng.errors import FormatError


def test_the_tag_names_purpose_and_suite() -> None:
    expected = G1.hash_to_curve(b"m", b"LIANZHENG-V1-IDENTITY-BLS12381G1_XMD:SHA-256_SSWU_RO_")
    assert hash_to_g1("IDENTITY", b"m") == expected
    assert hash_to_g1("SCOPE", b"m") != expected


@pytest.mark.parametrize("purpose", ["", "identity", "A" * 65, "A_B", "A\n"])
def test_an_unusable_purpose_is_refused(purpose: str) -> None:
    with pytest.raises(FormatError) as caught:
        hash_to_g1(purpose, b"m")
    assert caught.value.code == "dst_invalid"


def test_hash_to_scalar_reduces_48_bytes() -> None:
    wide = int.from_bytes(expand_message_xmd(b"m", b"DST", 48), "big")
    assert wide >= ORDER
    assert hash_to_scalar(b"m", b"DST") == wide % ORDER


@pytest.mark.parametrize(
    "dst, size, code", [(b"", 48, "dst_invalid"), (b"D", 0, "length_invalid"), (b"D", 8161, "length_invalid")]
)
def test_expansion_bounds(dst: bytes, size: int, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        expand_message_xmd(b"m", dst, size)
    assert caught.value.code == code
