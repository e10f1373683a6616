"""Documents of strangers, whatever JSON they are, end in an error of ours or in nothing; never in another one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.delegation import require_authority
from lianzheng.identity.credentials.kinds import KINDS, check_kind, kind_of
from lianzheng.identity.credentials.rendering import render_credential
from lianzheng.identity.credentials.signers import signers_of
from lianzheng.identity.credentials.verifiable import CONTEXT
from lianzheng.identity.resolution.keys import published_key
from lianzheng.identity.status.lists import read_entries

NAMES = [
    "id", "type", "issuer", "credentialSubject", "credentialStatus", "credentialSchema", "proof", "created",
    "validFrom", "validUntil", "verificationMethod", "assertionMethod", "statusPurpose", "statusListIndex",
    "statusListCredential", "publicKeyMultibase", "band", "indicator", "purpose", "principal", "acts", "level",
    "@context",
]  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["did:web:a.example#k", "#k", "Multikey", "I01", "2026-09-01T00:00:00Z", "urn:x:y", *KINDS])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)
DOCUMENTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(NAMES, VALUES) | {"type": st.lists(st.sampled_from([*KINDS, "VerifiableCredential"]))}
)


def quiet(call: Any, *arguments: Any, **more: Any) -> None:
    try:
        call(*arguments, **more)
    except LianzhengError as error:
        assert error.code


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS)
def test_nothing_that_reads_a_document_breaks_on_it(document: dict[str, Any]) -> None:
    quiet(signers_of, document)
    quiet(kind_of, document)
    quiet(read_entries, document)
    quiet(published_key, document, "did:web:a.example#k", "assertionMethod")
    quiet(require_authority, document, principal="a", delegate="b", act="c")
    for language in ("zh", "en"):
        quiet(render_credential, {"issuer": "urn:x:y", **document}, language)
    for kind in KINDS.values():
        quiet(check_kind, {**document, "@context": list(CONTEXT)}, kind)
