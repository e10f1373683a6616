"""CON-1: one value, one encoding; what two implementations could read differently is refused."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import decode, encode
from lianzheng.encoding.jcs import decode_w3c, encode_w3c
from lianzheng.errors import FormatError

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEYS = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=8)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_the_encoding_is_that_of_an_independent_rfc_8785(value: Any) -> None:
    assert encode(value) == rfc8785.dumps(value)
    assert decode(encode(value)) == value


@given(st.binary(min_size=32, max_size=32))
def test_the_four_other_spellings_of_a_32_byte_value(data: bytes) -> None:
    """43 characters hold 258 bits: three more with spare bits set, and one with the padding written out."""
    text = b64u_encode(data)
    last = ALPHABET.index(text[-1])
    others = [text[:-1] + ALPHABET[last ^ spare] for spare in (1, 2, 3)] + [text + "="]
    assert b64u_decode(text, 32) == data and len({text, *others}) == 5
    for other in others:
        with pytest.raises(FormatError, match="base64url_invalid"):
            b64u_decode(other, 32)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc00\ud800", "\U0001f600"[:1] + "\ud83d"])
def test_a_lone_surrogate(text: str) -> None:
    for value in ({"a": text}, [text], text):
        with pytest.raises(FormatError, match="json_text"):
            encode(value)
    with pytest.raises(FormatError, match="json_key"):
        encode({text: 1})
    with pytest.raises(FormatError, match="json_type"):
        encode_w3c({"a": text})


@pytest.mark.parametrize("data", [b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":"\xed\xa0\x80"}'])
def test_a_lone_surrogate_on_the_wire(data: bytes) -> None:
    """Escaped, and as the three bytes that some encoders make of it."""
    for read in (decode, decode_w3c):
        with pytest.raises(FormatError, match="json_malformed"):
            read(data)


def test_keys_stand_in_the_order_of_code_units_and_never_of_code_points() -> None:
    """U+1F600 is D83D DE00 in UTF-16: before U+FB33 by code units (RFC 8785 §3.2.3), after it by code points."""
    by_units = '{"\U0001f600":1,"\ufb33":2}'.encode()
    by_points = '{"\ufb33":2,"\U0001f600":1}'.encode()
    assert encode_w3c({"\ufb33": 2, "\U0001f600": 1}) == by_units
    assert decode_w3c(by_units) == {"\U0001f600": 1, "\ufb33": 2}
    with pytest.raises(FormatError, match="json_not_canonical"):
        decode_w3c(by_points)
    for data in (by_units, by_points):  # messages of our own have ASCII keys, where both orders are one
        with pytest.raises(FormatError, match="json_key"):
            decode(data)
