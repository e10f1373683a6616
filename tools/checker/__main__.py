"""``python -m tools.checker claims.json``."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.pwhash import argon2id
from tools.checker.acts import check_loads, check_procedures, check_silence, check_tasks
from tools.checker.basics import Findings, framed, unb64u
from tools.checker.chain import Chain, compare, open_readonly, read_chain
from tools.checker.consents import check_consents
from tools.checker.evidence import check_evidence
from tools.checker.gate import check_answers, check_epochs, check_uses

_HEADER, _NONCE = 7 + 16, 12


def main(path: Path) -> int:
    """Check all homes that the claims name; 0 if nothing contradicts."""
    claims, findings = json.loads(path.read_bytes()), Findings()
    genesis = Path(claims["genesis"]).read_bytes()
    homes = {member["did"]: (member["name"], Path(member["home"])) for member in claims["members"]}
    chains = [read_chain(name, home, genesis, findings) for name, home in homes.values()]
    longest = compare(chains, findings)
    for claim in claims["transactions"]:
        for chain in chains:
            _check_place(chain, claim, findings)
    databases = {did: open_readonly(home / "data" / "node.db") for did, (_, home) in homes.items()}
    try:
        _check_members(homes, databases, longest, claims, findings)
    finally:
        for database in databases.values():
            database.close()
    for text in findings.texts:
        print(text)
    print(f"{findings.checked} checks, {len(findings.texts)} contradictions, height {len(longest.blocks)}")
    return 1 if findings.texts else 0


def _check_members(
    homes: dict[str, tuple[str, Path]],
    databases: dict[str, sqlite3.Connection],
    chain: Chain,
    claims: dict[str, Any],
    findings: Findings,
) -> None:
    providers = {did: check_uses(homes[did][0], did, database, findings) for did, database in databases.items()}
    check_tasks(chain, claims, findings)
    refused = {did: _refused(database) for did, database in databases.items()}
    check_silence(chain, providers, refused, claims, findings)
    for did, database in databases.items():
        name, home = homes[did]
        sound = database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        findings.expect(sound and not database.execute("PRAGMA foreign_key_check").fetchall(), f"{name}: node.db")
        check_evidence(name, did, database, chain, claims, findings)
        check_consents(name, did, database, chain, claims, findings)
        check_answers(name, did, database, providers, claims, findings)
        check_epochs(name, did, database, _key_names(home), chain, claims, findings)
        _check_enrolments(name, did, database, claims, findings)
        check_loads(name, did, database, claims, findings)
        check_procedures(name, did, database, claims, findings)


def _refused(database: sqlite3.Connection) -> set[bytes]:
    return {row[0] for row in database.execute("SELECT cid FROM consent_refusal")}


def _check_place(chain: Chain, claim: dict[str, Any], findings: Findings) -> None:
    tx_id, place = unb64u(claim["tx_id"]), (claim["height"], claim["index"])
    found = [(entry.height, entry.index) for entry in chain.entries if entry.tx_id == tx_id and entry.code == "ok"]
    findings.expect(found == [place], f"{chain.name}: acknowledged transaction at {found}, receipt says {place}")


def _check_enrolments(
    name: str, did: str, database: sqlite3.Connection, claims: dict[str, Any], findings: Findings
) -> None:
    for claim in claims["enrolments"]:
        if claim["issuer"] == did:
            query = "SELECT count(*) FROM enrolment_issued WHERE did = ?"
            (count,) = database.execute(query, (claim["did"],)).fetchone()
            findings.expect(count >= 1, f"{name}: an acknowledged enrolment is not kept")
            query = "SELECT count(*) FROM enrolment_holder WHERE did = ?"
            (count,) = database.execute(query, (claim["did"],)).fetchone()
            findings.expect(count == 1, f"{name}: {count} holder keys of one wallet")


def _key_names(home: Path) -> set[str]:
    """Names in the sealed key store, opened by its published layout."""
    file = json.loads((home / "keys.sealed").read_bytes())
    passphrase = (home / "passphrase").read_bytes().strip()
    wrapped = unb64u(file["wrapped"])
    header = wrapped[:_HEADER]
    key = argon2id.kdf(32, passphrase, header[7:], opslimit=3, memlimit=64 * 1024 * 1024)
    file_key = _open(bytes(key), wrapped[_HEADER:], framed("sealed-box", header, b"lianzheng/keystore/1/wrapped"))
    aad = b"lianzheng/keystore/1/body" + hashlib.sha256(wrapped).digest()
    return set(json.loads(_open(file_key, unb64u(file["body"]), aad))["entries"])


def _open(key: bytes, box: bytes, aad: bytes) -> bytes:
    return AESGCM(key).decrypt(box[:_NONCE], box[_NONCE:], aad)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
