"""The source as syntax trees, for the tests beside this file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SOURCE = REPOSITORY / "src" / "lianzheng"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    """Python files of ``folders``, by default of everything that is ours."""
    roots = folders or ("src", "tests", "tools", "benchmarks")
    return sorted(path for root in roots for path in (REPOSITORY / root).rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def where(path: Path, node: ast.AST | None = None) -> str:
    """``path:line`` for a failing test's message."""
    line = getattr(node, "lineno", 0)
    return f"{path.relative_to(REPOSITORY)}:{line}" if line else str(path.relative_to(REPOSITORY))


def functions(tree: ast.Module) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def imported(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Dotted names of everything imported: ``a.b`` for ``import a.b``, ``a.b`` for ``from a import b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def deterministic_files() -> list[Path]:
    """What every member must compute alike: ledger rules wherever they stand, the ledger and the state machine.

    ``ledger/sender.py`` and ``ledger/nonces.py`` are a member's own side of the ledger, not replicated.
    """
    local = {SOURCE / "ledger" / "sender.py", SOURCE / "ledger" / "nonces.py"}
    rules = [path for path in SOURCE.rglob("*.py") if path.stem == "rules" or path.parent.name == "rules"]
    found = {*rules, *(SOURCE / "ledger").rglob("*.py"), *(SOURCE / "contracts").rglob("*.py")}
    return sorted(found - local)
