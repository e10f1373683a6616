"""The whole main line from a shell: three real nodes, a counter, a wallet; and every way in which it is refused."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli_kit import Ended, Run, runner
from lianzheng.demo.people import Person
from lianzheng.demo.stage import Broker, document_of
from lianzheng.demo.steps.data import load
from lianzheng.encoding.canonical import encode, parse
from network_kit import Network, network

PURPOSE = "suitability-assessment"
ANSWERS = {
    "F1": "c", "F2": "c", "F3": "c", "F4": "c", "K1": "b", "K2": "d", "K3": "c", "E1": "c", "E2": "c",
    "E3": "b", "O1": "b", "O2": "c", "O3": "c", "R1": "b", "R2": "c", "R3": "b", "X1": "b", "X2": "b",
}  # fmt: skip
TICKS = [word for item in ("sharing", "sensitive", "automated", "withdrawal") for word in ("--tick", item)]


@dataclass
class Shell:
    """Where the test types: a folder, the command line, three brokers."""

    folder: Path
    line: Run
    net: Network

    def config(self, number: int) -> Path:
        return self.net.brokers[number].home / "node.toml"

    def at(self, number: int, *words: object) -> Ended:
        """A command at one broker's counter."""
        return self.line(*words, "--config", self.config(number))

    def json(self, number: int, *words: object, status: int = 0) -> Any:
        """The one document that the command prints."""
        ended = self.at(number, *words, "--json")
        assert (ended.status, ended.err) == (status, ""), ended.err
        assert ended.out.count("\n") == 1
        return parse(ended.out.strip().encode())

    def refused(self, number: int, *words: object, code: str, status: int = 1) -> None:
        """The same code for people and, as problem+json, for machines; nothing on standard output."""
        for machine in (False, True):
            ended = self.at(number, *words, *(["--json"] if machine else []))
            assert (ended.status, ended.out) == (status, ""), ended
            if machine:
                problem = parse(ended.err.strip().encode())
                assert isinstance(problem, dict)
                assert problem["code"] == code
                assert problem["type"] == f"urn:lianzheng:problem:{code}"
                assert {*problem} <= {"type", "title", "status", "code", "next_step"}
            else:
                assert ended.err.startswith(f"{code}: "), ended.err

    @property
    def nodes(self) -> list[str]:
        return [word for one in self.net.brokers for word in ("--node", one.node_url)]

    def wallet(self, name: str, *words: object, status: int = 0) -> Any:
        where = () if words[0] == "preview" else ("--wallet", self.folder / name)
        ended = self.line("wallet", *words, *where, "--json")
        assert ended.status == status, ended.err
        return parse((ended.out if status == 0 else ended.err).strip().encode())

    def document(self, person: Person) -> Path:
        path = self.folder / f"document-{person.serial}.json"
        path.write_bytes(encode(document_of(person).to_json()))
        return path

    def people(self, *brokers: int) -> list[Person]:
        """Customers of at least all of these."""
        return [person for person in self.net.stage.people if {*brokers} <= {*person.brokers()}]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Nodes in an event loop of their own: the command line runs its own in this thread."""
    folder = tmp_path_factory.mktemp("network")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(180)

    context = network(folder, people=40)
    try:
        running: Network = wait(context.__aenter__())
        try:
            wait(load(running.stage))
            yield running
        finally:
            wait(context.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def shell(net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    (tmp_path / "impact.txt").write_text("影响评估", "utf-8")
    (tmp_path / "answers.json").write_bytes(encode(ANSWERS))
    return Shell(tmp_path, runner(capsys, monkeypatch), net)


def enrolled(shell: Shell, person: Person, name: str) -> str:
    """A wallet with a credential of broker B; the person's client reference at broker A."""
    b = shell.net.brokers[1]
    shell.wallet(name, "create", *shell.nodes)
    words = ("enrol", *shell.nodes, "--issuer", b.node_url, "--document", shell.document(person))
    assert shell.wallet(name, *words)["issuer"] == b.did
    return str(shell.json(0, "enrol", "find", "--document", shell.document(person))["client"])


def consented(shell: Shell, name: str, client: str, *more: object) -> str:
    """A consent for all that broker A may ask, delivered and on the ledger."""
    offer, signed = shell.folder / f"{name}-offer.json", shell.folder / f"{name}-signed.json"
    words = ("--contact", "400-000-0000", "--complaints", "营业部", "--out", offer, *more)
    made = shell.json(0, "consent", "offer", client, *words)
    shell.wallet(name, "consent", offer, *shell.nodes, "--out", signed, "--read-to-end", *TICKS)
    taken = shell.json(0, "consent", "grant", signed, "--wait")
    assert {token["state"] for token in taken["tokens"]} == {"granted"}
    return str(made["consent_id"])


