"""Writes docs/spec/reason-codes.md: every reason code that the source can raise, read from the source itself.

    python tools/reason_codes.py           write the page
    python tools/reason_codes.py --check   exit 1 where the page is not up to date

A code is the literal first argument of one of the project's errors, or the literal handed to a function of the same
module that passes it on as such. Places that pass on somebody else's code are named in ``PASSED_ON``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "lianzheng"
PAGE = REPOSITORY / "docs" / "spec" / "reason-codes.md"
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
PASSED_ON = frozenset({("ledger/sender.py", "receipt.result.code")})
"""(file, expression): codes that come from outside, having been raised as a literal elsewhere."""
_ROOT = "LianzhengError"
_PROBLEM = "problem"
"""``api.problem.problem(status, code, text)``: an answer that no error stands behind."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One place that can answer with ``code``; ``code`` is empty where it is not a literal."""

    code: str
    file: str
    line: int
    status: int
    text: str
    expression: str


def error_classes(trees: dict[str, ast.Module]) -> dict[str, int]:
    """Name and HTTP status of the root error and of everything derived from it anywhere in the source."""
    found = {_ROOT: 500}
    growing = True
    while growing:
        growing = False
        for node in (node for tree in trees.values() for node in ast.walk(tree)):
            if isinstance(node, ast.ClassDef) and node.name not in found:
                bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in found]
                if bases:
                    found[node.name] = _status_of(node, found[bases[0]])
                    growing = True
    return found


def sites(source: Path = SOURCE) -> list[Site]:
    """Every place in ``source`` that makes an error or a problem, in the order of codes and files."""
    trees = {str(path.relative_to(source)): ast.parse(path.read_text()) for path in sorted(source.rglob("*.py"))}
    classes = error_classes(trees)
    found: list[Site] = []
    for file, tree in trees.items():
        found += _sites_of(file, tree, classes)
    return sorted(found)


def page(found: list[Site]) -> str:
    """The page as Markdown, one row a code."""
    lines = [
        "# Reason codes",
        "",
        "Written by `make golden` from the source; do not edit. A code is snake_case and never changes its meaning;",
        "it is the member `code` of problem+json, of a ledger result and of the CLI's messages. The text may change.",
        "",
        "| code | HTTP | text | raised in |",
        "|---|---|---|---|",
    ]
    for code in sorted({site.code for site in found if site.code}):
        here = [site for site in found if site.code == code]
        statuses = ", ".join(str(status) for status in sorted({site.status for site in here}))
        text = next((site.text for site in here if site.text), "").replace("|", "\\|")
        files = ", ".join(f"`{file}`" for file in sorted({site.file for site in here}))
        lines.append(f"| `{code}` | {statuses} | {text} | {files} |")
    return "\n".join(lines) + "\n"


def _sites_of(file: str, tree: ast.Module, classes: dict[str, int]) -> Iterator[Site]:
    forwarders = _forwarders(tree, classes)
    inside = {id(call): owner for owner in _functions(tree) for call in ast.walk(owner) if isinstance(call, ast.Call)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        owner = inside.get(id(call))
        if name in classes and call.args:
            if owner is not None and forwarders.get(owner.name) == (_parameter(owner, call.args[0]), classes[name]):
                continue  # its callers are the sites
            yield _site(file, call, call.args[0], classes[name], call.args[1] if len(call.args) > 1 else None)
        elif name == _PROBLEM and file.startswith("api/") and len(call.args) > 2 and _is_literal(call.args[1]):
            status = call.args[0].value if isinstance(call.args[0], ast.Constant) else 0
            yield _site(file, call, call.args[1], int(str(status)), call.args[2])
        elif name in forwarders and len(call.args) > forwarders[name][0]:
            at, status = forwarders[name]
            yield _site(file, call, call.args[at], status, call.args[at + 1] if len(call.args) > at + 1 else None)


def _forwarders(tree: ast.Module, classes: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Functions that pass a parameter on as a code: name to position of the parameter and HTTP status."""
    found: dict[str, tuple[int, int]] = {}
    for owner in _functions(tree):
        for call in (node for node in ast.walk(owner) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in classes and call.args:
                at = _parameter(owner, call.args[0])
                if at >= 0:
                    found[owner.name] = (at, classes[call.func.id])
    return found


def _functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _parameter(owner: ast.FunctionDef | ast.AsyncFunctionDef, value: ast.expr) -> int:
    """Position of ``value`` among the parameters of ``owner``, or -1."""
    names = [argument.arg for argument in owner.args.args if argument.arg != "self"]
    return names.index(value.id) if isinstance(value, ast.Name) and value.id in names else -1


def _site(file: str, call: ast.Call, code: ast.expr, status: int, text: ast.expr | None) -> Site:
    literal = code.value if isinstance(code, ast.Constant) and isinstance(code.value, str) else ""
    return Site(literal, file, call.lineno, status, _template(text), ast.unparse(code))


def _is_literal(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _template(text: ast.expr | None) -> str:
    """A literal text; what an f-string fills in is shown as an ellipsis."""
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return text.value
    if isinstance(text, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in text.values)
    return ""


def _status_of(node: ast.ClassDef, inherited: int) -> int:
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) and line.targets[0].id == "status":
            return int(ast.literal_eval(line.value))
    return inherited


def main(arguments: list[str]) -> int:
    """Write or check the page."""
    text = page(sites())
    if "--check" in arguments:
        return 0 if PAGE.exists() and PAGE.read_text() == text else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
