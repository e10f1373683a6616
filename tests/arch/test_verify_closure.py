"""``verify`` runs where no node is: its import closure reaches no adapter, service or node."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import lianzheng

_SOURCE = Path(lianzheng.__file__).parent
_ALLOWED = {
    "lianzheng",
    "lianzheng.clock",
    "lianzheng.crypto",
    "lianzheng.encoding",
    "lianzheng.errors",
    "lianzheng.evidence",
    "lianzheng.evidence.model",
    "lianzheng.ids",
    "lianzheng.ledger",
    "lianzheng.limits",
    "lianzheng.registry",
    "lianzheng.verify",
}
_LEDGER_VERIFICATION = {
    "answers",
    "apphash",
    "block",
    "checkpoint",
    "cometbft",
    "genesis",
    "hashing",
    "note",
    "proofs",
    "statement",
}
_FOREIGN = {"sqlalchemy", "aiosqlite", "fastapi", "uvicorn", "httpx", "socket", "ssl", "sqlite3", "asyncio"}


def _loaded_by_verify() -> list[str]:
    """Modules in a fresh process after importing ``verify`` and nothing else."""
    code = "import sys, lianzheng.verify; print('\\n'.join(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.split()


def _package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:3]) if parts[1:3] == ["evidence", "model"] else ".".join(parts[:2])


def test_ev4_verify_reaches_only_verification() -> None:
    ours = [module for module in _loaded_by_verify() if module.split(".")[0] == "lianzheng"]
    outside = [module for module in ours if _package(module) not in _ALLOWED]
    assert outside == [], "verify may import the types of evidence and the verification half of ledger only"
    ledger = {module.split(".")[2] for module in ours if module.startswith("lianzheng.ledger.")}
    assert ledger <= _LEDGER_VERIFICATION, "tree builders and engines have no place in the verifier"


def test_ev4_verify_needs_no_network_and_no_database() -> None:
    ours = [module for module in _loaded_by_verify() if module.startswith("lianzheng.")]
    for module in ours:
        path = _SOURCE.parent / Path(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert not {name.split(".")[0] for name in names} & _FOREIGN, f"{module} imports one of {sorted(_FOREIGN)}"


def test_proofs_cannot_build() -> None:
    tree = ast.parse((_SOURCE / "ledger" / "proofs.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "lianzheng.ledger.merkle" not in imported
