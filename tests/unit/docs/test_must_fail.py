"""Every attack of the table has a test that exists, or belongs to a rule that a later part builds."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from arch.source import REPOSITORY

PAGE = REPOSITORY / "docs" / "spec" / "must-fail.md"
LATER = {
    "AUTH-2",
    "EQ-1",
    "ENG-2",
    "ID-4",
    "ID-5",
    "ID-6",
    "ID-8",
    "ID-9",
    "OPRF-1",
    "PSI-1",
    "STAT-1",
    "STAT-2",
    "ZKS-1",
}
"""Rules of which at least one attack waits for gate keys, pseudonyms, joint computation or proofs of assets."""
BUILT = {
    "AUTH-1",
    "AUTH-2",
    "AUTH-4",
    "CON-1",
    "CON-6",
    "EQ-1",
    "EV-3",
    "EV-4",
    "GATE-4",
    "GATE-8",
    "ID-7",
    "LED-3",
    "LED-4",
}
NAME = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def rows() -> list[tuple[str, str, str]]:
    """Rule, attack and last cell of each line of the table."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]
    return [(rule, attack, test) for rule, attack, test in cells]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions that pytest collects from a file: those at its top, whatever their decorators."""
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("rule", "attack", "test"), rows(), ids=lambda cell: cell[:60])
def test_a_line_names_tests_that_exist_or_is_of_a_later_part(rule: str, attack: str, test: str) -> None:
    assert re.fullmatch(r"[A-Z]+-[0-9]+", rule) and attack
    if test == "later":
        assert rule in LATER, f"{rule} is built: {attack} needs a test"
        return
    named = NAME.findall(test)
    assert named and NAME.sub("", test).strip(" ,") == "", f"{attack}: name path and function"
    for path, name in named:
        assert (REPOSITORY / path).is_file(), path
        assert name in names_in(REPOSITORY / path), f"{path} has no {name}"


def test_every_rule_that_is_built_has_a_line_with_a_test() -> None:
    assert {rule for rule, _, test in rows() if test != "later"} == BUILT
    assert {rule for rule, _, test in rows() if test == "later"} == LATER


def test_no_attack_stands_twice() -> None:
    attacks = [(rule, attack) for rule, attack, _ in rows()]
    assert len(attacks) == len(set(attacks))


def test_no_test_of_the_table_is_switched_off() -> None:
    """A test that is skipped or expected to fail shows nothing."""
    for _, _, test in rows():
        for path, name in NAME.findall(test):
            for node in ast.parse((REPOSITORY / path).read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                    marks = " ".join(ast.unparse(one) for one in node.decorator_list)
                    assert "xfail" not in marks and "mark.skip" not in marks, f"{path}::{name}"
