"""One member's chain under CometBFT: its ``ledger.db``, and what its engine says over its own interface."""

from __future__ import annotations

import base64
import json
import sqlite3
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.checker.basics import Findings, canonical, digest, parse
from tools.checker.chain import open_readonly
from tools.checker.comet_bytes import header_hash, results_hash, signed_power, txs_hash, validators_hash

__all__ = ["Block", "CometChain", "Entry", "check_engine", "read_comet"]

_PAGE = 20
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Entry:
    """One transaction of a block."""

    tx_id: bytes | None
    """None for bytes that are no transaction: a byzantine proposer may put them there."""
    body: Any
    code: str


@dataclass(frozen=True)
class Block:
    """One row."""

    height: int
    time_ms: int
    hash: bytes
    app_hash: bytes
    transactions: bytes
    results: bytes
    entries: tuple[Entry, ...]
    wires: tuple[bytes, ...]


@dataclass
class CometChain:
    """What one member has; ``base`` is the height of the snapshot that it began with."""

    name: str
    base: int = 0
    blocks: dict[int, Block] = field(default_factory=dict)

    @property
    def top(self) -> int:
        """Its last height."""
        return max(self.blocks, default=self.base)


def read_comet(node: Any, genesis: bytes, findings: Findings) -> CometChain:
    """Every block from the first on, without a gap, its transactions where the index has them."""
    name, chain = node["name"], CometChain(node["name"])
    until = node.get("until")
    with closing(open_readonly(Path(node["database"]))) as database:
        whole = database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        findings.expect(whole, f"{name}: ledger.db is damaged")
        named = database.execute("SELECT digest FROM genesis").fetchall()
        findings.expect(named == [(digest("genesis", genesis),)], f"{name}: another genesis")
        base = database.execute("SELECT max(height) FROM base").fetchone()[0]
        chain.base = base or 0
        _read_blocks(database, chain, until, findings)
        _check_index(database, chain, until, findings)
        file_height = int(Path(node["height_file"]).read_text("ascii").split()[0])
        now = database.execute("SELECT max(height) FROM blocks").fetchone()[0] or chain.base
    if until is None:
        near = chain.top - 1 <= file_height <= now
        findings.expect(near, f"{name}: height file at {file_height}, database at {chain.top} to {now}")
    return chain


def _read_blocks(database: sqlite3.Connection, chain: CometChain, until: int | None, findings: Findings) -> None:
    expected, last_ms = chain.base + 1, 0
    columns = "height, time_ms, hash, app_hash, transactions, results"
    for row in database.execute(f"SELECT {columns} FROM blocks ORDER BY height"):  # noqa: S608 - a constant
        height: int = row[0]
        if until is not None and height > until:
            return
        what = f"{chain.name}: block {height}"
        findings.expect(height == expected, f"{what} does not follow {expected - 1}")
        findings.expect(row[1] >= last_ms, f"{what}: time goes back")
        expected, last_ms = height + 1, row[1]
        wires, codes = _split(row[4]), [one["code"] for one in parse(row[5], findings, what)]
        findings.expect(len(wires) == len(codes), f"{what}: as many results as transactions")
        entries = tuple(_entry(wire, code) for wire, code in zip(wires, codes, strict=False))
        chain.blocks[height] = Block(height, row[1], row[2], row[3], row[4], row[5], entries, tuple(wires))


def _check_index(database: sqlite3.Connection, chain: CometChain, until: int | None, findings: Findings) -> None:
    index = {row[0]: row[1:] for row in database.execute("SELECT tx_id, height, position FROM transactions")}
    taken: dict[bytes, tuple[int, int]] = {}
    for block in chain.blocks.values():
        for position, entry in enumerate(block.entries):
            if entry.code != "ok" or entry.tx_id is None:
                continue
            place = (block.height, position)
            findings.expect(entry.tx_id not in taken, f"{chain.name}: a transaction was accepted twice, at {place}")
            taken[entry.tx_id] = place
            findings.expect(index.get(entry.tx_id) == place, f"{chain.name}: the index has another place than {place}")


def check_engine(node: Any, chain: CometChain, chain_id: str, findings: Findings) -> None:
    """The engine's headers name exactly these blocks, and more than 2/3 of the power has signed each."""
    validators = {base64.b64decode(key): power for key, power in node["validators"].items()}
    total, name = sum(validators.values()), chain.name
    said = _engine(node, chain)
    headers = {int(one["header"]["height"]): one["header"] for one in said["headers"]}
    named = validators_hash(validators)
    for height, block in chain.blocks.items():
        header, what = headers.get(height), f"{name}: header {height}"
        if header is None:
            findings.expect(height == chain.top, f"{what} is missing")
            continue
        findings.expect(header_hash(header) == block.hash, f"{what} is not that of the applied block")
        findings.expect(bytes.fromhex(header["data_hash"]) == txs_hash(list(block.wires)), f"{what}: transactions")
        findings.expect(bytes.fromhex(header["validators_hash"]) == named, f"{what}: validators")
        _check_before(header, chain.blocks.get(height - 1), what, findings)
    for commit in said["commits"]:
        height = int(commit["height"])
        signed = chain.blocks.get(height)
        what = f"{name}: commit {height}"
        if signed is not None:
            findings.expect(bytes.fromhex(commit["block_id"]["hash"]) == signed.hash, f"{what} is of another block")
        findings.expect(3 * signed_power(chain_id, commit, validators) > 2 * total, f"{what}: too little power")


def _check_before(header: Any, before: Block | None, what: str, findings: Findings) -> None:
    """A header carries what the block before it did to the state."""
    if before is None:
        return
    findings.expect(bytes.fromhex(header["app_hash"]) == before.app_hash, f"{what}: another app_hash than applied")
    findings.expect(bytes.fromhex(header["last_block_id"]["hash"]) == before.hash, f"{what}: another block before")
    results = [(0 if one["code"] == "ok" else 1, canonical(one)) for one in json.loads(before.results)]
    findings.expect(bytes.fromhex(header["last_results_hash"]) == results_hash(results), f"{what}: results")


def _engine(node: Any, chain: CometChain) -> Any:
    """Headers and commits of all heights: asked of the engine and kept, or as kept."""
    kept = Path(node["kept"])
    if kept.is_file():
        return json.loads(kept.read_bytes())
    said: dict[str, list[Any]] = {"headers": [], "commits": []}
    for low in range(chain.base + 1, chain.top + 1, _PAGE):
        high = min(low + _PAGE - 1, chain.top)
        said["headers"] += _ask(node, f"blockchain?minHeight={low}&maxHeight={high}")["block_metas"]
    for height in range(chain.base + 1 + node["share"], chain.top + 1, node["shares"]):
        said["commits"].append(_ask(node, f"commit?height={height}")["signed_header"]["commit"])
    kept.write_text(json.dumps(said))
    return said


def _ask(node: Any, path: str) -> Any:
    with urllib.request.urlopen(f"http://{node['rpc']}/{path}", timeout=_TIMEOUT_S) as answer:
        return json.load(answer)["result"]


def _entry(wire: bytes, code: str) -> Entry:
    try:
        body = json.loads(wire)["body"]
        return Entry(digest("transaction-id", canonical(body)), body, code)
    except (ValueError, TypeError, KeyError):
        return Entry(None, None, code)


def _split(data: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return parts
