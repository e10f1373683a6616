"""Levels, profile, product and match. Four things are told apart on purpose:

``C1``…``C5`` an investor's risk tolerance, ``R1``…``R5`` a product's risk, ``A``/``B``/``C`` classes of professional
investors, and the C1–C3 data classes of JR/T 0171, which do not occur here.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from lianzheng.encoding.model import Natural, Record, Seq, Text, TimeMs
from lianzheng.errors import RefusedError

__all__ = [
    "BLOCKS",
    "Horizon",
    "Product",
    "ProductRisk",
    "ProfessionalClass",
    "Profile",
    "ProfileField",
    "Reason",
    "Tolerance",
    "horizon_rank",
    "rank",
    "require_complete",
    "tolerance",
]

Tolerance = Literal["C1", "C2", "C3", "C4", "C5"]
ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
ProfessionalClass = Literal["A", "B", "C"]
Horizon = Literal["short", "medium", "long"]
Block = Literal["identity", "finances", "experience", "objectives", "risk", "credit", "control", "access", "other"]
BLOCKS: tuple[Block, ...] = get_args(Block)
"""The nine blocks of information: who, money, knowledge and experience, aims, attitude to risk, creditworthiness,
who controls and who benefits, facts that access rules ask for, anything else needed."""


def rank(level: Tolerance | ProductRisk) -> int:
    """1 to 5."""
    return int(level[1])


def tolerance(number: int) -> Tolerance:
    """The level of this number, held within C1 and C5."""
    levels: tuple[Tolerance, ...] = get_args(Tolerance)
    return levels[min(max(number, 1), 5) - 1]


def horizon_rank(horizon: Horizon) -> int:
    """0 for short, 2 for long."""
    return get_args(Horizon).index(horizon)


class Reason(Record):
    """Why something came out as it did, for people, in both languages; ``code`` is for programs."""

    code: Text
    zh: Text
    en: Text


class ProfileField(Record):
    """One fact with its provenance: whose word it is, since when, checked by whom, and the evidence of it."""

    block: Block
    name: Text
    value: Text
    source: Literal["client", "document", "member", "alliance"]
    time_ms: TimeMs
    verified_by: Text | None
    evidence: Text | None


class Profile(Record):
    """What is known of one investor. ``subject`` is the member's local reference, never an identity number."""

    subject: Text
    fields: Annotated[tuple[ProfileField, ...], Seq, Field(max_length=500)]

    def missing(self) -> tuple[Block, ...]:
        """Blocks without any fact, in order."""
        return tuple(block for block in BLOCKS if all(fact.block != block for fact in self.fields))


def require_complete(profile: Profile) -> None:
    """Nothing is matched before every block holds a fact. Raises ``RefusedError`` ``profile_incomplete``."""
    missing = profile.missing()
    if missing:
        raise RefusedError(
            "profile_incomplete",
            f"The profile lacks: {', '.join(missing)}.",
            next_step="Collect the missing blocks before matching.",
        )


class Product(Record):
    """A product or service as the member has rated it. ``product_type`` counts the nested types of I03, from 1."""

    id: Text
    version: Natural
    zh: Text
    en: Text
    risk: ProductRisk
    horizon: Horizon
    product_type: Annotated[int, Field(ge=1, le=5)]
