"""Splitting and combining (SLIP-0039): Shamir's scheme twice, over groups and members, below a Feistel cipher.

point 255:  the value that is shared        point 254:  HMAC-SHA-256(R, value)[:4] ‖ R, which tells wrong shares
cipher:     four rounds of PBKDF2-HMAC-SHA-256, 2,500 · 2^exponent iterations each, under the passphrase

A wallet shares one 256-bit key in one group and without a passphrase; combining takes every form of the standard.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence

from lianzheng.errors import FormatError, VerificationError
from lianzheng.wallet.slip39.field import interpolate
from lianzheng.wallet.slip39.share import VALUE_BYTES_MIN, Share

__all__ = ["combine", "split"]

_SECRET_AT, _DIGEST_AT = 255, 254
_DIGEST_BYTES = 4
_ROUNDS = 4
_ITERATIONS = 10_000 // _ROUNDS
_MEMBERS_MAX = 16


def split(secret: bytes, threshold: int, count: int, passphrase: bytes = b"") -> tuple[Share, ...]:
    """``count`` shares of one group, any ``threshold`` of which recover ``secret``; drawn afresh each time.

    Raises ``FormatError`` ``share_malformed`` for a length or numbers that the standard does not have.
    """
    if len(secret) < VALUE_BYTES_MIN or len(secret) % 2 or not 2 <= threshold <= count <= _MEMBERS_MAX:
        raise FormatError("share_malformed", "SLIP-0039 has no shares of this length or number.")
    identifier = secrets.randbelow(1 << 15)
    value = _cipher(secret, passphrase, 0, b"", range(_ROUNDS))
    return tuple(
        Share(
            identifier=identifier,
            extendable=True,
            exponent=0,
            group=0,
            group_threshold=1,
            groups=1,
            member=member,
            threshold=threshold,
            value=part,
        )
        for member, part in enumerate(_split_value(value, threshold, count))
    )


def combine(shares: Iterable[Share], passphrase: bytes = b"") -> bytes:
    """The secret, from exactly as many shares as are needed, in any order.

    A wrong passphrase gives another secret: the standard does not tell. Raises ``FormatError``:
    ``shares_too_few``, ``shares_too_many``, ``shares_same`` (one of them twice); ``VerificationError``
    ``shares_of_different_sets``, ``shares_do_not_fit`` (one is of another secret, whatever it says).
    """
    given = tuple(shares)
    if not given:
        raise FormatError("shares_too_few", "No recovery share was given.")
    first = given[0]
    if any(share.common != first.common for share in given):
        raise _different()
    by_group: dict[int, list[Share]] = {}
    for share in given:
        by_group.setdefault(share.group, []).append(share)
    if len(by_group) < first.group_threshold:
        raise _too_few()
    if len(by_group) > first.group_threshold:
        raise FormatError("shares_too_many", "More recovery shares were given than are needed.")
    parts = {group: _combine_group(members) for group, members in by_group.items()}
    value = _recover(first.group_threshold, parts)
    salt = b"" if first.extendable else b"shamir" + first.identifier.to_bytes(2, "big")
    return _cipher(value, passphrase, first.exponent, salt, range(_ROUNDS - 1, -1, -1))


def _combine_group(members: Sequence[Share]) -> bytes:
    first = members[0]
    if any(share.threshold != first.threshold for share in members):
        raise _different()
    points = {share.member: share.value for share in members}
    if len(points) < len(members):
        raise FormatError("shares_same", "One recovery share was given twice.", next_step="Give two different ones.")
    if len(points) < first.threshold:
        raise _too_few()
    if len(points) > first.threshold:
        raise FormatError("shares_too_many", "More recovery shares were given than are needed.")
    return _recover(first.threshold, points)


def _split_value(value: bytes, threshold: int, count: int) -> list[bytes]:
    """Points 0 … count − 1 of a polynomial through the value, its digest and as much randomness as is left."""
    points = {place: secrets.token_bytes(len(value)) for place in range(threshold - 2)}
    random = secrets.token_bytes(len(value) - _DIGEST_BYTES)
    base = {**points, _DIGEST_AT: _digest(random, value) + random, _SECRET_AT: value}
    return [points[place] if place in points else interpolate(base, place) for place in range(count)]


def _recover(threshold: int, points: Mapping[int, bytes]) -> bytes:
    if threshold == 1:
        return next(iter(points.values()))
    value, tail = interpolate(points, _SECRET_AT), interpolate(points, _DIGEST_AT)
    if not hmac.compare_digest(tail[:_DIGEST_BYTES], _digest(tail[_DIGEST_BYTES:], value)):
        raise VerificationError(
            "shares_do_not_fit", "The recovery shares do not fit each other: they are of different secrets."
        )
    return value


def _digest(random: bytes, value: bytes) -> bytes:
    return hmac.digest(random, value, "sha256")[:_DIGEST_BYTES]


def _cipher(data: bytes, passphrase: bytes, exponent: int, salt: bytes, rounds: Iterable[int]) -> bytes:
    """The standard's Feistel cipher; with the rounds backwards its inverse."""
    half = len(data) // 2
    left, right = data[:half], data[half:]
    for number in rounds:
        key = hashlib.pbkdf2_hmac(
            "sha256", bytes([number]) + passphrase, salt + right, _ITERATIONS << exponent, dklen=half
        )
        left, right = right, bytes(a ^ b for a, b in zip(left, key, strict=True))
    return right + left


def _different() -> VerificationError:
    return VerificationError(
        "shares_of_different_sets",
        "The recovery shares are not of one set.",
        next_step="Take shares that were written together: they name the same set.",
    )


def _too_few() -> FormatError:
    return FormatError("shares_too_few", "Fewer recovery shares were given than are needed.")
