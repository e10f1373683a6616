"""The product's credential routes at one running node: issue, verify, present, take back."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import httpx
import pytest

from credential_kit import CREATED, signed
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.storage.status import SqlStatusStore
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import UnavailableError, VerificationError
from lianzheng.flows import status_lists
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.kyc import issue_kyc_credential, kyc_id
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.status.bitstring import new_list
from lianzheng.identity.status.lists import build_list
from node_kit import LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBJECT = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"


def level(**change: Any) -> dict[str, Any]:
    """A credential to be issued; ``None`` takes a member away."""
    document = {
        "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
        "validUntil": "2027-09-01T00:00:00Z",
        "credentialSubject": {
            "id": SUBJECT,
            "level": "C3",
            "lowestClass": False,
            "productLine": "securities",
            "assessedOn": "2026-09-01",
            "expiresOn": "2027-08-31",
        },
    } | change
    return {name: value for name, value in document.items() if value is not None}


async def post(node: LocalNode, path: str, body: Any) -> httpx.Response:
    return await node.internal.post(f"/api/v1{path}", json=body, headers=node.operator)


async def issued(node: LocalNode, **options: Any) -> dict[str, Any]:
    answer = await post(node, "/credentials/issue", {"credential": level(), "options": options})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["verifiableCredential"]
    return found


async def test_issue_verify_suspend_take_up_revoke(node: LocalNode) -> None:
    credential = await issued(node)
    assert credential["issuer"] == node.services.did
    assert [one["statusPurpose"] for one in credential["credentialStatus"]] == ["revocation", "suspension"]
    assert credential["credentialSchema"]["id"] == "urn:lianzheng:schema:SuitabilityLevelCredential:1"
    verified = await post(node, "/credentials/verify", {"verifiableCredential": credential})
    assert verified.status_code == 200, verified.text
    body = verified.json()
    assert (body["kind"], body["trust"]["rule"]) == ("SuitabilityLevelCredential", "own")
    assert {"name": "level", "title": "风险承受能力等级", "value": "C3"} in body["rows"]

    async def code_after(purpose: str, status: bool) -> str:
        change = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": purpose}, "status": status}
        answer = await post(node, "/credentials/status", change)
        assert answer.status_code == 200, answer.text
        after = await post(node, "/credentials/verify", {"verifiableCredential": credential})
        return str(after.json().get("code", "ok"))

    assert await code_after("suspension", True) == "credential_suspended"
    assert await code_after("suspension", False) == "ok"
    assert await code_after("revocation", True) == "credential_revoked"
    back = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": "revocation"}, "status": False}
    assert (await post(node, "/credentials/status", back)).json()["code"] == "revocation_final"


async def verified(node: LocalNode, credential: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The answer of ``/credentials/verify``, a problem too."""
    answer = await post(node, "/credentials/verify", {"verifiableCredential": credential, "options": options})
    found: dict[str, Any] = answer.json()
    assert (answer.status_code == 200) == (found.get("verified") is True)
    return found


async def test_each_suite_of_the_node_key_holds(node: LocalNode) -> None:
    for suite in ("eddsa-jcs-2022", "eddsa-rdfc-2022", "vc+jwt"):
        found = await verified(node, await issued(node, cryptosuite=suite))
        assert (found.get("kind"), found.get("code")) == ("SuitabilityLevelCredential", None), suite


async def test_the_holder_shows_what_it_chooses_and_nothing_else_verifies(node: LocalNode) -> None:
    refused = await post(
        node, "/credentials/issue", {"credential": level(), "options": {"cryptosuite": "ecdsa-sd-2023"}}
    )
    assert refused.json()["code"] == "selective_key_missing"
    method = (await post(node, "/credentials/keys", None)).json()["verificationMethod"]
    assert method == f"{node.services.did}#sd-1"
    base = await issued(node, cryptosuite="ecdsa-sd-2023")
    assert (await verified(node, base))["code"] == "proof_invalid", "a base proof is for the holder alone"
    chosen = {"verifiableCredential": base, "options": {"selectivePointers": ["/credentialSubject/level"]}}
    derived = (await post(node, "/credentials/derive", chosen)).json()["verifiableCredential"]
    assert derived["credentialSubject"] == {"id": SUBJECT, "level": "C3"}
    found = await verified(node, derived)
    assert (found.get("kind"), found.get("code")) == ("SuitabilityLevelCredential", None)
    # The schema, the status and the validity are mandatory: a holder cannot shed them.
    assert {"credentialSchema", "credentialStatus", "validUntil", "issuer"} <= set(derived)
    without = {name: value for name, value in derived.items() if name != "credentialStatus"}
    assert (await verified(node, without))["code"] == "proof_invalid"
    # Another key takes its place a minute later: what the old one signed holds on, and the answer says so.
    node.clock.advance(60_000)
    assert (await post(node, "/credentials/keys", None)).json()["verificationMethod"].endswith("#sd-2")
    assert (await verified(node, derived))["keys"] == [{"version": 2, "until": rfc3339(node.clock.now_ms())}]


