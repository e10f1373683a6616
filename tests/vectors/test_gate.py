"""The gate's vector, recomputed from ``docs/spec/gate.md`` with hashlib, PyNaCl and the group alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import VerifyKey

from lianzheng.compute.gate.model import GateCall, UsageReceipt
from lianzheng.crypto.h2c import hash_to_g1, hash_to_scalar
from lianzheng.crypto.hazmat.bls12381 import G1


def _lp(*parts: bytes | str | int) -> bytes:
    plain = [
        part.encode() if isinstance(part, str) else part.to_bytes(8, "big") if isinstance(part, int) else part
        for part in parts
    ]
    return b"".join(len(part).to_bytes(4, "big") + part for part in plain)


def _tagged(purpose: str, *parts: bytes | str | int) -> bytes:
    return b"lianzheng/v1/" + purpose.encode() + b"\0" + _lp(*parts)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _jcs(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _unsigned(message: dict[str, Any]) -> bytes:
    return _jcs({key: value for key, value in message.items() if key != "signature"})


@pytest.fixture(scope="module")
def vector() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(Path(__file__).with_name("gate.json").read_text("utf-8"))
    return value


@pytest.fixture(scope="module")
def person() -> dict[str, str]:
    value: dict[str, str] = json.loads(Path(__file__).with_name("token.json").read_text("utf-8"))
    return value


def test_request_hash_and_signature(vector: dict[str, Any], person: dict[str, str]) -> None:
    request = json.loads(vector["request"])
    assert _jcs(request).decode() == vector["request"]
    assert _bytes(request["cid"]).hex() == person["cid"]
    digest = hashlib.sha256(_tagged("gate-request", _unsigned(request))).digest()
    signed = _tagged("gate-request-signature", digest)
    assert (digest.hex(), signed.hex()) == (vector["request_hash"], vector["request_signed"])
    VerifyKey(bytes.fromhex(vector["requester_public"])).verify(signed, _bytes(request["signature"]))


def test_answer_and_its_signature(vector: dict[str, Any]) -> None:
    answer, request = json.loads(vector["answer"]), json.loads(vector["request"])
    assert _jcs(answer).decode() == vector["answer"]
    assert _bytes(answer["request"]).hex() == vector["request_hash"]
    assert [(item["view"], item["epoch"]) for item in answer["evaluations"]] == [
        (item["view"], item["epoch"]) for item in request["views"]
    ]
    signed = _tagged("gate-answer-signature", _unsigned(answer))
    assert hashlib.sha256(signed).hexdigest() == vector["answer_signed_sha256"]
    VerifyKey(bytes.fromhex(vector["provider_public"])).verify(signed, _bytes(answer["signature"]))


def test_evaluation_and_its_proof(vector: dict[str, Any], person: dict[str, str]) -> None:
    request, (evaluation,) = json.loads(vector["request"]), json.loads(vector["answer"])["evaluations"]
    state = b"lianzheng/v1/transcript\0" + _lp("gate-evaluation", request["chain_id"])
    for label, part in (
        ("cid", _bytes(request["cid"])),
        ("view", evaluation["view"]),
        ("epoch", evaluation["epoch"]),
        ("task", _bytes(request["task"])),
        ("request", bytes.fromhex(vector["request_hash"])),
    ):
        state += _lp(label, _lp(part))
    assert state.hex() == vector["transcript"]
    g, key, b = G1.generator(), bytes.fromhex(vector["key_point"]), _bytes(json.loads(person["token"])["b"])
    w, proof = _bytes(evaluation["w"]), _bytes(evaluation["proof"])
    for label, point in (("base", g.to_bytes()), ("key", key), ("element", b), ("result", w)):
        state += _lp(f"dleq.{label}", _lp(point))
    c, z = int.from_bytes(proof[:32], "big"), int.from_bytes(proof[32:], "big")
    first = g * z - G1.from_bytes(key) * c
    second = G1.from_bytes(b) * z - G1.from_bytes(w) * c
    state += _lp("dleq.commitments", _lp(first.to_bytes(), second.to_bytes()))
    assert hash_to_scalar(state, b"LIANZHENG-V1-GATE-EVALUATION-XMD:SHA-256_SCALAR_") == c


def test_what_the_requester_takes_out(vector: dict[str, Any], person: dict[str, str]) -> None:
    k, r = int(vector["k"], 16), int(person["r"], 16)
    u = hash_to_g1("IDENTITY", bytes.fromhex(person["idnorm"]))
    assert (u * k).to_bytes().hex() == vector["f"]
    (evaluation,) = json.loads(vector["answer"])["evaluations"]
    assert u * k * r == G1.from_bytes(_bytes(evaluation["w"]))


def test_receipt_and_report(vector: dict[str, Any], person: dict[str, str]) -> None:
    receipt = {"request": json.loads(vector["request"]), "answer": json.loads(vector["answer"])}
    assert _jcs(receipt).decode() == vector["receipt"]
    salt = bytes.fromhex(vector["task_salt"])
    assert _bytes(receipt["answer"]["task_salt"]) == salt
    cids = [bytes.fromhex(person["cid"]), bytes.fromhex(vector["other_cid"])]
    leaves = [hashlib.sha256(_tagged("use", salt, cid)).digest() for cid in cids]
    assert [leaf.hex() for leaf in leaves] == vector["leaves"]
    left, right = (hashlib.sha256(b"\0" + leaf).digest() for leaf in sorted(leaves))
    assert hashlib.sha256(b"\1" + left + right).hexdigest() == vector["root"]


def test_the_code_reads_the_same(vector: dict[str, Any], person: dict[str, str]) -> None:
    receipt = UsageReceipt.from_bytes(vector["receipt"].encode())
    assert receipt.request.to_bytes() == vector["request"].encode()
    call = _jcs(
        {
            "request": json.loads(vector["request"]),
            "token": base64.urlsafe_b64encode(person["token"].encode()).decode().rstrip("="),
        }
    )
    assert GateCall.from_bytes(call).token == person["token"].encode()
