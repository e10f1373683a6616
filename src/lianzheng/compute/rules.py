"""The ledger rules of compute: datasets, epochs, tasks."""

from __future__ import annotations

from lianzheng.compute.datasets import rules as datasets
from lianzheng.compute.tasks import rules as tasks
from lianzheng.compute.views import rules as views
from lianzheng.ledger.context import RuleSpec

__all__ = ["RULES"]

RULES: tuple[RuleSpec, ...] = (*datasets.RULES, *views.RULES, *tasks.RULES)
