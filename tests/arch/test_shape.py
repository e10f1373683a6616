"""Sizes and habits that keep the code readable; each failure names what to do instead."""

from __future__ import annotations

import ast

from arch.source import SOURCE, functions, imported, python_files, tree_of, where

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PROCESS_EDGE = ("api/", "cli/", "node/", "contracts/machine.py", "adapters/storage/database.py")
"""Where an unforeseen error must become an answer, a log line or a stop instead of a traceback; and where works that
share a commit hand each caller its own error."""
_BROAD = {"Exception", "BaseException"}


def test_files_are_short() -> None:
    long = [where(path) for path in python_files() if len(path.read_text().splitlines()) > FILE_LINES_MAX]
    assert long == [], f"over {FILE_LINES_MAX} lines: turn the file into a folder of the same name"


def test_functions_are_short() -> None:
    long = [
        f"{where(path, node)} {node.name}"
        for path in python_files()
        for node in functions(tree_of(path))
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == [], f"over {FUNCTION_LINES_MAX} lines, docstring included: split by what the parts guarantee"


def test_source_never_asserts() -> None:
    found = [
        where(path, node)
        for path in python_files("src")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Assert)
    ]
    assert found == [], "`python -O` removes asserts: raise an error of lianzheng.errors with a reason code"


def test_broad_handlers_stand_at_the_process_edge() -> None:
    """Elsewhere a broad handler is allowed only to clean up: it must end by raising what it caught."""
    found = []
    for path in python_files("src"):
        if str(path.relative_to(SOURCE)).startswith(PROCESS_EDGE):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _reraises(node):
                found.append(where(path, node))
    assert found == [], f"catch the errors that can occur; broad handlers only in {PROCESS_EDGE}"


def test_json_is_written_and_read_in_encoding_only() -> None:
    """Shipped tables of the project's own (registry, questionnaires) may use orjson: they are no wire format."""
    own_tables = {SOURCE / "registry" / "__init__.py", SOURCE / "suitability" / "shipped.py"}
    found = [
        where(path, node)
        for path in python_files("src")
        if path not in own_tables and not path.is_relative_to(SOURCE / "encoding")
        for name, node in imported(tree_of(path))
        if name.split(".")[0] in {"json", "orjson", "rfc8785"}
    ]
    assert found == [], "use lianzheng.encoding.canonical: one form for every message (CON-1)"


def test_time_is_read_in_one_place() -> None:
    found = [
        where(path, node)
        for path in python_files("src")
        if path != SOURCE / "clock.py"
        for name, node in imported(tree_of(path))
        if name.split(".")[0] == "time"
    ]
    assert found == [], "take a lianzheng.clock.Clock: tests then move time themselves"


def test_random_is_for_made_up_data_only() -> None:
    found = [
        where(path, node)
        for path in python_files("src")
        if not path.is_relative_to(SOURCE / "demo")
        for name, node in imported(tree_of(path))
        if name.split(".")[0] == "random"
    ]
    assert found == [], "use secrets, or lianzheng.crypto; `random` can be predicted"


def test_output_goes_through_the_cli() -> None:
    found = [
        where(path, node)
        for path in python_files("src")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == [], "log with structlog, or print with the rich console of cli and demo"


def test_every_module_says_what_it_is_for() -> None:
    silent = [where(path) for path in python_files("src") if not ast.get_docstring(tree_of(path))]
    assert silent == [], "a module begins with one sentence on what it guarantees"


def _is_broad(node: ast.ExceptHandler) -> bool:
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(one is None or (isinstance(one, ast.Name) and one.id in _BROAD) for one in types)


def _reraises(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
