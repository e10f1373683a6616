"""One network of three real nodes: what each answers, what it refuses, how it stops and how it comes back."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from lianzheng.adapters.transport.certificates import create_certificate
from lianzheng.demo.stage import Broker, Case
from lianzheng.demo.steps.assess import query
from lianzheng.demo.steps.consent import consent, granted
from lianzheng.demo.steps.data import load, open_epochs
from lianzheng.demo.steps.enrolment import enrol
from lianzheng.demo.steps.task import agree
from lianzheng.encoding.canonical import encode, parse
from network_kit import Network, network, processes_naming
from ports_kit import free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEQUENCER, FOLLOWER, OTHER = "broker A", "broker B", "broker C"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    folder = tmp_path_factory.mktemp("net")
    async with network(folder) as running:
        yield running
    assert processes_naming(folder) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(net: Network) -> Network:
    """The network after one customer was assessed with the alliance's bands."""
    for step in (load, enrol, consent, agree, query):
        await step(net.stage)
    results = [case.result for case in net.stage.cases if case.result is not None]
    assert net.stage.failures == [], results
    return net


def broker(net: Network, short: str) -> Broker:
    return next(one for one in net.brokers if one.short == short)


async def test_health_and_status_of_each(net: Network) -> None:
    for short, client in net.plain.items():
        member = broker(net, short)
        assert (await client.get("/api/v1/health")).json() == {"ok": True, "stopped": None, "did": member.did}
        status = (await client.get("/api/v1/status")).json()
        assert status["chain_id"] == net.stage.network.chain_id
        assert status["role"] == ("sequencer" if short == SEQUENCER else "follower")
        assert status["engine"] == "embedded"
        assert status["height"] >= 1


async def test_all_nodes_tell_the_same_of_the_network(net: Network) -> None:
    answers = [(await client.get("/api/v1/network")).json() for client in net.plain.values()]
    assert len({answer["genesis_digest"] for answer in answers}) == 1
    assert [member["did"] for member in answers[0]["members"]] == [one["did"] for one in answers[2]["members"]]
    assert all("certificate" not in member for answer in answers for member in answer["members"])
    trusts = {(await client.get("/api/v1/network/trust")).content for client in net.plain.values()}
    assert len(trusts) == 1