async def test_only_one_of_the_alliances_kinds_is_issued_and_in_its_shape(node: LocalNode) -> None:
    async def code(**change: Any) -> str:
        answer = await post(node, "/credentials/issue", {"credential": level(**change)})
        return str(answer.json()["code"])

    subject = level()["credentialSubject"]
    assert await code(type=["VerifiableCredential", "AlumniCredential"]) == "credential_kind_unknown"
    assert await code(type=["VerifiableCredential"]) == "credential_kind_unknown"
    assert await code(credentialSubject={**subject, "level": "C9"}) == "credential_schema_invalid"
    assert await code(credentialSubject={**subject, "idNumber": "99010119800520001X"}) == "credential_schema_invalid"
    assert await code(validUntil=None) == "credential_schema_invalid"
    assert await code(validUntil="2027-09-01") == "time_invalid"
    assert await code(issuer="did:lz:test-node:zPeer") == "credential_issuer_mismatch"
    assert await code(credentialStatus={"type": "x"}) == "credential_member_reserved"
    assert await code(proof={}) == "credential_member_reserved"
    membership = {"id": SUBJECT, "alliance": "x", "name": "x", "roles": ["provider"], "admittedOn": "2026-01-01"}
    kind = ["VerifiableCredential", "MembershipCredential"]
    assert await code(type=kind, credentialSubject=membership) == "issuer_not_trusted", "the alliance says who is one"
    twice = level(id="urn:uuid:00000000-0000-4000-8000-000000000001")
    assert (await post(node, "/credentials/issue", {"credential": twice})).status_code == 201
    assert (await post(node, "/credentials/issue", {"credential": twice})).json()["code"] == "credential_exists"


async def test_signers_of_other_methods_are_taken_only_where_the_caller_says_so(node: LocalNode) -> None:
    foreign = signed("eddsa-jcs-2022")
    assert (await verified(node, foreign))["code"] == "issuer_method_refused"
    assert (await verified(node, foreign, methods=["key"]))["code"] == "issuer_not_trusted"
    trusted = await verified(node, foreign, methods=["key"], issuers=[foreign["issuer"]])
    assert (trusted["trust"]["rule"], trusted["kind"]) == ("named", None)
    narrowed = await verified(node, foreign, methods=["key"], issuers=[foreign["issuer"]], kinds=["KycCredential"])
    assert narrowed["code"] == "credential_kind_refused"
    sm2 = await verified(node, foreign, methods=["key"], issuers=[foreign["issuer"]], suites=["lz-sm2-jcs-2026"])
    assert sm2["code"] == "proof_suite_missing"
    enveloped = await verified(node, await issued(node, cryptosuite="vc+jwt"), suites=["eddsa-jcs-2022"])
    assert enveloped["code"] == "proof_suite_missing", "an envelope is no way around it"
    # A name from the ledger is not enough: the proof must be of the issuer's own key.
    posing = {**foreign, "issuer": node.services.did}
    assert (await verified(node, posing, methods=["key", "lz"]))["code"] in {
        "proof_invalid",
        "credential_issuer_mismatch",
    }