def agreed(shell: Shell) -> str:
    """A contract that both providers have approved."""
    words = ("--impact-assessment", shell.folder / "impact.txt", "--quota", 500)
    task = str(shell.json(0, "task", "propose", *words)["task"])
    for number in (1, 2):
        assert shell.json(number, "task", "approve", task)["result"]["code"] == "ok"
    return task


def test_the_main_line(shell: Shell) -> None:
    """Enrolment by file at the counter, consent, contract, query, assessment, evidence, withdrawal."""
    person = shell.people(0, 1, 2)[0]
    paper, folder = shell.document(person), shell.folder
    did = shell.wallet("w", "create", *shell.nodes)["did"]
    for number in range(3):
        assert shell.json(number, "enrol", "key")["issuer"] == shell.net.brokers[number].did

    # Enrolment, with the document seen at broker B's counter.
    challenge, request, response = (folder / f"{one}.json" for one in ("challenge", "request", "response"))
    assert shell.json(1, "enrol", "open", did, "--out", challenge)["issuer"] == shell.net.brokers[1].did
    shell.wallet("w", "request", challenge, "--document", paper, "--out", request)
    seen = shell.json(1, "enrol", "look", request)
    assert (seen["did"], seen["document_type"]) == (did, "RESIDENT_ID")
    assert seen["client"] == shell.json(1, "enrol", "find", "--document", paper)["client"]
    assert person.number not in shell.at(1, "enrol", "look", request).out
    assert shell.json(1, "enrol", "issue", request, "--out", response)["did"] == did
    shell.wallet("w", "receive", response, *shell.nodes, "--document", paper)
    assert [one["issuer"] for one in shell.wallet("w", "show")["credentials"]] == [shell.net.brokers[1].did]
    for path in (challenge, request, response):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    # Consent, delivered by the wallet itself.
    client = shell.json(0, "enrol", "find", "--document", paper)["client"]
    offer, signed = folder / "offer.json", folder / "signed.json"
    words = ("--contact", "400-000-0000", "--complaints", "营业部", "--out", offer)
    made = shell.json(0, "consent", "offer", client, *words)
    assert sorted(one["provider"] for one in made["providers"]) == sorted(b.did for b in shell.net.brokers[1:])
    text = shell.wallet("w", "preview", offer, *shell.nodes)
    assert (text["consent_id"], text["items"]) == (made["consent_id"], TICKS[1::2])
    assert "乙证券股份有限公司（样本）" in text["text"]
    to = ("--to", shell.net.brokers[0].node_url)
    given = shell.wallet("w", "consent", offer, *shell.nodes, "--out", signed, *to, "--read-to-end", *TICKS)
    assert given["acknowledgement"]["record"]["scene"] == "consent"
    shown = shell.json(0, "consent", "show", made["consent_id"], "--wait")
    assert [token["ledger"] for token in shown["tokens"]] == ["active", "active"]
    assert (shown["client"], shown["purpose"]) == (client, PURPOSE)
    assert [one["consent_id"] for one in shell.json(0, "consent", "list", client)["consents"]] == [made["consent_id"]]

    # Contract.
    task = agreed(shell)
    assert task in [one["task"] for one in shell.json(0, "task", "list")["tasks"]]
    stands = shell.json(0, "task", "show", task)
    assert {one["decision"] for one in stands["providers"].values()} == {"approved"}

    # Query and assessment.
    answers = shell.json(0, "query", "run", client, "--task", task)["answers"]
    assert [one["client"] for one in answers] == [client]
    assert [trace["bands"]["status"] for trace in answers[0]["traces"]] == ["answered", "answered"]
    asked = ("--case", "case-cli", "--answers", folder / "answers.json", "--task", task)
    found = shell.json(0, "assess", "run", client, *asked)
    assert found["assessment"]["level"] <= found["assessment"]["score"]["level"]
    assert found["assessment"]["local_only"] is False
    assert [one["scene"] for one in found["evidence"]] == ["suitability-test", "suitability-test"]
    assert {one["state"] for one in found["evidence"]} <= {"received", "batched", "anchored", "final"}
    readable = shell.at(0, "query", "run", client, "--task", task).out
    assert "answered" in readable and client in readable

    # Evidence: recorded, listed, taken out, verified by another command against another member's trust file.
    leaf = shell.json(
        0, "evidence", "record", "case-cli", "--scene", "business-handling", "--document", folder / "impact.txt"
    )["leaf"]
    records = shell.json(0, "evidence", "list", "case-cli")["records"]
    assert records[-1]["leaf"] == leaf
    papers = shell.json(0, "evidence", "documents", "case-cli")["documents"]
    assert papers[-1]["name"] == "impact.txt"
    assert shell.json(0, "evidence", "document", papers[-1]["sha256"], "--out", folder / "copy")["bytes"] == 12
    assert (folder / "copy").read_bytes() == (folder / "impact.txt").read_bytes()
    shell.json(0, "evidence", "bundle", "case-cli", "--out", folder / "case.bundle.json")
    shell.json(2, "evidence", "trust", "--out", folder / "network.trust.json")
    assert shell.line("verify", folder / "case.bundle.json", "--trust", folder / "network.trust.json").status == 0
    checked = shell.json(0, "evidence", "verify-all", "--trust", folder / "network.trust.json")
    assert {one["verdict"] for one in checked["cases"]} == {"valid"}
    assert "case-cli" in [one["case"] for one in checked["cases"]]
    loose = shell.json(0, "evidence", "verify-all", status=3)
    assert {one["verdict"] for one in loose["cases"]} == {"unanchored"}
    states = {one["state"] for one in shell.json(0, "evidence", "list", "case-cli")["records"]}
    assert states <= {"anchored", "final"}

    # Pause, resume, withdrawal by the wallet; what the provider says then.
    shell.wallet("w", "pause", made["consent_id"], *shell.nodes)
    shown = shell.json(0, "consent", "show", made["consent_id"])
    assert [token["ledger"] for token in shown["tokens"]] == ["paused", "paused"]
    shell.wallet("w", "resume", made["consent_id"], *shell.nodes)
    shell.wallet("w", "withdraw", made["consent_id"], *shell.nodes)
    shown = shell.json(0, "consent", "show", made["consent_id"])
    assert [token["ledger"] for token in shown["tokens"]] == ["revoked", "revoked"]
    gone = shell.json(0, "query", "run", client, "--task", task, status=1)
    assert {trace["bands"]["code"] for trace in gone["answers"][0]["traces"]} == {"consent_missing"}

    # Reports, and the end of the contract.
    for number in (1, 2):
        provider = shell.net.brokers[number].did
        shell.json(number, "task", "report", task)
        assert shell.json(0, "task", "check", task, "--provider", provider)["consents"] == 1
    shell.json(0, "task", "close", task)
    assert shell.json(0, "task", "show", task)["status"] == "closed"
    for broker in shell.net.brokers:
        assert person.number.encode() not in (broker.home / "node.log").read_bytes()


