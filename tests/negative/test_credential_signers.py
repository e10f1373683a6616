"""Who signed: every proof of a set is the issuer's or the holder's own, and what one proof names no other replaces."""

from __future__ import annotations

from typing import Any

import pytest

from credential_kit import CREATED, issuer_name, policy, signed, signer, unsigned
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.enveloped import envelop
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifier import verify_presentation, verify_vc


def _code(document: dict[str, Any], **change: Any) -> str:
    with pytest.raises(LianzhengError) as caught:
        verify_vc(document, policy(**change))
    return caught.value.code


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_set_holds_no_proof_of_another_than_the_issuer(order: tuple[int, int]) -> None:
    """Else a stranger's proof would stand in the answer among those that the verifier vouches for."""
    document = unsigned(signer())
    for number in order:
        document = create_proof(document, signer(number=number), ProofOptions("eddsa-jcs-2022", created=CREATED))
    assert _code(document) == "credential_issuer_mismatch"
    assert len(verify_vc(document, policy(proof_only=True)).proofs) == 2


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_presentation_holds_no_proof_of_another_than_the_holder(order: tuple[int, int]) -> None:
    document: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "holder": issuer_name(signer()),
        "verifiableCredential": [signed()],
    }
    options = ProofOptions("eddsa-jcs-2022", created=CREATED, purpose="authentication", challenge="c", domain="d")
    one = create_proof(document, signer(), options)
    assert verify_presentation(one, policy(challenge="c", domain="d")).credentials
    for number in order:
        document = create_proof(document, signer(number=number), options)
    with pytest.raises(LianzhengError) as caught:
        verify_presentation(document, policy(challenge="c", domain="d"))
    assert caught.value.code == "presentation_holder_mismatch"


def test_a_proof_does_not_name_itself_nor_two_each_other() -> None:
    """``previousProof``: a circle has no first signature, and whoever closes one has to sign what is not there yet."""
    by = signer()
    first = create_proof(unsigned(by), by, ProofOptions("eddsa-jcs-2022", created=CREATED, proof_id="urn:x:1"))
    second = create_proof(
        first, by, ProofOptions("eddsa-jcs-2022", created=CREATED, proof_id="urn:x:2", previous="urn:x:1")
    )
    assert len(verify_vc(second, policy()).proofs) == 2
    itself = {**first, "proof": {**first["proof"], "previousProof": "urn:x:1"}}
    assert _code(itself) == "proof_previous_unknown"
    circle = {**second, "proof": [{**second["proof"][0], "previousProof": "urn:x:2"}, second["proof"][1]]}
    assert _code(circle) == "proof_invalid"
    twice = {**second, "proof": [second["proof"][0], {**second["proof"][1], "id": "urn:x:1"}]}
    assert _code(twice) == "proof_malformed"
    many = {**second, "proof": [second["proof"][0], {**second["proof"][1], "previousProof": []}]}
    assert _code(many) == "proof_malformed"


@pytest.mark.parametrize("context", ["https://www.w3.org/2018/credentials/v1", [], "", None])
def test_an_envelope_is_one_under_the_base_context(context: Any) -> None:
    """Under another one its type says nothing."""
    made = envelop(unsigned(signer()), signer())
    assert verify_vc(made, policy()).proofs[0].cryptosuite == "vc+jwt"
    assert _code({**made, "@context": context}) == "envelope_malformed"
