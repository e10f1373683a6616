"""Credentials among three real nodes and a wallet: issued, presented, verified elsewhere, taken back, refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_kit import runner
from lianzheng.encoding.canonical import encode, parse
from line_kit import Shell, running_network
from network_kit import Network

A, B, C = 0, 1, 2


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture
def shell(net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    (tmp_path / "paper.txt").write_text("依据", "utf-8")
    return Shell(tmp_path, runner(capsys, monkeypatch), net)


def issued(shell: Shell, kind: str, subject: dict[str, Any], name: str, *more: object) -> tuple[str, Path]:
    """A credential by broker A: its id and its file."""
    request, out = shell.folder / f"{name}-request.json", shell.folder / f"{name}.json"
    body = {"type": ["VerifiableCredential", kind], "validUntil": "2099-01-01T00:00:00Z", "credentialSubject": subject}
    request.write_bytes(encode(body))
    return str(shell.json(A, "credential", "issue", request, "--out", out, *more)["id"]), out


def caught_up(shell: Shell) -> None:
    """Every node has the highest block that any has now: real processes on real sockets, there is no clock to turn."""
    clients = [httpx.Client(base_url=one.node_url, trust_env=False) for one in shell.net.brokers]

    def heights() -> list[int]:
        return [client.get("/api/v1/status").json()["height"] for client in clients]

    wanted = max(heights())
    while min(heights()) < wanted:
        time.sleep(0.05)
    for client in clients:
        client.close()


def level(did: str) -> dict[str, Any]:
    return {
        "id": did,
        "level": "C4",
        "lowestClass": False,
        "productLine": "securities",
        "assessedOn": "2026-09-01",
        "expiresOn": "2027-08-31",
    }


def presented(shell: Shell, name: str, out: str, *more: object) -> Path:
    made = shell.folder / out
    words = ("present", name, "--challenge", "c-1", "--domain", "https://broker-c.example", "--out", made)
    shell.wallet("w", "credentials", *words, *more)
    return made


def verified(shell: Shell, number: int, presentation: Path, **change: str) -> Any:
    """What a broker's node says of a presentation: the answer, or the problem."""
    asked = {"challenge": "c-1", "domain": "https://broker-c.example"} | change
    words = [word for name, value in asked.items() for word in (f"--{name}", value)]
    ended = shell.at(number, "credential", "verify", presentation, *words, "--lang", "en", "--json")
    return parse((ended.out if ended.status == 0 else ended.err).strip().encode())


def test_a_level_is_presented_elsewhere_until_it_is_taken_back(shell: Shell) -> None:
    did = shell.wallet("w", "create", *shell.nodes)["did"]
    name, file = issued(shell, "SuitabilityLevelCredential", level(did), "level")
    assert shell.json(B, "credential", "verify", file)["trust"] == {
        "issuer": shell.net.brokers[A].did,
        "rule": "member",
    }
    assert shell.json(A, "credential", "verify", file)["trust"]["rule"] == "own"
    held = shell.wallet("w", "credentials", "receive", file, *shell.nodes)["name"]
    shown = presented(shell, held, "presentation.json")

    found = verified(shell, C, shown)
    assert (found["holder"], [one["kind"] for one in found["credentials"]]) == (did, ["SuitabilityLevelCredential"])
    assert {"name": "level", "title": "Risk tolerance", "value": "C4"} in found["credentials"][0]["rows"]
    assert verified(shell, C, shown, challenge="c-2")["code"] == "proof_challenge_mismatch"
    assert verified(shell, C, shown, domain="https://broker-b.example")["code"] == "proof_domain_mismatch"

    # Broker C learns of each change from the ledger, and fetches the list anew from broker A by mutual TLS.
    first = shell.json(A, "credential", "status", name, "suspend")["version"]
    caught_up(shell)
    assert verified(shell, C, shown)["code"] == "credential_suspended"
    assert shell.json(A, "credential", "status", name, "resume")["version"] == first + 1
    caught_up(shell)
    assert verified(shell, C, shown)["verified"] is True
    shell.json(A, "credential", "status", name, "revoke")
    caught_up(shell)
    assert verified(shell, C, shown)["code"] == "credential_revoked"
    for number in (A, B, C):
        shell.refused(number, "credential", "verify", file, code="credential_revoked")
    shell.json(A, "credential", "status", name, "resume")  # of its suspension, which does not make it valid
    shell.refused(A, "credential", "verify", file, code="credential_revoked")


