"""DCQL (OpenID4VP 1.0, section 6): reading a query, and its evaluation over the credentials that somebody holds.

Pure. A query comes from a stranger, so every list in it is bounded before anything is matched. Whether a credential
lacks a claim or has another value than was asked for cannot be told from what is raised (section 15.4.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, RefusedError
from lianzheng.limits import (
    DCQL_CLAIMS_MAX,
    DCQL_CLAIMS_TOTAL_MAX,
    DCQL_CREDENTIALS_MAX,
    DCQL_PATH_MAX,
    DCQL_SELECTED_MAX,
    DCQL_SETS_MAX,
    DCQL_TEXT_MAX,
    DCQL_VALUES_MAX,
)

__all__ = [
    "Authority",
    "ClaimQuery",
    "CredentialQuery",
    "CredentialSet",
    "Held",
    "Match",
    "Query",
    "check_answer",
    "evaluate",
    "match",
    "parse_query",
    "select",
]

Component = str | int | None
"""One step of a claims path pointer (section 7): a name, an index, or None for every element."""
Scalar = str | int | bool
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
MDOC = "mso_mdoc"
_META = {
    # format: (member of meta, whether its value is one text, a list of texts or a list of lists of texts)
    "jwt_vc_json": ("type_values", 2),
    "jwt_vc_json-ld": ("type_values", 2),
    "ldp_vc": ("type_values", 2),
    "dc+sd-jwt": ("vct_values", 1),
    MDOC: ("doctype_value", 0),
}


@dataclass(frozen=True)
class ClaimQuery:
    """One claim (6.3); ``values``: only with one of these, type included."""

    id: str | None
    path: tuple[Component, ...]
    values: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class Authority:
    """One condition on who certifies the issuer (6.1.1)."""

    type: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class CredentialQuery:
    """One credential that is asked for (6.1). ``types``: alternatives, each of types that must all be there."""

    id: str
    format: str
    types: tuple[frozenset[str], ...] = ()
    multiple: bool = False
    holder_binding: bool = True
    authorities: tuple[Authority, ...] = ()
    claims: tuple[ClaimQuery, ...] = ()
    claim_sets: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class CredentialSet:
    """Alternatives of which one serves (6.2)."""

    options: tuple[tuple[str, ...], ...]
    required: bool = True


@dataclass(frozen=True)
class Query:
    """A DCQL query that is well formed and bounded."""

    credentials: tuple[CredentialQuery, ...]
    sets: tuple[CredentialSet, ...] = ()

    def get(self, name: str) -> CredentialQuery | None:
        """The credential query of this id."""
        return next((one for one in self.credentials if one.id == name), None)


@dataclass(frozen=True)
class Held:
    """A credential as a query sees it: ``claims`` is its root, ``types`` its expanded types (vct, doctype).

    ``authorities``: (type, value) pairs of section 6.1.1 that hold for its issuer.
    """

    format: str
    claims: JsonObject
    types: frozenset[str]
    holder_binding: bool = True
    authorities: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Match:
    """A credential that answers a query: its place among those held, and the claims to be shown."""

    index: int
    paths: tuple[tuple[Component, ...], ...] = field(default=())


def parse_query(value: Any) -> Query:
    """The query in a parsed ``dcql_query``; unknown members are ignored, as the text demands.

    Raises ``FormatError`` ``dcql_malformed``, ``dcql_too_large``.
    """
    root = _object(value, "dcql_query")
    credentials = tuple(
        _credential(one, f"credentials/{number}")
        for number, one in enumerate(_list(root.get("credentials"), DCQL_CREDENTIALS_MAX, "credentials"))
    )
    names = [one.id for one in credentials]
    if len(set(names)) != len(names):
        raise _bad("credentials: one id stands twice")
    if sum(len(one.claims) for one in credentials) > DCQL_CLAIMS_TOTAL_MAX:
        raise _too_large("claims")
    sets: tuple[CredentialSet, ...] = ()
    if "credential_sets" in root:
        listed = _list(root["credential_sets"], DCQL_SETS_MAX, "credential_sets")
        sets = tuple(_set(one, frozenset(names)) for one in listed)
    return Query(credentials, sets)


def select(path: Sequence[Component], root: Any) -> list[Any]:
    """What a claims path pointer selects in a JSON credential (7.1.1), at least one element.

    Raises ``FormatError`` ``claim_absent``, ``dcql_too_large``.
    """
    selected = [root]
    for part in path:
        if isinstance(part, str):
            if not all(isinstance(one, dict) for one in selected):
                raise _absent()
            selected = [one[part] for one in selected if part in one]
        else:
            if not all(isinstance(one, list) for one in selected):
                raise _absent()
            if part is None:
                selected = [item for one in selected for item in one]
            else:
                selected = [one[part] for one in selected if part < len(one)]
        if len(selected) > DCQL_SELECTED_MAX:
            raise _too_large("a claims path")
    if not selected:
        raise _absent()
    return selected


def match(query: CredentialQuery, held: Held) -> tuple[tuple[Component, ...], ...] | None:
    """The claims of ``held`` that ``query`` asks for; None where it does not answer the query.

    Without ``claims`` that is none: what a credential shows anyhow is not chosen.
    """
    if held.format != query.format or (query.holder_binding and not held.holder_binding):
        return None
    if query.types and not any(one <= held.types for one in query.types):
        return None
    wanted = {(one.type, value) for one in query.authorities for value in one.values}
    if wanted and not wanted & held.authorities:
        return None
    if not query.claim_sets:
        return tuple(one.path for one in query.claims) if all(_claim_holds(one, held) for one in query.claims) else None
    found = {number: one.path for number, one in enumerate(query.claims) if _claim_holds(one, held)}
    by_id = {query.claims[number].id: path for number, path in found.items()}
    for names in query.claim_sets:
        if all(name in by_id for name in names):
            return tuple(by_id[name] for name in names)
    return None


def evaluate(query: Query, wallet: Sequence[Held], *, optional: bool = False) -> dict[str, tuple[Match, ...]]:
    """Which credentials answer the query, by its ids: the first that fits, of ``multiple`` every one (6.4).

    ``optional``: those of sets that are not required too. Raises ``RefusedError`` ``dcql_unsatisfied``.
    """
    possible: dict[str, tuple[Match, ...]] = {}
    for one in query.credentials:
        paths = [(number, match(one, held)) for number, held in enumerate(wallet)]
        fitting = tuple(Match(number, found) for number, found in paths if found is not None)
        if fitting:
            possible[one.id] = fitting if one.multiple else fitting[:1]
    chosen: list[str] = []
    for wanted in query.sets:
        option = next((one for one in wanted.options if all(name in possible for name in one)), None)
        if wanted.required and option is None:
            raise _unsatisfied()
        if option is not None and (wanted.required or optional):
            chosen += option
    if not query.sets:
        chosen = [one.id for one in query.credentials]
    if not all(name in possible for name in chosen):
        raise _unsatisfied()
    return {name: possible[name] for name in dict.fromkeys(chosen)}


def check_answer(query: Query, presented: Mapping[str, Sequence[Held]]) -> None:
    """What was presented, by query id, is what was asked for: all of it, and nothing else (8.6).

    The wallet is not believed: every condition is evaluated again. Raises ``RefusedError`` ``dcql_unsatisfied``,
    ``dcql_unasked``.
    """
    options = [one.options for one in query.sets]
    asked = {name for many in options for one in many for name in one} or {one.id for one in query.credentials}
    for name, held in presented.items():
        wanted = query.get(name)
        if wanted is None or name not in asked or not held or (len(held) > 1 and not wanted.multiple):
            raise RefusedError("dcql_unasked", "The answer holds what the query did not ask for, or not as asked.")
        if any(match(wanted, one) is None for one in held):
            raise _unsatisfied()
    for wanted_set in query.sets:
        if wanted_set.required and not any(all(name in presented for name in one) for one in wanted_set.options):
            raise _unsatisfied()
    if not query.sets and set(presented) != asked:
        raise _unsatisfied()


def _claim_holds(claim: ClaimQuery, held: Held) -> bool:
    if held.format == MDOC and (len(claim.path) != 2 or not all(isinstance(part, str) for part in claim.path)):
        return False
    try:
        selected = select(claim.path, held.claims)
    except FormatError:
        return False
    if not claim.values:
        return True
    wanted = {(type(value), value) for value in claim.values}
    return any(isinstance(one, str | int) and (type(one), one) in wanted for one in selected)


def _credential(value: Any, place: str) -> CredentialQuery:
    found = _object(value, place)
    form = _text(found.get("format"), f"{place}/format")
    meta = _object(found.get("meta"), f"{place}/meta")
    claims: tuple[ClaimQuery, ...] = ()
    if "claims" in found:
        listed = _list(found["claims"], DCQL_CLAIMS_MAX, f"{place}/claims")
        claims = tuple(_claim(one, f"{place}/claims/{number}") for number, one in enumerate(listed))
    names = [one.id for one in claims if one.id is not None]
    if len(set(names)) != len(names):
        raise _bad(f"{place}/claims: one id stands twice")
    return CredentialQuery(
        id=_identifier(found.get("id"), f"{place}/id"),
        format=form,
        types=_types(form, meta, f"{place}/meta"),
        multiple=_flag(found, "multiple", False, place),
        holder_binding=_flag(found, "require_cryptographic_holder_binding", True, place),
        authorities=_authorities(found, place),
        claims=claims,
        claim_sets=_claim_sets(found, claims, place),
    )


def _types(form: str, meta: JsonObject, place: str) -> tuple[frozenset[str], ...]:
    name, depth = _META.get(form, ("", 0))
    if name not in meta:
        return ()  # nothing is asked of the metadata (6.1, meta)
    value, place = meta[name], f"{place}/{name}"
    if depth == 0:
        return (frozenset({_text(value, place)}),)
    found = []
    for one in _list(value, DCQL_VALUES_MAX, place):
        inner = _list(one, DCQL_VALUES_MAX, place) if depth > 1 else [one]
        found.append(frozenset(_text(text, place) for text in inner))
    return tuple(found)


def _authorities(value: JsonObject, place: str) -> tuple[Authority, ...]:
    if "trusted_authorities" not in value:
        return ()
    place = f"{place}/trusted_authorities"
    found = []
    for one in _list(value["trusted_authorities"], DCQL_VALUES_MAX, place):
        entry = _object(one, place)
        values = _list(entry.get("values"), DCQL_VALUES_MAX, f"{place}/values")
        texts = tuple(_text(text, f"{place}/values") for text in values)
        found.append(Authority(_text(entry.get("type"), f"{place}/type"), texts))
    return tuple(found)


def _claim(value: Any, place: str) -> ClaimQuery:
    found = _object(value, place)
    path = _list(found.get("path"), DCQL_PATH_MAX, f"{place}/path")
    for part in path:
        fits = (
            part is None or (type(part) is int and part >= 0) or (isinstance(part, str) and len(part) <= DCQL_TEXT_MAX)
        )
        if not fits:
            raise _bad(f"{place}/path: a component is neither a text nor null nor an index")
    values: list[Any] = []
    if "values" in found:
        values = _list(found["values"], DCQL_VALUES_MAX, f"{place}/values")
        if not all(isinstance(one, str | int | bool) for one in values):
            raise _bad(f"{place}/values: a value is neither a text nor an integer nor a boolean")
    name = _identifier(found["id"], f"{place}/id") if "id" in found else None
    return ClaimQuery(name, tuple(path), tuple(values))


def _claim_sets(value: JsonObject, claims: tuple[ClaimQuery, ...], place: str) -> tuple[tuple[str, ...], ...]:
    if "claim_sets" not in value:
        return ()
    known = {one.id for one in claims}
    if not claims or None in known:
        raise _bad(f"{place}/claim_sets: it needs claims, each with an id")
    return tuple(
        _names(one, known, f"{place}/claim_sets")
        for one in _list(value["claim_sets"], DCQL_SETS_MAX, f"{place}/claim_sets")
    )


def _set(value: Any, known: frozenset[str]) -> CredentialSet:
    found = _object(value, "credential_sets")
    options = _list(found.get("options"), DCQL_SETS_MAX, "credential_sets/options")
    named = tuple(_names(one, known, "credential_sets/options") for one in options)
    return CredentialSet(named, _flag(found, "required", True, "credential_sets"))


def _names(value: Any, known: set[str | None] | frozenset[str], place: str) -> tuple[str, ...]:
    names = _list(value, DCQL_CLAIMS_MAX, place)
    if not all(isinstance(one, str) and one in known for one in names):
        raise _bad(f"{place}: a name is not the id of anything in the query")
    return tuple(dict.fromkeys(names))


def _identifier(value: Any, place: str) -> str:
    if not isinstance(value, str) or not _ID.match(value):
        raise _bad(f"{place}: not a text of letters, digits, _ and -")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= DCQL_TEXT_MAX:
        raise _bad(f"{place}: not a text, or too long")
    return value


def _flag(value: JsonObject, name: str, otherwise: bool, place: str) -> bool:
    found = value.get(name, otherwise)
    if not isinstance(found, bool):
        raise _bad(f"{place}/{name}: not a boolean")
    return found


def _object(value: Any, place: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _bad(f"{place}: missing, or no object")
    return value


def _list(value: Any, most: int, place: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _bad(f"{place}: missing, or not a list with something in it")
    if len(value) > most:
        raise _too_large(place)
    return value


def _bad(text: str) -> FormatError:
    return FormatError("dcql_malformed", f"The query is not DCQL of OpenID4VP 1.0. {text}.")


def _too_large(place: str) -> FormatError:
    return FormatError("dcql_too_large", f"The query asks for more than is looked at: {place}.")


def _absent() -> FormatError:
    return FormatError("claim_absent", "The credential has no claim at that path.")


def _unsatisfied() -> RefusedError:
    return RefusedError("dcql_unsatisfied", "The credentials do not answer the query.")
