"""The guide for investors works as written, on three real nodes; the log says what was asked and nothing to others."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arch.source import REPOSITORY
from cli_kit import runner
from lianzheng.encoding.canonical import encode, parse
from lianzheng.identity.credentials import CONTEXT
from line_kit import ANSWERS, Shell, agreed, consented, enrolled, running_network
from network_kit import Network

GUIDE = (REPOSITORY / "docs" / "guides" / "investor-wallet.md").read_text("utf-8")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture
def shell(net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    (tmp_path / "impact.txt").write_text("影响评估", "utf-8")
    (tmp_path / "answers.json").write_bytes(encode(ANSWERS))
    return Shell(tmp_path, runner(capsys, monkeypatch), net)


def play(shell: Shell, mark: str, **values: str) -> str:
    """Every line of a snippet of the guide, as a shell would; what it prints."""
    found = re.search(rf"<!-- {mark} -->\n```sh\n(.*?)```\n<!-- /{mark} -->", GUIDE, re.DOTALL)
    assert found is not None, mark
    shown = ""
    for line in found[1].splitlines():
        ended = shell.line(*shlex.split(re.sub(r"\$([A-Z]+)", lambda name: values[name[1]], line))[1:])
        assert ended.status == 0, (line, ended.err)
        shown += ended.out
    return shown


def issue_level(shell: Shell, did: str) -> None:
    """Broker A, where the person is a customer, issues a level for selective disclosure: ``level.json``."""
    shell.at(0, "credential", "key")
    wanted = {
        "@context": [CONTEXT[0], dict(CONTEXT[1])],
        "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
        "validUntil": "2099-09-01T00:00:00Z",
        "credentialSubject": {
            "id": did, "level": "C3", "lowestClass": False, "productLine": "securities", "assessedOn": "2026-09-01",
            "expiresOn": "2099-08-31",
        },
    }  # fmt: skip
    (shell.folder / "wanted.json").write_bytes(encode(wanted))
    words = ("--suite", "ecdsa-sd-2023", "--out", shell.folder / "level.json")
    ended = shell.at(0, "credential", "issue", shell.folder / "wanted.json", *words)
    assert ended.status == 0, ended.err


def test_the_guide_works_as_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    person = shell.people(0, 1, 2)[0]
    client = enrolled(shell, person, "mine")
    consented(shell, "mine", client)
    task = agreed(shell)
    monkeypatch.chdir(shell.folder)
    (shell.folder / "a").symlink_to(shell.net.brokers[0].home)
    monkeypatch.setenv("LIANZHENG_NODES", " ".join(broker.node_url for broker in shell.net.brokers))
    (shell.folder / "phrase").touch(0o600)
    (shell.folder / "phrase").write_text("eight words nobody would ever guess together\n")
    shown = play(shell, "shares") + play(shell, "backup") + play(shell, "recover") + play(shell, "rotate")
    assert "version 2 of did:lz:" in shown and "version 3 of did:lz:" in shown
    did = shell.wallet("found", "show")["did"]

    issue_level(shell, did)
    received = shell.wallet("found", "credentials", "receive", shell.folder / "level.json", *shell.nodes)
    listed = shell.wallet("found", "credentials", "list")["credentials"]
    assert [one["types"][-1] for one in listed] == ["KycCredential", "SuitabilityLevelCredential"]
    name = received["name"]
    whole = shell.wallet("found", "credentials", "show", name)["document"]
    assert whole["credentialSubject"]["level"] == "C3"
    shown = play(shell, "credentials", NAME=name, CHALLENGE="z-4711")
    assert "holds" in shown and "C3" in shown
    presented = (shell.folder / "presentation.json").read_text("utf-8")
    assert "assessedOn" not in presented and did in presented
    words = ("presentation.json", "--config", "a/node.toml", "--domain", "https://a.example")
    assert "proof_challenge_mismatch" in shell.line("credential", "verify", *words, "--challenge", "z-4712").err

    assert shell.json(0, "query", "run", client, "--task", task)["answers"][0]["traces"]
    shown = play(shell, "log")
    assert shown.count("suitability-assessment") == 2, "one use at each provider"
    assert shown.count("requester and provider") == 2
    assert "provider alone" not in shown and person.number not in shown


def test_who_asked_what_is_told_by_both_sides_and_to_the_holder_alone(shell: Shell) -> None:
    people = shell.people(0, 1, 2)[1:3]
    clients = [enrolled(shell, person, name) for person, name in zip(people, ("one", "two"), strict=True)]
    for name, client in zip(("one", "two"), clients, strict=True):
        consented(shell, name, client)
    task = agreed(shell)
    traces = shell.json(0, "query", "run", clients[0], "--task", task)["answers"][0]["traces"]
    assert shell.wallet("one", "log") == {"access": [], "not_asked": []}
    found = shell.wallet("one", "log", *shell.nodes)
    a, b, c = (broker.did for broker in shell.net.brokers)
    assert found["not_asked"] == []
    assert {one["provider"]: one["bands"] for one in found["access"]} == {
        trace["bands"]["provider"]: trace["bands"]["bands"] for trace in traces
    }
    assert [(one["requester"], one["purpose"], one["task"]) for one in found["access"]] == [
        (a, "suitability-assessment", task)
    ] * 2
    assert {tuple(one["told_by"]) for one in found["access"]} == {tuple(sorted((a, b))), tuple(sorted((a, c)))}
    assert shell.wallet("one", "log") == found, "kept, sealed"
    assert shell.wallet("two", "log", *shell.nodes) == {"access": [], "not_asked": []}

    only = ("--node", shell.net.brokers[1].node_url)
    assert {(one["member"], one["code"]) for one in shell.wallet("two", "log", *only)["not_asked"]} == {
        (a, "node_not_named"), (c, "node_not_named"),
    }  # fmt: skip


def test_the_routes_answer_nothing_without_a_signature(shell: Shell) -> None:
    node = shell.net.brokers[1].node_url
    answer = httpx.post(f"{node}/api/v1/wallet/access-challenges", trust_env=False)
    challenge = answer.json()
    assert (answer.status_code, challenge["member"]) == (200, shell.net.brokers[1].did)
    words: dict[str, Any] = {
        "v": 1, "chain_id": challenge["chain_id"], "member": challenge["member"], "rk": "A" * 43,
        "not_after": "2099-12-31", "h": "A" * 43, "skip": 0, "nonce": challenge["nonce"], "signature": "A" * 86,
    }  # fmt: skip
    for body, status, code in (
        (encode(words), 422, "access_signature_invalid"),
        (encode(words | {"nonce": "A" * 75}), 403, "access_challenge_invalid"),
        (encode(words | {"member": shell.net.brokers[0].did}), 403, "access_misdirected"),
        (encode(words | {"cid": "A" * 43}), 400, "field_invalid"),
        (b"{}", 400, "field_invalid"),
    ):
        refused = httpx.post(
            f"{node}/api/v1/wallet/accesses",
            content=body,
            headers={"content-type": "application/json"},
            trust_env=False,
        )
        problem = parse(refused.content)
        assert isinstance(problem, dict)
        assert (refused.status_code, problem["code"]) == (status, code)
