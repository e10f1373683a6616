"""Signed notes and cosignatures as C2SP has them (signed-note v1, tlog-cosignature v1), Ed25519 only.

note            = text ‖ LF ‖ signature lines        ``text`` ends in LF
signature line  = "— " ‖ name ‖ " " ‖ base64(key id ‖ signature) ‖ LF
key id          = SHA-256(name ‖ LF ‖ type ‖ public key)[:4]
type 0x01       signature = Ed25519(text)                                               the log's own
type 0x04       signature = time ‖ Ed25519("cosignature/v1" LF "time <time>" LF ‖ text)   a cosigner's

``time`` is in seconds since 1970: 8 bytes big-endian in the signature, decimal in what is signed.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import FormatError, VerificationError
from lianzheng.limits import NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX

__all__ = [
    "COSIGNATURE",
    "LOG_SIGNATURE",
    "Note",
    "NoteKey",
    "NoteSignature",
    "b64_decode",
    "b64_encode",
    "cosign_note",
    "parse_signatures",
    "sign_note",
    "verify_note",
]

LOG_SIGNATURE = 0x01
COSIGNATURE = 0x04
_DASH = "\u2014 "
_ID_BYTES, _TIME_BYTES = 4, 8
_NAME_CHARS_MAX = 200
Sign = Callable[[bytes], bytes]


def b64_encode(data: bytes) -> str:
    """Padded base64 (RFC 4648 §4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64_decode(text: str) -> bytes:
    """Inverse of :func:`b64_encode`, for the one encoding that it gives. Raises ``FormatError`` ``base64_invalid``."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise FormatError("base64_invalid", "A binary value is not padded base64.") from error
    if b64_encode(data) != text:
        raise FormatError("base64_invalid", "A binary value is not padded base64 without spare bits.")
    return data


@dataclass(frozen=True, slots=True)
class NoteKey:
    """Who may sign notes: the name on the line, how it signs, its Ed25519 public key."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name) or self.kind not in (LOG_SIGNATURE, COSIGNATURE):
            raise _key_malformed()
        if len(self.public) != ed25519.PUBLIC_SIZE:
            raise _key_malformed()

    @property
    def key_id(self) -> bytes:
        """4 bytes that stand in the signature line."""
        return sha256_raw(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:_ID_BYTES]

    def to_text(self) -> str:
        """The verifier key of signed-note: ``name+key id+base64(type ‖ public key)``."""
        return f"{self.name}+{self.key_id.hex()}+{b64_encode(bytes([self.kind]) + self.public)}"

    @classmethod
    def from_text(cls, text: str) -> NoteKey:
        """Inverse of :meth:`to_text`. Raises ``FormatError`` ``note_key_malformed``."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            data = b64_decode(encoded)
        except FormatError as error:
            raise _key_malformed() from error
        if not data:
            raise _key_malformed()
        key = cls(name, data[0], data[1:])
        if key.key_id.hex() != key_id:
            raise _key_malformed()
        return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def to_text(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {b64_encode(self.key_id + self.signature)}\n"

    @property
    def time_s(self) -> int:
        """When a cosignature was made, in seconds; only of one that was verified does it say anything."""
        return int.from_bytes(self.signature[:_TIME_BYTES], "big")


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, each of another key."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is kept and sent."""
        return (self.text + "\n" + "".join(one.to_text() for one in self.signatures)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Note:
        """Strict inverse of :meth:`to_bytes`; nothing is verified. Raises ``FormatError`` ``note_malformed``."""
        if len(data) > NOTE_BYTES_MAX:
            raise _malformed()
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise _malformed() from error
        text, gap, lines = whole.rpartition("\n\n")
        if not gap or any(one < " " and one != "\n" for one in whole):
            raise _malformed()
        note = cls(text + "\n", parse_signatures(lines))
        if not note.signatures:
            raise _malformed()
        return note

    def with_signatures(self, more: Sequence[NoteSignature]) -> Note:
        """The note with ``more`` after its own; of two by one key the first stays."""
        found: dict[tuple[str, bytes], NoteSignature] = {}
        for one in (*self.signatures, *more):
            found.setdefault((one.name, one.key_id), one)
        return Note(self.text, tuple(found.values()))


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Signature lines, each ended by a newline, no two of one key. Raises ``FormatError`` ``note_malformed``."""
    *rows, end = lines.split("\n")
    if end or len(rows) > NOTE_SIGNATURES_MAX:
        raise _malformed()
    found = tuple(_signature(row) for row in rows)
    if len({(one.name, one.key_id) for one in found}) < len(found):
        raise _malformed()
    return found


def sign_note(text: str, key: NoteKey, sign: Sign) -> NoteSignature:
    """The log's signature over ``text``; ``sign`` is by ``key``."""
    return NoteSignature(key.name, key.key_id, sign(text.encode()))


def cosign_note(text: str, key: NoteKey, sign: Sign, time_s: int) -> NoteSignature:
    """A cosignature over ``text`` made at ``time_s``; ``sign`` is by ``key``."""
    return NoteSignature(key.name, key.key_id, time_s.to_bytes(_TIME_BYTES, "big") + sign(_cosigned(text, time_s)))


def verify_note(note: Note, keys: Sequence[NoteKey]) -> tuple[tuple[NoteKey, NoteSignature], ...]:
    """Each signature by one of ``keys``, verified, in the note's order; those by other keys are passed over.

    Raises ``VerificationError`` ``note_signature_invalid`` where one by a known key does not hold, ``note_unsigned``
    where none is by a known key; ``FormatError`` ``note_key_malformed`` where two keys cannot be told apart.
    """
    known = {(key.name, key.key_id): key for key in keys}
    if len(known) < len(keys):
        raise _key_malformed()
    found = []
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is not None:
            _verify(note.text, key, one)
            found.append((key, one))
    if not found:
        raise VerificationError("note_unsigned", "A checkpoint note has no signature by a known key.")
    return tuple(found)


def _verify(text: str, key: NoteKey, one: NoteSignature) -> None:
    message, signature = text.encode(), one.signature
    try:
        if key.kind == COSIGNATURE:
            if len(signature) != _TIME_BYTES + ed25519.SIGNATURE_SIZE or one.time_s >= 2**63:
                raise VerificationError("signature_invalid", "A cosignature has the wrong form.")
            message, signature = _cosigned(text, one.time_s), signature[_TIME_BYTES:]
        ed25519.verify(key.public, message, signature)
    except VerificationError as error:
        raise VerificationError("note_signature_invalid", "A signature on a checkpoint note does not hold.") from error


def _cosigned(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _signature(row: str) -> NoteSignature:
    name, _, encoded = row.removeprefix(_DASH).partition(" ")
    try:
        data = b64_decode(encoded)
    except FormatError as error:
        raise _malformed() from error
    if not row.startswith(_DASH) or not _is_name(name) or len(data) <= _ID_BYTES:
        raise _malformed()
    return NoteSignature(name, data[:_ID_BYTES], data[_ID_BYTES:])


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _NAME_CHARS_MAX and not any(one.isspace() or one == "+" or one < " " for one in name)


def _malformed() -> FormatError:
    return FormatError("note_malformed", "Not a signed note (C2SP signed-note).")


def _key_malformed() -> FormatError:
    return FormatError(
        "note_key_malformed",
        "Not a note's verifier key: name+key id+base64, of type 1 or 4, with Ed25519.",
        next_step="Copy the key as its owner publishes it.",
    )
