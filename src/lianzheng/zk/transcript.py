"""The one Fiat-Shamir transcript: labelled, length-prefixed, bound to protocol and chain (CON-5).

Bytes, with ``lp(x)`` = length in 4 bytes big-endian and x (B1)::

    state  = "lianzheng/v1/transcript" NUL lp(protocol) lp(chain_id)
    absorb : state := state lp(label) lp( lp(part_1) ... lp(part_n) )
    c      = hash_to_field_q(state, "LIANZHENG-V1-" PROTOCOL "-XMD:SHA-256_SCALAR_")   48 bytes mod q (B11)
    then   : state := state lp("challenge") lp( lp(c as 32 bytes) )
"""

from __future__ import annotations

import re
from typing import Self

from lianzheng.crypto.h2c import hash_to_scalar
from lianzheng.crypto.hazmat.bls12381 import G1, G2, scalar_to_bytes
from lianzheng.encoding.framing import Part, frame, tagged
from lianzheng.errors import FormatError

__all__ = ["Absorbable", "Transcript"]

Absorbable = Part | G1 | G2
"""Integers below 2^64; scalars go in as their 32 bytes, points as themselves (compressed)."""

_PROTOCOL = re.compile(r"[a-z][a-z0-9-]{0,63}\Z")
_CHALLENGE = "challenge"


class Transcript:
    """Collects what a challenge must depend on. A proof works on a fork, so the caller's transcript stays as it was."""

    __slots__ = ("_dst", "_state")

    def __init__(self, protocol: str, chain_id: str) -> None:
        """Begin for ``protocol`` (lower-case ASCII). Raises ``FormatError`` ``label_invalid``."""
        if not _PROTOCOL.match(protocol):
            raise FormatError("label_invalid", "A protocol name must be short lower-case ASCII.")
        self._state = tagged("transcript", protocol, chain_id)
        self._dst = b"LIANZHENG-V1-" + protocol.upper().encode("ascii") + b"-XMD:SHA-256_SCALAR_"

    def absorb(self, label: str, *parts: Absorbable) -> None:
        """Add ``parts`` under ``label``; no two sequences of calls give the same state.

        Raises ``FormatError`` ``label_invalid`` for an empty or the reserved label, ``integer_range``.
        """
        if not label or label == _CHALLENGE:
            raise FormatError("label_invalid", "A transcript label is empty or reserved.")
        self._add(label, *parts)

    def challenge(self) -> int:
        """A scalar that depends on everything absorbed so far, which then is absorbed itself."""
        value = hash_to_scalar(self._state, self._dst)
        self._add(_CHALLENGE, scalar_to_bytes(value))
        return value

    def state(self) -> bytes:
        """Everything absorbed so far; the message over which a nonce is hedged (AUTH-2)."""
        return self._state

    def fork(self) -> Self:
        """An independent copy."""
        copy = object.__new__(type(self))
        copy._state = self._state
        copy._dst = self._dst
        return copy

    def _add(self, label: str, *parts: Absorbable) -> None:
        plain = [part.to_bytes() if isinstance(part, G1 | G2) else part for part in parts]
        self._state += frame(label, frame(*plain))
