"""Frozen typed records over canonical JSON: decode, validate, re-encode from the typed value, compare (CON-1)."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, ValidationError

from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, decode_object, encode
from lianzheng.errors import FormatError
from lianzheng.limits import INT_MAX, MESSAGE_BYTES_MAX

__all__ = ["Bytes", "Bytes32", "Bytes48", "Bytes64", "Bytes96", "Day", "Natural", "Record", "Seq", "Text", "TimeMs"]


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


class Record(BaseModel):
    """An immutable value with exactly one encoding. Unknown members are refused, nothing is coerced."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def to_json(self) -> JsonObject:
        """Plain JSON members; binary as base64url."""
        return self.model_dump(mode="json")

    def to_bytes(self) -> bytes:
        """Canonical bytes (RFC 8785)."""
        return encode(self.to_json())

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Typed value of parsed JSON. Raises ``FormatError`` ``field_invalid`` naming the member, never its value."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            path = ".".join(str(part) for part in first["loc"]) or cls.__name__
            raise FormatError(
                "field_invalid",
                f"{cls.__name__}: member {path} is missing, unknown or malformed.",
                detail=first["type"],
            ) from None

    @classmethod
    def from_bytes(cls, data: bytes, size_max: int = MESSAGE_BYTES_MAX) -> Self:
        """Typed value of canonical bytes; ``json_not_canonical`` where the typed value encodes otherwise (CON-1)."""
        record = cls.from_json(decode_object(data, size_max))
        if record.to_bytes() != data:
            raise FormatError("json_not_canonical", "A message is not in its canonical encoding (RFC 8785).")
        return record
