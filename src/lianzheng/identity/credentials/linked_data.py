"""JSON-LD to RDF, and RDFC-1.0 over it: the one module that knows PyLD, which has neither types nor limits.

Nothing signed is lost on the way: a term without meaning and a relative reference, which JSON-LD would drop in
silence, are refused. Every canonicalisation has a budget, so a poisoned graph ends in ``rdf_too_complex``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyld.canon import URDNA2015  # type: ignore[import-untyped]
from pyld.context_resolver import ContextResolver  # type: ignore[import-untyped]
from pyld.identifier_issuer import IdentifierIssuer  # type: ignore[import-untyped]
from pyld.jsonld import JsonLdError, JsonLdProcessor  # type: ignore[import-untyped]
from pyld.nquads import serialize_nquad  # type: ignore[import-untyped]

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.identity.credentials.contexts import load_context
from lianzheng.identity.credentials.names import check_name, check_places
from lianzheng.limits import CONTEXTS_MAX, RDF_BLANK_NODES_MAX, RDF_QUADS_MAX, RDF_WORK_MAX

__all__ = [
    "Canonical",
    "Dataset",
    "canonicalize",
    "canonicalize_dataset",
    "compact",
    "expand",
    "serialize",
    "to_dataset",
]

Dataset = dict[str, list[dict[str, Any]]]
"""Graph name (``@default`` or a name) to triples, each ``{"subject", "predicate", "object"}`` of PyLD's terms."""

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*\Z")
_BASE = "https://relative.invalid/"  # what a relative reference resolves against, so that it is seen
_UNESCAPED = {code: f"\\u{code:04X}" for code in [*range(0x20), 0x7F]} | {8: "\\b", 12: "\\f"}
for _done_by_pyld in (9, 10, 13):
    del _UNESCAPED[_done_by_pyld]
_OF_NODES = {"@id", "@type", "@list", "@set"}
_OF_VALUES = {"@value", "@type", "@language", "@direction"}
_DEPTH_MAX = 16  # of nested JSON-LD contexts and lists in what PyLD expanded


class _Resolved(dict[str, Any]):
    """PyLD's parsed contexts, inline ones of strangers included: so the oldest make room."""

    def __setitem__(self, key: str, value: Any) -> None:
        while len(self) >= _RESOLVED_MAX:
            self.pop(next(iter(self)), None)
        super().__setitem__(key, value)


_RESOLVED_MAX = 64
_resolved = _Resolved()


@dataclass(frozen=True)
class Canonical:
    """``nquads``: canonical statements in code point order, each with its line end; ``labels``: blank node → c14n."""

    nquads: tuple[str, ...]
    labels: dict[str, str]


def canonicalize(document: JsonObject, algorithm: str = "sha256") -> Canonical:
    """RDFC-1.0 of a JSON-LD document. Errors as of :func:`to_dataset` and :func:`canonicalize_dataset`."""
    return canonicalize_dataset(to_dataset(document), algorithm)


def to_dataset(document: JsonObject) -> Dataset:
    """The RDF dataset of a JSON-LD document, in which every member has a meaning.

    Raises ``FormatError``: ``context_unknown``, ``term_undefined``, ``value_unsigned``, ``iri_relative``,
    ``jsonld_invalid`` (which holds the redefinition of a protected term), ``rdf_too_complex``.
    """
    if _check_source(document) > RDF_QUADS_MAX:
        raise _too_complex()
    with _refusing():
        dataset: Dataset = _Strict().to_rdf(document, _options())
    for graph, triples in dataset.items():
        unique = {serialize(triple, graph): triple for triple in triples}  # a dataset is a set
        dataset[graph] = list(unique.values())
    return dataset


def expand(document: JsonObject) -> list[Any]:
    """The expanded form of ``document``. Errors as of :func:`to_dataset`."""
    with _refusing():
        expanded: list[Any] = _Strict().expand(document, _options())
    return expanded


def compact(expanded: list[Any], context: Any) -> JsonObject:
    """``expanded`` in the terms of ``context``. Errors as of :func:`to_dataset`."""
    with _refusing():
        value: JsonObject = JsonLdProcessor().compact(expanded, {"@context": context}, _options())
    return value


