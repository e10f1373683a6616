"""Ledger and rules compute the same at every member: no clock, chance, float, set order, locale or logging."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from arch.source import deterministic_files, imported, tree_of, where

_FOREIGN = {
    "asyncio", "datetime", "locale", "logging", "os", "random", "secrets", "socket", "sqlite3", "ssl", "structlog",
    "subprocess", "tempfile", "threading", "time", "uuid", "zoneinfo",
}  # fmt: skip
_CALLS = {"float", "hash", "id", "open", "input", "round"}
_SET_MAKERS = {"set", "frozenset"}
_FILES = deterministic_files()


@pytest.mark.parametrize("path", _FILES, ids=where)
def test_imports_nothing_that_differs_between_members(path: Path) -> None:
    found = [f"{where(path, node)} {name}" for name, node in imported(tree_of(path)) if name.split(".")[0] in _FOREIGN]
    found += [f"{where(path, node)} {name}" for name, node in imported(tree_of(path)) if name.endswith("SystemClock")]
    assert found == [], "time comes from the block, everything else from the state"


@pytest.mark.parametrize("path", _FILES, ids=where)
def test_has_no_floats(path: Path) -> None:
    found = []
    for node in ast.walk(tree_of(path)):
        is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
        divides = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if is_float or divides:
            found.append(where(path, node))
    assert found == [], "integers only: use // and say which way it rounds"


@pytest.mark.parametrize("path", _FILES, ids=where)
def test_calls_nothing_whose_answer_depends_on_the_process(path: Path) -> None:
    found = [
        where(path, node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS
    ]
    assert found == [], f"none of {sorted(_CALLS)}: their answers differ between processes or are floats"


@pytest.mark.parametrize("path", _FILES, ids=where)
def test_iterates_over_no_set(path: Path) -> None:
    """A set may be asked for membership; its order differs between processes, so `sorted` comes first."""
    tree = tree_of(path)
    sets = _names_of_sets(tree)
    found = [where(path, one) for one in _iterated(tree) if _is_set(one, sets)]
    assert found == [], "write `for x in sorted(the_set)`"


def test_the_state_machine_is_among_the_files() -> None:
    """Guards the list itself: moving these files must not silence the tests above."""
    names = {where(path) for path in _FILES}
    assert {"src/lianzheng/contracts/machine.py", "src/lianzheng/ledger/state.py"} <= names
    assert sum(name.endswith("rules.py") for name in names) >= 4


def _names_of_sets(tree: ast.Module) -> set[str]:
    """Variables and attributes that are ever annotated or assigned as sets in this file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).split("[")[0] in _SET_MAKERS:
            found.add(ast.unparse(node.target))
        elif isinstance(node, ast.Assign) and _is_set(node.value, set()):
            found.update(ast.unparse(target) for target in node.targets)
        elif isinstance(node, ast.arg) and _is_set_type(node.annotation):
            found.add(node.arg)
    return found


def _is_set_type(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).split("[")[0] in {*_SET_MAKERS, "AbstractSet", "Set"}


def _iterated(tree: ast.Module) -> list[ast.expr]:
    """Expressions whose order reaches a result: loops, comprehensions, `*x`, tuple(x), join(x) and the like."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            found.append(node.iter)
        elif isinstance(node, ast.Starred):
            found.append(node.value)
        elif isinstance(node, ast.Call) and _keeps_order(node.func):
            found += node.args
    return found


def _keeps_order(function: ast.expr) -> bool:
    ordered = {"tuple", "list", "dict", "enumerate", "iter", "next", "zip", "map", "filter"}
    return (isinstance(function, ast.Name) and function.id in ordered) or (
        isinstance(function, ast.Attribute) and function.attr in {"join", "extend", "fromkeys", "pop"}
    )


def _is_set(value: ast.expr, names: set[str]) -> bool:
    if isinstance(value, ast.Set | ast.SetComp) or ast.unparse(value) in names:
        return True
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return _is_set(value.left, names) or _is_set(value.right, names)
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _SET_MAKERS
