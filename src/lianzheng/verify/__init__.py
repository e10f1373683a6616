"""The offline auditor: accepts or refuses a bundle without network, database or clock (EV-4).

Its import closure reaches no adapter, no service and no node; ``tests/arch`` keeps it so.
"""

from __future__ import annotations

from lianzheng.verify.bundle import verify_bundle
from lianzheng.verify.proofs import verify_proof
from lianzheng.verify.report import EXIT_OK, EXIT_REFUSED, EXIT_UNANCHORED, RecordReport, Report, refusal_lines

__all__ = [
    "EXIT_OK",
    "EXIT_REFUSED",
    "EXIT_UNANCHORED",
    "RecordReport",
    "Report",
    "refusal_lines",
    "verify_bundle",
    "verify_proof",
]
