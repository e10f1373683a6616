"""The plain reference of a hidden query: what every retrieval must answer (PIR-3). It hides nothing."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PlainReference"]


class PlainReference:
    """Values by element, as the provider knows them."""

    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        """``values`` maps F, compressed, to the value of the view without padding."""
        self._values = dict(values)

    def lookup(self, f: bytes) -> bytes | None:
        """The value, or None where the person has no entry."""
        return self._values.get(f)
