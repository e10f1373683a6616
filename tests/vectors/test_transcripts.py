"""`docs/spec/transcripts.md` with its pinned vectors: recomputed from the page, then accepted by the code (CON-5)."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import Any

import orjson
import py_arkworks_bls12381 as arkworks
import pytest

from lianzheng.crypto.h2c import hash_to_g1
from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER
from lianzheng.errors import LianzhengError
from lianzheng.zk import dleq, schnorr, spseq
from lianzheng.zk.transcript import Transcript

ROOT = Path(__file__).resolve().parents[2]
VECTORS: Any = orjson.loads((ROOT / "tests" / "vectors" / "transcripts.json").read_bytes())
CASES = pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: case["protocol"])


def part_bytes(part: dict[str, Any]) -> bytes:
    ((kind, value),) = part.items()
    if kind == "text":
        return str(value).encode()
    return int(value).to_bytes(8, "big") if kind == "integer" else bytes.fromhex(value)


def lp(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def spec_challenge(case: dict[str, Any]) -> int:
    """The page, read literally; 48 bytes are two blocks of expand_message_xmd."""
    state = b"lianzheng/v1/transcript\0" + lp(case["protocol"].encode()) + lp(case["chain_id"].encode())
    for step in case["absorbed"]:
        state += lp(step["label"].encode()) + lp(b"".join(lp(part_bytes(part)) for part in step["parts"]))
    dst = b"LIANZHENG-V1-" + case["protocol"].upper().encode() + b"-XMD:SHA-256_SCALAR_"
    dst += bytes([len(dst)])
    b0 = hashlib.sha256(bytes(64) + state + b"\0\x30\0" + dst).digest()
    b1 = hashlib.sha256(b0 + b"\1" + dst).digest()
    b2 = hashlib.sha256(bytes(x ^ y for x, y in zip(b0, b1, strict=True)) + b"\2" + dst).digest()
    return int.from_bytes((b1 + b2)[:48], "big") % ORDER


def points(case: dict[str, Any], label: str) -> list[Any]:
    """Absorbed points, in the other library."""
    (step,) = (step for step in case["absorbed"] if step["label"] == label)
    data = [part_bytes(part) for part in step["parts"]]
    return [(arkworks.G1Point if len(d) == 48 else arkworks.G2Point).from_compressed_bytes(d) for d in data]


def number(data: bytes) -> Any:
    return arkworks.Scalar.from_be_bytes(data)


@CASES
def test_the_page_gives_the_pinned_challenge(case: dict[str, Any]) -> None:
    assert spec_challenge(case) == int(case["challenge"], 16)


@CASES
def test_the_pinned_proof_holds_in_the_other_library(case: dict[str, Any]) -> None:
    data, c = bytes.fromhex(case["encoding"]), number(bytes.fromhex(case["challenge"]))
    if case["proof"] == "schnorr":
        (base,), (public,) = points(case, "schnorr.base"), points(case, "schnorr.public")
        (commitment,) = points(case, "schnorr.commitment")
        assert bytes(commitment.to_compressed_bytes()) == data[:48]
        assert base * number(data[48:]) == commitment + public * c
    elif case["proof"] == "dleq":
        assert data[:32].hex() == case["challenge"]
        z = number(data[32:])
        (g,), (p,), (b,), (w,) = (points(case, f"dleq.{name}") for name in ("base", "key", "element", "result"))
        assert points(case, "dleq.commitments") == [g * z - p * c, b * z - w * c]
    else:
        for at, (key, commitment) in enumerate(zip(points(case, "key"), points(case, "commitments"), strict=True)):
            z = number(data[288 + 32 * at : 320 + 32 * at])
            assert arkworks.G2Point() * z == commitment + key * c


def verify(case: dict[str, Any]) -> None:
    """The project's verifier on a case; the context is what the case absorbed before the statement."""
    data = bytes.fromhex(case["encoding"])
    steps = {step["label"]: [part_bytes(part) for part in step["parts"]] for step in case["absorbed"]}
    if case["proof"] == "possession":
        key = spseq.PublicKey(*(G2.from_bytes(part) for part in steps["key"]))
        member, purpose = steps["member"][0].decode(), steps["purpose"][0].decode()
        period = int.from_bytes(steps["period"][0], "big")
        return spseq.verify_possession(key, data, case["chain_id"], member, purpose, period)
    transcript = Transcript(case["protocol"], case["chain_id"])
    for step in case["absorbed"][: case["context_labels"]]:
        transcript.absorb(step["label"], *(part_bytes(part) for part in step["parts"]))
    if case["proof"] == "schnorr":
        base, public = (G1.from_bytes(steps[f"schnorr.{name}"][0]) for name in ("base", "public"))
        return schnorr.verify(base, public, schnorr.SchnorrProof.from_bytes(data), transcript)
    names = ("base", "key", "element", "result")
    g, p, b, w = (G1.from_bytes(steps[f"dleq.{name}"][0]) for name in names)
    return dleq.verify(g, p, b, w, dleq.DleqProof.from_bytes(data), transcript)


