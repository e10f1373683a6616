"""``evidence.anchor`` as the state machine executes it (EV-3, LED-5)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from evidence_kit import MEMBER, OTHER, LocalLedger
from lianzheng.clock import ManualClock
from lianzheng.encoding.canonical import encode
from lianzheng.evidence.model import AnchorPayload, anchor_digest
from lianzheng.evidence.rules import last_anchor
from lianzheng.limits import ANCHOR_LEAVES_MAX


def _payload(previous: bytes | None, root: int = 1, count: int = 1) -> AnchorPayload:
    return AnchorPayload(root_sha256=bytes([root]) * 32, root_sm3=bytes(32), count=count, previous_anchor=previous)


def test_ev3_anchors_chain_per_sender() -> None:
    ledger = LocalLedger(ManualClock())
    first = _payload(None)
    receipt = ledger.block(first)
    assert receipt.result.ok and receipt.result.data["log_index"] == 0
    assert ledger.block(_payload(None), OTHER).result.data["log_index"] == 1
    second = ledger.block(_payload(anchor_digest(MEMBER, first), 2))
    assert second.result.ok and second.result.data["log_index"] == 2
    state = last_anchor(ledger.state, MEMBER)
    assert state is not None and (state.log_index, state.height) == (2, second.height)


def test_led5_the_log_entry_is_what_the_specification_says() -> None:
    ledger = LocalLedger(ManualClock())
    payload = _payload(None)
    receipt = ledger.block(payload)
    expected = {"height": receipt.height, "time_ms": receipt.time_ms, "sender": MEMBER, "payload": payload.to_json()}
    assert ledger.entries == [encode(expected)]


@pytest.mark.parametrize("previous", [None, bytes(32), anchor_digest(OTHER, _payload(None))])
def test_ev3_an_anchor_that_does_not_follow_is_refused_and_leaves_nothing(previous: bytes | None) -> None:
    ledger = LocalLedger(ManualClock())
    ledger.block(_payload(None))
    before = ledger.state.root(), ledger.log.root()
    assert ledger.block(_payload(previous, 2)).result.code == "anchor_previous_mismatch"
    assert (ledger.state.root(), ledger.log.root()) == before


@pytest.mark.parametrize("count", [0, -1, ANCHOR_LEAVES_MAX + 1])
def test_ev3_count_is_bounded(count: int) -> None:
    with pytest.raises(ValidationError):
        _payload(None, count=count)


def test_ev3_a_first_anchor_follows_nothing() -> None:
    ledger = LocalLedger(ManualClock())
    assert ledger.block(_payload(bytes(32))).result.code == "anchor_previous_mismatch"
    assert ledger.entries == []
