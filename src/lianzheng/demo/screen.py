"""What the scene shows: who acts, what travels, how many bytes, how long."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from lianzheng.clock import Clock

__all__ = ["Screen"]


class Screen:
    """One line an act, one table a result."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._mark_us = clock.boot_us()
        self._step = 0

    def step(self, title: str, says: str) -> None:
        """Begin a numbered step."""
        self._step += 1
        self._console.print()
        self._console.rule(f"[bold]{self._step} · {title}[/]", align="left", style="cyan")
        self._console.print(f"[dim]{says}[/]")
        self._mark_us = self._clock.boot_us()

    def act(self, who: str, what: str, size_bytes: int | None = None) -> None:
        """One act with the time since the last one."""
        now = self._clock.boot_us()
        took, self._mark_us = now - self._mark_us, now
        size = "" if size_bytes is None else f"{_size(size_bytes):>9}"
        self._console.print(
            f"  [bold]{who:<9}[/] {what:<78} [cyan]{size:>9}[/] [dim]{_time(took):>8}[/]", soft_wrap=True
        )

    def refused(self, who: str, what: str, code: str, expected: str) -> None:
        """A refusal that was to be seen, with its reason code."""
        mark = "[green]refused[/]" if code == expected else f"[red]expected {expected}[/]"
        self._console.print(f"  [bold]{who:<9}[/] {what:<64} {mark} [yellow]{code}[/]", soft_wrap=True)

    def note(self, text: str) -> None:
        """A remark."""
        self._console.print(f"            [dim]{text}[/]", soft_wrap=True)

    def warn(self, text: str) -> None:
        """A limit that stands where people look."""
        self._console.print(f"  [yellow]![/] {text}", soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table; the first column is left, the others right."""
        table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=True)
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def text(self, text: str) -> None:
        """Plain text as another program printed it."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _size(size_bytes: int) -> str:
    return f"{size_bytes} B" if size_bytes < 10_000 else f"{size_bytes / 1024:.1f} KiB"


def _time(elapsed_us: int) -> str:
    return f"{elapsed_us / 1000:.1f} ms" if elapsed_us < 1_000_000 else f"{elapsed_us / 1_000_000:.1f} s"
