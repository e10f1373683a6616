"""A signed word goes by its published name. RDF signs statements, not the names that JSON gives them.

Whoever holds a credential can write ``credentialStatus`` or ``validUntil`` as an IRI, under a prefix, as a term of an
inline context, or below a nested object: the statements, and with them the signature, stay the same, and a verifier
that reads the document by its names would find neither an end nor a status. What the base context of version 2.0 and
our vocabulary have a name for is therefore taken under that name alone, and in the object that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lianzheng.errors import FormatError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2, load_context

__all__ = ["check_name", "check_places"]

_KEYWORDS = {"@id": "id", "@type": "type"}
_OURS = "urn:lianzheng:v1#"
_GUARDED = (
    "https://www.w3.org/2018/credentials#",
    "https://www.w3.org/ns/credentials/status#",
    "https://w3id.org/security#",
)
_STATUS = "https://www.w3.org/2018/credentials#credentialStatus"
_FREE = {"https://www.w3.org/2018/credentials#credentialSubject", "https://w3id.org/security#proof"}
"""Claims do not decide whether the credential counts, and a proof stands outside of what it covers."""


def check_name(name: str, means: str | None) -> None:
    """``name``, a member or a type which JSON-LD takes for ``means``, is what that is called.

    Raises ``FormatError`` ``term_disguised``.
    """
    if means is None or name in {"@value", "@language", "@direction", "@list", "@set"}:
        return
    if means.startswith("@"):
        right = name == _KEYWORDS.get(means)
    elif means.startswith(_OURS):
        right = name == means.removeprefix(_OURS)
    else:
        right = name in _published().get(means, {name})
    if not right:
        raise _disguised()


def check_places(expanded: list[Any]) -> None:
    """What decides whether the document or a status entry of it counts stands in its own object, and nowhere else.

    ``expanded``: what JSON-LD made of it. Raises ``FormatError`` ``term_disguised``.
    """
    for root in (one for one in expanded if isinstance(one, dict)):
        for own in (root, *_objects(root.get(_STATUS))):
            for other in _within(root):
                if other is not own and "@id" in own and own["@id"] == other.get("@id"):
                    _check_added(own, other)


def _check_added(own: dict[str, Any], other: dict[str, Any]) -> None:
    """``other``, a second object of the same id, says nothing that decides and that ``own`` does not say."""
    for name, values in other.items():
        if name.startswith(_GUARDED) and name not in _FREE:
            said = own.get(name, [])
            if any(value not in said for value in values):
                raise _disguised()


@lru_cache(maxsize=1)
def _published() -> dict[str, set[str]]:
    """The names that the base context gives to IRIs of the vocabularies that decide whether a credential counts."""
    found: dict[str, set[str]] = {}
    for name, means in _terms(load_context(CREDENTIALS_V2)["@context"]):
        if means.startswith(_GUARDED):
            found.setdefault(means, set()).add(name)
    return found


def _terms(context: Any) -> Iterator[tuple[str, str]]:
    """Term and IRI, those of scoped contexts included."""
    for name, definition in context.items():
        means = definition.get("@id") if isinstance(definition, dict) else definition
        if not name.startswith("@") and isinstance(means, str):
            yield name, means
        if isinstance(definition, dict) and isinstance(definition.get("@context"), dict):
            yield from _terms(definition["@context"])


def _within(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in what JSON-LD expanded, itself included; values are none."""
    if isinstance(value, list):
        for item in value:
            yield from _within(item)
    elif isinstance(value, dict) and "@value" not in value:
        yield value
        for item in value.values():
            yield from _within(item)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _disguised() -> FormatError:
    return FormatError(
        "term_disguised",
        "The document says under another name, or in a second place, what the base context has a name for.",
        next_step="Write members and types by the names of https://www.w3.org/ns/credentials/v2, once each.",
    )
