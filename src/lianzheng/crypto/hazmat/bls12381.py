"""BLS12-381 behind one checked wrapper (CON-4); nothing else in the project touches a curve library.

``pyblst`` does hashing, multiplication and pairings, ``py_arkworks_bls12381`` long multi-scalar
multiplications; which does what was measured. What each gets wrong alone, and where it is stopped:

- both decode the identity                                    -> ``from_bytes`` refuses it
- arkworks decodes non-canonical forms of infinity            -> foreign bytes are never given to arkworks
- pyblst multiplies by negative and by unreduced scalars      -> ``*`` takes integers in [0, q) only
- arkworks' multiexp cuts the longer list without a word      -> ``msm`` compares lengths
- an empty or over-long DST                                   -> ``hash_to_curve`` refuses it

Neither library is audited for constant time; SECURITY.md says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import py_arkworks_bls12381 as arkworks
import pyblst  # type: ignore[import-untyped]

from lianzheng.errors import FormatError

__all__ = [
    "G1",
    "G2",
    "ORDER",
    "msm",
    "pairing_check",
    "random_scalar",
    "random_weight",
    "scalar_from_bytes",
    "scalar_to_bytes",
]

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""q, the prime order of G1, G2 and GT."""

_SCALAR_SIZE = 32
_DST_SIZE_MAX = 255  # RFC 9380 §5.3.3: longer tags are hashed first; ours never are
_MSM_ARKWORKS_MIN = 16  # measured: arkworks wins from 10 points seen before, from 30 new ones (they must cross over)
_G1_GENERATOR = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)
_G2_GENERATOR = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)


