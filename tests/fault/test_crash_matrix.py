"""A handful of kills in CI; ``make soak`` plays the whole matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from fault.scene import play


@pytest.mark.fault
async def test_what_was_acknowledged_outlives_kills(tmp_path: Path) -> None:
    outcome = await play(tmp_path, seed=1, people=8, kills=4)
    assert not outcome.failures, "\n".join(outcome.failures)
    assert len(outcome.kills) >= 4
