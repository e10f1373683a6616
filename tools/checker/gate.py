"""Uses at a provider and receipts at its requesters (GATE-8, GATE-10); epochs and their keys (GATE-0)."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

from tools.checker.basics import Findings, b64u, canonical, digest, parse, unb64u
from tools.checker.chain import Chain

__all__ = ["check_answers", "check_epochs", "check_uses"]


_UNREPEATABLE = frozenset({"consent_revoked", "task_ended", "epoch_not_open", "request_time_skew"})
"""A repeat passes all gates again (GATE-8); what they refuse now was perhaps counted before, and its answer is gone."""


def check_uses(name: str, did: str, database: sqlite3.Connection, findings: Findings) -> dict[bytes, tuple[bytes, Any]]:
    """Counts equal what was answered, each use once; the provider's receipts by request hash."""
    receipts: dict[bytes, tuple[bytes, Any]] = {}
    uses: set[tuple[bytes, str, int]] = set()
    task_uses: set[tuple[bytes, bytes, str, int]] = set()
    answers: Counter[tuple[str, int]] = Counter()
    for request_hash, raw, raw_answer in database.execute("SELECT request_hash, request, answer FROM gate_receipt"):
        request, answer = parse(raw, findings, f"{name}: a request"), parse(raw_answer, findings, f"{name}: an answer")
        unsigned = {key: value for key, value in request.items() if key != "signature"}
        findings.expect(digest("gate-request", canonical(unsigned)) == request_hash, f"{name}: a request's hash")
        findings.expect(unb64u(answer["request"]) == request_hash, f"{name}: an answer to another request")
        findings.expect(request["provider"] == did == answer["provider"], f"{name}: a receipt of another provider")
        receipts[request_hash] = (raw, answer)
        cid, task = unb64u(request["cid"]), unb64u(request["task"])
        for view in request["views"]:
            use = (view["view"], view["epoch"])
            answers[use] += 1
            uses.add((cid, *use))
            task_uses.add((task, cid, *use))
    counted = database.execute("SELECT cid, view, epoch FROM gate_use").fetchall()
    findings.expect(sorted(counted) == sorted(uses), f"{name}: {len(counted)} uses counted, {len(uses)} answered")
    by_task = database.execute("SELECT task, cid, view, epoch FROM gate_task_use").fetchall()
    findings.expect(sorted(by_task) == sorted(task_uses), f"{name}: uses of tasks differ from what was answered")
    for task, number in database.execute("SELECT task, uses FROM gate_task"):
        due = sum(use[0] == task for use in task_uses)
        findings.expect(number == due, f"{name}: task {b64u(task)[:12]} counts {number}, answered {due}")
    for view, epoch, number in database.execute("SELECT view, epoch, answers FROM compute_view_epoch"):
        due = answers[view, epoch]
        findings.expect(number == due, f"{name}: {view}@{epoch} counts {number} answers, gave {due}")
    return receipts


def check_answers(
    name: str,
    did: str,
    database: sqlite3.Connection,
    providers: dict[str, dict[bytes, tuple[bytes, Any]]],
    claims: dict[str, Any],
    findings: Findings,
) -> None:
    """Each receipt that this requester keeps stands at its provider, once, with the same bytes and within max_uses."""
    kept: Counter[tuple[str, bytes]] = Counter()
    for provider, cid, request_hash, raw in database.execute(
        "SELECT provider, cid, request_hash, receipt FROM received_receipt"
    ):
        receipt = parse(raw, findings, f"{name}: a receipt")
        held = providers[provider].get(request_hash)
        same = held is not None and held == (canonical(receipt["request"]), receipt["answer"])
        findings.expect(same, f"{name}: a receipt of {provider[-8:]} is not among that provider's")
        kept[provider, cid] += 1
    _check_unheard(name, did, database, providers, findings)
    clients = dict(database.execute("SELECT cid, client_reference FROM consent_token JOIN consent USING (consent_id)"))
    shown = Counter((claim["provider"], claim["client"]) for claim in claims["answers"] if claim["requester"] == did)
    for (provider, client), times in shown.items():
        found = sum(number for (one, cid), number in kept.items() if one == provider and clients.get(cid) == client)
        findings.expect(found >= times, f"{name}: {times} answers were shown to the clerk, {found} receipts are kept")
    for cid, provider, raw in database.execute("SELECT cid, provider, token FROM consent_token"):
        allowed = parse(raw, findings, f"{name}: a token")["terms"]["max_uses"]
        requests = [parse(held[0], findings, "a request") for held in providers.get(provider, {}).values()]
        used = {
            (view["view"], view["epoch"])
            for request in requests
            if unb64u(request["cid"]) == cid
            for view in request["views"]
        }
        findings.expect(len(used) <= allowed, f"{name}: token {b64u(cid)[:12]} was used {len(used)} of {allowed} times")


