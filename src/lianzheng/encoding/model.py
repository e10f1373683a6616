"""Frozen typed records over canonical JSON: decode, validate, re-encode from the typed value, compare (CON-1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)
from pydantic_core import CoreSchema

from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, decode_loosely, decode_object, encode, is_encoding
from lianzheng.errors import FormatError
from lianzheng.limits import INT_MAX, MESSAGE_BYTES_MAX

__all__ = [
    "Bytes",
    "Bytes32",
    "Bytes48",
    "Bytes64",
    "Bytes96",
    "Day",
    "Natural",
    "Record",
    "Seq",
    "Text",
    "TimeMs",
    "member_path",
]

_NAME = re.compile(r"[A-Za-z][A-Za-z_]*([0-9]{1,3}[A-Za-z_]+)*[0-9]{0,3}\Z")
_NAME_CHARS_MAX = 40


def _binary(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return b64u_decode(value)
    except FormatError as error:
        raise ValueError(error.code) from error


_CODEC = (BeforeValidator(_binary), PlainSerializer(b64u_encode))
Bytes = Annotated[bytes, *_CODEC]
"""Bytes in Python, unpadded base64url in JSON."""
Bytes32 = Annotated[bytes, *_CODEC, Field(min_length=32, max_length=32)]
Bytes48 = Annotated[bytes, *_CODEC, Field(min_length=48, max_length=48)]
Bytes64 = Annotated[bytes, *_CODEC, Field(min_length=64, max_length=64)]
Bytes96 = Annotated[bytes, *_CODEC, Field(min_length=96, max_length=96)]
Natural = Annotated[int, Field(ge=0, le=INT_MAX)]
TimeMs = Natural
"""Milliseconds UTC (CON-8)."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
"""Calendar day at UTC+8 (B2)."""


Seq = Field(strict=False)
"""``Annotated[tuple[T, ...], Seq]``: an immutable sequence, a tuple in Python and an array in JSON."""


def member_path(parts: Iterable[str | int]) -> str:
    """Where in a message something is wrong, fit to be shown and logged.

    Names and positions are kept. A key that does not look like one of ours came from the sender and may be data,
    such as an identity number used as a key: it is shown as ``?``.
    """
    shown = (
        str(part) if isinstance(part, int) or (len(part) <= _NAME_CHARS_MAX and _NAME.match(part) is not None) else "?"
        for part in parts
    )
    return ".".join(shown)


def _only_integers(schema: Any) -> None:
    """Turn every literal of one integer inside a schema into that integer, strictly."""
    if isinstance(schema, dict):
        expected = schema.get("expected")
        if schema.get("type") == "literal" and isinstance(expected, list) and int in map(type, expected):
            if len(expected) > 1:
                raise TypeError("a literal of a Record is one integer, or texts")
            number = expected[0]
            schema.clear()
            schema.update({"type": "int", "strict": True, "ge": number, "le": number})
            return
        for part in schema.values():
            _only_integers(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _only_integers(part)


class Record(BaseModel):
    """An immutable value with exactly one encoding. Unknown members are refused, nothing is coerced."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """As pydantic builds it, but ``Literal[1]`` takes the integer 1 alone: by itself it takes true and 1.0 too,
        because Python holds them to be equal."""
        schema = handler(source)
        _only_integers(schema)
        return schema

    def to_json(self) -> JsonObject:
        """Plain JSON members; binary as base64url."""
        # What ``model_dump`` does behind a dozen arguments; it is a fifth of the time of decoding a transaction.
        value: JsonObject = self.__pydantic_serializer__.to_python(self, mode="json")
        return value

    def to_bytes(self) -> bytes:
        """Canonical bytes (RFC 8785)."""
        return encode(self.to_json())

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Typed value of parsed JSON. Raises ``FormatError`` ``field_invalid`` naming the member, never its value."""
        try:
            record: Self = cls.__pydantic_validator__.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            path = member_path(first["loc"]) or cls.__name__
            raise FormatError(
                "field_invalid",
                f"{cls.__name__}: member {path} is missing, unknown or malformed.",
                detail=first["type"],
            ) from None
        return record

    @classmethod
    def from_bytes(cls, data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> Self:
        """Typed value of canonical bytes; ``json_not_canonical`` where the typed value encodes otherwise (CON-1)."""
        value = decode_loosely(data, size_max)
        try:
            record = cls.from_json(value)
        except FormatError:
            decode_object(data, size_max)  # an encoding that is not canonical is what is wrong first
            raise
        # One comparison for both steps: bytes that the typed value encodes to are the canonical encoding.
        if not is_encoding(data, record.to_json()):
            raise FormatError("json_not_canonical", "A message is not in its canonical encoding (RFC 8785).")
        return record
