"""Consents at the requester and their grants on the ledger (AUTH-3, AUTH-4)."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from typing import Any

from tools.checker.basics import Findings, b64u, digest, unb64u
from tools.checker.chain import Chain

__all__ = ["check_consents", "granted_ids"]


def granted_ids(chain: Chain) -> Counter[bytes]:
    """How often each consent id was granted; the rule allows one."""
    found: Counter[bytes] = Counter()
    for entry in chain.accepted("consent.grant"):
        for grant, code in zip(entry.payload["grants"], entry.data, strict=True):
            if code == "ok":
                found[digest("cid", unb64u(grant["rk"]), grant["not_after"], unb64u(grant["h"]))] += 1
    return found


def check_consents(
    name: str, did: str, database: sqlite3.Connection, chain: Chain, claims: dict[str, Any], findings: Findings
) -> None:
    """Acknowledged consents are kept with all tokens; every token that this member calls granted is, once."""
    granted = granted_ids(chain)
    findings.expect(all(times == 1 for times in granted.values()), "a consent was granted twice on the ledger")
    for claim in claims["consents"]:
        if claim["member"] != did:
            continue
        what = f"{name}: consent {claim['consent_id']}"
        query = "SELECT status, document FROM consent WHERE consent_id = ?"
        rows = database.execute(query, (claim["consent_id"],)).fetchall()
        findings.expect(len(rows) == 1, f"{what} is kept {len(rows)} times")
        query = "SELECT cid, state FROM consent_token WHERE consent_id = ?"
        tokens = dict(database.execute(query, (claim["consent_id"],)).fetchall())
        findings.expect({b64u(cid) for cid in tokens} == set(claim["cids"]), f"{what} has other tokens")
    withdrawn = {cid for claim in claims["withdrawals"] for cid in claim["cids"]}
    for cid, provider, raw, state, has_r in database.execute(
        "SELECT cid, provider, token, state, r IS NOT NULL FROM consent_token"
    ):
        what = f"{name}: token {b64u(cid)[:12]}"
        gone = b64u(cid) in withdrawn
        findings.expect(state == ("revoked" if gone else "granted"), f"{what} is {state} after settling")
        findings.expect(granted[cid] == 1, f"{what} is on the ledger {granted[cid]} times")
        findings.expect(has_r != gone, f"{what} was withdrawn and keeps its r" if gone else f"{what} has lost its r")
        findings.expect(json.loads(raw)["terms"]["provider"] == provider, f"{what} is for another provider")
