"""Who may send what, and when: kind × sender role × phase of the network, as data (``ledger.md``).

``tests/golden/permissions.json`` is the reviewed copy; no kind stands without a row. A sender in role
``member`` is an *active* member; what one in another phase may still send stands under ``member:<phase>``.
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
    "agreement.sign": {"member": _UPKEEP, "member:admitted": _UPKEEP},
    "consent.grant": {"member": _BUSINESS},
    "consent.pause": {"consent_key": _PROTECTION},
    "consent.resume": {"consent_key": _BUSINESS},
    "consent.revoke": {"consent_key": _PROTECTION, "member": _PROTECTION},
    "dataset.publish": {"member": _BUSINESS},
    "dataset.withdraw": {"member": _UPKEEP},
    "did.create": {"person": _BUSINESS},
    "did.deactivate": {
        "member": _PROTECTION,
        "member:expelled": _PROTECTION,
        "member:left": _PROTECTION,
        "person": _PROTECTION,
    },
    "did.recover": {
        "member": _PROTECTION,
        "member:expelled": _PROTECTION,
        "member:leaving": _PROTECTION,
        "member:left": _PROTECTION,
        "member:suspended": _PROTECTION,
        "person": _PROTECTION,
    },
    "did.update": {
        "member": _UPKEEP,
        "member:expelled": _UPKEEP,
        "member:leaving": _UPKEEP,
        "member:left": _UPKEEP,
        "member:suspended": _UPKEEP,
        "person": _UPKEEP,
    },
    "epoch.commit": {"member": _BUSINESS},
    "epoch.publish": {"member": _BUSINESS},
    "evidence.anchor": {"member": _EVIDENCE, "member:leaving": _EVIDENCE, "member:suspended": _EVIDENCE},
    "group.voice": {"member": _PROTECTION},
    "incident.close": {"member": _PROTECTION},
    "incident.contain": {"member": _PROTECTION},
    "incident.open": {"member": _PROTECTION},
    "issuer.accredit": {"member": _UPKEEP},
    "issuer.publish": {"member": _BUSINESS},
    "issuer.withdraw": {"member": _PROTECTION},
    "member.apply": {"member": _BUSINESS},
    "member.assess": {"member": _UPKEEP},
    "member.expel": {"member": _PROTECTION},
    "member.leave": {"member": _UPKEEP, "member:leaving": _PROTECTION, "member:suspended": _UPKEEP},
    "member.regroup": {"member": _UPKEEP},
    "member.reinstate": {"member": _UPKEEP},
    "member.suspend": {"member": _PROTECTION},
    "member.update": {"member": _UPKEEP},
    "member.vote": {"member": _PROTECTION},
    "network.winddown.close": {"member": _PROTECTION},
    "network.winddown.disconnect": {"member": _PROTECTION},
    "network.winddown.freeze": {"member": _PROTECTION},
    "network.winddown.plan": {"member": _PROTECTION},
    "network.winddown.start": {"member": _PROTECTION},
    "parameter.propose": {"member": _UPKEEP},
    "parameter.vote": {"member": _UPKEEP},
    "points.appeal": {"member": _UPKEEP},
    "points.rule": {"member": _UPKEEP},
    "points.settle": {"member": _EVIDENCE},
    "schema.upgrade": {"member": _UPKEEP},
    "status.publish": {"member": _EVIDENCE, "member:leaving": _EVIDENCE, "member:suspended": _EVIDENCE},
    "task.approve": {"member": _BUSINESS},
    "task.cancel": {"member": _UPKEEP},
    "task.close": {"member": _UPKEEP},
    "task.propose": {"member": _BUSINESS},
    "task.refuse": {"member": _UPKEEP},
    "task.report": {"member": _UPKEEP, "member:leaving": _UPKEEP, "member:suspended": _UPKEEP},
}


def check_permission(table: Permissions, kind: str, role: str, phase: str, member_phase: str | None) -> None:
    """Return only if a sender in ``role`` may send ``kind`` now.

    Raises ``RefusedError``: ``role_not_permitted``, ``phase_not_permitted``, ``member_not_active``.
    """
    row = table[kind]
    phases = row.get(role)
    if phases is None:
        raise RefusedError("role_not_permitted", "This kind of transaction is not for a sender of this role.")
    if role == "member" and member_phase != "active":
        phases = row.get(f"member:{member_phase}")
        if phases is None:
            raise RefusedError("member_not_active", "The sender is not an active member.")
    if phase not in phases:
        raise RefusedError("phase_not_permitted", "The network's phase does not allow this kind of transaction.")
