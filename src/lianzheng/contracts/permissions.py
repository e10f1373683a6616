"""Who may send what, and when: kind × sender role × phase of the network, as data (``ledger.md``).

``tests/golden/permissions.json`` is the reviewed copy; no kind stands without a row. A sender in role
``member`` must moreover be an *active* member.
"""

from __future__ import annotations

from collections.abc import Mapping

from lianzheng.errors import RefusedError

__all__ = ["PERMISSIONS", "Permissions", "check_permission"]

Permissions = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Kind → role → phases of the network in which it may be sent."""

_BUSINESS = ("running", "winding_down_planned")
"""New business: until wind-down starts, and not while an incident is contained."""
_UPKEEP = ("running", "contained", "winding_down_planned", "winding_down_started")
"""Keeping records right: until the network is frozen."""
_EVIDENCE = (*_UPKEEP, "winding_down_frozen")
"""Evidence of what was done, the freezing included."""
_PROTECTION = (*_EVIDENCE, "winding_down_disconnected")
"""A person's withdrawal is taken for as long as anything stands."""

PERMISSIONS: Permissions = {
    "agreement.sign": {"member": _UPKEEP},
    "consent.grant": {"member": _BUSINESS},
    "consent.pause": {"consent_key": _PROTECTION},
    "consent.resume": {"consent_key": _BUSINESS},
    "consent.revoke": {"consent_key": _PROTECTION, "member": _PROTECTION},
    "dataset.publish": {"member": _BUSINESS},
    "dataset.withdraw": {"member": _UPKEEP},
    "did.create": {"person": _BUSINESS},
    "epoch.commit": {"member": _BUSINESS},
    "epoch.publish": {"member": _BUSINESS},
    "evidence.anchor": {"member": _EVIDENCE},
    "issuer.publish": {"member": _BUSINESS},
    "member.update": {"member": _UPKEEP},
    "task.approve": {"member": _BUSINESS},
    "task.cancel": {"member": _UPKEEP},
    "task.close": {"member": _UPKEEP},
    "task.propose": {"member": _BUSINESS},
    "task.refuse": {"member": _UPKEEP},
    "task.report": {"member": _UPKEEP},
}


def check_permission(table: Permissions, kind: str, role: str, phase: str, member_phase: str | None) -> None:
    """Return only if a sender in ``role`` may send ``kind`` now.

    Raises ``RefusedError``: ``role_not_permitted``, ``phase_not_permitted``, ``member_not_active``.
    """
    phases = table[kind].get(role)
    if phases is None:
        raise RefusedError("role_not_permitted", "This kind of transaction is not for a sender of this role.")
    if phase not in phases:
        raise RefusedError("phase_not_permitted", "The network's phase does not allow this kind of transaction.")
    if role == "member" and member_phase != "active":
        raise RefusedError("member_not_active", "The sender is not an active member.")
