"""One root error with a stable reason code; the text for users stands apart from internal detail.

A *reason code* is snake_case, never changes its meaning and is what programs match on. ``text`` and
``next_step`` are for people and may be translated; ``detail`` is for the operator's log. None of the
four may carry a secret or personal data: name the field or the part, never its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = [
    "CLASSES",
    "ConfigError",
    "ConflictError",
    "FormatError",
    "LianzhengError",
    "NotFoundError",
    "RefusedError",
    "UnavailableError",
    "VerificationError",
]


class LianzhengError(Exception):
    """Root of every error this project raises on purpose; ``status`` is its HTTP mapping."""

    status = 500

    def __init__(self, code: str, text: str, *, next_step: str = "", detail: str = "") -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.next_step = next_step
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        """Whole across a process boundary, where exceptions are otherwise remade from one text."""
        return type(self), (self.code, self.text), {"next_step": self.next_step, "detail": self.detail}


class FormatError(LianzhengError):
    """Bytes or values that do not have the one form asked for."""

    status = 400


class VerificationError(LianzhengError):
    """A signature, proof or digest that does not hold (CON-6: verifying raises, never returns)."""

    status = 422


class RefusedError(LianzhengError):
    """A well-formed request that a rule forbids."""

    status = 403


class NotFoundError(LianzhengError):
    """The named thing does not exist here."""

    status = 404


class ConflictError(LianzhengError):
    """The request does not fit the present state of what it would change."""

    status = 409


class UnavailableError(LianzhengError):
    """A party or part that is needed does not answer now; trying later may help."""

    status = 503


class ConfigError(LianzhengError):
    """Configuration that cannot be used; names the file, the field and the fix."""

    status = 500


CLASSES: Mapping[int, type[LianzhengError]] = MappingProxyType(
    {
        kind.status: kind
        for kind in (FormatError, VerificationError, RefusedError, NotFoundError, ConflictError, UnavailableError)
    }
)
"""What a status in another node's problem+json stands for; 500 is nobody's class."""
