"""Whatever bytes come in, ``apply`` answers; a refusal before authentication changes nothing (LED-4)."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_kit import ALPHA, BETA, START_MS, agreement_payload, anchor_payload, make_genesis, update_payload
from lianzheng.contracts.machine import Machine
from lianzheng.contracts.registry import ALL_RULES
from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError
from lianzheng.ledger.ports import TxResult

NOW = START_MS + 1000
KINDS = sorted(rule.kind for rule in ALL_RULES)
FAST = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@cache
def _machine() -> Machine:
    return Machine(make_genesis())


def _try(data: bytes) -> TxResult:
    """Apply to one long-lived machine; nothing here may change it unless it is authenticated."""
    machine = _machine()
    before = machine.app_hash()
    checked = machine.check(data, NOW)
    result = machine.apply(data, 1, NOW)
    if not result.final:
        assert machine.app_hash() == before, "a refusal before authentication changed the state"
        assert not result.ok
    assert not (checked.ok is False and result.ok), "what is refused at the door would not have stood"
    return result


@FAST
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    assert not _try(data).final


@FAST
@given(
    st.sampled_from(
        [
            BETA.transaction("agreement.sign", agreement_payload(), 1).to_bytes(),
            ALPHA.transaction("evidence.anchor", anchor_payload(None), 1).to_bytes(),
        ]
    ),
    st.integers(0, 10_000),
    st.integers(0, 255),
    st.sampled_from(["flip", "delete", "insert"]),
)
def test_one_changed_byte(data: bytes, place: int, byte: int, how: str) -> None:
    index = place % len(data)
    middle = {"flip": bytes([byte]), "delete": b"", "insert": bytes([byte]) + data[index : index + 1]}[how]
    changed = data[:index] + middle + data[index + 1 :]
    if changed != data:
        assert not _try(changed).final


@FAST
@given(JSON, JSON, st.sampled_from(KINDS), st.integers(-1, 2**53))
def test_json_of_any_shape(body: object, proof: object, kind: str, nonce: int) -> None:
    for value in (
        {"body": body, "proof": proof},
        {"body": {"v": 1, "kind": kind, "nonce": nonce, "payload": body}, "proof": proof},
    ):
        with suppress(FormatError):  # outside the profile of CON-1 there are no bytes to send
            assert not _try(encode(value)).final


@FAST
@given(st.sampled_from(KINDS), st.dictionaries(st.text(st.characters(codec="ascii"), max_size=8), JSON, max_size=4))
def test_signed_payloads_of_any_shape(kind: str, payload: dict[str, object]) -> None:
    """Validly signed nonsense: refused by form, or after authentication with the nonce used."""
    machine = _machine()
    used = machine.state.get(f"nonce/{BETA.did}/#node")
    nonce = 1 if used is None else used["max"] + 1
    with suppress(FormatError):  # outside the profile of CON-1 there are no bytes to send
        assert _try(BETA.transaction(kind, payload, nonce).to_bytes()).code != "internal_refusal"


@FAST
@given(st.lists(st.integers(0, 400), max_size=60))
def test_no_nonce_is_taken_twice_and_none_outside_the_window(nonces: list[int]) -> None:
    machine = Machine(make_genesis())
    taken: set[int] = set()
    for nonce in nonces:
        data = BETA.transaction("member.update", update_payload(1, "beta"), nonce).to_bytes()
        highest = max(taken, default=0)
        expected = nonce not in taken and highest - 64 < nonce <= highest + 64
        assert machine.apply(data, 1, NOW).ok == expected
        if expected:
            taken.add(nonce)
