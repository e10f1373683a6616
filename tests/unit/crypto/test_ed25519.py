"""Ed25519: RFC 8032 §7.1 and what must be refused."""

from __future__ import annotations

import pytest

from lianzheng.crypto import ed25519
from lianzheng.errors import FormatError, VerificationError

# RFC 8032 §7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
    "387b2eaeb4302aeeb00d291612bb0c00"
)
ORDER = 2**252 + 27742317777372353535851937790883648493


def refused(public: bytes, message: bytes, signature: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        ed25519.verify(public, message, signature)
    assert caught.value.code == "signature_invalid"


def test_rfc_8032() -> None:
    assert ed25519.public_key(SEED) == PUBLIC
    assert ed25519.sign(SEED, b"\x72") == SIGNATURE
    ed25519.verify(PUBLIC, b"\x72", SIGNATURE)


def test_changed_message_key_or_signature_is_refused() -> None:
    refused(PUBLIC, b"\x73", SIGNATURE)
    refused(ed25519.public_key(ed25519.generate()), b"\x72", SIGNATURE)
    for at in (0, 31, 32, 63):
        refused(PUBLIC, b"\x72", SIGNATURE[:at] + bytes([SIGNATURE[at] ^ 1]) + SIGNATURE[at + 1 :])


def test_a_response_of_at_least_the_order_is_refused() -> None:
    s = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    refused(PUBLIC, b"\x72", SIGNATURE[:32] + s.to_bytes(32, "little"))


def test_a_key_of_small_order_is_refused() -> None:
    identity = b"\1" + bytes(31)
    refused(identity, b"any", identity + bytes(32))  # S = 0 and R = O would hold for every message


@pytest.mark.parametrize("public, signature", [(b"", SIGNATURE), (PUBLIC + b"\0", SIGNATURE), (PUBLIC, SIGNATURE[:63])])
def test_wrong_lengths_are_refused(public: bytes, signature: bytes) -> None:
    refused(public, b"\x72", signature)


def test_a_seed_of_wrong_length_is_named() -> None:
    with pytest.raises(FormatError) as caught:
        ed25519.sign(SEED[:31], b"")
    assert caught.value.code == "key_malformed"