def test_the_holder_discloses_one_claim(shell: Shell) -> None:
    did = shell.wallet("w", "create", *shell.nodes)["did"]
    assert shell.json(A, "credential", "key")["key"] == f"{shell.net.brokers[A].did}#sd-1"
    name, file = issued(shell, "SuitabilityLevelCredential", level(did), "sd", "--suite", "ecdsa-sd-2023")
    held = shell.wallet("w", "credentials", "receive", file, *shell.nodes)["name"]
    shown = presented(shell, held, "little.json", "--show", "/credentialSubject/level")
    found = verified(shell, B, shown)
    rows = {row["name"] for row in found["credentials"][0]["rows"]}
    assert "level" in rows
    assert not rows & {"lowestClass", "assessedOn", "expiresOn"}
    shell.json(A, "credential", "status", name, "revoke")
    caught_up(shell)
    assert verified(shell, B, shown)["code"] == "credential_revoked", "a part is as revoked as the whole"


def test_only_an_accredited_issuer_says_who_is_a_member(shell: Shell) -> None:
    a, b = shell.net.brokers[A].did, shell.net.brokers[B].did
    subject = {
        "id": b, "alliance": shell.net.stage.network.chain_id, "name": "乙证券", "roles": ["provider"],
        "admittedOn": "2026-09-01",
    }  # fmt: skip
    request = shell.folder / "membership-request.json"
    body = {
        "type": ["VerifiableCredential", "MembershipCredential"],
        "validUntil": "2099-01-01T00:00:00Z",
        "credentialSubject": subject,
    }
    request.write_bytes(encode(body))
    shell.refused(A, "credential", "issue", request, "--out", shell.folder / "x.json", code="issuer_not_trusted")

    def decide(act: str) -> None:
        paper = ("--document", shell.folder / "paper.txt")
        made = shell.json(B, "credential", act, a, "MembershipCredential", *paper)
        motion = made["result"]["data"]["motion"]
        caught_up(shell)
        shell.json(C, "alliance", "vote", motion, "yes")
        caught_up(shell)

    decide("accredit")
    assert [(one["issuer"], one["status"]) for one in shell.json(C, "credential", "issuers")["issuers"]] == [
        (a, "accredited")
    ]
    _, file = issued(shell, "MembershipCredential", subject, "membership")
    found = shell.json(C, "credential", "verify", file, "--lang", "zh")
    assert (found["trust"]["rule"], found["title"]) == ("registry", "联盟成员凭证")
    decide("withdraw")
    shell.refused(C, "credential", "verify", file, code="issuer_not_trusted")
    shown = shell.line("credential", "show", file)
    assert (shown.status, shown.err.strip()) == (0, "not verified 未经验证")
    assert "乙证券" in shown.out


def test_what_a_key_signed_before_its_rotation_holds_on(shell: Shell) -> None:
    """Broker B rotates its #node key while it runs: the ledger says which key it was, and C asks the ledger."""
    did = shell.wallet("w", "create", *shell.nodes)["did"]
    request, file = shell.folder / "request.json", shell.folder / "by-b.json"
    body = {
        "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
        "validUntil": "2099-01-01T00:00:00Z",
        "credentialSubject": level(did),
    }
    request.write_bytes(encode(body))
    name = shell.json(B, "credential", "issue", request, "--out", file)["id"]
    bare = shell.folder / "bare.json"
    shell.json(B, "credential", "issue", request, "--out", bare, "--no-status")
    assert [one["until"] for one in shell.json(C, "credential", "verify", file)["keys"]] == [None]
    time.sleep(1.1)  # times of proofs are seconds: the rotation comes in another one
    shell.json(B, "alliance", "rotate-key")
    caught_up(shell)
    found = shell.json(C, "credential", "verify", file)
    (key,) = found["keys"]
    assert (found["trust"]["rule"], key["version"]) == ("member", 1)
    assert key["until"] is not None
    shell.refused(C, "credential", "verify", bare, code="proof_key_past")
    after = shell.folder / "after.json"
    shell.json(B, "credential", "issue", request, "--out", after)
    assert [one["until"] for one in shell.json(C, "credential", "verify", after)["keys"]] == [None]
    shell.json(B, "credential", "status", name, "revoke")
    caught_up(shell)
    shell.refused(C, "credential", "verify", file, code="credential_revoked")
