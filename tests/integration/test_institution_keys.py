"""The guide's passage on SM2 and P-256 keys works as written: three real nodes go over to schema 3 and use them."""

from __future__ import annotations

import re
import shlex
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_kit import runner
from lianzheng.encoding.canonical import encode, parse
from lianzheng.encoding.jcs import parse_w3c
from line_kit import GUIDE, Shell, running_network
from network_kit import Network

SUBJECT = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
AHEAD = 4
"""Blocks: the motion's own, two votes, and one of the old schema after them."""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture
def shell(net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name, broker in zip("abc", net.brokers, strict=True):
        (tmp_path / name).symlink_to(broker.home)
    wanted = {
        "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
        "validUntil": "2099-09-01T00:00:00Z",
        "credentialSubject": {
            "id": SUBJECT, "level": "C3", "lowestClass": False, "productLine": "securities", "assessedOn": "2026-09-01",
            "expiresOn": "2099-08-31",
        },
    }  # fmt: skip
    (tmp_path / "wanted.json").write_bytes(encode(wanted))
    return Shell(tmp_path, runner(capsys, monkeypatch), net)


def play(shell: Shell, mark: str, values: dict[str, str]) -> str:
    """Every line of a snippet of the guide, as a shell would; what it prints. ``X=$(… | jq -r .a.b)`` keeps a value."""
    found = re.search(rf"<!-- {mark} -->\n```sh\n(.*?)```\n<!-- /{mark} -->", GUIDE, re.DOTALL)
    assert found is not None, mark
    shown = ""
    for line in found[1].splitlines():
        kept = re.fullmatch(r"([A-Z]+)=\$\((.*) \| jq -r \.([a-z_.]+)\)", line)
        words = re.sub(r"\$([A-Z]+)", lambda name: values[name[1]], line if kept is None else kept[2])
        ended = shell.line(*shlex.split(words)[1:])
        assert ended.status == 0, (line, ended.err)
        if kept is not None:
            value: Any = parse(ended.out.strip().encode())
            for member in kept[3].split("."):
                value = value[member]
            values[kept[1]] = str(value)
        shown += ended.out
        caught_up(shell)
    return shown


def caught_up(shell: Shell) -> int:
    """Every node has the highest block that any has now: real processes on real sockets, there is no clock to turn."""

    def heights() -> list[int]:
        return [
            httpx.get(f"{one.node_url}/api/v1/status", trust_env=False, timeout=30).json()["height"]
            for one in shell.net.brokers
        ]

    wanted = max(heights())
    while min(heights()) < wanted:
        time.sleep(0.05)
    return wanted


def schemas(shell: Shell) -> set[int]:
    found = [
        httpx.get(f"{one.node_url}/api/v1/ledger/state", params={"key": "network"}, trust_env=False, timeout=30)
        for one in shell.net.brokers
    ]
    return {one.json()["value"]["schema"] for one in found}


def test_the_guides_passage_works_as_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.refused(0, "credential", "key", "--kind", "SM2", code="schema_without_sm2")
    monkeypatch.setenv("LIANZHENG_NODES", " ".join(broker.node_url for broker in shell.net.brokers))
    values = {
        "DID": shell.net.brokers[0].did,
        "B": shell.net.brokers[1].node_url,
        "HEIGHT": str(caught_up(shell) + AHEAD),
    }
    play(shell, "upgrade", values)
    while caught_up(shell) < int(values["HEIGHT"]):  # any transaction makes a block
        assert shell.json(2, "alliance", "update", "--licence", "证券经纪")["result"]["code"] == "ok"
    assert schemas(shell) == {3}

    shown = play(shell, "dual", values)
    assert f"{values['DID']}#sm2-1 signs from now on" in shown
    assert f"{values['DID']}#sm2-2 signs from now on" in shown
    assert f"holds under version 3 of {values['DID']}" in shown
    dual = parse_w3c((shell.folder / "dual.json").read_bytes())
    assert [(one["cryptosuite"], one["verificationMethod"].partition("#")[2]) for one in dual["proof"]] == [
        ("eddsa-jcs-2022", "node"),
        ("lz-sm2-jcs-2026", "sm2-1"),
    ]
    assert "signed under a key that stood until" in shown, "the last line looks at it after the rotation"

    shown = play(shell, "desk", values)
    assert f"version 2 of {values['DESK']}" in shown and f"version 3 of {values['DESK']}" in shown
    assert f"holds under version 3 of {values['DESK']}" in shown
    assert "issuer believed as named" in shown
    held = parse_w3c((shell.folder / "desk.json").read_bytes())
    assert [one["verificationMethod"].partition("#")[2] for one in held["proof"]] == ["ed25519-1", "sm2-2"]
    wallet = ("did", "create", "--store", shell.folder / "desk", *shell.nodes)
    assert shell.line(*wallet).err.startswith("did_exists: ")
    assert stat.S_IMODE((shell.folder / "desk" / "keys.sealed").stat().st_mode) == 0o600
    nowhere = ("did", "key", "SM2", "--store", shell.folder / "nowhere", *shell.nodes)
    assert shell.line(*nowhere).err.startswith("keystore_missing: ")


def test_files_that_do_not_fit_are_refused_offline(shell: Shell) -> None:
    """As above, with other files: another network's trust file, another member's DID, one proof taken away."""
    a, b = shell.net.brokers[:2]
    folder, out = shell.folder, shell.folder / "one.json"
    words = ("credential", "issue", folder / "wanted.json", "--suite", "ecdsa-jcs-2019", "--out", out)
    assert shell.at(0, *words).status == 0
    for name, did in (("a.did.json", a.did), ("b.did.json", b.did)):
        assert shell.json(1, "did", "resolve", did, "--out", folder / name)["document"]["id"] == did
    assert shell.at(2, "evidence", "trust", "--out", folder / "trust.json").status == 0

    def check(did: str, trust: str = "trust.json", *more: str) -> str:
        ended = shell.line("credential", "check", out, "--did", folder / did, "--trust", folder / trust, *more)
        return "ok" if ended.status == 0 else ended.err.partition(":")[0]

    (folder / "foreign.json").write_bytes(
        (folder / "trust.json").read_bytes().replace(b'"chain_id":"', b'"chain_id":"x')
    )
    assert check("a.did.json") == "ok"
    assert check("b.did.json") == "resolution_unproven"
    assert check("a.did.json", "foreign.json") in {"network_foreign", "trust_malformed"}
    assert check("a.did.json", "trust.json", "--suite", "lz-sm2-jcs-2026") == "proof_suite_missing"
    shell.refused(1, "did", "resolve", a.did[:-1] + ("x" if a.did[-1] != "x" else "y"), code="did_unknown")
    shell.refused(1, "did", "resolve", "did:lz:short", code="did_invalid")
