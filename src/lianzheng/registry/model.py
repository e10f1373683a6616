"""The types of the closed tables. Frozen: a table changes by a new version of the registry, never in place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Bundle", "DocumentType", "Form", "Function", "Indicator", "Purpose", "Scene"]


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a person's data may be used. Terms of a consent name exactly one (AUTH-1, GATE-3)."""

    code: str
    version: int
    title_zh: str
    title_en: str
    bundles: tuple[str, ...]
    """Bundles that may be asked for under this purpose."""
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One answer that may cross a member's border, as a band (``domain.md`` §2).

    ``lowers[n]`` is the smallest amount of band n in ``unit``; the last band has no upper end.
    """

    id: str
    version: int
    title_zh: str
    title_en: str
    unit: str
    lowers: tuple[int, ...]
    labels_zh: tuple[str, ...]
    labels_en: tuple[str, ...]
    combine: str
    """How the bands of several members become one; see ``bands.combine``."""
    owner: str
    purpose: str
    rule: str
    retention: str
    why_not_coarser: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Indicators that are asked for together; their order is the order of bytes in a value (PIR-1)."""

    code: str
    version: int
    title_zh: str
    title_en: str
    indicators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How a view answers: all bands of its bundle, or whether one indicator reaches one band (GATE-0, B19)."""

    code: str
    version: int
    indicator: str | None
    """None: band list. Otherwise the one indicator of the threshold."""
    threshold: int
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class Function:
    """What a task may compute (TASK-1). ``reveals`` says in words what its receiver learns."""

    code: str
    version: int
    title_zh: str
    title_en: str
    groups_min: int
    """Smallest number of control groups that take part (CON-7)."""
    reveals: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The kind of act that an evidence record is about (EV-1)."""

    code: str
    version: int
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class DocumentType:
    """An identity document by which a person or organisation is known (ID-1).

    ``country`` is the only issuing country (ISO 3166-1 alpha-2), or empty where any is possible;
    ``check`` is ``gb11643``, ``gb32100`` or ``none``; ``pattern`` is that of the normalised number.
    """

    code: str
    version: int
    title_zh: str
    title_en: str
    country: str
    check: str
    pattern: str
    natural_person: bool
