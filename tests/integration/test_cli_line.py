"""The whole main line from a shell: three real nodes, a counter, a wallet; and every way in which it is refused."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_kit import runner, typed
from lianzheng.demo.people import Person
from lianzheng.encoding.canonical import encode, parse
from line_kit import ANSWERS, GUIDE, TICKS, Shell, agreed, consented, enrolled, running_network
from network_kit import Network

PURPOSE = "suitability-assessment"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture
def shell(net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    (tmp_path / "impact.txt").write_text("影响评估", "utf-8")
    (tmp_path / "answers.json").write_bytes(encode(ANSWERS))
    return Shell(tmp_path, runner(capsys, monkeypatch), net)


def enrol_at_the_counter(shell: Shell, person: Person) -> None:
    """By file, with the document seen at broker B's counter."""
    paper, folder = shell.document(person), shell.folder
    did = shell.wallet("w", "create", *shell.nodes)["did"]
    for number in range(3):
        assert shell.json(number, "enrol", "key")["issuer"] == shell.net.brokers[number].did
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


def consent_by_the_wallet(shell: Shell, person: Person) -> tuple[str, str]:
    """The client reference and the consent, which the wallet itself has delivered."""
    folder, paper = shell.folder, shell.document(person)
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
    return client, str(made["consent_id"])


def query_and_assess(shell: Shell, client: str, task: str) -> None:
    """Bands from both providers; a level with its evidence."""
    folder = shell.folder
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


def evidence_for_others(shell: Shell) -> None:
    """Recorded, listed, taken out, verified by another command against another member's trust file."""
    folder = shell.folder
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


def pause_and_withdraw(shell: Shell, client: str, consent: str, task: str) -> None:
    """In the wallet; and what is asked then."""
    shell.wallet("w", "pause", consent, *shell.nodes)
    shown = shell.json(0, "consent", "show", consent)
    assert [token["ledger"] for token in shown["tokens"]] == ["paused", "paused"]
    shell.wallet("w", "resume", consent, *shell.nodes)
    shell.wallet("w", "withdraw", consent, *shell.nodes)
    shown = shell.json(0, "consent", "show", consent)
    assert [token["ledger"] for token in shown["tokens"]] == ["revoked", "revoked"]
    gone = shell.json(0, "query", "run", client, "--task", task, status=1)
    assert {trace["bands"]["code"] for trace in gone["answers"][0]["traces"]} == {"consent_missing"}


def test_the_main_line(shell: Shell) -> None:
    """Enrolment by file at the counter, consent, contract, query, assessment, evidence, withdrawal."""
    person = shell.people(0, 1, 2)[0]
    enrol_at_the_counter(shell, person)
    client, consent = consent_by_the_wallet(shell, person)
    task = agreed(shell)
    assert task in [one["task"] for one in shell.json(0, "task", "list")["tasks"]]
    stands = shell.json(0, "task", "show", task)
    assert {one["decision"] for one in stands["providers"].values()} == {"approved"}
    query_and_assess(shell, client, task)
    evidence_for_others(shell)
    pause_and_withdraw(shell, client, consent, task)
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


def play(shell: Shell, mark: str, values: dict[str, str]) -> str:
    """Every line of a snippet of the guide, as a shell would; what it prints."""
    found = re.search(rf"<!-- {mark} -->\n```sh\n(.*?)```\n<!-- /{mark} -->", GUIDE, re.DOTALL)
    assert found is not None, mark
    shown = ""
    for line in found[1].splitlines():
        kept = re.fullmatch(r"([A-Z]+)=\$\((.*) \| jq -r \.([a-z_]+)\)", line)
        words = shlex.split(re.sub(r"\$([A-Z]+)", lambda name: values[name[1]], line if kept is None else kept[2]))
        ended = shell.line(*words[1:])
        assert ended.status == 0, (line, ended.err)
        shown += ended.out
        if kept is not None:
            document = parse(ended.out.strip().encode())
            assert isinstance(document, dict)
            values[kept[1]] = str(document[kept[3]])
    return shown


