"""The envelope's inner slices equal a fresh encoding, whatever texts stand inside (B5)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ledger_kit import BETA
from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError
from lianzheng.ledger.transaction import Transaction, body_bytes, payload_bytes, signing_bytes, transaction_id

NASTY = ('","proof":{', ',"proof":', '"payload":', ',"sender":"', "\\", '"', '{"body":')


@pytest.mark.parametrize("text", NASTY)
def test_slices_equal_a_fresh_encoding(text: str) -> None:
    payload = {"a": {"payload": text, "proof": {"sender": text}}, "sender": {"sender": [text]}, "v": text}
    cases: tuple[dict[str, Any], ...] = ({}, {"sender": f"did:{text}"}, {"key_id": f"#{text}"})
    for changes in cases:
        transaction = BETA.transaction("some.kind", payload, 1, **changes)
        wire = transaction.to_bytes()
        assert Transaction.parse(wire) == transaction
        assert body_bytes(wire) == transaction.body.to_bytes()
        assert payload_bytes(body_bytes(wire)) == encode(payload)


def test_identifier_and_signed_bytes_are_as_written_down() -> None:
    body = BETA.transaction("some.kind", {}, 1).body
    canonical = body.to_bytes()
    length = len(canonical).to_bytes(4, "big")
    assert signing_bytes(body) == b"lianzheng/v1/transaction\0" + length + canonical
    expected = hashlib.sha256(b"lianzheng/v1/transaction-id\0" + length + canonical).digest()
    assert transaction_id(body) == transaction_id(canonical) == expected


def test_the_identifier_ignores_the_signature_but_the_envelope_does_not_ignore_anything() -> None:
    wire = BETA.transaction("some.kind", {}, 1).to_bytes()
    for changed in (
        wire.replace(b'"v":1', b'"v":true'),
        wire.replace(b'"v":1', b'"v":2'),
        wire.replace(b',"v":1', b""),
    ):
        with pytest.raises(FormatError):
            Transaction.parse(changed)