async def test_a_list_that_the_ledger_does_not_name_says_nothing(node: LocalNode) -> None:
    credential = await issued(node)
    entries = credential["credentialStatus"]
    name = entries[0]["statusListCredential"].rpartition("/")[2]
    answer = await node.internal.get(f"/api/v1/credentials/status-lists/{name}")
    assert answer.headers["content-type"] == "application/vc"
    place = f"status/{node.services.did}/{name}"
    record = (await node.internal.get("/api/v1/ledger/state", params={"key": place})).json()["value"]
    assert record["digest"] == b64u_encode(hashlib.sha256(answer.content).digest())
    peer = await node.peer.get(f"/peer/v1/status-lists/{name}")
    assert peer.content == answer.content
    assert (await node.peer.get("/peer/v1/status-lists/revocation-9")).json()["code"] == "status_list_unknown"
    store = SqlStatusStore(node.parts.database)
    kept = await store.load_list(name)
    assert kept.published is not None
    # The database is restored from an older copy: its list is a good one, and not the one on the ledger.
    unsigned = build_list(node.services.did, kept.url, "revocation", new_list(), CREATED)
    signer = ProofSigner(f"{node.services.did}#node", ED25519_PUB, node.services.issuer._identity.sign)
    older = encode_w3c(create_proof(unsigned, signer, ProofOptions("eddsa-jcs-2022", created=CREATED)))
    await store.set_pending(name, older, kept.published_changes)
    await store.promote(name)
    node.clock.advance(24 * 3_600_000)  # what was fetched before is forgotten
    assert (await verified(node, credential))["code"] == "status_list_unpublished"
    change = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": "revocation"}}
    assert (await post(node, "/credentials/status", change)).json()["code"] == "status_list_behind"
    other = await issued(node)
    assert other["credentialStatus"][0]["statusListCredential"] != entries[0]["statusListCredential"]
    assert (await verified(node, other))["verified"] is True
    await store.set_pending(name, kept.published, kept.published_changes)
    await store.promote(name)
    assert (await verified(node, credential))["verified"] is True
    await node.services.credentials.publish_statuses()
    assert (await verified(node, credential))["code"] == "credential_revoked", "it was asked for, and durable"


async def test_a_member_presents_for_one_challenge(node: LocalNode) -> None:
    subject = {**level()["credentialSubject"], "id": node.services.did}
    own = (await post(node, "/credentials/issue", {"credential": level(credentialSubject=subject)})).json()
    presentation = {"verifiableCredential": [own["verifiableCredential"]]}
    options = {"challenge": "c-1", "domain": "https://verifier.example"}
    made = await post(node, "/presentations", {"presentation": presentation, "options": options})
    shown = made.json()["verifiablePresentation"]

    async def asked(document: dict[str, Any] = shown, **change: Any) -> dict[str, Any]:
        body = {"verifiablePresentation": document, "options": {**options, **change}}
        found: dict[str, Any] = (await post(node, "/presentations/verify", body)).json()
        return found

    good = await asked()
    assert (good["holder"], good["credentials"][0]["trust"]["rule"]) == (node.services.did, "own")
    assert (await asked(challenge="c-2"))["code"] == "proof_challenge_mismatch"
    assert (await asked(challenge=None))["code"] == "proof_challenge_mismatch"
    assert (await asked(domain="https://other.example"))["code"] == "proof_domain_mismatch"
    other = await issued(node)
    about = {"presentation": {"verifiableCredential": [other]}, "options": options}
    wrapped = (await post(node, "/presentations", about)).json()["verifiablePresentation"]
    assert (await asked(wrapped))["code"] == "presentation_subject_mismatch", "somebody else's credential"
    assert (await asked(wrapped, anySubject=True))["verified"] is True
    empty = await post(node, "/presentations", {"presentation": {}, "options": options})
    assert (await asked(empty.json()["verifiablePresentation"]))["code"] == "presentation_empty"
    stuffed = {**shown, "verifiableCredential": [*shown["verifiableCredential"], other]}
    assert (await asked(stuffed))["code"] == "proof_invalid"
    foreign = await post(node, "/presentations", {"presentation": {"holder": SUBJECT}, "options": options})
    assert foreign.json()["code"] == "presentation_holder_mismatch"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/credentials/issue", b"[]", "json_type"),
        ("/credentials/issue", b"{", "json_malformed"),
        ("/credentials/issue", b'{"credential":{"a":1,"a":2}}', "json_duplicate_key"),
        ("/credentials/issue", b"{}", "field_invalid"),
        ("/credentials/issue", b'{"credential":{},"options":{"cryptosuite":"none"}}', "field_invalid"),
        ("/credentials/verify", b'{"verifiableCredential":[]}', "field_invalid"),
        ("/credentials/verify", b'{"verifiableCredential":{}}', "proof_missing"),
        ("/credentials/verify", b'{"verifiableCredential":{},"proofOnly":true}', "field_invalid"),
        ("/credentials/status", b'{"credentialId":"x","credentialStatus":{"statusPurpose":"message"}}',
         "field_invalid"),
        ("/credentials/status", b'{"credentialId":"x","credentialStatus":{"statusPurpose":"revocation"}}',
         "credential_unknown"),
        ("/credentials/derive", b'{"verifiableCredential":{}}', "credential_malformed"),
        ("/presentations", b'{"presentation":{}}', "field_invalid"),
        ("/credentials/verify", b" " * 600_000, "too_large"),
    ],
)  # fmt: skip
async def test_a_body_that_is_none(node: LocalNode, path: str, body: bytes, code: str) -> None:
    headers = {**node.operator, "content-type": "application/json"}
    answer = await node.internal.post(f"/api/v1{path}", content=body, headers=headers)
    assert (answer.status_code >= 400, answer.headers["content-type"]) == (True, "application/problem+json")
    assert answer.json()["code"] == code