def canonicalize_dataset(dataset: Dataset, algorithm: str = "sha256") -> Canonical:
    """RDFC-1.0 of ``dataset``, which is consumed. ``algorithm``: the hash inside (``sha256`` or ``sha384``).

    Raises ``FormatError`` ``rdf_too_complex``.
    """
    return _Rdfc10(algorithm).run(dataset)


def serialize(triple: dict[str, Any], graph: str) -> str:
    """One statement as a canonical N-Quad with its line end."""
    text: str = serialize_nquad(triple, None if graph == "@default" else graph)
    return _escape(text)


class _Strict(JsonLdProcessor):  # type: ignore[misc]
    """Refuses what JSON-LD processing would leave out of the signed statements, and what they do not tell apart."""

    def __init__(self) -> None:
        super().__init__(on_property_dropped=_refuse_term)

    def expand(self, input_: Any, options: Any) -> Any:
        expanded = super().expand(input_, options)
        _check_expanded(expanded, 4 * _DEPTH_MAX)
        check_places(expanded)
        return expanded

    def _expand_object(
        self,
        active_ctx: Any,
        active_property: Any,
        expanded_active_property: Any,
        element: Any,
        expanded_parent: Any,
        options: Any,
        inside_list: bool = False,
        type_key: Any = None,
        type_scoped_ctx: Any = None,
    ) -> Any:
        for name, value in element.items():
            means = None if name == "@context" else self._expand_iri(active_ctx, name, vocab=True)
            if "@value" not in element:
                check_name(name, means)
            for kind in (value if isinstance(value, list) else [value]) if means == "@type" else ():
                check_name(kind, self._expand_iri(type_scoped_ctx or active_ctx, kind, vocab=True))
        return super()._expand_object(
            active_ctx,
            active_property,
            expanded_active_property,
            element,
            expanded_parent,
            options,
            inside_list,
            type_key,
            type_scoped_ctx,
        )


class _Budget(IdentifierIssuer):  # type: ignore[misc]
    """The canonical issuer, which every inner step of RDFC-1.0 asks: here the steps are counted."""

    def __init__(self) -> None:
        super().__init__("_:c14n")
        self.left = RDF_WORK_MAX

    def has_id(self, old: str) -> bool:
        self.left -= 1
        if self.left < 0:
            raise _too_complex()
        return bool(super().has_id(old))


class _Rdfc10(URDNA2015):  # type: ignore[misc]
    """PyLD's URDNA2015 with RDFC-1.0's canonical N-Quads, a choice of hash, and a budget."""

    def __init__(self, algorithm: str) -> None:
        super().__init__()
        self.canonical_issuer = _Budget()
        self.create_hash = partial(hashlib.new, algorithm)

    def run(self, dataset: Dataset) -> Canonical:
        if sum(map(len, dataset.values())) > RDF_QUADS_MAX:
            raise _too_complex()
        names = {part["value"] for triples in dataset.values() for triple in triples for part in _blank(triple)}
        names.update(name for name in dataset if name.startswith("_:"))
        if len(names) > RDF_BLANK_NODES_MAX:
            raise _too_complex()
        # PyLD leaves a blank node alone whose name already looks canonical: give all of them other names.
        ours = {name: f"_:b{index}" for index, name in enumerate(sorted(names))}
        text: str = self.main(_renamed(dataset, ours), {"format": "application/n-quads"})
        lines = sorted(_escape(line) + "\n" for line in text.split("\n") if line)
        issued = self.canonical_issuer.existing
        return Canonical(tuple(lines), {name: issued[label] for name, label in ours.items() if label in issued})

    def hash_nquads(self, nquads: list[str]) -> str:
        digest = self.create_hash()
        for line in sorted(_escape(nquad) for nquad in nquads):
            digest.update(line.encode("utf-8"))
        return digest.hexdigest()

    def hash_n_degree_quads(self, id_: str, issuer: Any) -> Any:
        # Each permutation copies this issuer: the more names it holds, the dearer the step.
        self.canonical_issuer.left -= 1 + len(issuer.order)
        return super().hash_n_degree_quads(id_, issuer)


