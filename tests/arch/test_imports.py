"""The import contracts cover every package and list no exceptions."""

from __future__ import annotations

import tomllib

from arch.source import REPOSITORY, SOURCE


def test_contracts_have_no_exceptions() -> None:
    configuration = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in configuration["contracts"]:
        assert not contract.get("ignore_imports"), f"{contract['id']}: move the code instead of listing an exception"
        assert "unmatched_ignore_imports_alerting" not in contract


def test_layers_name_what_exists() -> None:
    """Exhaustive both ways: import-linter refuses an unplaced package, this refuses a placed one that is not there."""
    configuration = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(contract for contract in configuration["contracts"] if contract["id"] == "layers")
    assert layers["exhaustive"] is True
    named = [name.strip() for line in layers["layers"] for name in line.split("|")]
    required = {name for name in named if not name.startswith("(")}
    present = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert required == present - {"__init__"}, "take the parentheses off a package that is built now"


def test_every_folder_is_a_package() -> None:
    bare = [path.parent for path in SOURCE.rglob("*.py") if not (path.parent / "__init__.py").exists()]
    assert bare == [], "a folder without __init__.py is invisible to the import contracts"