def test_the_guide_works_as_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    person = shell.people(0, 1, 2)[6]
    monkeypatch.chdir(shell.folder)
    for name, broker in zip("abc", shell.net.brokers, strict=True):
        (shell.folder / name).symlink_to(broker.home)
    monkeypatch.setenv("LIANZHENG_NODES", " ".join(broker.node_url for broker in shell.net.brokers))
    (shell.folder / "document.json").write_bytes(shell.document(person).read_bytes())
    values = {name: broker.node_url for name, broker in zip("ABC", shell.net.brokers, strict=True)}
    shown = play(shell, "enrol", values) + play(shell, "enrol-online", values) + play(shell, "consent", values)
    (shell.folder / "clients.txt").write_text(values["CLIENT"] + "\n")
    for mark in ("task", "query", "evidence", "end"):
        shown += play(shell, mark, values)
    assert "VALID" in shown and "level 等级 C" in shown and "withdrawn; ledger height" in shown
    assert person.number not in shown


def test_the_counter_withdraws(shell: Shell) -> None:
    client = enrolled(shell, shell.people(0, 1)[7], "w")
    consent = consented(shell, "w", client, "--provider", shell.net.brokers[1].did, "--queries", 2)
    shown = shell.json(0, "consent", "show", consent)
    assert [(one["provider"], one["max_uses"]) for one in shown["tokens"]] == [(shell.net.brokers[1].did, 4)]
    assert shell.json(0, "consent", "withdraw", consent) == {"consent_id": consent, "revoked": 1}
    assert shell.json(0, "consent", "show", consent)["status"] == "withdrawn"
    assert shell.wallet("w", "log")["access"] == []


def test_a_member_changes_its_own_record(shell: Shell) -> None:
    c = shell.net.brokers[2]
    changed = shell.json(2, "alliance", "update", "--licence", "证券经纪", "--licence", "证券自营")
    assert changed["result"]["code"] == "ok"
    found = shell.json(2, "alliance", "members")["members"]
    (mine,) = [one for one in found if one["did"] == c.did]
    assert mine["licences"] == ["证券经纪", "证券自营"]
    assert mine["endpoint"] == c.card.endpoint, "what was not named stays"
    shell.refused(2, "alliance", "update", "--endpoint", "http://plain", code="field_invalid")
    theirs = shell.net.brokers[1].home / "peer.crt.pem"
    shell.refused(2, "alliance", "update", "--certificate", theirs, code="certificate_in_use")
    assert shell.at(2, "alliance", "update").status == 2


def test_a_case_that_does_not_verify_is_named(shell: Shell) -> None:
    """Under another network's trust file every case is refused, by name."""
    (shell.folder / "impact.txt").write_text("x")
    shell.json(1, "evidence", "record", "case-one", "--scene", "task", "--document", shell.folder / "impact.txt")
    trust = shell.folder / "trust.json"
    shell.json(1, "evidence", "trust", "--out", trust)
    told = parse(trust.read_bytes())
    assert isinstance(told, dict)
    trust.write_bytes(encode(told | {"chain_id": "another"}))
    found = shell.json(1, "evidence", "verify-all", "--trust", trust, status=1)
    assert {one["verdict"] for one in found["cases"]} == {"refused"}
    assert {one["code"] for one in found["cases"]} == {"network_foreign"}
    assert shell.at(1, "evidence", "verify-all", "--trust", trust).status == 1
    scene = ("evidence", "record", "case-one", "--scene", "holiday", "--document", trust)
    shell.refused(1, *scene, code="field_invalid")


def test_at_a_terminal(shell: Shell) -> None:
    """The wallet asks item by item, the counter question by question; one item not agreed to is no consent."""
    client = enrolled(shell, shell.people(0, 1)[8], "w")
    offer, out = shell.folder / "offer.json", shell.folder / "signed.json"
    shell.json(0, "consent", "offer", client, "--contact", "x", "--complaints", "y", "--out", offer)
    words = ("wallet", "consent", offer, "--wallet", shell.folder / "w", *shell.nodes, "--out", out)
    asked = [("已阅读全文?", "y"), *((f"agree 同意 {item}?", "y") for item in TICKS[1::2])]
    status, screen = typed(words, [*asked[:-1], (asked[-1][0], "n")])
    assert (status, "consent_item_unticked" in screen, out.exists()) == (1, True, False)
    status, screen = typed(words, asked)
    assert (status, "signed" in screen) == (0, True)
    assert screen.index("单独同意书") < screen.index("已阅读全文?"), "the text comes first"

    shell.refused(0, "assess", "run", client, "--case", "case-typed", code="answers_missing")
    questions = shell.json(0, "assess", "questions")["items"]
    answers = [(f"{one['id']} (", ANSWERS[one["id"]]) for one in questions]
    words = ("assess", "run", client, "--case", "case-typed", "--config", shell.config(0))
    status, screen = typed(words, answers)
    assert (status, "level 等级 C" in screen, "local only" in screen) == (0, True, True), screen