def _blank(triple: dict[str, Any]) -> list[dict[str, Any]]:
    return [triple[place] for place in ("subject", "object") if triple[place]["type"] == "blank node"]


def _renamed(dataset: Dataset, names: dict[str, str]) -> Dataset:
    def term(value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "value": names[value["value"]]} if value["type"] == "blank node" else dict(value)

    return {
        names.get(graph, graph): [{place: term(part) for place, part in triple.items()} for triple in triples]
        for graph, triples in dataset.items()
    }


def _escape(line: str) -> str:
    """Canonical N-Quads escape every control character; PyLD knows tab and the two line ends only."""
    body = line.removesuffix("\n")
    return body.translate(_UNESCAPED) + line[len(body) :]


def _too_complex() -> FormatError:
    return FormatError(
        "rdf_too_complex",
        "The document's graph takes more work to canonicalise than any honest document needs.",
        next_step="Give the parts of the document ids, or use a suite over JCS.",
    )


def _refuse_term(term: str | None) -> None:
    raise FormatError(
        "term_undefined",
        "The document has a member that no JSON-LD context gives a meaning; it would not be signed.",
        next_step="Define the member in a context, or take it out.",
        detail=f"member of {len(term or '')} characters",
    )


def _check_source(value: Any) -> int:
    """How many values a document has, none of which JSON-LD passes over: no keyword out of place, null, empty list."""
    if value is None or value == []:
        raise _unsigned()
    if isinstance(value, list):
        return sum(map(_check_source, value))
    if not isinstance(value, dict):
        return 1
    count = 1
    for name, item in value.items():
        if name == "@context":
            if isinstance(item, list) and len(item) > CONTEXTS_MAX:
                raise _too_complex()
            continue
        if name.startswith("@") and name not in (_OF_VALUES if "@value" in value else _OF_NODES):
            raise _unsigned()
        count += _check_source(item)
    return count


def _unsigned() -> FormatError:
    return FormatError(
        "value_unsigned",
        "The document has a null, an empty list or a keyword that JSON-LD passes over; it would not be signed.",
        next_step="Take it out.",
    )


def _check_expanded(value: Any, depth: int) -> None:
    if depth == 0:
        raise FormatError("jsonld_invalid", "The document nests too deep once expanded.")
    if isinstance(value, list):
        for item in value:
            _check_expanded(item, depth - 1)
    elif isinstance(value, dict):
        if "@value" in value:
            _check_iris(value.get("@type", []), keyword="@json")
            return
        _check_iris(value.get("@id", []))
        _check_iris(value.get("@type", []))
        for name, item in value.items():
            if not name.startswith("@") or name in {"@graph", "@included", "@list", "@set", "@reverse"}:
                if not name.startswith("@"):
                    _check_iris(name)
                _check_expanded(item, depth - 1)


def _check_iris(values: Any, keyword: str = "") -> None:
    for text in values if isinstance(values, list) else [values]:
        if text == keyword or (isinstance(text, str) and text.startswith("_:")):
            continue
        if isinstance(text, str) and _ABSOLUTE.match(text) and not text.startswith(_BASE):
            continue
        raise FormatError("iri_relative", "The document has an identifier or a type that is not an absolute IRI.")


def _options() -> dict[str, Any]:
    return {
        "base": _BASE,
        "documentLoader": _load,
        "contextResolver": ContextResolver(_resolved, _load),
        "rdfDirection": "i18n-datatype",  # otherwise a text's direction would not be signed
    }


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever PyLD raises on a strange document, as a typed refusal."""
    try:
        yield
    except JsonLdError as error:
        raise _reason(error) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise FormatError("jsonld_invalid", "The document is not valid JSON-LD.", detail=repr(type(error))) from error


def _load(url: str, _options: Any) -> Any:
    document = load_context(url)
    return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": document}


def _reason(error: BaseException) -> LianzhengError:
    """Our own refusal where PyLD wrapped one; else its refusal as ours."""
    cause: BaseException | None = error
    name = ""
    while cause is not None:
        if isinstance(cause, LianzhengError):
            return cause
        name = str(getattr(cause, "code", "") or name)
        cause = cause.__cause__ or cause.__context__
    return FormatError("jsonld_invalid", "The document is not valid JSON-LD.", detail=name)
