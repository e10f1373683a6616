"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_vectors() -> Path:
    """Folder of published test vectors, which are not copied into the project; skips where it is absent."""
    given = os.environ.get("LIANZHENG_SHARED")
    folder = (Path(given) if given else _REPOSITORY.parent / "shared") / "vectors"
    if not folder.is_dir():
        pytest.skip(f"published vectors are absent: {folder} (set LIANZHENG_SHARED to the folder above 'vectors')")
    return folder
