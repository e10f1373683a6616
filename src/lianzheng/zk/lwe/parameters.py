"""The one set of parameters (PIR-2, B23). ``tools/pir_parameters.py`` shows that they suffice and fails if not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PARAMETERS", "LweParameters", "answer_bytes", "hint_bytes", "vector_bytes"]


@dataclass(frozen=True, slots=True)
class LweParameters:
    """What security and correctness depend on."""

    dimension: int = 1536
    """n, words of the secret; 1408 leaves no margin over 128 bits with a ternary secret."""
    modulus_bits: int = 32
    """q = 2^32."""
    plain_bits: int = 8
    """p = 2^8: one byte."""
    kept_bits: int = 16
    """Bits of each word of hint and answer that are kept; the rounding needs the ternary secret."""
    sigma_tenths: int = 64
    """Ten times the standard deviation of the errors."""
    cut_sigmas: int = 12
    """No error is larger than this many standard deviations."""
    columns_max: int = 2**16
    """Most columns, that is samples of one secret and terms of one answer."""

    @property
    def error_max(self) -> int:
        """Largest error that is ever drawn."""
        return self.cut_sigmas * self.sigma_tenths // 10


PARAMETERS = LweParameters()


def hint_bytes(column_bytes: int) -> int:
    """Length of the hint of a database of such columns."""
    return 2 * PARAMETERS.dimension * column_bytes


def vector_bytes(columns: int) -> int:
    """Length of a query."""
    return 4 * columns


def answer_bytes(column_bytes: int) -> int:
    """Length of an answer."""
    return 2 * column_bytes
