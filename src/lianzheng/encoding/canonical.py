"""RFC 8785 canonical JSON under the restricted profile of CON-1: one value, one encoding.

The profile (integers only, ASCII keys, no lone surrogates) is what makes ``orjson`` with sorted keys
equal RFC 8785; ``tests/negative/test_con_1_canonical.py`` compares it with the independent ``rfc8785`` package.
"""

from __future__ import annotations

from typing import Any

import orjson

from lianzheng.errors import FormatError
from lianzheng.limits import INT_MAX, JSON_DEPTH_MAX, MESSAGE_BYTES_MAX

__all__ = [
    "JsonObject",
    "JsonValue",
    "check_profile",
    "decode",
    "decode_hashed",
    "decode_loosely",
    "decode_object",
    "encode",
    "encode_known",
    "is_encoding",
    "parse",
    "parse_loosely",
]

JsonValue = Any
"""``None``, ``bool``, ``int``, ``str``, ``list`` or ``dict[str, ...]`` of the same."""
JsonObject = dict[str, Any]


def encode(value: JsonValue) -> bytes:
    """Canonical bytes of ``value``.

    Raises ``FormatError``: ``json_type``, ``json_integer_range``, ``json_key``, ``json_depth``, ``json_text``.
    """
    check_profile(value)
    return encode_known(value)


def encode_known(value: JsonValue) -> bytes:
    """As :func:`encode` for a value whose place in the profile is known, such as one that a :class:`Record` took.

    Raises ``FormatError`` ``json_text``.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # a lone surrogate is all that is left to refuse
        raise FormatError("json_text", "A text is not valid Unicode.") from error


def decode(data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> JsonValue:
    """The value of canonical ``data``; anything that would encode to other bytes is refused.

    Raises ``FormatError``: ``too_large``, ``json_malformed``, ``json_not_canonical`` and those of :func:`encode`.
    """
    if len(data) > size_max:
        raise FormatError("too_large", f"A message has {len(data)} bytes; at most {size_max} are read.")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError("json_malformed", "A message is not JSON.") from error
    if encode(value) != data:
        raise FormatError("json_not_canonical", "A message is not in its canonical encoding (RFC 8785).")
    return value


def decode_hashed(data: bytes) -> JsonValue:
    """The value of bytes whose one encoding a hash vouches for, such as a snapshot's: not encoded again to compare.

    Raises ``FormatError`` ``json_malformed``.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError("json_malformed", "A message is not JSON.") from error


def decode_loosely(data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> JsonObject:
    """As :func:`decode_object` before the comparison: for callers that compare ``data`` with what they make of it.

    Raises ``FormatError``: ``too_large``, ``json_malformed``, ``json_type`` and those of :func:`encode`.
    """
    if len(data) > size_max:
        raise FormatError("too_large", f"A message has {len(data)} bytes; at most {size_max} are read.")
    value = parse(data)
    if not isinstance(value, dict):
        return decode_object(data, size_max)
    return value


def is_encoding(data: bytes, value: JsonValue) -> bool:
    """Whether ``data`` is the canonical encoding of ``value``. ``data`` must have passed :func:`decode_loosely`:

    what has the same bytes then lies inside the profile too, and is not looked through again.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data
    except TypeError:
        return False


def decode_object(data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> JsonObject:
    """As :func:`decode`, and an object (else ``json_type``)."""
    value = decode(data, size_max)
    if not isinstance(value, dict):
        raise FormatError("json_type", "A message must be a JSON object.")
    return value


def parse(data: bytes) -> JsonValue:
    """The value of JSON in any encoding, inside the profile: for forms, over which nothing is signed.

    Raises ``FormatError``: ``json_malformed`` and those of :func:`encode`.
    """
    value = parse_loosely(data)
    check_profile(value)
    return value


def parse_loosely(data: bytes) -> JsonValue:
    """As :func:`parse`, not yet looked through: for callers that hand every member to a :class:`Record`.

    A record's members lie inside the profile, so what passes one has passed :func:`check_profile`. Raises
    ``FormatError`` ``json_malformed``.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError("json_malformed", "A message is not JSON.") from error


def check_profile(value: JsonValue, depth: int = JSON_DEPTH_MAX) -> None:
    """Refuse what the profile of CON-1 leaves out; reason codes as in :func:`encode`."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -INT_MAX <= value <= INT_MAX:
            raise FormatError("json_integer_range", "An integer lies outside ±(2^53−1).")
        return
    if depth == 0:
        raise FormatError("json_depth", f"A message nests deeper than {JSON_DEPTH_MAX} levels.")
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                raise FormatError("json_key", "An object key is not ASCII text.")
            if type(item) is not str:  # most members are texts: no call for them
                check_profile(item, depth - 1)
    elif kind is list or kind is tuple:
        for item in value:
            if type(item) is not str:
                check_profile(item, depth - 1)
    else:
        text = "A value has a type that canonical JSON does not carry."
        raise FormatError("json_type", text, detail=f"type {kind.__name__}")
