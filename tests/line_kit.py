"""The command line in front of three real nodes: a folder to type in, counters by number, wallets by name."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arch.source import REPOSITORY
from cli_kit import Ended, Run
from lianzheng.demo.people import Person
from lianzheng.demo.stage import document_of
from lianzheng.demo.steps.data import load
from lianzheng.encoding.canonical import encode, parse
from network_kit import Network, network

GUIDE = (REPOSITORY / "docs" / "guides" / "cli.md").read_text("utf-8")
ANSWERS = {
    "F1": "c", "F2": "c", "F3": "c", "F4": "c", "K1": "b", "K2": "d", "K3": "c", "E1": "c", "E2": "c",
    "E3": "b", "O1": "b", "O2": "c", "O3": "c", "R1": "b", "R2": "c", "R3": "b", "X1": "b", "X2": "b",
}  # fmt: skip
TICKS = [word for item in ("sharing", "sensitive", "automated", "withdrawal") for word in ("--tick", item)]


def documented() -> dict[str, frozenset[str]]:
    """The members of each command's JSON document, as the guide names them."""
    found = re.search(r"<!-- fields -->(.*?)<!-- /fields -->", GUIDE, re.DOTALL)
    assert found is not None
    members: dict[str, frozenset[str]] = {}
    for commands, told in re.findall(r"^\| (`.*?) \| (.*?) \|$", found[1], re.MULTILINE):
        for command in re.findall(r"`(.*?)`", commands):
            members[command] = frozenset(re.findall(r"`([a-z_0-9]+)`", told))
    members["consent grant"] = members["consent show"] | {"acknowledgement"}
    return members


MEMBERS = documented()
EITHER = ("evidence list", "assess questions")
"""Commands with one of several documents, or one that is described elsewhere."""


def check_members(words: tuple[object, ...], found: Any) -> None:
    """The document has the members that the guide names."""
    longer = " ".join(map(str, words[:3]))
    command = longer if longer in MEMBERS else " ".join(map(str, words[:2]))
    if command == "evidence list":
        assert {*found} in ({"cases"}, {"records"})
    elif command not in EITHER and words[0] != "alliance":
        assert {*found} == MEMBERS[command], command


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
        found = parse(ended.out.strip().encode())
        check_members(words, found)
        return found

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
        found = parse((ended.out if status == 0 else ended.err).strip().encode())
        if status == 0:
            check_members(("wallet", *words), found)
        return found

    def document(self, person: Person) -> Path:
        path = self.folder / f"document-{person.serial}.json"
        path.write_bytes(encode(document_of(person).to_json()))
        return path

    def people(self, *brokers: int) -> list[Person]:
        """Customers of at least all of these."""
        return [person for person in self.net.stage.people if {*brokers} <= {*person.brokers()}]


@contextmanager
def running_network(folder: Path) -> Iterator[Network]:
    """Nodes with data, in an event loop of their own: the command line runs its own in this thread."""
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