@CASES
def test_the_code_accepts_the_pinned_proof(case: dict[str, Any]) -> None:
    verify(case)


@CASES
def test_every_absorbed_part_counts(case: dict[str, Any]) -> None:
    changed: dict[str, Any] = orjson.loads(orjson.dumps(case))
    for step in changed["absorbed"]:
        if step["label"].endswith(("commitment", "commitments")):
            continue  # carried by the proof itself, not by the statement
        for at, part in enumerate(step["parts"]):
            step["parts"][at] = other_value(part)
            with pytest.raises(LianzhengError):
                verify(changed)
            step["parts"][at] = part
    verify(changed)
    with pytest.raises(LianzhengError):
        verify({**case, "chain_id": "other-net"})


def other_value(part: dict[str, Any]) -> dict[str, Any]:
    """A different valid value of the same type."""
    ((kind, value),) = part.items()
    if kind == "integer":
        return {kind: value + 1}
    if kind == "text":
        return {kind: "gate" if value == "credential" else value + "x"}
    data = bytes.fromhex(value)
    if len(data) == 48:
        return {kind: (-G1.from_bytes(data)).to_bytes().hex()}
    return {kind: ((-G2.from_bytes(data)).to_bytes() if len(data) == 96 else data + b"\0").hex()}


@pytest.mark.parametrize("case", VECTORS["hash_to_g1"], ids=lambda case: case["message"][:16] or "empty")
def test_hash_to_g1(case: dict[str, str]) -> None:
    message = bytes.fromhex(case["message"])
    dst = f"LIANZHENG-V1-{case['purpose']}-BLS12381G1_XMD:SHA-256_SSWU_RO_".encode()
    assert bytes(arkworks.G1Point.hash_to_curve(message, dst).to_compressed_bytes()).hex() == case["point"]
    assert hash_to_g1(case["purpose"], message).to_bytes().hex() == case["point"]


@pytest.mark.parametrize("case", VECTORS["spseq"]["signatures"], ids=["as signed", "representative changed"])
def test_spseq(case: dict[str, Any]) -> None:
    key = spseq.PublicKey.from_bytes(bytes.fromhex(VECTORS["spseq"]["key"]))
    a, b, c = (G1.from_bytes(bytes.fromhex(text)) for text in case["message"])
    spseq.verify(key, (a, b, c), spseq.Signature.from_bytes(bytes.fromhex(case["signature"])))


def labels_in_source() -> dict[str, list[str]]:
    """Protocol -> labels absorbed by the function that begins its transcript, in order."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and node.args]
            calls.sort(key=lambda node: node.lineno)
            begun = [node.args[0] for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Transcript"]
            absorbed = [
                node.args[0] for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "absorb"
            ]
            for name in begun:
                assert isinstance(name, ast.Constant), f"{path}: a protocol name must be a literal"
                found[str(name.value)] = [str(label.value) for label in absorbed if isinstance(label, ast.Constant)]
    return found


def test_the_page_lists_every_protocol_and_its_labels_in_order() -> None:
    page = (ROOT / "docs" / "spec" / "transcripts.md").read_text("utf-8")
    table = page.split("## Protocols")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("`"): re.findall(r"`([^`]+)`", row[1]) for row in rows}
    listed["spseq-possession"].remove("commitments")  # absorbed by prover and verifier, after the context
    assert labels_in_source() == listed, "docs/spec/transcripts.md and the source disagree"


def test_the_page_lists_every_protocol_that_has_a_vector() -> None:
    assert {case["protocol"] for case in VECTORS["proofs"]} == set(labels_in_source())
