"""ECDSA: RFC 6979's published signatures, and keys and signatures that are none."""

from __future__ import annotations

import pytest

from lianzheng.crypto import ecdsa
from lianzheng.errors import LianzhengError

_VECTORS: list[tuple[ecdsa.CurveName, str, str]] = [  # RFC 6979, A.2.5 and A.2.6: message "sample"
    (
        "P-256",
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
        (
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        ),
    ),
    (
        "P-384",
        "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
        (
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46"
            "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"
        ),
    ),
]


@pytest.mark.parametrize(("curve", "secret", "expected"), _VECTORS)
def test_published_signatures(curve: ecdsa.CurveName, secret: str, expected: str) -> None:
    key = bytes.fromhex(secret)
    signature = ecdsa.sign(curve, key, b"sample")
    assert signature.hex().upper() == expected
    public = ecdsa.public_key(curve, key)
    ecdsa.verify(curve, public, b"sample", signature)
    width = len(key)
    x, y = ecdsa.coordinates(curve, public)
    assert public == bytes([2 + y[-1] % 2]) + x
    zero = bytes(width)
    for message, key_bytes, bad in [
        (b"Sample", public, signature),
        (b"sample", public, signature[:-1]),
        (b"sample", public, zero + signature[width:]),
        (b"sample", public, signature[:width] + zero),
        (b"sample", public, b"\xff" * 2 * width),
        (b"sample", public[:-1], signature),
        (b"sample", b"\x04" + public[1:], signature),
        (b"sample", b"\x02" + b"\xff" * width, signature),
        (b"sample", b"\0" * (width + 1), signature),
    ]:
        with pytest.raises(LianzhengError) as caught:
            ecdsa.verify(curve, key_bytes, message, bad)
        assert caught.value.code == "signature_invalid"


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, b"\1" * 31])
def test_secrets_out_of_range_are_refused(secret: bytes) -> None:
    with pytest.raises(LianzhengError) as caught:
        ecdsa.sign("P-256", secret, b"sample")
    assert caught.value.code == "key_malformed"
