"""Public size classes of tables (PIR-1, B21): integers only, usable in rules."""

from __future__ import annotations

from lianzheng.limits import TABLE_COLUMNS_MAX

__all__ = ["is_size_class", "size_class", "table_shape"]


def size_class(count: int, columns: int = 1) -> int:
    """The least (8+j)·2^k ≥ ``count``, 0 ≤ j < 8, that ``columns`` divides (a power of two)."""
    shift = 0
    while True:
        for eighths in range(8, 16):
            size = eighths << shift
            if size >= count and size % columns == 0:
                return size
        shift += 1


def table_shape(count: int) -> tuple[int, int]:
    """Entries and columns of a table with ``count`` real entries.

    The columns are the largest power of two M, at most 2^16 (PIR-2), with M² ≤ 128 × size class: near the least
    traffic of a query. They depend on the size class alone, so they show no more than it does.
    """
    entries = size_class(count)
    columns = 1
    while columns < TABLE_COLUMNS_MAX and (2 * columns) ** 2 <= 128 * entries:
        columns *= 2
    return size_class(count, columns), columns


def is_size_class(entries: int, columns: int) -> bool:
    """Whether ``columns`` is a power of two in range and ``entries`` a size class that it divides."""
    if columns & (columns - 1) or not 1 <= columns <= TABLE_COLUMNS_MAX or entries < columns or entries % columns:
        return False
    return size_class(entries, columns) == entries
