"""SM2: the standard's own signature, OpenSSL as a second implementation, and keys and signatures that are none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.crypto import sm2
from lianzheng.crypto.digest import sm3_raw
from lianzheng.encoding.multikey import P256_PUB, SM2_PUB, decode_multikey, encode_multikey
from lianzheng.errors import LianzhengError, VerificationError

N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
PAIR = sm2.generate()
OTHER = sm2.generate()


@pytest.fixture(scope="session")
def standard(shared_vectors: Path) -> dict[str, Any]:
    vector = orjson.loads((shared_vectors / "sm" / "gbt32918-32905.json").read_bytes())["sm2_sign"]
    return {name.removesuffix("_hex"): bytes.fromhex(value) for name, value in vector.items()}


def _compressed(vector: dict[str, bytes]) -> bytes:
    return bytes([2 + vector["public_y"][-1] % 2]) + vector["public_x"]


def test_signature_of_the_standard_and_its_intermediate_values(standard: dict[str, bytes]) -> None:
    public = _compressed(standard)
    assert standard["id"] == b"1234567812345678"
    assert sm3_raw(standard["za"] + standard["message"]) == standard["e"]
    assert sm2.message_digest(public, standard["message"]) == standard["e"]
    sm2.verify(public, standard["message"], standard["r"] + standard["s"])


def test_signature_equation_by_hand(standard: dict[str, bytes]) -> None:
    """s = (1 + d)^-1 (k - r d) mod n, with the k that the standard prints."""
    d, k, r, s = (int.from_bytes(standard[name], "big") for name in ("private_key", "k", "r", "s"))
    assert pow(1 + d, -1, N) * (k - r * d) % N == s


def test_pair_of_the_standard_signs(standard: dict[str, bytes]) -> None:
    public = _compressed(standard)
    pair = sm2.make_pair(standard["private_key"], public)
    assert sm2.public_key(pair) == public
    first, second = sm2.sign(pair, b"m"), sm2.sign(pair, b"m")
    assert first != second, "a nonce was used twice"
    sm2.verify(public, b"m", first)
    sm2.verify(public, b"m", second)


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 63), st.integers(1, 255))
def test_every_byte_counts(message: bytes, place: int, mask: int) -> None:
    public, signature = sm2.public_key(PAIR), sm2.sign(PAIR, message)
    sm2.verify(public, message, signature)
    changed = bytearray(signature)
    changed[place] ^= mask
    for key, data, bad in [
        (public, message, bytes(changed)),
        (public, message + b"\0", signature),
        (sm2.public_key(OTHER), message, signature),
        (bytes([public[0] ^ 1]) + public[1:], message, signature),
    ]:
        with pytest.raises(VerificationError, match="signature"):
            sm2.verify(key, data, bad)


def test_out_of_range_and_other_encodings_are_refused(standard: dict[str, bytes]) -> None:
    public, message = _compressed(standard), standard["message"]
    r, s = standard["r"], standard["s"]
    number = int.from_bytes(r, "big"), int.from_bytes(s, "big")
    bad_signatures = [
        b"",
        r + s[:-1],
        r + s + b"\0",
        bytes(32) + s,
        r + bytes(32),
        N.to_bytes(32, "big") + s,
        r + N.to_bytes(32, "big"),
        b"\xff" * 64,
        r + (N - number[0]).to_bytes(32, "big"),  # r + s = n
        r + (N - number[1]).to_bytes(32, "big"),  # the other s of ECDSA is none here
        s + r,
        encode_dss_signature(*number),
    ]
    bad_keys = [
        b"",
        public[:-1],
        public + b"\0",
        b"\x04" + public[1:],
        b"\x00" * 33,
        b"\x02" + P.to_bytes(32, "big"),
        b"\x02" + b"\xff" * 32,
        b"\x04" + standard["public_x"] + standard["public_y"],
    ]
    for bad in bad_signatures:
        with pytest.raises(VerificationError) as caught:
            sm2.verify(public, message, bad)
        assert caught.value.code == "signature_invalid"
    for key in bad_keys:
        with pytest.raises(VerificationError) as caught:
            sm2.verify(key, message, r + s)
        assert caught.value.code == "signature_invalid"


def test_half_of_all_x_are_no_point() -> None:
    points = 0
    for x in range(1, 41):
        try:
            sm2.message_digest(b"\x02" + x.to_bytes(32, "big"), b"")
        except LianzhengError as error:
            assert error.code == "key_malformed"
        else:
            points += 1
    b = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    euler = sum(pow((x**3 - 3 * x + b) % P, (P - 1) // 2, P) == 1 for x in range(1, 41))  # by Euler's criterion
    assert points == euler
    assert 0 < points < 40


@pytest.mark.parametrize("secret", [bytes(32), N.to_bytes(32, "big"), (N - 1).to_bytes(32, "big"), b"\xff" * 32])
def test_secrets_out_of_range_are_refused(secret: bytes) -> None:
    with pytest.raises(LianzhengError) as caught:
        sm2.make_pair(secret, sm2.public_key(PAIR))
    assert caught.value.code == "key_malformed"


def test_pairs_that_are_none_are_refused() -> None:
    for secret, public in [(PAIR[:32], OTHER[32:]), (PAIR[:31], PAIR[32:]), (PAIR[:32], b"\x02" + b"\xff" * 32)]:
        with pytest.raises(LianzhengError) as caught:
            sm2.make_pair(secret, public)
        assert caught.value.code == "key_malformed"


def test_multikey_names_the_curve() -> None:
    """sm2-pub is 0x1206 in the multicodec table: varint 86 24."""
    public = sm2.public_key(PAIR)
    text = encode_multikey(SM2_PUB, public)
    assert decode_multikey(text, SM2_PUB) == public
    with pytest.raises(LianzhengError) as caught:
        decode_multikey(text, P256_PUB)
    assert caught.value.code == "multikey_invalid"
    for raw in (b"\x04" + public[1:], public[:-1], public + b"\0"):
        with pytest.raises(LianzhengError) as caught:
            decode_multikey(encode_multikey(SM2_PUB, raw), SM2_PUB)
        assert caught.value.code == "multikey_invalid"


# OpenSSL: another implementation, in both directions.


@pytest.fixture(scope="session")
def openssl_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """A key file of OpenSSL, with its scalar and compressed point."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not installed")
    path = tmp_path_factory.mktemp("openssl") / "sm2.pem"
    if _openssl("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", str(path)).returncode:
        pytest.skip("this openssl knows no SM2")
    der = _openssl("ec", "-in", str(path), "-conv_form", "compressed", "-outform", "DER").stdout
    at = der.index(b"\x04\x20") + 2  # RFC 5915: the private key's OCTET STRING of 32 bytes
    return path, der[at : at + 32], der[-33:]


