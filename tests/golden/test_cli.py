"""The commands, their options and help, as they were looked at last."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from arch.source import REPOSITORY


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_help", REPOSITORY / "tools" / "cli_help.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_commands_are_these(tool: ModuleType) -> None:
    assert tool.FILE.read_text("utf-8") == tool.text(), "run `make golden` and look at what changed"
