"""The command line as a fixture."""

from __future__ import annotations

import pytest

from cli_kit import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch)
