"""Which representation a request gets (RFC 9110 §12.5.1, DID Resolution §12.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lianzheng.errors import FormatError, RefusedError

__all__ = ["DEREFERENCING", "RESOLUTION", "Media", "choose"]

Shape = Literal["resolution", "dereferencing", "document", "urls"]
_RANGE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)/([!#$%&'*+.^_`|~0-9A-Za-z-]+)\Z")
_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z", re.ASCII)
_SPLIT = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*\Z)')
_SEMICOLON = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*\Z)')
_ACCEPT_CHARS_MAX = 1024


@dataclass(frozen=True, slots=True)
class Media:
    """A media type that this resolver writes."""

    name: str
    profile: str
    shape: Shape

    @property
    def header(self) -> str:
        """As ``Content-Type`` has it."""
        return f'{self.name};profile="{self.profile}"' if self.profile else self.name


RESOLUTION = Media("application/did-resolution", "", "resolution")
DEREFERENCING = Media("application/did-url-dereferencing", "", "dereferencing")
_RESULT_LD = Media("application/ld+json", "https://w3id.org/did-resolution", "resolution")
_URLS = Media("text/uri-list", "", "urls")
_DOCUMENTS = (
    Media("application/did", "", "document"),
    Media("application/did+json", "", "document"),
    Media("application/did+ld+json", "", "document"),
    Media("application/ld+json", "https://www.w3.org/ns/did/v1", "document"),
    Media("application/ld+json", "https://www.w3.org/ns/did/v1.1", "document"),
    Media("application/ld+json", "https://w3id.org/did", "document"),
    Media("application/ld+json", "", "document"),
    Media("application/json", "", "document"),
)


def choose(accept: str | None, *, dereferences: bool, services: bool) -> Media:
    """The best of what is accepted; what is accepted alike is taken in this resolver's order.

    Raises ``FormatError`` ``did_options_invalid`` for a header that is none, ``RefusedError``
    ``did_representation_unsupported``.
    """
    results = [DEREFERENCING] if dereferences else [RESOLUTION, DEREFERENCING, _RESULT_LD]
    offered: list[Media] = [*([_URLS] if services else []), *results, *_DOCUMENTS]
    if accept is None or not accept.strip():
        return offered[0]
    ranges = _parse(accept)
    best: tuple[float, int, int] | None = None
    chosen = offered[0]
    for place, media in enumerate(offered):
        matches = [(found[3], found[2]) for found in (_match(one, media) for one in ranges) if found is not None]
        if not matches:
            continue
        specific, quality = max(matches)
        if quality > 0 and (best is None or (quality, specific, -place) > best):
            best, chosen = (quality, specific, -place), media
    if best is None:
        raise RefusedError("did_representation_unsupported", "None of the accepted media types is written here.")
    return chosen


_Range = tuple[str, str, float, str | None]
"""Type, subtype, quality, profile."""


def _match(accepted: _Range, media: Media) -> tuple[str, str, float, int] | None:
    kind, subtype, quality, profile = accepted
    main, _, sub = media.name.partition("/")
    if (kind, subtype) == ("*", "*"):
        return kind, subtype, quality, 0
    if kind != main or subtype not in ("*", sub):
        return None
    if subtype == "*":
        return kind, subtype, quality, 1
    if (profile or "") != media.profile:
        return None
    return kind, subtype, quality, 2


def _parse(accept: str) -> list[_Range]:
    if not accept.isascii() or not accept.isprintable() or len(accept) > _ACCEPT_CHARS_MAX:
        raise _invalid()
    found: list[_Range] = []
    for part in filter(None, (one.strip() for one in _SPLIT.split(accept))):
        name, *parameters = (one.strip() for one in _SEMICOLON.split(part))
        match = _RANGE.match(name)
        if match is None:
            raise _invalid()
        quality, profile = 1.0, None
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                if not _QUALITY.match(value.strip()):
                    raise _invalid()
                quality = float(value)
            elif key.strip().lower() == "profile":
                profile = value.strip().strip('"')
        found.append((match.group(1).lower(), match.group(2).lower(), quality, profile))
    return found


def _invalid() -> FormatError:
    return FormatError("did_options_invalid", "Accept is not a list of media types in ASCII.")