def _check_unheard(
    name: str,
    did: str,
    database: sqlite3.Connection,
    providers: dict[str, dict[bytes, tuple[bytes, Any]]],
    findings: Findings,
) -> None:
    """What a provider has counted for this requester is a receipt here, or a question that may not be repeated."""
    kept = {row[0] for row in database.execute("SELECT request_hash FROM received_receipt")}
    asks = dict(database.execute("SELECT request_hash, code FROM gate_ask"))
    for request_hash, code in asks.items():
        findings.expect(code != "", f"{name}: a question is left open after settling")
        findings.expect(request_hash not in kept, f"{name}: a question with a receipt is still kept")
    for provider, receipts in providers.items():
        for request_hash, (raw, _) in receipts.items():
            if parse(raw, findings, "a request")["requester"] == did:
                here = request_hash in kept or asks.get(request_hash) in _UNREPEATABLE
                findings.expect(here, f"{name}: a use counted by {provider[-8:]} has no receipt here")


def check_epochs(
    name: str,
    did: str,
    database: sqlite3.Connection,
    key_names: set[str],
    chain: Chain,
    claims: dict[str, Any],
    findings: Findings,
) -> None:
    """Published here means published on the ledger, under the key that the key store holds; no stray key is left."""
    committed = {(e.payload["view"], e.payload["epoch"]): e.payload for e in chain.accepted("epoch.commit", did)}
    published = Counter((e.payload["view"], e.payload["epoch"]) for e in chain.accepted("epoch.publish", did))
    findings.expect(all(times == 1 for times in published.values()), f"{name}: an epoch was published twice")
    local = {}
    rows = database.execute("SELECT view, epoch, key_name, status, table_bytes IS NOT NULL FROM compute_view_epoch")
    for view, epoch, key_name, status, has_table in rows:
        what = f"{name}: {view}@{epoch} ({status})"
        local[view, epoch] = status
        findings.expect(key_name in key_names, f"{what}: its key is not in the key store")
        findings.expect(bool(has_table), f"{what}: its table is missing")
        payload = committed.get((view, epoch))
        if status in ("committed", "published", "ended") and findings.expect(payload is not None, f"{what}: no commit"):
            findings.expect(key_name == f"view-key/{payload and payload['key_point']}", f"{what}: another key")
        findings.expect((published[view, epoch] == 1) == (status == "published"), f"{what}: the ledger says otherwise")
    own = {row for row in key_names if row.startswith("view-key/")}
    used = {row[0] for row in database.execute("SELECT key_name FROM compute_view_epoch")}
    findings.expect(own == used, f"{name}: {len(own - used)} stray view keys")
    for view, epoch in published:
        findings.expect((view, epoch) in local, f"{name}: {view}@{epoch} is on the ledger and not here")
    for claim in claims["epochs"]:
        if claim["provider"] == did:
            at = (claim["view"], claim["epoch"])
            findings.expect(local.get(at) == "published", f"{name}: acknowledged {at} is {local.get(at)}")
