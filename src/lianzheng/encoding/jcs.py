"""Full RFC 8785 for W3C documents (CON-1, last sentence). Our own messages use ``encoding.canonical`` instead."""

from __future__ import annotations

import json
from typing import Any

import orjson
import rfc8785

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError
from lianzheng.limits import JSON_DEPTH_MAX, MESSAGE_BYTES_MAX

__all__ = ["decode_w3c", "encode_w3c", "parse_w3c"]


def encode_w3c(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value; any number, any key.

    Raises ``FormatError``: ``json_depth``, ``json_type`` (what JSON cannot carry, lone surrogates included).
    """
    _check_depth(value, JSON_DEPTH_MAX)
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise FormatError("json_type", "A document holds a value that RFC 8785 cannot carry.") from error


def decode_w3c(data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> JsonObject:
    """A JSON object from its RFC 8785 bytes.

    Raises ``FormatError``: ``too_large``, ``json_malformed``, ``json_not_canonical``, ``json_type``, ``json_depth``.
    """
    if len(data) > size_max:
        raise FormatError("too_large", f"A document has {len(data)} bytes; at most {size_max} are read.")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError("json_malformed", "A document is not JSON.") from error
    if not isinstance(value, dict):
        raise FormatError("json_type", "A document must be a JSON object.")
    if encode_w3c(value) != data:
        raise FormatError("json_not_canonical", "A document is not in its canonical encoding (RFC 8785).")
    return value


def parse_w3c(data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> JsonObject:
    """A JSON object in any encoding, with every name once in its object: for documents that others wrote.

    Raises ``FormatError``: ``too_large``, ``json_malformed``, ``json_duplicate_key``, ``json_type``, ``json_depth``.
    """
    if len(data) > size_max:
        raise FormatError("too_large", f"A document has {len(data)} bytes; at most {size_max} are read.")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise FormatError("json_depth", f"A document nests deeper than {JSON_DEPTH_MAX} levels.") from error
    except ValueError as error:
        raise FormatError("json_malformed", "A document is not JSON in UTF-8.") from error
    if not isinstance(value, dict):
        raise FormatError("json_type", "A document must be a JSON object.")
    encode_w3c(value)  # texts that are no Unicode, numbers that no double holds, depth
    return value


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        # Two readers that each keep another of the two would see two documents under one signature.
        raise FormatError("json_duplicate_key", "A document has an object with one name twice.")
    return value


def _no_constant(_name: str) -> None:
    raise FormatError("json_malformed", "A document holds a number that JSON does not have.")


def _check_depth(value: Any, depth: int) -> None:
    if not isinstance(value, (dict, list, tuple)):
        return
    if depth == 0:
        raise FormatError("json_depth", f"A document nests deeper than {JSON_DEPTH_MAX} levels.")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, depth - 1)
