"""What building and renewing epochs needs from storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

__all__ = ["BuildRow", "BuildStore", "EpochBuild", "EpochBuilds", "RotationStore"]


@dataclass(frozen=True, slots=True)
class EpochBuild:
    """A table under construction; its key rests in the key store under ``key_name``."""

    view: str
    epoch: int
    snapshot: int
    loaded_ms: int
    software: str
    """Version that began it: another one may know other bands."""
    key_name: str
    salt: bytes = field(repr=False)


class BuildRow(NamedTuple):
    """One row of a load: U, compressed, and the amounts' canonical bytes. Personal data: never shown."""

    person: int
    element: bytes
    amounts: bytes


class BuildStore(Protocol):
    """Finished chunks of tables under construction, at most one table a view."""

    async def begin(self, build: EpochBuild) -> None:
        """Keep a build without chunks."""

    async def all(self) -> list[EpochBuild]:
        """By view."""

    async def get(self, view: str) -> EpochBuild | None: ...

    async def rows(self, snapshot: int, after: int, count: int) -> list[BuildRow]:
        """Rows of a load whose person comes after ``after``, in order, at most ``count``."""

    async def add_chunk(self, view: str, last: int, people: int, records: bytes) -> None:
        """Records of ``people`` rows up to the person ``last``; durable when this returns."""

    async def position(self, view: str) -> tuple[int, int]:
        """The last person in a finished chunk, and how many people all of them have; 0 and 0 before the first."""

    async def chunks(self, view: str) -> list[bytes]:
        """Records in order."""

    async def drop(self, view: str) -> None:
        """The build and its chunks are gone; dropping it again changes nothing."""


class RotationStore(Protocol):
    """Views whose epochs are renewed without being asked for."""

    async def set_rotation(self, view: str, length_ms: int) -> None:
        """Epochs of this length follow one another; 0 ends that."""

    async def rotations(self) -> dict[str, int]:
        """Length by view."""


class EpochBuilds(BuildStore, RotationStore, Protocol):
    """Both, as one repository keeps them."""
