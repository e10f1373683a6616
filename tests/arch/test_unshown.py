"""Secrets and identity numbers are not shown by ``repr``: a traceback, a log or a failed test then holds none."""

from __future__ import annotations

import ast
from pathlib import Path

from arch.source import python_files, tree_of, where

SECRET = {
    "api_token",
    "hmac_key",
    "holder_secret",
    "idnorm",
    "mnemonic",
    "passphrase",
    "pin",
    "proof_secret",
    "r",
    "scalar",
    "secret",
    "seed",
}
"""Names of fields that hold one. ``r`` blinds a person's element (AUTH-2), ``idnorm`` is an identity number (ID-1)."""
NO_SECRET = {"credential_keys.py _Kind.secret", "stage.py Settings.seed"}
"""A name in the key store; the seed that draws sample people."""
_VALUES = {"bytes", "int", "str", "Bytes", "Bytes32"}


def test_fields_with_secrets_are_not_shown() -> None:
    shown = [
        f"{where(path, field)} {name}"
        for path in python_files("src")
        for found in ast.walk(tree_of(path))
        if isinstance(found, ast.ClassDef) and _has_a_repr(found)
        for field, name in _secret_fields(path, found)
        if "repr=False" not in ast.unparse(field) and name not in NO_SECRET
    ]
    assert shown == [], "dataclass(repr=False), field(repr=False) or Field(repr=False)"


def test_the_rule_sees_what_it_is_for() -> None:
    """A dataclass, a record and a tuple with a secret in the open; the same three without."""
    open_ones = ("@dataclass\nclass A:\n r: int", "class A(Record):\n seed: Bytes32", "class A(NamedTuple):\n r: int")
    hidden = (
        "@dataclass(repr=False)\nclass A:\n r: int",
        "class A(Record):\n seed: Annotated[Bytes32, Field(repr=False)]",
        "class A(NamedTuple):\n r: int\n def __repr__(self) -> str: ...",
    )
    for text in (*open_ones, *hidden):
        (found,) = ast.parse(text).body
        assert isinstance(found, ast.ClassDef)
        fields = _secret_fields(Path("a.py"), found) if _has_a_repr(found) else []
        assert any("repr=False" not in ast.unparse(field) for field, _ in fields) == (text in open_ones)


def _has_a_repr(found: ast.ClassDef) -> bool:
    """Made from its fields: a dataclass that does not leave it out, a record, a named tuple."""
    own = any(isinstance(node, ast.FunctionDef) and node.name == "__repr__" for node in found.body)
    marks = [text for text in map(ast.unparse, found.decorator_list) if text.startswith("dataclass")]
    bases = {ast.unparse(base) for base in found.bases}
    return not own and (any("repr=False" not in mark for mark in marks) or bool(bases & {"Record", "NamedTuple"}))


def _secret_fields(path: Path, found: ast.ClassDef) -> list[tuple[ast.AnnAssign, str]]:
    return [
        (node, f"{path.name} {found.name}.{node.target.id}")
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in SECRET
        if _VALUES & {part.id for part in ast.walk(node.annotation) if isinstance(part, ast.Name)}
    ]
