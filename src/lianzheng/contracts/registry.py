"""All kinds of transaction of this build, gathered from the slices (``ledger.md``, kinds)."""

from __future__ import annotations

from collections.abc import Iterable

from lianzheng.compute.rules import RULES as COMPUTE_RULES
from lianzheng.consent.rules import RULES as CONSENT_RULES
from lianzheng.contracts.permissions import PERMISSIONS, Permissions
from lianzheng.errors import ConfigError
from lianzheng.evidence.rules import RULES as EVIDENCE_RULES
from lianzheng.governance.rules import RULES as GOVERNANCE_RULES
from lianzheng.identity.rules import RULES as IDENTITY_RULES
from lianzheng.identity.status.rules import RULES as STATUS_RULES
from lianzheng.ledger.context import RuleSpec

__all__ = ["ALL_RULES", "index_rules", "rules_of"]

ALL_RULES: tuple[RuleSpec, ...] = (
    *GOVERNANCE_RULES,
    *IDENTITY_RULES,
    *STATUS_RULES,
    *CONSENT_RULES,
    *EVIDENCE_RULES,
    *COMPUTE_RULES,
)


def index_rules(rules: Iterable[RuleSpec], permissions: Permissions = PERMISSIONS) -> dict[str, RuleSpec]:
    """Rules by kind. Raises ``ConfigError`` ``rule_unplaced`` for a kind twice or one without a permission row."""
    index: dict[str, RuleSpec] = {}
    for rule in rules:
        if rule.kind in index or rule.kind not in permissions:
            raise ConfigError(
                "rule_unplaced",
                f"The kind {rule.kind} stands twice or has no row in contracts/permissions.py.",
                next_step="Give every kind one rule and one row.",
            )
        index[rule.kind] = rule
    return index


def rules_of(schema: int, rules: Iterable[RuleSpec] = ALL_RULES) -> tuple[RuleSpec, ...]:
    """The rules in force under ``schema``; those of earlier ones stay for replay (LED-7)."""
    return tuple(rule for rule in rules if rule.since <= schema and (rule.until is None or schema < rule.until))
