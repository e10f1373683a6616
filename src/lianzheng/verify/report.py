"""What a verification found, as data and as plain lines; colours are the CLI's affair."""

from __future__ import annotations

from dataclasses import dataclass

from lianzheng.clock import DAY_MS, day_of
from lianzheng.errors import LianzhengError
from lianzheng.registry import SCENES

__all__ = ["EXIT_OK", "EXIT_REFUSED", "EXIT_UNANCHORED", "RecordReport", "Report", "refusal_lines"]

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_UNANCHORED = 3


@dataclass(frozen=True, slots=True)
class RecordReport:
    """One verified record. ``local_time_ms`` is the member's claim, the anchor's time is the ledger's."""

    scene: str
    operator_role: str
    documents: tuple[tuple[str, bytes], ...]
    """Name and SHA-256 of each document."""
    local_time_ms: int
    anchor_height: int
    anchor_time_ms: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Report:
    """A bundle that holds. ``anchored`` is False where no trust file said which network to believe."""

    anchored: bool
    chain_id: str
    case_id: str
    institution: str
    records: tuple[RecordReport, ...]
    signer: str
    """Multikey that signed the head, or the validators that did and their power."""
    head_height: int
    head_time_ms: int
    signatures_checked: int
    cosigned_by: tuple[str, ...] = ()
    """Control groups whose cosignatures on the bundle's checkpoint count (EV-6)."""

    @property
    def exit_code(self) -> int:
        """0, or 3 for *consistent but unanchored*."""
        return EXIT_OK if self.anchored else EXIT_UNANCHORED

    def lines(self) -> tuple[str, ...]:
        """For people: the verdict first, then one line a record."""
        verdict = (
            "VALID: every record stands on the ledger that the trust file pins."
            if self.anchored
            else "CONSISTENT BUT UNANCHORED: the bundle agrees with itself; no trust file vouches for its ledger."
        )
        head: tuple[str, ...] = (
            verdict,
            f"network      {self.chain_id}",
            f"case         {self.case_id}  ({len(self.records)} records)",
            f"institution  {self.institution}",
            f"head         block {self.head_height}, {_utc8(self.head_time_ms)}, signed by {self.signer}",
        )
        if self.cosigned_by:
            head = (*head, f"checkpoint   cosigned by {', '.join(self.cosigned_by)}")
        return head + tuple(_record_line(number, record) for number, record in enumerate(self.records, 1))


def refusal_lines(error: LianzhengError) -> tuple[str, ...]:
    """For people: that and why a bundle is refused."""
    lines = (f"REFUSED ({error.code}): {error.text}",)
    return (*lines, error.next_step) if error.next_step else lines


def _record_line(number: int, record: RecordReport) -> str:
    scene = SCENES[record.scene]
    documents = ", ".join(name for name, _ in record.documents)
    return (
        f"{number:>4}  {scene.title_zh} {scene.title_en} by {record.operator_role}: {documents}"
        f"  | anchored in block {record.anchor_height} at {_utc8(record.anchor_time_ms)}"
    )


def _utc8(time_ms: int) -> str:
    local = (time_ms + 8 * 3_600_000) % DAY_MS // 1000
    return f"{day_of(time_ms)} {local // 3600:02d}:{local // 60 % 60:02d}:{local % 60:02d} UTC+8"
