"""RFC 6962 / 9162 inclusion and consistency proofs of transparency-dev/merkle: each verdict must be ours."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.errors import VerificationError
from lianzheng.ledger.proofs import verify_consistency, verify_leaf_inclusion


def _cases(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    files = sorted(folder.rglob("*.json"))
    return [(str(path.relative_to(folder)), json.loads(path.read_text())) for path in files]


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def test_inclusion_vectors(shared_vectors: Path) -> None:
    cases = _cases(shared_vectors / "rfc6962" / "inclusion")
    assert len(cases) > 80
    for name, case in cases:
        path = [_bytes(node) for node in case["proof"] or ()]
        arguments = (_bytes(case["leafHash"]), case["leafIdx"], case["treeSize"], path, _bytes(case["root"]))
        if case["wantErr"]:
            with pytest.raises(VerificationError) as caught:
                verify_leaf_inclusion(*arguments)
                pytest.fail(name)
            assert caught.value.code == "inclusion_invalid"
        else:
            verify_leaf_inclusion(*arguments)


def test_consistency_vectors(shared_vectors: Path) -> None:
    cases = _cases(shared_vectors / "rfc6962" / "consistency")
    assert len(cases) > 80
    for name, case in cases:
        path = [_bytes(node) for node in case["proof"] or ()]
        roots = (_bytes(case["root1"]), _bytes(case["root2"]))
        if case["wantErr"]:
            with pytest.raises(VerificationError) as caught:
                verify_consistency(case["size1"], case["size2"], *roots, path)
                pytest.fail(name)
            assert caught.value.code == "consistency_invalid"
        else:
            verify_consistency(case["size1"], case["size2"], *roots, path)
