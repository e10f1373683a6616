"""Reason codes are literals in snake_case, and the page of all of them is up to date."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from arch.source import REPOSITORY


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reason_codes", REPOSITORY / "tools" / "reason_codes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reason_codes"] = module
    spec.loader.exec_module(module)
    return module


def test_every_code_is_a_literal_in_snake_case(tool: ModuleType) -> None:
    found = [
        f"{site.file}:{site.line} {site.expression}"
        for site in tool.sites()
        if not tool.CODE.match(site.code) and (site.file, site.expression) not in tool.PASSED_ON
    ]
    assert found == [], "give the code as a string literal, so that it can be found, listed and documented"


def test_codes_that_are_passed_on_still_exist(tool: ModuleType) -> None:
    assert {(site.file, site.expression) for site in tool.sites() if not site.code} >= tool.PASSED_ON


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    assert tool.PAGE.read_text() == tool.page(tool.sites()), "run `make golden`"
