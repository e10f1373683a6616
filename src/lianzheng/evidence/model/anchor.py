"""The anchor of one batch, its place in the evidence log and its digest (EV-3, LED-5).

log entry      = JCS{height, time_ms, sender, payload}
anchor digest  = SHA-256(tag ``evidence-anchor`` ‖ sender ‖ JCS(payload))
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.model import Bytes32, Natural, Record, TimeMs
from lianzheng.ids import Did
from lianzheng.limits import ANCHOR_LEAVES_MAX

__all__ = ["AnchorPayload", "AnchorState", "LogEntry", "anchor_digest"]


class AnchorPayload(Record):
    """Payload of ``evidence.anchor``: the roots of two RFC 9162 trees over the same records in the same order."""

    root_sha256: Bytes32
    root_sm3: Bytes32
    count: Annotated[int, Field(ge=1, le=ANCHOR_LEAVES_MAX)]
    previous_anchor: Bytes32 | None
    """Digest of the sender's last accepted anchor; null in its first."""


class LogEntry(Record):
    """One leaf of the evidence log: an accepted anchor with the block that took it (LED-5)."""

    height: Natural
    time_ms: TimeMs
    sender: Did
    payload: AnchorPayload


class AnchorState(Record):
    """Ledger state at ``anchor/<did>``: the member's last accepted anchor."""

    digest: Bytes32
    count: Natural
    log_index: Natural
    height: Natural
    time_ms: TimeMs


def anchor_digest(sender: str, payload: AnchorPayload) -> bytes:
    """32 bytes that the sender's next anchor must name as ``previous_anchor``."""
    return sha256("evidence-anchor", sender, payload.to_bytes())
