"""Where the machine's conditions turn, to the millisecond and the key: one step to either side is another result."""

from __future__ import annotations

from typing import Literal

import pytest

from ledger_kit import BETA, CHAIN, START_MS, Party, agreement_payload, make_genesis
from lianzheng.clock import DAY_MS
from lianzheng.contracts.machine import Machine
from lianzheng.contracts.permissions import PERMISSIONS
from lianzheng.contracts.registry import ALL_RULES
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.model import Record
from lianzheng.identity.model import did_record, did_state_key, ed25519_key
from lianzheng.ledger.context import Effects, RuleSpec
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import TransactionBody

NOW = START_MS + 1000
Purpose = Literal["authentication", "assertionMethod"]
SPARE = sha256_raw(b"seed of the spare key")


def sent(expires_at: int) -> bytes:
    return BETA.transaction("agreement.sign", agreement_payload(), 1, expires_at=expires_at).to_bytes()


@pytest.mark.parametrize(
    ("expires_at", "code"),
    [
        (NOW - 1, "transaction_expired"),
        (NOW, "ok"),
        (NOW + DAY_MS, "ok"),
        (NOW + DAY_MS + 1, "expiry_too_far"),
    ],
)
def test_a_transaction_lives_up_to_its_last_millisecond_and_a_day_at_most(expires_at: int, code: str) -> None:
    """LED-2: at most 24 h ahead of block time; LED-3: expiry by block time."""
    assert Machine(make_genesis()).execute_block(1, NOW, [sent(expires_at)])[0].code == code


@pytest.mark.parametrize(("expires_at", "code"), [(NOW, "transaction_expired"), (NOW + 1, "ok")])
def test_the_door_counts_from_the_last_block_where_the_clock_has_gone_back(expires_at: int, code: str) -> None:
    """The next block is later than the last one, whatever this node's clock says (B31)."""
    machine = Machine(make_genesis())
    machine.execute_block(1, NOW, [])
    machine.commit()
    assert machine.check(sent(expires_at), NOW - DAY_MS).code == code
    assert machine.execute_block(2, NOW + 1, [sent(expires_at)])[0].code == code


@pytest.mark.parametrize(
    "defect",
    [
        ZeroDivisionError,
        AssertionError,
        AttributeError,
        KeyError,
        IndexError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
    ],
)
def test_a_defect_of_a_rule_is_a_refusal_that_uses_the_nonce(defect: type[Exception]) -> None:
    """LED-4: no exception leaves ``apply``; each of these strikes every node alike."""
    machine = with_rule(defect)
    before = dict(machine.state.scan(""))
    result = machine.execute_block(1, NOW, [BETA.transaction("test.defect", {}, 1).to_bytes()])[0]
    assert (result.code, result.final) == ("internal_refusal", True)
    assert dict(machine.state.scan("")).keys() - before.keys() == {f"nonce/{BETA.did}/#node"}


@pytest.mark.parametrize("defect", [OSError, MemoryError])
def test_what_strikes_one_node_only_stops_it_and_becomes_no_result(defect: type[Exception]) -> None:
    with pytest.raises(defect):
        with_rule(defect).execute_block(1, NOW, [BETA.transaction("test.defect", {}, 1).to_bytes()])


class Empty(Record):
    """A payload without fields."""


def with_rule(defect: type[Exception]) -> Machine:
    """A machine with a rule that raises."""

    def rule(*arguments: object) -> Effects:
        raise defect

    spec = RuleSpec("test.defect", Empty, rule)
    return Machine(make_genesis(), (*ALL_RULES, spec), {**PERMISSIONS, spec.kind: {"member": ("running",)}})


def signed_by_spare(sender: str) -> bytes:
    body = TransactionBody(
        chain_id=CHAIN,
        kind="agreement.sign",
        sender=sender,
        key_id="#spare",
        nonce=1,
        expires_at=START_MS + 3_600_000,
        payload=agreement_payload(),
    )
    return sign_transaction(body, lambda message: ed25519.sign(SPARE, message)).to_bytes()


@pytest.mark.parametrize(
    ("member", "purpose", "code"),
    [
        (True, "authentication", "key_unknown"),
        (True, "assertionMethod", "key_unknown"),
        (False, "authentication", "role_not_permitted"),
        (False, "assertionMethod", "key_unknown"),
    ],
)
def test_a_member_sends_with_its_node_key_alone_and_a_person_with_a_key_that_authenticates(
    member: bool, purpose: Purpose, code: str
) -> None:
    """``role_not_permitted`` says that the signature counted: this kind is not a person's."""
    party = BETA if member else Party("somebody")
    machine = Machine(make_genesis())
    record = did_record(party.operation, START_MS)
    spare = ed25519_key("#spare", ed25519.public_key(SPARE), purpose)
    machine._state.apply(
        [(did_state_key(party.did), record.model_copy(update={"keys": (*record.keys, spare)}).to_json())]
    )
    result = machine.execute_block(1, NOW, [signed_by_spare(party.did)])[0]
    assert result.code == code and result.final == (code == "role_not_permitted")
