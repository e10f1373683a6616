"""``python -m tools.checker.comet claims.json``: what members under CometBFT keep, against what was acknowledged.

Reads each member's ``ledger.db``, its engine's own interface (or what was kept of its answers), the log of receipts,
the proofs that were given, and the heights that were seen; knows nothing of the code under test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from tools.checker.basics import Findings, canonical, digest, tree_root, unb64u
from tools.checker.comet_bytes import header_hash, signed_power
from tools.checker.comet_chain import CometChain, check_engine, read_comet

__all__ = ["main"]

_ANCHOR = "evidence.anchor"


def main(path: Path) -> int:
    """Check all members that the claims name; 0 if nothing contradicts."""
    claims, findings = json.loads(path.read_bytes()), Findings()
    genesis = Path(claims["genesis"]).read_bytes()
    chain_id = json.loads(genesis)["chain_id"]
    chains = []
    for node in claims["nodes"]:
        chain = read_comet(node, genesis, findings)
        chains.append(chain)
        if node["rpc"] is not None:
            check_engine(node, chain, chain_id, findings)
    longest = max(chains, key=lambda chain: (-chain.base, chain.top))
    _compare(chains, longest, findings)
    whole = [chain for chain, node in zip(chains, claims["nodes"], strict=True) if node.get("until") is None]
    receipts = _check_receipts(Path(claims["receipts"]), whole, findings)
    proofs = _check_proofs(Path(claims["proofs"]), longest, chain_id, claims["nodes"][0]["validators"], findings)
    _check_heights(Path(claims["heights"]), findings)
    for text in findings.texts[:50]:
        print(text)
    print(
        f"{findings.checked} checks, {len(findings.texts)} contradictions; height {longest.top}, "
        f"{receipts} acknowledged transactions, {proofs} proofs"
    )
    return 1 if findings.texts else 0


def _compare(chains: list[CometChain], longest: CometChain, findings: Findings) -> None:
    """No two blocks at one height, and the same application hash after it."""
    for chain in chains:
        for height, block in chain.blocks.items():
            other = longest.blocks.get(height)
            what = f"{chain.name}: block {height}"
            if other is None:
                findings.expect(False, f"{what} is not with {longest.name}")
                continue
            findings.expect(block.hash == other.hash, f"{what} is another block than {longest.name}'s")
            findings.expect(block.app_hash == other.app_hash, f"{what}: another app_hash than {longest.name}'s")
            same = (block.transactions, block.results, block.time_ms)
            findings.expect(same == (other.transactions, other.results, other.time_ms), f"{what}: another content")


def _check_receipts(path: Path, chains: list[CometChain], findings: Findings) -> int:
    """Every acknowledged transaction stands where its receipt says, at every member."""
    lines = path.read_bytes().splitlines(keepends=True)
    claims = [json.loads(line) for line in lines if line.endswith(b"\n")]
    for claim in claims:
        height, index, tx_id = claim["height"], claim["index"], unb64u(claim["tx_id"])
        for chain in chains:
            if height <= chain.base:
                continue
            block = chain.blocks.get(height)
            entry = block.entries[index] if block is not None and 0 <= index < len(block.entries) else None
            stands = entry is not None and (entry.tx_id, entry.code) == (tx_id, "ok")
            findings.expect(stands, f"{chain.name}: no acknowledged transaction at {height}/{index}")
    places = {(claim["height"], claim["index"]) for claim in claims}
    findings.expect(len(places) == len(claims), "two receipts name one place")
    return len(claims)


def _check_proofs(
    folder: Path, chain: CometChain, chain_id: str, validators: dict[str, int], findings: Findings
) -> int:
    """Every proof that was given holds for itself, and stands on this chain and on no other."""
    keys = {base64.b64decode(key): power for key, power in validators.items()}
    log = [
        canonical(
            {
                "height": block.height,
                "time_ms": block.time_ms,
                "sender": entry.body["sender"],
                "payload": entry.body["payload"],
            }
        )
        for block in chain.blocks.values()
        for entry in block.entries
        if entry.code == "ok" and entry.body["kind"] == _ANCHOR
    ]
    count = 0
    for path in sorted(folder.glob("*.json")):
        proof, what, count = json.loads(path.read_bytes()), f"proof {path.stem}", count + 1
        index, size = proof["index"], proof["log_size"]
        entry, root = unb64u(proof["entry"]), unb64u(proof["log_root"])
        inside = _included(entry, index, size, [unb64u(node) for node in proof["path"]], root)
        findings.expect(inside, f"{what}: the entry is not in the log")
        findings.expect(log[index : index + 1] == [entry], f"{what}: the chain has another entry")
        findings.expect(tree_root(log[:size]) == root, f"{what}: the chain's log has another root")
        header = proof["head"]["header"]
        app_hash = digest("app-hash", proof["schema"], root, size, unb64u(proof["state_root"]))
        findings.expect(unb64u(header["app_hash"]) == app_hash, f"{what}: the header has another application hash")
        block = chain.blocks.get(header["height"])
        _check_head(proof["head"], None if block is None else block.hash, chain_id, keys, what, findings)
    return count


def _check_head(
    head: Any, stands: bytes | None, chain_id: str, keys: dict[bytes, int], what: str, findings: Findings
) -> None:
    """The head of a proof hashes to the block that stands at its height, and enough power has signed it."""
    header, commit = _header(head["header"]), _commit(head)
    name = header_hash(header)
    findings.expect(bytes.fromhex(commit["block_id"]["hash"]) == name, f"{what}: the commit is of another block")
    findings.expect(stands == name, f"{what}: another block stands at height {header['height']}")
    power = signed_power(chain_id, commit, keys)
    findings.expect(3 * power > 2 * sum(keys.values()), f"{what}: too little power has signed")


def _header(value: Any) -> Any:
    """The bundle's header in the words of the engine."""
    plain = {name: unb64u(text).hex() for name, text in value.items() if name.endswith(("_hash", "_address"))}
    return plain | {
        "version": {"block": value["version_block"], "app": value.get("version_app", 0)},
        "chain_id": value["chain_id"],
        "height": value["height"],
        "time": _time(value["time"]),
        "last_block_id": _block_id(value["last_block_id"]),
    }


