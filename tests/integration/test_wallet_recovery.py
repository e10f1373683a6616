"""Loss and theft of a wallet on three real nodes: rotation, recovery, restoration, the end; all from the shell."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli_kit import runner
from lianzheng.encoding.canonical import encode
from line_kit import ANSWERS, Shell, agreed, consented, enrolled, running_network
from network_kit import Network


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture
def shell(net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    (tmp_path / "impact.txt").write_text("影响评估", "utf-8")
    (tmp_path / "answers.json").write_bytes(encode(ANSWERS))
    return Shell(tmp_path, runner(capsys, monkeypatch), net)


def document_of(shell: Shell, did: str, **params: str) -> httpx.Response:
    """What another member's resolver says."""
    return httpx.get(f"{shell.net.brokers[2].node_url}/1.0/identifiers/{did}", params=params, trust_env=False)


def key_of(shell: Shell, did: str) -> tuple[str, str]:
    """Name and text of the DID's one key."""
    document = document_of(shell, did).json()["didDocument"]
    (method,) = document["verificationMethod"]
    return method["id"].removeprefix(did), method["publicKeyMultibase"]


def phrase(shell: Shell) -> Path:
    path = shell.folder / "backup-phrase"
    path.touch(0o600)
    path.write_text("eight words nobody would ever guess together\n")
    return path


def test_keys_are_rotated_as_committed(shell: Shell) -> None:
    did = shell.wallet("w", "create", *shell.nodes)["did"]
    seen = {key_of(shell, did)}
    for version in (2, 3):
        found = shell.wallet("w", "rotate-key", *shell.nodes)
        assert found == {
            "did": did, "version": version, "status": "active", "key": f"#key-{version}", "new_shares": False,
            "enrol_again": False,
        }  # fmt: skip
        seen.add(key_of(shell, did))
    assert len(seen) == 3
    assert document_of(shell, did, versionId="1").json()["didDocument"]["verificationMethod"][0]["id"] == f"{did}#key-1"
    words = ("deactivate", *shell.nodes)
    assert shell.wallet("w", *words, "--confirm", did[:-1], status=1)["code"] == "did_not_confirmed"
    assert shell.wallet("w", *words, "--confirm", did)["status"] == "deactivated"
    assert document_of(shell, did).status_code == 410
    assert shell.wallet("w", "rotate-key", *shell.nodes, status=1)["code"] == "did_deactivated"


def test_a_device_lost_to_a_thief_is_shut_out_by_two_of_three_shares(shell: Shell) -> None:
    """Consents, tokens and credentials are usable again; the thief's key is not the DID's any more."""
    person = shell.people(0, 1, 2)[0]
    client = enrolled(shell, person, "w")
    consent = consented(shell, "w", client)
    task = agreed(shell)
    did = shell.wallet("w", "show")["did"]
    made = shell.wallet("w", "shares", "--out", shell.folder / "shares", "--forget")
    files = [Path(one) for one in made["out"]]
    assert (len(files), made["forgotten"]) == (3, True)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    for command in ("rotate-key", "recover"):
        assert shell.wallet("w", command, *shell.nodes, status=1)["code"] == "reserve_missing"

    # Another device, two keepers' files: here is the wallet again.
    back = ("restore", "--shares", files[2], files[0])
    assert shell.wallet("new", *back)["did"] == did
    assert shell.wallet("new", *back, status=1)["code"] == "wallet_exists"
    shown, before = shell.wallet("new", "show"), shell.wallet("w", "show")
    assert (shown["credentials"], shown["consents"]) == (before["credentials"], before["consents"])
    stolen = key_of(shell, did)
    recovered = shell.wallet("new", "recover", *shell.nodes)
    assert (recovered["version"], recovered["new_shares"]) == (2, True)
    assert key_of(shell, did) != stolen

    # The thief's wallet signs nothing that anybody takes under the DID, and cannot change it.
    offer, signed = shell.folder / "thief-offer.json", shell.folder / "thief.json"
    shell.json(0, "consent", "offer", client, "--contact", "x", "--complaints", "y", "--out", offer)
    ticks = [word for item in ("sharing", "sensitive", "automated", "withdrawal") for word in ("--tick", item)]
    shell.wallet("w", "consent", offer, *shell.nodes, "--out", signed, "--read-to-end", *ticks)
    shell.refused(0, "consent", "grant", signed, code="key_unknown")
    words = ("rotate-key", *shell.nodes, "--shares", files[0], files[1])
    assert shell.wallet("w", *words, status=1)["code"] == "reserve_wrong"

    # The owner's consent of before answers questions still, is paused and withdrawn; a new one is given.
    traces = shell.json(0, "query", "run", client, "--task", task)["answers"][0]["traces"]
    assert {trace["bands"]["status"] for trace in traces} == {"answered"}
    again = consented(shell, "new", client)
    shell.wallet("new", "pause", consent, *shell.nodes)
    shell.wallet("new", "withdraw", consent, *shell.nodes)
    shown = shell.json(0, "consent", "show", consent)
    assert [token["ledger"] for token in shown["tokens"]] == ["revoked", "revoked"]
    assert [token["ledger"] for token in shell.json(0, "consent", "show", again)["tokens"]] == ["active", "active"]
    newer = shell.wallet("new", "shares", "--out", shell.folder / "newer")
    assert newer["set"] != made["set"]
    mixed = (files[0], Path(newer["out"][1]))
    assert shell.wallet("x", "restore", "--shares", *mixed, status=1)["code"] == "shares_of_different_sets"


def test_a_backup_brings_the_wallet_back(shell: Shell) -> None:
    person = shell.people(0, 1, 2)[1]
    client = enrolled(shell, person, "w")
    consent = consented(shell, "w", client)
    sealed, words = shell.folder / "wallet.backup", ("--passphrase-file", phrase(shell))
    shell.wallet("w", "backup", "--out", sealed, *words)
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    assert person.number.encode() not in sealed.read_bytes()
    assert shell.wallet("w", "backup", "--out", sealed, *words, status=1)["code"] == "file_exists"
    shell.wallet("back", "restore", "--from", sealed, *words)
    assert shell.wallet("back", "show") == shell.wallet("w", "show")
    stolen = shell.wallet("back", "recover", *shell.nodes, "--stolen")
    assert (stolen["version"], stolen["new_shares"], stolen["enrol_again"]) == (2, True, True)
    shell.wallet("back", "withdraw", consent, *shell.nodes)
    assert {one["ledger"] for one in shell.json(0, "consent", "show", consent)["tokens"]} == {"revoked"}
    assert shell.wallet("back", "show")["credentials"] == []
    enrol = ("enrol", *shell.nodes, "--issuer", shell.net.brokers[1].node_url, "--document", shell.document(person))
    shell.wallet("back", *enrol)
    again = consented(shell, "back", client)
    assert {one["ledger"] for one in shell.json(0, "consent", "show", again)["tokens"]} == {"active"}
    sealed.write_bytes(sealed.read_bytes()[:-1])
    assert shell.wallet("x", "restore", "--from", sealed, *words, status=1)["code"] == "unseal_failed"
    assert shell.wallet("x", "restore", *words, status=1)["code"] == "restore_source"
    assert shell.wallet("x", "restore", "--from", sealed, status=1)["code"] == "passphrase_missing"
    assert not (shell.folder / "x").exists()
    (shell.folder / "backup-phrase").write_text("short\n")
    assert shell.wallet("w", "backup", "--out", shell.folder / "b2", *words, status=1)["code"] == "passphrase_short"