class _Point:
    """What G1 and G2 share. Immutable; an instance is always on the curve and in the subgroup."""

    SIZE: ClassVar[int]
    _blank: ClassVar[Any]
    _identity: ClassVar[bytes]

    __slots__ = ("_bytes", "_element")

    def __init__(self, element: Any, data: bytes | None = None) -> None:
        """Internal: ``element`` is trusted. From outside use :meth:`from_bytes`."""
        self._element = element
        self._bytes = data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The point with this compressed encoding: canonical, on the curve, in the subgroup, not the identity (CON-4).

        Raises ``FormatError`` ``point_malformed``, ``point_not_in_subgroup`` or ``point_identity``.
        """
        if len(data) != cls.SIZE:
            raise FormatError("point_malformed", f"A point has {len(data)} bytes where {cls.SIZE} are expected.")
        if data == cls._identity:
            raise FormatError("point_identity", "A point is the identity.")
        try:
            element = cls._blank.uncompress(data)
        except ValueError as error:
            if "NOT_IN_GROUP" in str(error):
                raise FormatError("point_not_in_subgroup", "A point lies outside the prime-order subgroup.") from None
            raise FormatError("point_malformed", "A point is not a canonical encoding of a curve point.") from None
        return cls(element, data)

    def to_bytes(self) -> bytes:
        """Compressed encoding (48 bytes in G1, 96 in G2)."""
        if self._bytes is None:
            self._bytes = bytes(self._element.compress())
        return self._bytes

    @classmethod
    def identity(cls) -> Self:
        """The neutral element: a result that arithmetic may have, never one that is read from bytes."""
        return cls(cls._blank, cls._identity)

    def is_identity(self) -> bool:
        """Whether this is the neutral element."""
        return bool(self._element == self._blank)

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(self._element + other._element)

    def __sub__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(self._element + -other._element)

    def __neg__(self) -> Self:
        return type(self)(-self._element)

    def __mul__(self, scalar: int) -> Self:
        """``scalar`` times this point. Raises ``FormatError`` ``scalar_invalid`` outside [0, q) (CON-4)."""
        return type(self)(self._element.scalar_mul(_checked(scalar)))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._element == other._element)

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        # A point can be as good as an identity number (ID-2): none is ever printed into a log or traceback.
        return f"<{type(self).__name__} point>"


class G1(_Point):
    """A point of G1, written additively."""

    SIZE = 48
    _blank = pyblst.BlstP1Element()
    _identity = b"\xc0" + bytes(47)
    _generator: ClassVar[G1]

    __slots__ = ("_arkworks",)

    @classmethod
    def generator(cls) -> G1:
        """G."""
        return cls._generator

    @classmethod
    def hash_to_curve(cls, message: bytes, dst: bytes) -> G1:
        """RFC 9380 ``BLS12381G1_XMD:SHA-256_SSWU_RO_``; nobody knows its logarithm to another base.

        Raises ``FormatError`` ``dst_invalid`` for an empty tag or one over 255 bytes.
        """
        if not 0 < len(dst) <= _DST_SIZE_MAX:
            raise FormatError("dst_invalid", "A domain separation tag must have 1 to 255 bytes.")
        return cls(cls._blank.hash_to_group(message, dst))

    def _to_arkworks(self) -> Any:
        # Unchecked is right here: the bytes come from our own, already checked point. Cached, because
        # the points of long sums (commitment generators) come back again and again.
        try:
            return self._arkworks
        except AttributeError:
            self._arkworks: Any = arkworks.G1Point.from_compressed_bytes_unchecked(self.to_bytes())
            return self._arkworks


class G2(_Point):
    """A point of G2, written additively."""

    SIZE = 96
    _blank = pyblst.BlstP2Element()
    _identity = b"\xc0" + bytes(95)
    _generator: ClassVar[G2]

    __slots__ = ()

    @classmethod
    def generator(cls) -> G2:
        """Ĝ."""
        return cls._generator


G1._generator = G1.from_bytes(_G1_GENERATOR)
G2._generator = G2.from_bytes(_G2_GENERATOR)


def msm(points: Sequence[G1], scalars: Sequence[int]) -> G1:
    """``Σ scalars[i]·points[i]``; the empty sum is the identity.

    Raises ``FormatError`` ``length_mismatch``, ``scalar_invalid`` (CON-4).
    """
    if len(points) != len(scalars):
        raise FormatError("length_mismatch", "A sum has different numbers of points and scalars.")
    if len(points) < _MSM_ARKWORKS_MIN:
        total = G1.identity()
        for point, scalar in zip(points, scalars, strict=True):
            total += point * scalar
        return total
    elements = [point._to_arkworks() for point in points]
    numbers = [arkworks.Scalar.from_be_bytes(scalar_to_bytes(scalar)) for scalar in scalars]
    data = bytes(arkworks.G1Point.multiexp_unchecked(elements, numbers).to_compressed_bytes())
    return G1(G1._blank.uncompress(data), data)


def pairing_check(pairs: Sequence[tuple[G1, G2]]) -> bool:
    """Whether ``Π e(P_i, Q_i) = 1``, with one final exponentiation.

    The one internal primitive that answers instead of raising: callers turn ``False`` into their own
    reason code. Raises ``FormatError`` ``length_mismatch`` for no pairs, which would hold vacuously.
    """
    if not pairs:
        raise FormatError("length_mismatch", "A pairing product needs at least one pair.")
    first, *rest = pairs
    product = pyblst.miller_loop(first[0]._element, first[1]._element)
    for point, twist in rest:
        product = product * pyblst.miller_loop(point._element, twist._element)
    return bool(pyblst.final_verify(product, _ONE))


def random_scalar() -> int:
    """A uniform scalar in [2, q): 0 and 1 hide nothing where a scalar blinds (ID-4, AUTH-2)."""
    return 2 + secrets.randbelow(ORDER - 2)


def random_weight() -> int:
    """A fresh non-zero 128-bit weight for one equation of a merged check (EQ-1)."""
    weight = 0
    while weight == 0:
        weight = int.from_bytes(secrets.token_bytes(16), "big")
    return weight


def scalar_to_bytes(scalar: int) -> bytes:
    """32 bytes big-endian. Raises ``FormatError`` ``scalar_invalid`` outside [0, q)."""
    return _checked(scalar).to_bytes(_SCALAR_SIZE, "big")


def scalar_from_bytes(data: bytes) -> int:
    """The scalar in [0, q) with this encoding. Raises ``FormatError`` ``scalar_invalid`` (CON-4)."""
    if len(data) != _SCALAR_SIZE:
        raise FormatError("scalar_invalid", f"A scalar has {len(data)} bytes where {_SCALAR_SIZE} are expected.")
    return _checked(int.from_bytes(data, "big"))


def _checked(scalar: int) -> int:
    if type(scalar) is not int or not 0 <= scalar < ORDER:
        raise FormatError("scalar_invalid", "A scalar lies outside [0, q).")
    return scalar


# 1 in GT: the Miller loop of the identity.
_ONE = pyblst.miller_loop(G1._blank, G2._generator._element)
