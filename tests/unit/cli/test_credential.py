"""``lianzheng credential`` without a node: what is shown, and what is refused before anything is sent."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from cli_kit import Run
from lianzheng.encoding.canonical import encode, parse
from node_kit import make_home

CREDENTIAL: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2", {"@vocab": "urn:lianzheng:v1#"}],
    "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
    "issuer": "did:lz:test-node:z1111111111111111111111111111111111111111111",
    "credentialSubject": {"id": "did:key:z6Mk", "level": "C2", "lowestClass": True},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credential.json"
    path.write_bytes(encode(CREDENTIAL))
    return path


def test_show_needs_no_node_and_says_that_nothing_was_verified(run: Run, file: Path) -> None:
    shown = run("credential", "show", file, "--lang", "en")
    assert (shown.status, shown.err.strip()) == (0, "not verified 未经验证")
    assert [line.split() for line in shown.out.splitlines()[2:]][-2:] == [
        ["Risk", "tolerance", "C2"],
        ["Lowest", "class", "yes"],
    ]
    machine = run("credential", "show", file, "--json")
    found = parse(machine.out.strip().encode())
    assert (found["verified"], found["title"]) == (False, "风险承受能力等级凭证")
    assert {"title": "最低风险类别", "value": "是"} in found["rows"]


def test_texts_of_others_do_not_move_the_cursor(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(encode({**CREDENTIAL, "credentialSubject": {"level": "C2\x1b[2J", "[red]x": "[/red]"}}))
    shown = run("credential", "show", bad)
    assert shown.status == 0
    assert "\x1b" not in shown.out
    assert "[red]x" in shown.out


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"[]", "json_type"),
        (b'{"a":1,"a":2}', "json_duplicate_key"),
        (b"{}", "credential_malformed"),
        (b"x" * 300_000, "too_large"),
    ],
)
def test_what_is_no_credential(run: Run, tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    ended = run("credential", "show", path, "--json")
    assert (ended.status, ended.out) == (1, "")
    assert parse(ended.err.strip().encode())["code"] == code


def test_nothing_is_issued_that_could_not_be_kept(run: Run, tmp_path: Path, file: Path) -> None:
    make_home(tmp_path / "home")
    config = tmp_path / "home" / "node.toml"
    ended = run("credential", "issue", file, "--config", config, "--out", file, "--json")
    assert (ended.status, parse(ended.err.strip().encode())["code"]) == (1, "file_exists")
    ended = run("credential", "derive", file, "--config", config, "--out", file, "--json")
    assert (ended.status, parse(ended.err.strip().encode())["code"]) == (1, "file_exists")


@pytest.mark.parametrize(
    "words",
    [
        ("alliance", "vote", "-zAb", "yes"),
        ("alliance", "contain", "-zAb", "member", "did:lz:x"),
        ("consent", "show", "-zAb"),
        ("consent", "withdraw", "--Ab"),
        ("task", "show", "-zAb"),
        ("task", "approve", "-hAb"),
        ("evidence", "document", "-zAb", "--out", "nowhere"),
    ],
)
def test_an_id_that_begins_with_a_dash_is_an_id(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """base64url has a dash: one id in 64 begins with one. The node is asked (and is not there)."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        make_home(tmp_path / "home")
        config = tmp_path / "home" / "node.toml"
        text = config.read_text("utf-8").replace("port = 0", f"port = {held.getsockname()[1]}", 1)
        config.write_text(text, "utf-8")
        ended = run(*words, "--config", config, "--json")
    assert (ended.status, ended.out) == (4, ""), ended.err
    assert parse(ended.err.strip().encode())["code"] == "node_unreachable"
    assert run(*words, "--config", config, "--jsno").status == 2
