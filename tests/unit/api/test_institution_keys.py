"""A member's P-256 and SM2 keys for credentials: added, rotated, used alone and beside each other, checked offline."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from cli_kit import runner
from lianzheng.crypto.digest import sm3_raw
from lianzheng.encoding.binary import multibase_decode
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.encoding.multikey import P256_PUB, SM2_PUB, decode_any_multikey
from lianzheng.errors import LianzhengError
from lianzheng.flows.offline import verify_offline
from lianzheng.identity.resolution.did_lz import PROOF_TYPE, LedgerDriver
from lianzheng.ids import chain_of_did
from node_kit import LocalNode, local_node

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBJECT = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
LEVEL = {
    "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
    "validUntil": "2099-09-01T00:00:00Z",
    "credentialSubject": {
        "id": SUBJECT, "level": "C3", "lowestClass": False, "productLine": "securities", "assessedOn": "2026-09-01",
        "expiresOn": "2099-08-31",
    },
}  # fmt: skip
DUAL = {"cryptosuite": "eddsa-jcs-2022", "beside": ["lz-sm2-jcs-2026"]}


async def post(node: LocalNode, path: str, body: Any) -> httpx.Response:
    return await node.internal.post(f"/api/v1{path}", json=body, headers=node.operator)


async def made(node: LocalNode, path: str, body: Any) -> dict[str, Any]:
    answer = await post(node, path, body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def issued(node: LocalNode, **options: Any) -> dict[str, Any]:
    found = await made(node, "/credentials/issue", {"credential": LEVEL, "options": options})
    credential: dict[str, Any] = found["verifiableCredential"]
    return credential


async def code(node: LocalNode, path: str, body: Any) -> str:
    return str((await post(node, path, body)).json().get("code", "ok"))


async def document(node: LocalNode) -> dict[str, Any]:
    answer = await node.internal.get(f"/1.0/identifiers/{node.services.did}")
    found: dict[str, Any] = answer.json()["didDocument"]
    return found


async def resolved(node: LocalNode) -> dict[str, Any]:
    answer = await node.internal.post(f"/1.0/identifiers/{node.services.did}", json={"proof": True})
    found: dict[str, Any] = answer.json()
    return found


async def go_over(node: LocalNode) -> None:
    """The network of one member goes over to schema 3 two blocks from now."""
    height = node.services.engine.status().height
    await made(node, "/governance/schema.upgrade", {"schema": 3, "height": height + 2})
    await made(node, "/credentials/keys", None)  # any transaction makes a block
    assert node.services.engine.state.get("network")["schema"] == 3  # type: ignore[index]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalNode]:
    async with local_node(tmp_path_factory.mktemp("node") / "home") as running:
        assert await code(running, "/credentials/keys", {"kind": "SM2"}) == "schema_without_sm2"
        await go_over(running)
        yield running


async def test_a_key_of_each_kind_is_added_and_rotated_without_the_others(node: LocalNode) -> None:
    refused = {"credential": LEVEL, "options": {"cryptosuite": "lz-sm2-jcs-2026"}}
    assert await code(node, "/credentials/issue", refused) == "credential_key_missing"
    for kind, names in (("P-256", ["#p256-1", "#p256-2"]), ("SM2", ["#sm2-1", "#sm2-2"])):
        for name in names:
            found = await made(node, "/credentials/keys", {"kind": kind})
            assert found == {"verificationMethod": node.services.did + name}
    listed = {one["id"].partition("#")[2]: one for one in (await document(node))["verificationMethod"]}
    assert sorted(listed) == ["node", "p256-2", "sd-1", "sm2-2"]
    codecs = {name: decode_any_multikey(one["publicKeyMultibase"])[0] for name, one in listed.items()}
    assert (codecs["p256-2"], codecs["sm2-2"]) == (P256_PUB, SM2_PUB)
    found = await document(node)
    assert {one.partition("#")[2] for one in found["assertionMethod"]} == {*listed}
    signing = [one.partition("#")[2] for one in found["authentication"]]
    assert signing == ["node"], "keys for credentials sign no transactions"


async def test_what_an_old_key_signed_holds_on(node: LocalNode) -> None:
    credential = await issued(node, cryptosuite="lz-sm2-jcs-2026")
    node.clock.advance(60_000)
    await made(node, "/credentials/keys", {"kind": "SM2"})
    found = await made(node, "/credentials/verify", {"verifiableCredential": credential})
    assert found["keys"][0]["until"] is not None
    fresh = await issued(node, cryptosuite="lz-sm2-jcs-2026")
    assert fresh["proof"]["verificationMethod"] == f"{node.services.did}#sm2-3"


@pytest.mark.parametrize("suite", ["ecdsa-jcs-2019", "ecdsa-rdfc-2019", "lz-sm2-jcs-2026"])
async def test_each_suite_of_these_keys_holds(node: LocalNode, suite: str) -> None:
    credential = await issued(node, cryptosuite=suite)
    assert credential["proof"]["cryptosuite"] == suite
    await made(node, "/credentials/verify", {"verifiableCredential": credential, "options": {"suites": [suite]}})


async def test_a_dual_credential_serves_both_worlds(node: LocalNode) -> None:
    credential = await issued(node, **DUAL)
    assert [one["cryptosuite"] for one in credential["proof"]] == ["eddsa-jcs-2022", "lz-sm2-jcs-2026"]
    both = {"suites": ["eddsa-jcs-2022", "lz-sm2-jcs-2026"]}
    await made(node, "/credentials/verify", {"verifiableCredential": credential, "options": both})
    for kept in credential["proof"]:  # each alone is enough for who asks for one, and not for who asks for both
        alone = {**credential, "proof": kept}
        await made(node, "/credentials/verify", {"verifiableCredential": alone})
        asked = {"verifiableCredential": alone, "options": both}
        assert await code(node, "/credentials/verify", asked) == "proof_suite_missing"
    changed = deepcopy(credential)
    changed["credentialSubject"]["level"] = "C5"
    assert await code(node, "/credentials/verify", {"verifiableCredential": changed}) == "proof_invalid"


async def test_three_suites_may_stand_together_and_others_not(node: LocalNode) -> None:
    credential = await issued(
        node, cryptosuite="ecdsa-jcs-2019", beside=["eddsa-rdfc-2022", "lz-sm2-jcs-2026"], status=False
    )
    assert len(credential["proof"]) == 3
    await made(node, "/credentials/verify", {"verifiableCredential": credential})
    for first, beside in (
        ("eddsa-jcs-2022", ["eddsa-jcs-2022"]),
        ("vc+jwt", ["lz-sm2-jcs-2026"]),
        ("lz-sm2-jcs-2026", ["ecdsa-sd-2023"]),
    ):
        asked = {"credential": LEVEL, "options": {"cryptosuite": first, "beside": beside}}
        assert await code(node, "/credentials/issue", asked) == "cryptosuites_apart"


async def test_openssl_takes_the_sm2_proof_under_the_key_of_the_did(node: LocalNode, tmp_path: Path) -> None:
    """The second implementation: SM2 with SM3 over SM3(options) ‖ SM3(document), the key as the DID document has it."""
    credential = await issued(node, **DUAL)
    proof = next(one for one in credential["proof"] if one["cryptosuite"] == "lz-sm2-jcs-2026")
    methods = (await document(node))["verificationMethod"]
    multikey = next(one["publicKeyMultibase"] for one in methods if one["id"] == proof["verificationMethod"])
    _, point = decode_any_multikey(multikey)
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    plain = {name: value for name, value in credential.items() if name != "proof"}
    signature = multibase_decode(proof["proofValue"])
    key, data, der = tmp_path / "key", tmp_path / "data", tmp_path / "sig"
    head = bytes.fromhex("3039301306072a8648ce3d020106082a811ccf5501822d032200")  # a compressed SM2 point follows
    key.write_bytes(head + point)
    data.write_bytes(sm3_raw(encode_w3c(options)) + sm3_raw(encode_w3c(plain)))
    der.write_bytes(encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]
    command += ["-pubin", "-keyform", "DER", "-inkey", str(key), "-in", str(data), "-sigfile", str(der)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


async def test_a_dual_credential_is_checked_without_a_node(node: LocalNode) -> None:
    credential, result = await issued(node, **DUAL), await resolved(node)
    trust = (await node.internal.get("/api/v1/network/trust")).content
    suites, now_ms = frozenset({"eddsa-jcs-2022", "lz-sm2-jcs-2026"}), node.clock.now_ms()
    found = verify_offline(credential, result, trust, now_ms, suites)
    assert [one.verification_method for one in found.proofs] == [
        f"{node.services.did}#node",
        f"{node.services.did}#sm2-3",
    ]
    assert (found.issuer, str(found.version)) == (node.services.did, result["didDocumentMetadata"]["versionId"])
    assert found.proven_ms <= now_ms

    def refused(one: Any, by: Any, under: bytes = trust, at_ms: int = now_ms) -> str:
        with pytest.raises(LianzhengError) as caught:
            verify_offline(one, by, under, at_ms, suites)
        return caught.value.code

    proof = result["didResolutionMetadata"]["proof"][0]
    forged = deepcopy(result)
    forged["didResolutionMetadata"]["proof"][0]["stateAnswer"]["value"]["keys"][0]["multikey"] = SUBJECT[8:]
    assert refused(credential, forged) == "state_path_invalid"
    assert refused(credential, {**result, "didResolutionMetadata": {}}) == "resolution_unproven"
    assert refused(credential, {"didResolutionMetadata": {"proof": [proof] * 5}}) == "resolution_unproven"
    bare = {**result, "didDocument": {"id": node.services.did, "verificationMethod": []}}
    verify_offline(credential, bare, trust, now_ms)  # the document beside the proof is not what is believed
    assert refused({**credential, "proof": credential["proof"][0]}, result) == "proof_suite_missing"
    assert refused({**credential, "id": "urn:uuid:1"}, result) == "proof_invalid"
    late_ms = now_ms + 80 * 366 * 86_400_000
    assert refused(credential, result, at_ms=late_ms) == "credential_expired"
    other = trust.replace(b"test-node", b"test-nodf")
    assert refused(credential, result, other) == "network_foreign"
    stranger = deepcopy(credential)
    last = "x" if node.services.did[-1] != "x" else "y"
    stranger["proof"][1]["verificationMethod"] = f"{node.services.did[:-1]}{last}#sm2-3"
    assert refused(stranger, result) in {"resolution_unproven", "did_invalid"}


async def test_an_old_proof_beside_a_fresh_one_is_no_younger(node: LocalNode) -> None:
    """Who holds a rotated key shows the DID as it once stood, beside any proof of today: the verdict's time is the
    DID's own, and of two answers about the DID neither is chosen."""
    credential, old = await issued(node, cryptosuite="lz-sm2-jcs-2026"), await resolved(node)
    trust = (await node.internal.get("/api/v1/network/trust")).content
    then_ms = verify_offline(credential, old, trust, node.clock.now_ms()).proven_ms
    node.clock.advance(60_000)
    await made(node, "/credentials/keys", {"kind": "SM2"})
    now = await resolved(node)
    (stale,), (fresh,) = (one["didResolutionMetadata"]["proof"] for one in (old, now))
    for both in ([stale, fresh], [fresh, stale]):
        with pytest.raises(LianzhengError, match="resolution_unproven"):
            verify_offline(credential, {"didResolutionMetadata": {"proof": both}}, trust, node.clock.now_ms())
    driver = LedgerDriver(node.services.engine, chain_of_did(node.services.did))
    beside = (await driver._prove("network")).to_json()
    assert beside["head"] == fresh["stateAnswer"]["head"]
    other = {"type": PROOF_TYPE, "stateAnswer": beside}
    mixed = {"didResolutionMetadata": {"proof": [stale, other]}}
    assert verify_offline(credential, mixed, trust, node.clock.now_ms()).proven_ms == then_ms
    with pytest.raises(LianzhengError, match="verification_method_unknown"):
        verify_offline(credential, now, trust, node.clock.now_ms())


async def test_what_the_command_line_says_of_it(
    node: LocalNode, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``credential check`` needs files alone."""
    run = runner(capsys, monkeypatch)
    files = {"credential": await issued(node, **DUAL), "did": await resolved(node)}
    for name, value in files.items():
        (tmp_path / name).write_bytes(encode_w3c(value))
    (tmp_path / "trust").write_bytes((await node.internal.get("/api/v1/network/trust")).content)
    words = ("credential", "check", tmp_path / "credential", "--did", tmp_path / "did", "--trust", tmp_path / "trust")
    ended = run(*words, "--suite", "lz-sm2-jcs-2026")
    assert ended.status == 0, ended.err
    assert "lz-sm2-jcs-2026" in ended.out and "not looked at" in ended.err
    assert "as the ledger had it at " in ended.out, "a proof of last year holds too: its age is shown"
    refused = run(*words, "--suite", "ecdsa-jcs-2019")
    assert (refused.status, refused.err.partition(":")[0]) == (1, "proof_suite_missing")