def test_a_file_of_customers_is_asked_about_in_one_batch(shell: Shell) -> None:
    people = shell.people(0, 1, 2)[1:4]
    clients = [enrolled(shell, person, f"w{person.serial}") for person in people]
    for person, client in zip(people[:2], clients[:2], strict=True):
        consented(shell, f"w{person.serial}", client)
    task = agreed(shell)
    listed = shell.folder / "clients.txt"
    listed.write_text("\n".join([*clients, clients[0]]) + "\n")
    answers = shell.json(0, "query", "run", "--file", listed, "--task", task)["answers"]
    assert [one["client"] for one in answers] == clients
    statuses = [[trace["bands"]["status"] for trace in one["traces"]] for one in answers]
    assert statuses == [["answered", "answered"], ["answered", "answered"], ["not_asked", "not_asked"]]
    for one in answers[:2]:
        alone = shell.json(0, "query", "run", one["client"], "--task", task)["answers"][0]
        assert [trace["bands"] for trace in alone["traces"]] == [trace["bands"] for trace in one["traces"]]


def test_what_is_refused_says_why(shell: Shell) -> None:
    a: Broker
    a, b, _ = shell.net.brokers
    person = shell.people(0, 1)[4]
    client = enrolled(shell, person, "w")
    impact = ("--impact-assessment", shell.folder / "impact.txt", "--quota", 5)
    contact = ("--contact", "x", "--complaints", "y", "--out", shell.folder / "o.json")
    unknown = "c-AAAAAAAAAAAAAAAAAAAA"

    shell.refused(0, "task", "propose", *impact, "--purpose", "marketing", code="purpose_unknown")
    shell.refused(0, "task", "propose", *impact, "--function", "guess", code="function_unknown")
    shell.refused(0, "task", "propose", *impact, "--function", "joint-statistics", code="purpose_function")
    shell.refused(0, "task", "propose", *impact, "--provider", a.did, code="provider_offers_nothing")
    shell.refused(0, "task", "propose", *impact, "--view", "x/wealth/bands", code="view_not_offered")
    shell.refused(0, "task", "show", "A" * 43, code="task_unknown")
    shell.refused(0, "task", "show", "../cases", code="name_malformed")
    shell.refused(0, "task", "close", "A" * 43, code="task_unknown")

    task = str(shell.json(0, "task", "propose", *impact, "--provider", b.did)["task"])
    shell.refused(2, "task", "approve", task, code="task_not_provider")
    assert shell.json(1, "task", "refuse", task, "--reason", "quota")["result"]["code"] == "ok"
    shell.refused(1, "task", "approve", task, code="task_already_decided")

    shell.refused(0, "consent", "offer", client, *contact, "--purpose", "marketing", code="purpose_unknown")
    shell.refused(0, "consent", "offer", unknown, *contact, code="customer_unknown")
    shell.refused(0, "consent", "offer", client, *contact, "--template", "x", code="consent_template_unknown")
    shell.refused(0, "consent", "show", "A" * 22, code="consent_unknown")
    shell.refused(0, "consent", "withdraw", "A" * 22, code="consent_unknown")
    assert not (shell.folder / "o.json").exists()

    shell.refused(0, "query", "run", unknown, "--task", task, code="customer_unknown")
    shell.refused(0, "query", "run", client, "--task", "A" * 43, code="task_unknown")
    told = shell.at(0, "query", "run", client, "--task", task)
    assert (told.status, "consent_missing" in told.out) == (1, True)
    mistaken = shell.folder / "mistaken.txt"
    mistaken.write_text(person.number)
    shell.refused(0, "query", "run", "--file", mistaken, "--task", task, code="clients_malformed")
    assert person.number not in shell.at(0, "query", "run", "--file", mistaken, "--task", task).err

    answers = ("--answers", shell.folder / "answers.json")
    shell.refused(0, "assess", "run", unknown, "--case", "case-x", *answers, code="customer_unknown")
    shell.refused(0, "evidence", "bundle", "case-none", "--out", shell.folder / "n", code="case_unknown")
    shell.refused(0, "evidence", "list", "case-none", code="case_unknown")
    sha = "A" * 43
    shell.refused(0, "evidence", "document", sha, "--out", shell.folder / "n", code="document_unknown")
    shell.refused(2, "enrol", "find", "--document", write(shell, "{}"), code="field_invalid")
    shell.refused(0, "enrol", "find", code="document_missing")
    stranger = next(one for one in shell.net.stage.people if 0 not in one.brokers())
    shell.refused(0, "enrol", "find", "--document", shell.document(stranger), code="customer_unknown")
    nobody = a.did[:-1] + ("2" if a.did[-1] != "2" else "3")
    shell.refused(0, "enrol", "open", nobody, "--out", shell.folder / "n", code="did_unknown")


