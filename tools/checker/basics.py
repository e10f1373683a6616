"""Bytes, tags and trees, written anew from RFC 8785, RFC 9162, the multikey text and ``formats.md``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

__all__ = ["Findings", "b64u", "canonical", "digest", "framed", "parse", "signed_by", "tree_root", "unb64u"]

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Findings:
    """What contradicts what; empty means that all is well."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.checked = 0

    def expect(self, holds: bool, what: str) -> bool:
        """Note ``what`` unless it holds."""
        self.checked += 1
        if not holds:
            self.texts.append(what)
        return holds


def b64u(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    """Inverse of :func:`b64u`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value: Any) -> bytes:
    """RFC 8785 for what stands in these files: integers, text, lists, and objects with keys of ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(data: bytes, findings: Findings, what: str) -> Any:
    """JSON that must be canonical."""
    value = json.loads(data)
    findings.expect(canonical(value) == data, f"{what} is not canonical JSON")
    return value


def framed(purpose: str, *parts: bytes | str | int) -> bytes:
    """Tag, NUL, and every part behind its length in four bytes."""
    out = b"lianzheng/v1/" + purpose.encode() + b"\0"
    for part in parts:
        data = part.to_bytes(8, "big") if isinstance(part, int) else part.encode() if isinstance(part, str) else part
        out += len(data).to_bytes(4, "big") + data
    return out


def digest(purpose: str, *parts: bytes | str | int) -> bytes:
    """SHA-256 of :func:`framed`."""
    return hashlib.sha256(framed(purpose, *parts)).digest()


def tree_root(entries: Sequence[bytes], hash_name: str = "sha256") -> bytes:
    """RFC 9162, 2.1.1, by its recursive definition."""

    def of(data: bytes) -> bytes:
        return hashlib.new(hash_name, data).digest()

    if not entries:
        return of(b"")
    if len(entries) == 1:
        return of(b"\x00" + entries[0])
    left = 1
    while 2 * left < len(entries):
        left *= 2
    return of(b"\x01" + tree_root(entries[:left], hash_name) + tree_root(entries[left:], hash_name))


def signed_by(multikey: str, message: bytes, signature: bytes) -> bool:
    """Whether the Ed25519 key of a multikey text made this signature."""
    number = 0
    for letter in multikey[1:]:
        number = number * 58 + _BASE58.index(letter)
    raw = number.to_bytes(34, "big")
    if multikey[0] != "z" or raw[:2] != b"\xed\x01":
        return False
    try:
        VerifyKey(raw[2:]).verify(message, signature)
    except BadSignatureError:
        return False
    return True
