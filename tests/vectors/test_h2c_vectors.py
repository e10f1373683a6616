"""RFC 9380 appendices J.9.1 and K.2, byte for byte (CON-3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import py_arkworks_bls12381 as arkworks
import pytest

from lianzheng.crypto.h2c import expand_message_xmd
from lianzheng.crypto.hazmat.bls12381 import G1


def load(folder: Path, name: str) -> Any:
    return orjson.loads((folder / "h2c" / name).read_bytes())


def test_hash_to_g1_gives_the_points_of_the_rfc(shared_vectors: Path) -> None:
    suite = load(shared_vectors, "BLS12381G1_XMD:SHA-256_SSWU_RO_.json")
    p = int(suite["field"]["p"], 16)
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        x, y = (int(vector["P"][name], 16) for name in "xy")
        sign = 2 * y > p  # the compressed form: a flag for itself, one for the larger root, and x
        expected = (1 << 383 | sign << 381 | x).to_bytes(48, "big")
        assert G1.hash_to_curve(vector["msg"].encode(), suite["dst"].encode()).to_bytes() == expected


def test_expand_message_with_an_oversize_tag_gives_the_bytes_of_the_rfc(shared_vectors: Path) -> None:
    suite = load(shared_vectors, "expand_message_xmd_SHA256_256.json")
    assert len(suite["DST"]) > 255
    for vector in suite["tests"]:
        size = int(vector["len_in_bytes"], 16)
        assert expand_message_xmd(vector["msg"].encode(), suite["DST"].encode(), size).hex() == vector["uniform_bytes"]


def test_the_field_elements_of_the_g1_suite_come_from_our_expansion(shared_vectors: Path) -> None:
    # K.1 (short tags) is not in the folder; u of J.9.1 exercises the same path: two elements of 64 bytes mod p.
    suite = load(shared_vectors, "BLS12381G1_XMD:SHA-256_SSWU_RO_.json")
    p = int(suite["field"]["p"], 16)
    for vector in suite["vectors"]:
        data = expand_message_xmd(vector["msg"].encode(), suite["dst"].encode(), 128)
        elements = [int.from_bytes(data[at : at + 64], "big") % p for at in (0, 64)]
        assert elements == [int(text, 16) for text in vector["u"]]


@pytest.mark.parametrize("message", [b"", b"abc", bytes(300)])
def test_both_libraries_hash_alike(message: bytes) -> None:
    other = bytes(arkworks.G1Point.hash_to_curve(message, b"LIANZHENG-TEST").to_compressed_bytes())
    assert G1.hash_to_curve(message, b"LIANZHENG-TEST").to_bytes() == other