async def test_revoking_survives_a_node_that_could_not_publish(
    node: LocalNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bit is durable before the ledger hears of it; asking again, or the node's own start, completes it."""
    credential = await issued(node)
    change = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": "revocation"}}

    async def away(*_: Any) -> Any:
        raise UnavailableError("ledger_unavailable", "The ledger does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(type(node.services.engine), "submit", away)
        assert (await post(node, "/credentials/status", change)).json()["code"] == "ledger_unavailable"
    assert (await verified(node, credential))["verified"] is True, "nobody else could know it either"
    await node.services.credentials.publish_statuses()
    assert (await verified(node, credential))["code"] == "credential_revoked"


async def test_a_list_half_full_is_followed_by_another(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await issued(node)
    name = first["credentialStatus"][0]["statusListCredential"].rpartition("/")[2]
    used = await SqlStatusStore(node.parts.database).used(name)
    monkeypatch.setattr(status_lists, "STATUS_LIST_FILL_MAX", used)
    second = await issued(node)
    following = second["credentialStatus"][0]["statusListCredential"].rpartition("/")[2]
    assert following == f"revocation-{int(name.rpartition('-')[2]) + 1}"
    for credential in (first, second):
        change = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": "revocation"}}
        assert (await post(node, "/credentials/status", change)).status_code == 200
        assert (await verified(node, credential))["code"] == "credential_revoked"


async def test_enrolments_credential_holds_and_can_be_taken_back(node: LocalNode) -> None:
    """What the counter gives out at enrolment is a credential like the others."""
    services = node.services
    reference = secrets.token_bytes(16)
    status = await services.credentials.allocate_status(kyc_id(reference))
    identity = services.issuer._identity
    credential = issue_kyc_credential(
        issuer=services.did,
        subject=SUBJECT,
        period=0,
        document_type="RESIDENT_ID",
        country="CN",
        reference=reference,
        valid_until_ms=node.clock.now_ms() + 90 * 86_400_000,
        now_ms=node.clock.now_ms(),
        key_id="#node",
        sign=identity.sign,
        status=status,
    )
    assert (await verified(node, credential))["kind"] == "KycCredential"
    change = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": "suspension"}}
    assert (await post(node, "/credentials/status", change)).status_code == 200
    assert (await verified(node, credential))["code"] == "credential_suspended"


async def test_lists_are_signed_anew_under_a_key_that_stands(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = await issued(node)
    name = credential["credentialStatus"][0]["statusListCredential"].rpartition("/")[2]
    before = await node.services.credentials.status_list(name)
    await node.services.credentials.publish_statuses()
    assert await node.services.credentials.status_list(name) == before, "nothing has changed"

    def gone(*_: Any) -> Any:
        raise VerificationError("proof_key_recovered", "The key was taken away.")

    node.clock.advance(60_000)
    with monkeypatch.context() as patch:
        patch.setattr(status_lists, "ledger_key", gone)
        await node.services.credentials.publish_statuses()
    after = await node.services.credentials.status_list(name)
    assert after != before
    assert (await verified(node, credential))["verified"] is True


async def test_nothing_leaves_that_does_not_verify(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the key is rotated between the choice of the time and the signature."""
    await issued(node)  # the lists are published
    monkeypatch.setattr(SealedFileKeyStore, "sign", lambda *_: ed25519.sign(b"k" * 32, b"another key's"))
    for suite in ("eddsa-jcs-2022", "eddsa-rdfc-2022", "vc+jwt"):
        asked = {"credential": level(), "options": {"cryptosuite": suite}}
        answer = await post(node, "/credentials/issue", asked)
        assert (answer.status_code, answer.json()["code"]) == (503, "credential_key_changed")
