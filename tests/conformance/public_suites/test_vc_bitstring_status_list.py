"""What w3c/vc-bitstring-status-list-test-suite (tests/10-data_model.js, tests/20-algorithms.js) asks.

The suite itself is not run here. It sends no option that asks for an entry, and fetches the list as JSON.
"""

from __future__ import annotations

import gzip
from typing import Any

from lianzheng.encoding.binary import b64u_decode
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2

_PROFILE = "bitstring-status-list"
_ACCEPT = {"accept": "application/ld+json, application/json"}


def _credential(**change: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2],
        "id": "urn:uuid:86294362-4254-4f36-854f-3952fe42555d",
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "did:example:subject"},
    } | change


async def test_the_entry_and_its_list(suite: Any) -> None:
    """tests/10-data_model.js: form of the entry, of the list credential behind its URL, and of the bits in it."""
    status, issued = await suite.issue(_PROFILE, _credential())
    assert status == 201
    entry = issued["credentialStatus"]
    assert entry["type"] == "BitstringStatusListEntry"
    assert entry["id"] != entry["statusListCredential"]
    assert entry["statusPurpose"] == "revocation"
    assert str(int(entry["statusListIndex"])) == entry["statusListIndex"]
    answer = await suite.http.get(entry["statusListCredential"], headers=_ACCEPT)
    assert answer.headers["content-type"] == "application/json"
    plain = await suite.http.get(entry["statusListCredential"])
    assert plain.headers["content-type"] == "application/vc"
    document = answer.json()
    assert document["id"] == entry["statusListCredential"]
    assert {"VerifiableCredential", "BitstringStatusListCredential"} <= set(document["type"])
    subject = document["credentialSubject"]
    assert (subject["type"], subject["statusPurpose"]) == ("BitstringStatusList", "revocation")
    assert subject["encodedList"][0] == "u"
    assert "=" not in subject["encodedList"]
    assert len(gzip.decompress(b64u_decode(subject["encodedList"][1:]))) >= 16 * 1024
    assert await suite.verify(_PROFILE, document) == 200


async def test_the_validate_algorithm(suite: Any) -> None:
    """tests/20-algorithms.js: a credential whose bit is clear verifies; one whose bit is set does not."""
    _, issued = await suite.issue(_PROFILE, _credential())
    assert await suite.verify(_PROFILE, issued) == 200
    body = {"credentialStatus": issued["credentialStatus"], "status": True}
    assert (await suite.post(f"/{_PROFILE}/credentials/status", body))[0] == 200
    assert await suite.verify(_PROFILE, issued) == 400


async def test_malformed_values_raise(suite: Any) -> None:
    """tests/20-algorithms.js: a MALFORMED_VALUE_ERROR MUST be raised. The suite's own document says statusEntry."""
    entry = {"type": "BitstringStatusListEntry", "statusListIndex": True, "statusListCredential": "https://example.com"}
    for profile in (_PROFILE, "eddsa-rdfc-2022"):
        for name in ("statusEntry", "credentialStatus"):
            assert (await suite.issue(profile, _credential(**{name: entry})))[0] == 400, (profile, name)
