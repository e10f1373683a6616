"""The parameters of private retrieval suffice, and the script that says so sees every weakening (PIR-2)."""

from __future__ import annotations

import importlib.util
import math
import random as seeded
import sys
from types import ModuleType

import pytest

from arch.source import REPOSITORY
from lianzheng.limits import TABLE_COLUMNS_MAX
from lianzheng.zk.lwe.parameters import PARAMETERS, LweParameters


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = REPOSITORY / "tools" / "pir_parameters.py"
    spec = importlib.util.spec_from_file_location("pir_parameters", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pir_parameters"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_parameters_are_those_of_the_protocol() -> None:
    assert LweParameters(1536, 32, 8, 16, 64, 12, TABLE_COLUMNS_MAX) == PARAMETERS
    assert PARAMETERS.error_max == 76


def test_the_parameters_in_use_suffice(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main([]) == 0
    assert "FAILS" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("weakening", "broken"),
    [
        ("dimension=1280", "core-SVP"),
        ("dimension=1400", "core-SVP"),
        ("sigma_tenths=5", "core-SVP"),
        ("sigma_tenths=600", "failure"),
        ("modulus_bits=31", "failure"),
        ("modulus_bits=36", "core-SVP"),
        ("kept_bits=15", "failure"),
        ("kept_bits=8", "failure"),
        ("plain_bits=9", "failure"),
        ("cut_sigmas=10", "cut"),
        ("columns_max=1048576", "failure"),
        ("columns_max=32768", "columns"),
    ],
)
def test_every_weakening_fails(
    script: ModuleType, capsys: pytest.CaptureFixture[str], weakening: str, broken: str
) -> None:
    assert script.main(["--set", weakening]) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILS")]
    assert any(broken in line for line in failed)


@pytest.mark.parametrize(("rank", "published"), [(2, 118), (3, 182), (4, 256)])
def test_estimate_gives_the_published_figures_of_kyber(script: ModuleType, rank: int, published: int) -> None:
    """Kyber 512, 768, 1024: q = 3329, binomial η = 3, 2, 2; classical core-SVP of the round-3 submission."""
    deviation = math.sqrt((3 if rank == 2 else 2) / 2)
    attack = (256 * rank, math.log2(3329), deviation, deviation, 256 * (rank + 1))
    assert min(script.primal_bits(*attack), script.dual_bits(*attack)) == pytest.approx(published, abs=3)
    assert script.primal_bits(*attack) == pytest.approx(published, abs=1)


def test_failure_bound_lies_above_what_is_drawn(script: ModuleType) -> None:
    """Parameters made so weak that failures can be counted: the bound holds, and is not far off."""
    weak = LweParameters(dimension=1536, kept_bits=13, columns_max=16)
    reach, steps = 2**18, 2**11
    room = 2**23 - reach
    chance = seeded.Random(1)
    failures = sum(
        abs(sum(chance.choice((-1, 0, 1)) * chance.randrange(-steps, steps) * (reach // steps) for _ in range(1536)))
        >= room
        for _ in range(500)
    )
    bound = 2.0 ** -script.failure_bits(weak, worst_rounding=False)
    assert failures / 500 <= bound + 3 * math.sqrt(bound / 500)
    assert failures / 500 > bound / 20
