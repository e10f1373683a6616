"""Fixtures for every test, and the rule that nothing is skipped where it counts."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import structlog

_REPOSITORY = Path(__file__).resolve().parent.parent
_IN_CI = os.environ.get("CI") == "true"
_ID_CHARS_MAX = 30


@pytest.fixture(scope="session")
def shared_vectors() -> Path:
    """Folder of published test vectors, which are not copied into the project; skips where it is absent."""
    given = os.environ.get("LIANZHENG_SHARED")
    folder = (Path(given) if given else _REPOSITORY.parent / "shared") / "vectors"
    if not folder.is_dir():
        pytest.skip(f"published vectors are absent: {folder} (set LIANZHENG_SHARED to the folder above 'vectors')")
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values do not name a test: made of keys, salts or the time of day they differ between workers."""
    return argname if isinstance(val, str | bytes) and len(val) > _ID_CHARS_MAX else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """With CI=true a skipped test fails: a missing tool or file must not pass for success."""
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """As above, for a module that skips itself."""
    report = yield
    if _IN_CI and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def plain_logs() -> Generator[None, None, None]:
    """A node run inside a test sends its log to that test's captured output, which is closed when the test ends."""
    yield
    structlog.reset_defaults()