def _commit(head: Any) -> Any:
    commit, validators = head["commit"], head["validators"]
    signatures = []
    for one in commit["signatures"]:
        key = unb64u(validators[one["validator"]]["key"])
        signatures.append(
            {
                "block_id_flag": 2,
                "validator_address": hashlib.sha256(key).digest()[:20].hex().upper(),
                "timestamp": _time(one["time"]),
                "signature": one["signature"].replace("-", "+").replace("_", "/") + "==",
            }
        )
    return {
        "height": head["header"]["height"],
        "round": commit["round"],
        "block_id": _block_id(commit["block_id"]),
        "signatures": signatures,
    }


def _block_id(value: Any) -> Any:
    parts = {"total": value["parts_total"], "hash": unb64u(value["parts_hash"]).hex()}
    return {"hash": unb64u(value["hash"]).hex(), "parts": parts}


def _time(value: Any) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(value["seconds"]))
    return f"{whole}.{value['nanos']:09d}Z"


def _included(entry: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2, from the leaf up by the sizes of the subtrees."""

    def up(low: int, high: int, rest: list[bytes]) -> bytes | None:
        if high - low == 1:
            return None if rest else hashlib.sha256(b"\x00" + entry).digest()
        if not rest:
            return None
        split = 1
        while 2 * split < high - low:
            split *= 2
        *below, beside = rest
        if index < low + split:
            here = up(low, low + split, below)
            return None if here is None else hashlib.sha256(b"\x01" + here + beside).digest()
        here = up(low + split, high, below)
        return None if here is None else hashlib.sha256(b"\x01" + beside + here).digest()

    return 0 <= index < size and up(0, size, path) == root


def _check_heights(path: Path, findings: Findings) -> None:
    """No member ever shows a lower height than before, whatever was killed, unless part of its log was taken away."""
    last: dict[str, int] = {}
    for line in path.read_bytes().splitlines():
        seen = json.loads(line)
        name, height = seen["node"], seen["height"]
        if "truncated" not in seen:
            findings.expect(height >= last.get(name, 0), f"{name}: at {height} after {last.get(name)}")
        last[name] = height


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
