"""Signed heads and head statements: each changed field has its own refusal (B31, B32, GATE-4)."""

from __future__ import annotations

import pytest

from ledger_kit import ALPHA, BETA, CHAIN
from lianzheng.crypto import ed25519
from lianzheng.errors import VerificationError
from lianzheng.ledger.block import Head, SignedHead, head_hash, head_signing_bytes, verify_signed_head
from lianzheng.ledger.statement import HeadStatement, Statement, make_statement, verify_statement

KEY = ALPHA.operation.keys[0].multikey
PUBLIC = ed25519.public_key(ALPHA.seed)
NONCE = b"n" * 32


def _head(height: int = 7) -> SignedHead:
    head = Head(
        chain_id=CHAIN, height=height, time_ms=1, previous=b"p" * 32, txs_root=b"t" * 32, results_root=b"r" * 32,
        app_hash=b"a" * 32, next_signer=KEY,
    )  # fmt: skip
    return SignedHead(head=head, signature=ALPHA.sign(head_signing_bytes(head)))


def _statement(signed: SignedHead | None, **changes: object) -> HeadStatement:
    fields: dict[str, object] = {"chain_id": CHAIN, "nonce": NONCE, "height": 7, "head_hash": b"g" * 32}
    if signed is not None:
        fields |= {"height": signed.head.height, "head_hash": head_hash(signed.head)}
    return make_statement(Statement(**(fields | changes)), ALPHA.did, signed, ALPHA.sign)  # type: ignore[arg-type]


def test_a_head_verifies_under_its_signer_only() -> None:
    signed = _head()
    verify_signed_head(signed, KEY)
    for changed in ({"height": 8}, {"time_ms": 2}, {"app_hash": b"b" * 32}, {"next_signer": "z" + "2" * 45}):
        other = SignedHead(head=signed.head.model_copy(update=changed), signature=signed.signature)
        with pytest.raises(VerificationError, match="head_signature_invalid"):
            verify_signed_head(other, KEY)
    with pytest.raises(VerificationError, match="head_signature_invalid"):
        verify_signed_head(signed, BETA.operation.keys[0].multikey)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_statement(_head(), chain_id="other"), "statement_chain_mismatch"),
        (_statement(_head(), nonce=b"o" * 32), "statement_nonce_mismatch"),
        (_statement(_head()).model_copy(update={"signer": BETA.did}), "statement_signer_mismatch"),
        (_statement(_head()).model_copy(update={"signature": b"s" * 64}), "statement_signature_invalid"),
        (_statement(_head(), height=8), "statement_head_mismatch"),
        (_statement(_head()).model_copy(update={"head": _head(8)}), "statement_head_mismatch"),
        (_statement(None), "statement_head_mismatch"),
    ],
)
def test_each_altered_part_of_a_statement_has_its_code(answer: HeadStatement, code: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_statement(answer, CHAIN, NONCE, ALPHA.did, PUBLIC)
    assert caught.value.code == code


def test_a_good_statement_and_one_of_genesis_verify() -> None:
    verify_statement(_statement(_head()), CHAIN, NONCE, ALPHA.did, PUBLIC)
    verify_statement(_statement(None, height=0), CHAIN, NONCE, ALPHA.did, PUBLIC)