def _openssl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *arguments], capture_output=True, timeout=30, check=False)


_OPTIONS = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")


@pytest.mark.parametrize("message", [b"x", b"Lianzheng " * 40])
def test_openssl_agrees_in_both_directions(
    openssl_key: tuple[Path, bytes, bytes], tmp_path: Path, message: bytes
) -> None:
    path, secret, public = openssl_key
    data, signature = tmp_path / "data", tmp_path / "sig"
    data.write_bytes(message)
    made = _openssl("pkeyutl", "-sign", *_OPTIONS, "-inkey", str(path), "-in", str(data))
    assert made.returncode == 0, made.stderr
    r, s = decode_dss_signature(made.stdout)
    sm2.verify(public, message, r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    ours = sm2.sign(sm2.make_pair(secret, public), message)
    numbers = int.from_bytes(ours[:32], "big"), int.from_bytes(ours[32:], "big")
    check = ("pkeyutl", "-verify", *_OPTIONS, "-inkey", str(path), "-in", str(data), "-sigfile", str(signature))
    signature.write_bytes(encode_dss_signature(*numbers))
    assert _openssl(*check).returncode == 0
    signature.write_bytes(encode_dss_signature(numbers[0], numbers[1] ^ 1))
    assert _openssl(*check).returncode != 0


def test_another_identity_is_another_signature(openssl_key: tuple[Path, bytes, bytes], tmp_path: Path) -> None:
    path, _, public = openssl_key
    data = tmp_path / "data"
    data.write_bytes(b"m")
    options = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:8765432187654321")
    made = _openssl("pkeyutl", "-sign", *options, "-inkey", str(path), "-in", str(data))
    r, s = decode_dss_signature(made.stdout)
    with pytest.raises(VerificationError):
        sm2.verify(public, b"m", r.to_bytes(32, "big") + s.to_bytes(32, "big"))
