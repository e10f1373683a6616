"""``apply``: authentication, nonces, atomicity (LED-1..4) with every refusal and what it may change."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from ledger_kit import (
    AGREEMENT,
    ALPHA,
    BETA,
    CHAIN,
    START_MS,
    Party,
    agreement_payload,
    anchor_payload,
    make_genesis,
    update_payload,
)
from lianzheng.contracts.machine import Machine
from lianzheng.contracts.permissions import PERMISSIONS
from lianzheng.contracts.registry import ALL_RULES
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.model import Record
from lianzheng.errors import ConfigError, LianzhengError, RefusedError
from lianzheng.evidence.model import AnchorPayload, anchor_digest
from lianzheng.governance.model import AgreementSign, agreement_key, member_key
from lianzheng.ledger.context import Effects, RuleSpec
from lianzheng.ledger.ports import TxResult

NOW = START_MS + 1000
DAY_MS = 24 * 3600 * 1000


def _machine(*rules: RuleSpec) -> Machine:
    table = {**PERMISSIONS, **{rule.kind: {"member": ("running",)} for rule in rules}}
    return Machine(make_genesis(), (*ALL_RULES, *rules), table)


def _apply(machine: Machine, data: bytes, time_ms: int = NOW) -> TxResult:
    return machine.execute_block(machine.height + 1, time_ms, [data])[0]


def _sign(nonce: int | None = 1, party: Party = BETA, **changes: Any) -> bytes:
    kind, payload = changes.pop("kind", "agreement.sign"), changes.pop("payload", agreement_payload())
    return party.transaction(kind, payload, nonce, **changes).to_bytes()


def test_an_accepted_transaction_writes_state_and_nonce() -> None:
    machine = _machine()
    assert _apply(machine, _sign()).ok
    assert machine.state.get(agreement_key(AGREEMENT, BETA.did)) is not None
    assert machine.state.get(f"nonce/{BETA.did}/#node") == {"max": 1, "used": "0000000000000001"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json_malformed"),
        (b"{}", "field_invalid"),
        (b"[" * 100, "json_malformed"),
        (_sign() + b" ", "json_not_canonical"),
        (_sign().replace(b'"alg":"Ed25519"', b'"alg":"RS256"'), "field_invalid"),
        (b"x" * 70_000, "too_large"),
        (_sign(chain_id="other-chain"), "chain_mismatch"),
        (_sign(kind="no.such_kind"), "kind_unknown"),
        (_sign(payload={}), "field_invalid"),
        (_sign(payload=agreement_payload() | {"more": 1}), "field_invalid"),
        (BETA.transaction("consent.grant", {"v": True, "grants": []}, 1).to_bytes(), "field_invalid"),
        (_sign(nonce=None), "nonce_missing"),
        (_sign(key_id="#other"), "key_unknown"),
        (_sign(sender=Party("stranger").did), "sender_unknown"),
        (_sign(sender=Party("foreign", "other-chain").did), "sender_unknown"),
        (_sign(sender="rk:short"), "field_invalid|length_invalid|base64url_invalid|key_unknown"),
        (_sign(sender=ALPHA.did), "signature_invalid"),
        (_sign(expires_at=NOW - 1), "transaction_expired"),
        (_sign(expires_at=NOW + DAY_MS + 10), "expiry_too_far"),
        (_sign(nonce=65), "nonce_too_far"),
        (_sign(nonce=2**53 - 1), "nonce_too_far"),
    ],
)
def test_a_refusal_before_authentication_changes_nothing(data: bytes, code: str) -> None:
    machine = _machine()
    before = machine.app_hash()
    result = _apply(machine, data)
    assert result.code in code.split("|") and not result.final
    assert machine.app_hash() == before
    assert machine.check(data, NOW).code == result.code
    assert _apply(machine, _sign()).ok, "the same nonce still stands"


def test_the_door_looks_at_the_committed_state() -> None:
    """A transaction in a block in flight, sent again by who waits for its receipt, is not told "nonce_used"."""
    machine = _machine()
    data = _sign()
    assert machine.execute_block(1, NOW, [data])[0].ok
    assert machine.check(data, NOW).ok
    machine.commit()
    assert machine.check(data, NOW).code == "nonce_used"


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("agreement.sign", AgreementSign(agreement=b"o" * 32).to_json(), "agreement_unknown"),
        (
            "member.update",
            update_payload(1) | {"certificate": b64u_encode(b"certificate of gamma")},
            "certificate_in_use",
        ),
        ("evidence.anchor", anchor_payload(b"p" * 32), "anchor_previous_mismatch"),
    ],
)
def test_a_refusal_after_authentication_uses_the_nonce_and_nothing_else(kind: str, payload: Any, code: str) -> None:
    machine, clean = _machine(), _machine()
    data = BETA.transaction(kind, payload, 1).to_bytes()
    result = _apply(machine, data)
    assert result.code == code and result.final
    assert dict(machine.state.scan("")).keys() - dict(clean.state.scan("")).keys() == {f"nonce/{BETA.did}/#node"}
    assert _apply(machine, data).code == "nonce_used"


def test_a_refused_act_cannot_be_sent_again_when_it_fits() -> None:
    machine = _machine()
    first = AnchorPayload.from_json(anchor_payload(None))
    early = BETA.transaction("evidence.anchor", anchor_payload(anchor_digest(BETA.did, first), 2), 1).to_bytes()
    assert _apply(machine, early).code == "anchor_previous_mismatch"
    assert _apply(machine, BETA.transaction("evidence.anchor", first.to_json(), 2).to_bytes()).ok
    assert _apply(machine, early).code == "nonce_used"


def test_the_nonce_window_slides() -> None:
    machine = _machine()

    def send(nonce: int) -> str:
        return _apply(machine, BETA.transaction("member.update", update_payload(nonce, "beta"), nonce).to_bytes()).code

    assert [send(nonce) for nonce in (64, 1, 128, 65, 64, 128, 193)] == [
        "ok", "ok", "ok", "ok", "nonce_too_old", "nonce_used", "nonce_too_far",
    ]  # fmt: skip
    assert [send(nonce) for nonce in (127, 66, 192, 128, 129)] == ["ok", "ok", "ok", "nonce_too_old", "ok"]


def test_senders_that_are_no_active_members() -> None:
    machine = _machine()
    person = Party("person", key_id="#key-1")
    create = person.transaction("did.create", {"operation": person.operation.to_json()}, 1).to_bytes()
    assert _apply(machine, create).ok
    assert _apply(machine, create).code == "nonce_used"
    assert _apply(machine, _sign(2, person)).code == "role_not_permitted"
    other = Party("other person", key_id="#key-1")
    stolen = other.transaction("did.create", {"operation": person.operation.to_json()}, 3, sender=person.did)
    assert _apply(machine, stolen.to_bytes()).code == "signature_invalid"
    renamed = person.transaction("did.create", {"operation": person.operation.to_json()}, 3, sender=other.did)
    assert _apply(machine, renamed.to_bytes()).code == "sender_unknown"
    record = dict(machine.state.get(member_key(BETA.did)) or {}) | {"phase": "suspended"}
    machine._state.apply([(member_key(BETA.did), record)])
    assert _apply(machine, _sign()).code == "member_not_active"


def test_a_consent_key_is_its_own_authority_and_has_no_nonce() -> None:
    machine = _machine()
    seed = b"k" * 32
    rk = ed25519.public_key(seed)
    holder = Party("holder")
    object.__setattr__(holder, "seed", seed)
    payload = {"cid": None, "rk": b64u_encode(rk), "not_after": "2026-12-31", "h": b64u_encode(b"h" * 32)}
    name = f"rk:{b64u_encode(rk)}"
    revoke = holder.transaction("consent.revoke", payload, None, sender=name, key_id="")
    result = _apply(machine, revoke.to_bytes())
    if result.code == "field_invalid":  # the payload's shape is the consent slice's to say
        payload.pop("cid")
        revoke = holder.transaction("consent.revoke", payload, None, sender=name, key_id="")
        result = _apply(machine, revoke.to_bytes())
    assert result.ok, result
    assert _apply(machine, revoke.to_bytes()).code == "already_revoked"
    machine.commit()
    assert machine.check(revoke.to_bytes(), NOW).code == "already_revoked", "refused at the door too (AUTH-4)"
    with_nonce = holder.transaction("consent.revoke", payload, 1, sender=name, key_id="")
    assert _apply(machine, with_nonce.to_bytes()).code == "nonce_unexpected"


def test_defects_of_rules_become_one_refusal_and_leave_no_half_effects() -> None:
    def rule(outcome: Effects | Exception) -> RuleSpec:
        def run(*_: object) -> Effects:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return RuleSpec("test.rule", AgreementSign, run)

    outcomes: list[tuple[Effects | Exception, str]] = [
        (KeyError("x"), "internal_refusal"),
        (ZeroDivisionError(), "internal_refusal"),
        (RecursionError(), "internal_refusal"),
        (RefusedError("some_reason", "text"), "some_reason"),
        (Effects(writes=(("a", {"v": 1}), ("b", {"v": 0.5}))), "json_type"),
        (Effects(writes=(("a", {"v": 1}),), data={"v": {1, 2}}), "json_type"),
        (Effects(writes=(("a", {"v": 1}),), log=("text",)), "log_entry_invalid"),  # type: ignore[arg-type]
    ]
    for outcome, code in outcomes:
        machine = _machine(rule(outcome))
        result = _apply(machine, BETA.transaction("test.rule", agreement_payload(), 1).to_bytes())
        assert result.code == code
        assert machine.state.get("a") is None and machine.log.size == 0


class _Versioned(Record):
    v: Literal[1] = 1


@pytest.mark.parametrize(("payload", "code"), [({}, "json_not_canonical"), ({"v": True}, "field_invalid")])
def test_a_payload_has_one_encoding(payload: dict[str, Any], code: str) -> None:
    """Python takes ``True`` for 1, and a default stands in for a missing member; neither is the one form."""
    machine = _machine(RuleSpec("test.rule", _Versioned, lambda *_: Effects()))
    before = machine.app_hash()
    assert _apply(machine, BETA.transaction("test.rule", payload, 1).to_bytes()).code == code
    assert machine.app_hash() == before
    assert _apply(machine, BETA.transaction("test.rule", {"v": 1}, 1).to_bytes()).ok


def test_a_full_disk_or_memory_stops_the_node_instead_of_becoming_a_result() -> None:
    def run(*_: object) -> Effects:
        raise MemoryError

    machine = _machine(RuleSpec("test.rule", AgreementSign, run))
    with pytest.raises(MemoryError):
        _apply(machine, BETA.transaction("test.rule", agreement_payload(), 1).to_bytes())


def test_the_log_takes_accepted_anchors_only_and_their_leaf_is_as_specified() -> None:
    machine = _machine()
    payload = anchor_payload(None)
    assert _apply(machine, BETA.transaction("evidence.anchor", payload, 1).to_bytes()).ok
    assert _apply(machine, BETA.transaction("evidence.anchor", payload, 2).to_bytes()).code != "ok"
    assert machine.log.size == 1
    expected = {"height": 1, "time_ms": NOW, "sender": BETA.did, "payload": payload}
    assert machine.log_entry(0) == encode(expected)


def test_height_and_time_do_not_enter_the_application_hash() -> None:
    machine = _machine()
    before = machine.app_hash()
    machine.execute_block(1, NOW, [])
    assert machine.app_hash() == before


def test_genesis_is_checked() -> None:
    good = make_genesis()
    twice = good.model_copy(update={"members": (good.members[0], good.members[0])})
    stranger = good.model_copy(update={"ordering": good.sequencer.model_copy(update={"did": Party("x").did})})
    foreign = make_genesis((Party("alpha", "other-chain"),), chain_id=CHAIN)
    for genesis in (twice, stranger, foreign):
        with pytest.raises((ConfigError, LianzhengError), match="genesis_invalid"):
            Machine(genesis)
