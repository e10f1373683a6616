"""Acts and the result that each must have under any engine, dated by the engine's own clock."""

from __future__ import annotations

from ledger_kit import BETA, GAMMA, PARTIES, Party, agreement_payload, anchor_payload, update_payload
from lianzheng.evidence.model import AnchorPayload, anchor_digest
from lianzheng.ledger.transaction import Transaction

PEOPLE = PARTIES


def dated_script(now_ms: int) -> list[tuple[Transaction, str]]:
    """Accepted ones, and refused ones with and without the nonce spent."""
    acts: list[tuple[Transaction, str]] = []
    previous: dict[str, bytes | None] = dict.fromkeys((party.did for party in PARTIES), None)
    for turn in range(3):
        for party in PARTIES:
            anchor = anchor_payload(previous[party.did], turn + 1)
            previous[party.did] = anchor_digest(party.did, AnchorPayload.from_json(anchor))
            nonce = 10 * turn
            update, agree = update_payload(turn, party.name), agreement_payload()
            code = "agreement_already_signed" if turn else "ok"
            acts += [
                (party.transaction("evidence.anchor", anchor, nonce + 1, now_ms=now_ms), "ok"),
                (party.transaction("evidence.anchor", anchor, nonce + 2, now_ms=now_ms), "anchor_previous_mismatch"),
                (party.transaction("member.update", update, nonce + 3, now_ms=now_ms), "ok"),
                (party.transaction("agreement.sign", agree, nonce + 4, now_ms=now_ms), code),
            ]
    person = Party("person", key_id="#key-1")
    create = {"operation": person.operation.to_json()}
    acts.append((person.transaction("did.create", create, 1, now_ms=now_ms), "ok"))
    acts.append((person.transaction("did.create", create, 2, now_ms=now_ms), "did_exists"))
    far, used = update_payload(1, "beta"), update_payload(1, "gamma")
    acts.append((BETA.transaction("member.update", far, 2**52, now_ms=now_ms), "nonce_too_far"))
    acts.append((GAMMA.transaction("member.update", used, 24, now_ms=now_ms), "nonce_used"))
    acts.append((BETA.transaction("member.update", far, 40, now_ms=now_ms, chain_id="other"), "chain_mismatch"))
    return acts
