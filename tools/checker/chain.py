"""The chain as one node's ``ledger.db`` has it, verified from genesis on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.checker.basics import Findings, canonical, digest, framed, parse, signed_by, tree_root, unb64u

__all__ = ["Chain", "Entry", "compare", "open_readonly", "read_chain"]


@dataclass(frozen=True)
class Entry:
    """One transaction at its place."""

    tx_id: bytes
    height: int
    index: int
    sender: str
    kind: str
    payload: Any
    code: str
    data: Any


@dataclass
class Chain:
    """What one node has."""

    name: str
    heads: list[bytes] = field(default_factory=list)
    """Head hash of each block, the first at height 1."""
    blocks: list[bytes] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def accepted(self, kind: str, sender: str | None = None) -> Iterator[Entry]:
        """Transactions of a kind that the ledger took, in order."""
        return (
            entry
            for entry in self.entries
            if entry.kind == kind and entry.code == "ok" and sender in (None, entry.sender)
        )


def open_readonly(path: Path) -> sqlite3.Connection:
    """The database as it lies there; nothing is written to it."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def read_chain(name: str, home: Path, genesis: bytes, findings: Findings) -> Chain:
    """Every block linked to the one before, signed, and with the roots of what it carries."""
    chain, data = Chain(name), home / "data"
    document = parse(genesis, findings, f"{name}: genesis")
    previous, signer = digest("genesis", genesis), document["sequencer"]["key"]
    with closing(open_readonly(data / "ledger.db")) as database:
        findings.expect(
            database.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{name}: ledger.db is damaged"
        )
        findings.expect(
            database.execute("SELECT digest FROM genesis").fetchall() == [(previous,)], f"{name}: another genesis"
        )
        rows = database.execute("SELECT height, block FROM blocks ORDER BY height").fetchall()
        stored = {row[0]: row[1:] for row in database.execute("SELECT tx_id, height, position FROM transactions")}
    for expected, (height, raw) in enumerate(rows, start=1):
        what = f"{name}: block {height}"
        block = parse(raw, findings, what)
        head = block["head"]["head"]
        findings.expect(height == expected == head["height"], f"{what} does not follow")
        findings.expect(unb64u(head["previous"]) == previous, f"{what} names another block before it")
        findings.expect(head["chain_id"] == document["chain_id"], f"{what} is of another network")
        previous = digest("head", canonical(head))
        signature = unb64u(block["head"]["signature"])
        findings.expect(signed_by(signer, framed("head-signature", previous), signature), f"{what} is not signed")
        signer = head["next_signer"]
        _read_transactions(chain, block, height, findings, what)
        chain.heads.append(previous)
        chain.blocks.append(raw)
    seen = {entry.tx_id: (entry.height, entry.index) for entry in chain.entries if entry.code == "ok"}
    for tx_id, place in seen.items():
        findings.expect(stored.get(tx_id) == place, f"{name}: the index of transactions has another place for one")
    taken = sum(entry.code == "ok" for entry in chain.entries)
    findings.expect(taken == len(seen), f"{name}: a transaction was accepted twice")
    _check_height_file(chain, data / "ledger.height", findings)
    return chain


def compare(chains: list[Chain], findings: Findings) -> Chain:
    """Each is a prefix of the longest, byte for byte and head for head; the longest."""
    longest = max(chains, key=lambda chain: len(chain.blocks))
    for chain in chains:
        count = len(chain.blocks)
        findings.expect(chain.blocks == longest.blocks[:count], f"{chain.name}: its blocks differ from {longest.name}")
        findings.expect(chain.heads == longest.heads[:count], f"{chain.name}: its heads differ from {longest.name}")
    return longest


def _read_transactions(chain: Chain, block: Any, height: int, findings: Findings, what: str) -> None:
    head = block["head"]["head"]
    transactions = [unb64u(one) for one in block["transactions"]]
    results = block["results"]
    findings.expect(unb64u(head["txs_root"]) == tree_root(transactions), f"{what}: root of transactions")
    leaves = [canonical({"code": one["code"], "data": one["data"]}) for one in results]
    findings.expect(unb64u(head["results_root"]) == tree_root(leaves), f"{what}: root of results")
    findings.expect(len(transactions) == len(results), f"{what}: as many results as transactions")
    for index, (raw, result) in enumerate(zip(transactions, results, strict=False)):
        body = parse(raw, findings, f"{what}, transaction {index}")["body"]
        tx_id = digest("transaction-id", canonical(body))
        place = (body["sender"], body["kind"], body["payload"], result["code"], result["data"])
        chain.entries.append(Entry(tx_id, height, index, *place))


def _check_height_file(chain: Chain, path: Path, findings: Findings) -> None:
    """The height noted outside the database is at most one block behind it, and never ahead."""
    height, _, head = path.read_text("ascii").strip().partition(" ")
    at, count = int(height), len(chain.heads)
    if findings.expect(count - 1 <= at <= count, f"{chain.name}: height file at {at}, database at {count}") and at:
        findings.expect(chain.heads[at - 1].hex() == head, f"{chain.name}: height file names another head")
