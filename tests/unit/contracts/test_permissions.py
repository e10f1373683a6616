"""The permission matrix is reviewed data: a golden file, one row for each kind and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lianzheng.contracts.permissions import PERMISSIONS, check_permission
from lianzheng.contracts.registry import ALL_RULES, index_rules
from lianzheng.errors import ConfigError, RefusedError

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "permissions.json"


def test_the_matrix_equals_its_golden_copy() -> None:
    matrix = {kind: {role: list(phases) for role, phases in row.items()} for kind, row in PERMISSIONS.items()}
    assert matrix == json.loads(GOLDEN.read_text()), "review the change, then update tests/golden/permissions.json"


def test_every_kind_has_a_row_and_every_row_a_kind() -> None:
    assert {rule.kind for rule in ALL_RULES} == set(PERMISSIONS)


def test_a_kind_without_a_row_or_twice_is_refused_at_start() -> None:
    for rules in ((ALL_RULES[0], ALL_RULES[0]), ALL_RULES):
        table = PERMISSIONS if rules is not ALL_RULES else {}
        with pytest.raises(ConfigError, match="rule_unplaced"):
            index_rules(rules, table)


@pytest.mark.parametrize(
    ("kind", "role", "phase", "member_phase", "code"),
    [
        ("evidence.anchor", "person", "running", None, "role_not_permitted"),
        ("consent.resume", "member", "running", "active", "role_not_permitted"),
        ("task.propose", "member", "contained", "active", "phase_not_permitted"),
        ("evidence.anchor", "member", "winding_down_closed", "active", "phase_not_permitted"),
        ("task.propose", "member", "running", "suspended", "member_not_active"),
        ("agreement.sign", "member", "running", "assessed", "member_not_active"),
        ("evidence.anchor", "member", "running", None, "member_not_active"),
    ],
)
def test_refusals(kind: str, role: str, phase: str, member_phase: str | None, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_permission(PERMISSIONS, kind, role, phase, member_phase)
    assert caught.value.code == code


def test_a_frozen_network_takes_evidence_and_withdrawals_but_no_new_business() -> None:
    check_permission(PERMISSIONS, "evidence.anchor", "member", "winding_down_frozen", "active")
    check_permission(PERMISSIONS, "consent.revoke", "consent_key", "winding_down_frozen", None)
    for kind in ("consent.grant", "epoch.commit", "task.propose"):
        with pytest.raises(RefusedError, match="phase_not_permitted"):
            check_permission(PERMISSIONS, kind, "member", "winding_down_frozen", "active")


def test_a_member_that_is_kept_out_still_reports_and_anchors_what_it_did() -> None:
    for kind in ("evidence.anchor", "task.report", "member.leave"):
        check_permission(PERMISSIONS, kind, "member", "running", "suspended")
    check_permission(PERMISSIONS, "agreement.sign", "member", "running", "admitted")