def test_what_a_wallet_does_not_sign(shell: Shell) -> None:
    person = shell.people(0, 1)[5]
    client = enrolled(shell, person, "w")
    offer, out = shell.folder / "offer.json", shell.folder / "signed.json"
    shell.json(0, "consent", "offer", client, "--contact", "x", "--complaints", "y", "--out", offer)
    words = ("consent", offer, *shell.nodes, "--out", out)
    assert shell.wallet("w", *words, *TICKS, status=1)["code"] == "consent_not_read"
    assert shell.wallet("w", *words, "--read-to-end", *TICKS[:6], status=1)["code"] == "consent_item_unticked"
    made = parse(offer.read_bytes())
    assert isinstance(made, dict)
    made["requester"]["name"] = "乙证券股份有限公司（样本）"
    offer.write_bytes(encode(made))
    assert shell.wallet("w", *words, "--read-to-end", *TICKS, status=1)["code"] == "offer_name_differs"
    assert not out.exists()
    assert shell.wallet("w", "show")["consents"] == []
    assert shell.wallet("w", "create", *shell.nodes, status=1)["code"] == "wallet_exists"
    assert shell.wallet("none", "show", status=1)["code"] == "wallet_missing"
    assert shell.wallet("w", "withdraw", "A" * 22, *shell.nodes, status=1)["code"] == "consent_unknown"
    away = ("--node", "http://127.0.0.1:9")
    assert shell.wallet("w2", "create", *away, status=4)["code"] == "node_unreachable"
    assert not (shell.folder / "w2").exists()


def write(shell: Shell, text: str) -> Path:
    path = shell.folder / "input.json"
    path.write_text(text, "utf-8")
    return path
