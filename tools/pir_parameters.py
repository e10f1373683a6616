"""Computes what the parameters of private retrieval give, and fails if that is less than PIR-2 asks.

    python tools/pir_parameters.py                          the parameters in use
    python tools/pir_parameters.py --set dimension=1280     others, to see what they would give

**Failure.** A byte is read wrongly only if |D·e − δ·s| ≥ Δ/2 − r, where Δ = q/p, D is a row of at most 2^16 bytes
within ±128, e the errors, s the ternary secret, δ what the hint's rounding took away (|δ_j| ≤ r) and r the most that
the answer's rounding takes away. The chance is bounded by Chernoff, E[exp(t·X)]·exp(−t·T), with the exact moment
generating functions of the cut discrete Gaussian and of the ternary secret. Any t gives a true bound; the least is
searched for. Twice: for one byte under the worst δ there is (nothing presumed), and for a whole column (union over
its bytes) with δ as it is when the words of A are independent and uniform, SHAKE-128 being a random oracle.

**Security.** Core-SVP (Alkim, Ducas, Pöppelmann, Schwabe 2016, as in the Kyber submission's scripts): one call of a
shortest-vector oracle in dimension β costs 2^(0.292·β) (classical sieving, Becker, Ducas, Gama, Laarhoven 2016); all
else is free. β is the least with which the primal attack succeeds (unique shortest vector in the embedding of
Bai and Galbraith, the ternary secret scaled to the size of the errors), or the dual attack pays; at most 2^16 samples.
Guessing parts of the ternary secret is not counted: a coordinate costs log2(3) = 1.58 bits and saves 0.1.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from lianzheng.limits import TABLE_COLUMNS_MAX
from lianzheng.zk.lwe.parameters import PARAMETERS, LweParameters

FAILURE_BITS_MIN = 40
SECURITY_BITS_MIN = 128
CUT_BITS_MIN = 64
COLUMN_BYTES_MAX = 2**14
"""Of a table with 2^16 columns: 2^30 bytes, twice the largest table that is ever served."""
TERNARY_DEVIATION = math.sqrt(2 / 3)


@dataclass(frozen=True)
class Finding:
    """One figure beside what is asked of it, both in bits."""

    name: str
    bits: float
    least: float

    @property
    def holds(self) -> bool:
        """Whether it suffices."""
        return self.bits >= self.least


def failure_bits(parameters: LweParameters, worst_rounding: bool) -> float:
    """−log2 of a bound for the chance that one byte is read wrongly."""
    rounding = 2.0 ** (parameters.modulus_bits - parameters.kept_bits - 1)
    room = 2.0 ** (parameters.modulus_bits - parameters.plain_bits - 1) - rounding
    if room <= 0:
        return 0.0
    errors = _gaussian_chances(parameters)
    largest = 2.0 ** (parameters.plain_bits - 1)

    def log_bound(t: float) -> float:
        # cosh is even and grows: a row whose bytes are all ±128 is the worst there is.
        noise = parameters.columns_max * math.log1p(sum(c * _cosh1(t * largest * x) for x, c in errors))
        hidden = _cosh1(t * rounding) if worst_rounding else _uniform_cosh1(t * rounding, parameters)
        return noise + parameters.dimension * math.log1p(2 / 3 * hidden) - t * room

    variance = parameters.columns_max * (largest * parameters.sigma_tenths / 10) ** 2
    variance += parameters.dimension * 2 / 3 * rounding**2
    best = _least(log_bound, 0.0, 8 * room / variance)
    return max(0.0, -(best + math.log(2)) / math.log(2))


def column_failure_bits(parameters: LweParameters) -> float:
    """−log2 of a bound for the chance that any byte of a longest column is read wrongly."""
    return max(0.0, failure_bits(parameters, worst_rounding=False) - math.log2(COLUMN_BYTES_MAX))


def cut_bits(parameters: LweParameters) -> float:
    """−log2 of the chance that cutting the Gaussian changes any error of one query: what the cut takes off security."""
    tail = math.log(2) - parameters.cut_sigmas**2 / 2  # 2·exp(−x²/2σ²), the bound for a discrete Gaussian
    return -(tail + math.log(parameters.columns_max)) / math.log(2)


def core_svp(attack: Callable[[int], float | None]) -> float:
    """The least cost in bits over all block sizes."""
    costs = [cost for beta in range(50, 1500) if (cost := attack(beta)) is not None]
    return min(costs, default=0.292 * 1500)


def primal_bits(n: int, log_q: float, error: float, secret: float, samples: int) -> float:
    """Unique shortest vector: succeeds where error·√β ≤ δ^(2β−d−1)·volume^(1/d), d = n + m + 1."""
    scale = math.log2(error / secret)

    def attack(beta: int) -> float | None:
        root = _log_root_hermite(beta)
        ideal = math.sqrt(n * (log_q - scale) / root)  # the dimension that makes the right side greatest
        for dimension in (math.floor(ideal), math.ceil(ideal)):
            d = min(max(dimension, n + 2), n + 1 + samples)
            right = (2 * beta - d - 1) * root + ((d - n - 1) * log_q + n * scale) / d
            if math.log2(error) + math.log2(beta) / 2 <= right:
                return 0.292 * beta
        return None

    return core_svp(attack)


def dual_bits(n: int, log_q: float, error: float, secret: float, samples: int) -> float:
    """Short vectors of the dual lattice, 2^(0.2075·β) from each sieve, repeated until they tell (A, b) from chance."""
    scale = math.log2(error / secret)

    def attack(beta: int) -> float | None:
        root = _log_root_hermite(beta)
        ideal = math.sqrt(n * (log_q - scale) / root)
        d = min(max(round(ideal), n + 1), n + samples)
        log_length = d * root + n * (log_q - scale) / d
        tau = math.pow(2, min(log_length + math.log2(error) - log_q, 64))
        log_advantage = -2 * (math.pi * tau) ** 2 / math.log(2)
        return 0.292 * beta + max(0.0, -2 * log_advantage - 0.2075 * beta)

    return core_svp(attack)


def findings(parameters: LweParameters) -> list[Finding]:
    """Everything that is asked of the parameters."""
    lwe = (
        parameters.dimension,
        float(parameters.modulus_bits),
        parameters.sigma_tenths / 10,
        TERNARY_DEVIATION,
        parameters.columns_max,
    )
    return [
        Finding("failure of one byte, any rounding", failure_bits(parameters, worst_rounding=True), FAILURE_BITS_MIN),
        Finding("failure of one column", column_failure_bits(parameters), FAILURE_BITS_MIN),
        Finding("cut of the Gaussian", cut_bits(parameters), CUT_BITS_MIN),
        Finding("core-SVP, primal attack", primal_bits(*lwe), SECURITY_BITS_MIN),
        Finding("core-SVP, dual attack", dual_bits(*lwe), SECURITY_BITS_MIN),
        Finding("columns, log2", math.log2(parameters.columns_max), math.log2(TABLE_COLUMNS_MAX)),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print all findings; 0 only if every one of them holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = ", ".join(field.name for field in fields(LweParameters))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help=f"one of {names}")
    parameters = PARAMETERS
    for change in parser.parse_args(arguments).set:
        name, _, number = change.partition("=")
        parameters = replace(parameters, **{name: int(number)})
    print(parameters)
    found = findings(parameters)
    for finding in found:
        verdict = "holds" if finding.holds else "FAILS"
        print(f"{verdict}  {finding.name:34} {finding.bits:7.1f} bits, at least {finding.least:.0f}")
    return 0 if all(finding.holds for finding in found) else 1


def _gaussian_chances(parameters: LweParameters) -> list[tuple[int, float]]:
    deviation = parameters.sigma_tenths / 10
    reach = range(-parameters.error_max, parameters.error_max + 1)
    weights = [math.exp(-(x**2) / (2 * deviation**2)) for x in reach]
    total = math.fsum(weights)
    return [(x, weight / total) for x, weight in zip(reach, weights, strict=True)]


def _cosh1(x: float) -> float:
    """cosh(x) − 1, exact also for small x."""
    return 2 * math.pow(math.sinh(min(abs(x), 300.0) / 2), 2)


def _uniform_cosh1(reach: float, parameters: LweParameters) -> float:
    """E[cosh] − 1 of t times one rounding error of the hint, |t·error| ≤ ``reach``, in the worst case over rows.

    Where 2^k is the greatest power of two that divides a whole row, a word of the hint is uniform over the multiples
    of 2^k, and its rounding error over those from −r to r, one end left out. That mean of cosh, which is even, is the
    trapezoidal rule for a convex function: the coarser the greater. A byte has ``plain_bits`` bits, so k is at most
    ``plain_bits`` − 1 (a row of zeros has an exact hint).
    """
    half = parameters.modulus_bits - parameters.kept_bits - 1
    steps = 1 << max(0, half - parameters.plain_bits + 1)
    inner = 2 * math.fsum(_cosh1(reach * k / steps) for k in range(1, steps))
    return (inner + _cosh1(reach)) / (2 * steps)


def _log_root_hermite(beta: int) -> float:
    """log2 of δ: what a reduction with blocks of β reaches (Chen 2013)."""
    return math.log2(math.pow(math.pi * beta, 1 / beta) * beta / (2 * math.pi * math.e)) / (2 * (beta - 1))


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a convex function between two points, by golden section."""
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(80):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return function((low + high) / 2)


if __name__ == "__main__":
    sys.exit(main())
