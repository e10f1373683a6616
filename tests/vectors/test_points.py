"""Encodings of points, named by their defect (CON-4), and multiples computed by the other library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lianzheng.crypto.hazmat.bls12381 import G1, G2, pairing_check, scalar_from_bytes
from lianzheng.errors import FormatError

VECTORS: Any = orjson.loads((Path(__file__).parent / "points.json").read_bytes())
REFUSED = [(group, case["defect"], case) for group, cases in VECTORS["refused"].items() for case in cases]


@pytest.mark.parametrize("group, defect, case", REFUSED, ids=[f"{group}: {defect}" for group, defect, _ in REFUSED])
def test_refused(group: str, defect: str, case: dict[str, str]) -> None:
    kind = G1 if group == "G1" else G2
    with pytest.raises(FormatError) as caught:
        kind.from_bytes(bytes.fromhex(case["bytes"]))
    assert caught.value.code == case["code"], defect


@pytest.mark.parametrize("case", VECTORS["multiples"], ids=lambda case: case["scalar"][:8] + case["scalar"][-8:])
def test_multiples(case: dict[str, str]) -> None:
    scalar = scalar_from_bytes(bytes.fromhex(case["scalar"]))
    first, second = bytes.fromhex(case["G1"]), bytes.fromhex(case["G2"])
    assert (G1.generator() * scalar).to_bytes() == first
    assert (G2.generator() * scalar).to_bytes() == second
    assert pairing_check([(G1.from_bytes(first), G2.generator()), (-G1.generator(), G2.from_bytes(second))])
