"""Codecs of credentials: deterministic CBOR, xsd times, strict JSON; each inverse of the other, or a typed refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.encoding.cbor import decode_cbor, encode_cbor
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.errors import FormatError
from lianzheng.identity.credentials.times import xsd_time_ms

_LEAVES: Any = st.integers(0, 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=40)
_VALUES: Any = st.lists(_LEAVES | st.dictionaries(st.integers(0, 70_000), st.binary(max_size=40)), max_size=40)


@given(_VALUES)
def test_cbor_comes_back(value: Any) -> None:
    assert decode_cbor(encode_cbor(value)) == value


@given(st.binary(max_size=60))
def test_cbor_has_one_form_or_none(data: bytes) -> None:
    try:
        value = decode_cbor(data)
    except FormatError as error:
        assert error.code == "cbor_invalid"
    else:
        assert encode_cbor(value) == data


@pytest.mark.parametrize(
    ("text", "value"),
    [  # RFC 8949, appendix A
        ("00", 0), ("17", 23), ("1818", 24), ("190 3e8".replace(" ", ""), 1000), ("1a000f4240", 1_000_000),
        ("1bffffffffffffffff", 2**64 - 1), ("4401020304", b"\1\2\3\4"), ("6449455446", "IETF"), ("62c3bc", "ü"),
        ("83010203", [1, 2, 3]), ("8301820203820405", [1, [2, 3], [4, 5]]), ("a201020304", {1: 2, 3: 4}), ("80", []),
    ],
)  # fmt: skip
def test_cbor_examples(text: str, value: Any) -> None:
    assert encode_cbor(value).hex() == text
    assert decode_cbor(bytes.fromhex(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "1817",
        "190018",
        "a2030401 02",
        "a201020103",
        "9f01ff",
        "5f4101ff",
        "f4",
        "20",
        "fb3ff0000000000000",
        "c074",
        "0000",
        "5820",
        "9b7fffffffffffffff",
        "61ff",
        "",
        "8181818181",
    ],
)
def test_cbor_that_must_fail(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode_cbor(bytes.fromhex(text))
    assert caught.value.code == "cbor_invalid"


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_times_are_those_of_the_standard_library(local: datetime, offset: int) -> None:
    moment = local.replace(microsecond=local.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(minutes=offset)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert xsd_time_ms(moment.isoformat()) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(), x, max_size=4),
        max_leaves=12,
    )
)
def test_json_comes_back(value: Any) -> None:
    document = {"a": value}
    try:
        data = encode_w3c(document)
    except FormatError as error:
        assert error.code in {"json_type", "json_depth"}
    else:
        assert parse_w3c(data) == document