@pytest.mark.parametrize("short", [SEQUENCER, FOLLOWER, OTHER])
async def test_a_did_is_resolved_at_every_node(net: Network, short: str) -> None:
    client, did = net.plain[short], net.brokers[1].did
    answer = await client.get(f"/1.0/identifiers/{did}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/did-resolution"
    body = answer.json()
    assert body["didDocument"]["id"] == did
    assert [one["id"] for one in body["didDocument"]["verificationMethod"]] == [f"{did}#node"]
    assert body["didDocumentMetadata"]["versionId"] == "1"
    assert "deactivated" not in body["didDocumentMetadata"]


@pytest.mark.parametrize(
    ("did", "status", "name"),
    [
        ("did:lz:lz-demo:z" + "1" * 44, 404, "NOT_FOUND"),
        ("did:lz:lz-demo:z0", 400, "INVALID_DID"),
        ("did:web:127.0.0.1", 400, "INVALID_DID"),
        ("did:example:123", 501, "METHOD_NOT_SUPPORTED"),
        ("99990119900101001X", 400, "INVALID_DID"),
        ("did:lz:lz-demo:z" + "1" * 44 + "%0A", 400, "INVALID_DID"),
    ],
)
async def test_a_did_that_cannot_be_resolved(net: Network, did: str, status: int, name: str) -> None:
    answer = await net.plain[FOLLOWER].get(f"/1.0/identifiers/{did}")
    body = answer.json()
    assert answer.status_code == status
    assert body["didDocument"] is None
    assert body["didResolutionMetadata"]["error"]["type"] == f"https://www.w3.org/ns/did#{name}"


class Bad:
    """Transactions of the sister company, which nobody else writes for, each with one fault."""

    def __init__(self, net: Network) -> None:
        sister = net.stage.sister
        assert sister is not None
        self.net, self.sister = net, sister
        agreement = net.stage.network.to_json()["agreement"]
        self.payload: dict[str, object] = {"agreement": agreement}

    def made(self, nonce: int | None = 5, kind: str = "agreement.sign", **changes: object) -> bytes:
        return self.net.transaction(self.sister, kind, self.payload, nonce, **changes)

    def cases(self, now_ms: int) -> dict[str, tuple[bytes, str]]:
        good = self.made()
        signed = parse(good)
        flipped = {**signed, "proof": {**signed["proof"], "sig": "A" * 86}}
        other = {**signed, "body": {**signed["body"], "v": True}}
        return {
            "empty": (b"", "json_malformed"),
            "no JSON": (good[:-1], "json_malformed"),
            "no transaction": (b'{"body":{}}', "field_invalid"),
            "an unknown member": (encode({**signed, "more": 1}), "field_invalid"),
            "true for 1": (encode(other), "field_invalid"),
            "a blank": (good.replace(b'"body":', b'"body": '), "json_not_canonical"),
            "keys out of order": (
                b'{"proof":' + encode(signed["proof"]) + b',"body":' + encode(signed["body"]) + b"}",
                "json_not_canonical",
            ),
            "a final newline": (good + b"\n", "json_not_canonical"),
            "another chain": (self.made(chain_id="lz-other"), "chain_mismatch"),
            "an expired one": (self.made(expires_at=now_ms - 3_600_000), "transaction_expired"),
            "one for the day after tomorrow": (self.made(expires_at=now_ms + 2 * 86_400_000), "expiry_too_far"),
            "an unknown key": (self.made(key_id="#other"), "key_unknown"),
            "an unknown sender": (self.made(sender="did:lz:lz-demo:z" + "1" * 44), "sender_unknown"),
            "a sender of another network": (self.made(sender=f"did:lz:x:z{'1' * 44}"), "sender_unknown"),
            "an unknown kind": (self.made(kind="money.send"), "kind_unknown"),
            "a wrong signature": (encode(flipped), "signature_invalid"),
            "no nonce": (self.made(nonce=None), "nonce_missing"),
            "a nonce far ahead": (self.made(nonce=2**53 - 1), "nonce_too_far"),
        }


def code_of(answer: httpx.Response) -> str:
    """Reason code of a problem, or of a receipt that refuses at the door."""
    body: dict[str, Any] = answer.json()
    if "result" not in body:
        assert answer.headers["content-type"] == "application/problem+json"
        return str(body["code"])
    assert body["result"]["code"] == "ok" or body["height"] == 0, "what is refused at the door stands in no block"
    return str(body["result"]["code"])


async def state_of(net: Network, did: str) -> list[Any]:
    """All that the ledger holds about one member, at every node."""
    prefixes = (f"nonce/{did}", f"member/{did}", f"did/{did}", "agreement/")
    return [
        (await client.get("/api/v1/ledger/entries", params={"prefix": prefix})).json()
        for client in net.plain.values()
        for prefix in prefixes
    ]


@pytest.mark.parametrize("short", [SEQUENCER, FOLLOWER])
async def test_bad_transactions_get_their_code_and_change_nothing(net: Network, short: str) -> None:
    bad, client = Bad(net), net.plain[short]
    before = await state_of(net, bad.sister.did)
    found = {}
    for name, (data, _) in bad.cases(net.stage.clock.now_ms()).items():
        found[name] = code_of(await client.post("/api/v1/ledger/transactions", content=data))
    assert found == {name: code for name, (_, code) in bad.cases(net.stage.clock.now_ms()).items()}
    assert await state_of(net, bad.sister.did) == before
    too_long = await client.post("/api/v1/ledger/transactions", content=b"x" * 70_000)
    assert code_of(too_long) == "too_large"


async def test_a_nonce_counts_once(net: Network) -> None:
    """The same transaction again gets the same receipt; another one under its nonce is refused."""
    bad, client = Bad(net), net.plain[FOLLOWER]
    first = bad.made(nonce=7)
    receipt = (await client.post("/api/v1/ledger/transactions", content=first)).json()
    assert receipt["result"]["code"] == "ok"
    before = await settled(net, bad.sister.did)
    again = (await client.post("/api/v1/ledger/transactions", content=first)).json()
    assert (again["tx_id"], again["height"]) in {(receipt["tx_id"], receipt["height"]), (receipt["tx_id"], 0)}
    for short in (SEQUENCER, FOLLOWER):
        second = bad.made(nonce=7, expires_at=net.stage.clock.now_ms() + 100_000)
        assert code_of(await net.plain[short].post("/api/v1/ledger/transactions", content=second)) == "nonce_used"
    assert await state_of(net, bad.sister.did) == before


async def settled(net: Network, did: str) -> list[Any]:
    """As :func:`state_of`, once all nodes have caught up."""
    found = await state_of(net, did)
    while not found[:4] == found[4:8] == found[8:]:
        await asyncio.sleep(0.05)
        found = await state_of(net, did)
    return found


def peer_client(net: Network, server: Broker, certificate: Path, private_key: Path) -> httpx.AsyncClient:
    """A client of ``server``'s peer listener that shows the given certificate and trusts everything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate, private_key)
    endpoint = server.card.endpoint
    assert endpoint is not None
    return httpx.AsyncClient(base_url=endpoint, verify=context, timeout=10, trust_env=False)


async def test_a_certificate_that_is_not_the_ledgers_reaches_no_route(net: Network, tmp_path: Path) -> None:
    certificate, private_key = create_certificate("陌生机构", "127.0.0.1")
    (tmp_path / "crt").write_bytes(certificate.pem)
    (tmp_path / "key").write_bytes(private_key)
    for server in net.brokers:
        async with peer_client(net, server, tmp_path / "crt", tmp_path / "key") as client:
            for path in ("/peer/v1/ledger/blocks?from=1", "/openapi.json", "/nothing"):
                with pytest.raises(httpx.TransportError):
                    await client.get(path)


async def test_the_peer_listener_speaks_no_plain_http(net: Network) -> None:
    endpoint = net.brokers[1].card.endpoint
    assert endpoint is not None
    async with httpx.AsyncClient(base_url=endpoint.replace("https", "http"), trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/peer/v1/ledger/blocks")


async def test_only_the_sequencer_orders(net: Network) -> None:
    asker = broker(net, OTHER)
    pair = asker.home / "peer.crt.pem", asker.home / "peer.key.pem"
    async with peer_client(net, broker(net, FOLLOWER), *pair) as client:
        for answer in (
            await client.get("/peer/v1/ledger/blocks?from=1&limit=1"),
            await client.post("/peer/v1/ledger/transactions", content=Bad(net).made()),
        ):
            assert (answer.status_code, code_of(answer)) == (403, "not_sequencer")
        nonce = "A" * 43
        assert (await client.get(f"/peer/v1/ledger/head-statements/{nonce}")).status_code == 200
        assert (await client.get("/peer/v1/ledger/head-statements/short")).status_code == 400
    async with peer_client(net, broker(net, SEQUENCER), *pair) as client:
        answer = await client.get("/peer/v1/ledger/blocks?from=1&limit=1")
        assert len(answer.json()["blocks"]) == 1
        assert code_of(await client.get("/peer/v1/ledger/blocks?from=x")) == "query_invalid"


async def snapshot(net: Network, member: Broker, case: Case) -> dict[str, Any]:
    """All that a member must still have after a crash."""
    api = member.api
    asking = member is net.stage.requester
    cases = (await api.get("/api/v1/cases"))["cases"]
    return {
        "datasets": await api.get("/api/v1/ledger/entries", prefix="dataset/"),
        "epochs": await api.get("/api/v1/ledger/entries", prefix="epoch/"),
        "consents on the ledger": (await api.get("/api/v1/ledger/entries", prefix="consent/"))["entries"],
        "consents": await api.get(f"/api/v1/clients/{case.client}/consents") if asking else None,
        "tasks": await api.get("/api/v1/tasks"),
        "cases": cases,
        "records": {
            one: [record["case_id"] for record in (await api.get(f"/api/v1/cases/{one}"))["records"]] for one in cases
        },
    }


@pytest.mark.parametrize("short", [SEQUENCER, FOLLOWER, OTHER])
async def test_a_killed_node_comes_back_with_everything(played: Network, short: str) -> None:
    """SIGKILL, then a start on the same files; afterwards the next customer is assessed with all bands."""
    stage, member = played.stage, broker(played, short)
    case = next(one for one in stage.cases if one.result is not None)
    before = await snapshot(played, member, case)
    assert before["datasets"]["entries"] and before["epochs"]["entries"] and before["consents on the ledger"]
    await played.processes.kill(short)
    await played.processes.start(short)
    await played.processes.wait_ready(short, member.api)
    for _ in range(100):
        after = await snapshot(played, member, case)
        if after == before:
            break
        await asyncio.sleep(0.1)
    assert after == before
    fresh = next(one for one in stage.cases if one.consent is not None and one.result is None)
    await granted(stage, [fresh])
    body = {"case_id": fresh.case_id, "client": fresh.client, "answers": await answers(played), "task": stage.task}
    for _ in range(50):  # the nodes have to ask each other for their heads again (GATE-4)
        result = await stage.requester.api.post("/api/v1/assessments", body)
        statuses = [trace["bands"]["status"] for trace in result["traces"]]
        if statuses == ["answered", "answered"]:
            break
        await asyncio.sleep(0.2)
    assert statuses == ["answered", "answered"], result["traces"]
    fresh.result = result
    assert stage.failures == []


async def answers(net: Network) -> dict[str, str]:
    """Answers to the questionnaire that contradict no rule."""
    from random import Random

    from lianzheng.demo.steps.assess import answers_for

    questionnaire = await net.stage.requester.api.get("/api/v1/questionnaire")
    for seed in range(100):
        chosen, warned = answers_for(questionnaire, Random(seed))
        if not warned:
            return chosen
    raise AssertionError("no answers without a warning")


async def test_a_data_set_is_loaded_offered_and_opened_from_the_command_line(played: Network) -> None:
    member = broker(played, OTHER)
    source, config = member.home / "customers.csv", ("--config", str(member.home / "node.toml"))
    offer = ("--title", "第二个数据集", "--view", "wealth/bands", "--purpose", "suitability-assessment")
    bad = member.home / "bad.csv"
    bad.write_bytes(source.read_bytes().replace(b"RESIDENT_ID", b"LIBRARY_CARD", 1))
    for words, status, says in (
        (("load", "second", str(bad), *config), 1, "row 2, column document_type: document_type_unknown"),
        (("open", "second/wealth/bands", *config), 1, "dataset_empty: "),
        (("load", "second", str(source), *config), 0, " customers in second, sha256 "),
        (("publish", "second", *offer, *config), 0, "second offered, ledger height "),
        (("open", "second/wealth/bands", *config, "--days", "2"), 0, "epoch 1 of second/wealth/bands: "),
    ):
        process = await lianzheng("dataset", *words)
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, says in (output + errors).decode()) == (status, True), (output + errors).decode()


async def test_a_second_node_on_the_same_files_is_refused(net: Network) -> None:
    status, errors = await refused(broker(net, OTHER).home / "node.toml")
    assert status == 1
    assert "ledger_in_use" in errors and "Stop the other node" in errors


@pytest.mark.parametrize(("section", "option"), [("internal", "--port"), ("peer", "--peer-port")])
async def test_a_taken_address_says_what_to_change(net: Network, tmp_path: Path, section: str, option: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(broker(net, OTHER).home, home, ignore=shutil.ignore_patterns("data"))
    text = (home / "node.toml").read_text("utf-8")
    head, _, tail = text.partition(f"[{'peer' if section == 'internal' else 'internal'}]")
    free = re.sub(r"port = [0-9]+", f"port = {free_ports(1)[0]}", tail, count=1)
    (home / "node.toml").write_text(f"{head}[{'peer' if section == 'internal' else 'internal'}]{free}", "utf-8")
    status, errors = await refused(home / "node.toml")
    taken = re.search(rf"\[{section}\].*?port = ([0-9]+)", text, re.DOTALL)
    assert taken is not None
    assert status == 1
    assert f"address_in_use: The node cannot listen on 127.0.0.1:{taken[1]}" in errors
    assert f"under [{section}] in node.toml" in errors and option in errors


async def refused(config: Path) -> tuple[int | None, str]:
    """Exit status and standard error of a node that does not start."""
    process = await lianzheng("node", "run", "--config", str(config))
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    assert b"Traceback" not in errors + output
    return process.returncode, errors.decode()


@pytest.mark.parametrize(("number", "short"), [(signal.SIGTERM, OTHER), (signal.SIGINT, FOLLOWER)])
async def test_a_signal_stops_a_node_cleanly(played: Network, number: signal.Signals, short: str) -> None:
    member = broker(played, short)
    pid = played.processes.pid(short)
    assert await played.processes.end(short, number) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    log = (member.home / "node.log").read_text("utf-8")
    assert parse(log.strip().splitlines()[-1].encode())["event"] == "node_stopped"
    assert "Traceback" not in log and "never awaited" not in log
    await played.processes.start(short)
    await played.processes.wait_ready(short, member.api)


async def test_a_signal_during_the_start_stops_a_node_too(played: Network) -> None:
    member = broker(played, OTHER)
    await played.processes.end(OTHER)
    for delay_ms in (700, 1100, 1500):
        await played.processes.start(OTHER)
        await asyncio.sleep(delay_ms / 1000)
        status = await played.processes.end(OTHER)
        assert status in (0, -signal.SIGTERM), "before its own handler stands, the system's ends it"
    assert "Traceback" not in (member.home / "node.log").read_text("utf-8")
    await played.processes.start(OTHER)
    await played.processes.wait_ready(OTHER, member.api)


async def test_no_log_names_a_person(played: Network) -> None:
    people = played.stage.people
    for member in played.brokers:
        log = (member.home / "node.log").read_text("utf-8")
        assert "node_started" in log
        assert not [person for person in people if person.number in log or person.name in log]


async def test_a_new_epoch_opens_after_all_this(played: Network) -> None:
    before = dict(played.stage.epochs)
    await open_epochs(played.stage)
    assert {view: number + 1 for view, number in before.items()} == played.stage.epochs


async def lianzheng(*arguments: str) -> asyncio.subprocess.Process:
    """The command as a process of its own."""
    import sys

    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lianzheng",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "300"},
    )
