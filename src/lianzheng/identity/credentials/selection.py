"""Selective disclosure over JSON-LD (VC-DI-ECDSA 1.0 §3.4): which statements does a set of JSON pointers reach?

Blank nodes get names that survive selection ("skolemised": ``urn:bnid:…``), statements get labels that say nothing
about what was left out (the caller's label function), and each group of pointers becomes a set of statement indexes.
Shared by ecdsa-sd-2023 and bbs-2023.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError
from lianzheng.identity.credentials.linked_data import (
    Dataset,
    canonicalize_dataset,
    compact,
    expand,
    serialize,
    to_dataset,
)
from lianzheng.limits import SD_POINTERS_MAX

__all__ = [
    "Group",
    "Grouped",
    "LabelFactory",
    "canonicalize_and_group",
    "check_pointers",
    "label_statements",
    "select",
]

LabelFactory = Callable[[Mapping[str, str]], dict[str, str]]
"""Input label → canonical label (both without ``_:``), to input label → final label."""
_SKOLEM = "urn:bnid:"
_POINTER = re.compile(r"(/([^~/]|~0|~1)*)+\Z")


@dataclass(frozen=True)
class Group:
    """Statements that a group of pointers reaches, by index in all; ``dataset`` holds them under input labels."""

    matching: dict[int, str]
    others: dict[int, str]
    dataset: Dataset


@dataclass(frozen=True)
class Grouped:
    """All statements in their final order, the label map, and one :class:`Group` for each name asked for."""

    statements: tuple[str, ...]
    labels: dict[str, str]
    groups: dict[str, Group]


def canonicalize_and_group(document: JsonObject, label: LabelFactory, groups: Mapping[str, Sequence[str]]) -> Grouped:
    """Statements of ``document`` with final labels, and which of them each group's pointers reach (§3.4.16).

    Raises ``FormatError``: ``pointer_invalid``, ``pointer_unknown`` and those of the canonical forms.
    """
    if "@context" not in document:
        raise _no_context()
    named = _Namer().name_all(expand(document))
    skolemized = compact(named, document["@context"])
    dataset = _deskolemized(to_dataset(skolemized))
    statements, labels = label_statements(dataset, label)
    found = {name: _group(skolemized, pointers, statements, labels) for name, pointers in groups.items()}
    return Grouped(statements, labels, found)


def label_statements(dataset: Dataset, label: LabelFactory) -> tuple[tuple[str, ...], dict[str, str]]:
    """Statements under the labels that ``label`` gives to canonical ones, sorted; and the map from input labels."""
    canonical = canonicalize_dataset(copy.deepcopy(dataset)).labels
    labels = label({old.removeprefix("_:"): new.removeprefix("_:") for old, new in canonical.items()})
    return _relabeled(dataset, labels), labels


def select(document: JsonObject, pointers: Iterable[str]) -> JsonObject | None:
    """What ``pointers`` reach of ``document``, with the types and ids on the way (§3.4.13); ``None`` for no pointers.

    Raises ``FormatError``: ``pointer_invalid``, ``pointer_unknown``.
    """
    paths = [_path(pointer) for pointer in pointers]
    if not paths:
        return None
    if "@context" not in document:
        raise _no_context()
    chosen: JsonObject = {"@context": copy.deepcopy(document["@context"]), **_kept(document)}
    for path in paths:
        _select_path(document, path, chosen)
    dense: JsonObject = _dense(chosen)
    return dense


def check_pointers(pointers: object) -> tuple[str, ...]:
    """``pointers`` as JSON pointers (RFC 6901). Raises ``FormatError`` ``pointer_invalid``."""
    if not isinstance(pointers, (list, tuple)) or len(pointers) > SD_POINTERS_MAX:
        raise _bad_pointer()
    for pointer in pointers:
        _path(pointer)
    return tuple(pointers)


class _Namer:
    """Gives every node without a name one that selection cannot change."""

    def __init__(self) -> None:
        self._count = 0

    def name_all(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.name_all(item) for item in value]
        if not isinstance(value, dict) or "@value" in value:
            return value
        named = {name: self.name_all(item) for name, item in value.items()}
        if "@list" in named or "@set" in named:
            return named
        name = named.get("@id")
        if name is None:
            named["@id"] = f"{_SKOLEM}s{self._count}"
            self._count += 1
        elif name.startswith("_:"):
            named["@id"] = f"{_SKOLEM}g{name[2:]}"
        elif name.startswith(_SKOLEM):
            raise FormatError("jsonld_invalid", "The document uses names that are kept for canonicalisation.")
        return named


def _deskolemized(dataset: Dataset) -> Dataset:
    def term(part: dict[str, Any]) -> dict[str, Any]:
        if part["type"] == "IRI" and part["value"].startswith(_SKOLEM):
            return {"type": "blank node", "value": "_:" + part["value"][len(_SKOLEM) :]}
        return part

    return {
        (f"_:{graph[len(_SKOLEM) :]}" if graph.startswith(_SKOLEM) else graph): [
            {place: term(part) for place, part in triple.items()} for triple in triples
        ]
        for graph, triples in dataset.items()
    }


def _relabeled(dataset: Dataset, labels: Mapping[str, str]) -> tuple[str, ...]:
    def name(value: str) -> str:
        return "_:" + labels[value[2:]] if value.startswith("_:") else value

    def term(part: dict[str, Any]) -> dict[str, Any]:
        return {**part, "value": name(part["value"])} if part["type"] == "blank node" else part

    lines = [
        serialize({place: term(part) for place, part in triple.items()}, name(graph))
        for graph, triples in dataset.items()
        for triple in triples
    ]
    return tuple(sorted(lines))


def _group(
    skolemized: JsonObject, pointers: Sequence[str], statements: Sequence[str], labels: Mapping[str, str]
) -> Group:
    selection = select(skolemized, pointers)
    dataset = _deskolemized(to_dataset(selection)) if selection is not None else {}
    reached = frozenset(_relabeled(dataset, labels))
    matching = {index: line for index, line in enumerate(statements) if line in reached}
    others = {index: line for index, line in enumerate(statements) if line not in reached}
    return Group(matching, others, dataset)


def _path(pointer: object) -> list[str]:
    if pointer == "":
        return []
    if not isinstance(pointer, str) or _POINTER.match(pointer) is None:
        raise _bad_pointer()
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _kept(value: JsonObject) -> JsonObject:
    """A node's type and id always go along; a blank node has no id to show."""
    kept: JsonObject = {}
    for name in ("id", "@id"):
        if isinstance(value.get(name), str) and not value[name].startswith("_:"):
            kept[name] = value[name]
    return kept | {name: copy.deepcopy(value[name]) for name in ("type", "@type") if name in value}


def _select_path(document: JsonObject, path: list[str], chosen: JsonObject) -> None:
    if not path:
        chosen.update(copy.deepcopy(document))
        return
    parent: Any = document
    chosen_parent: Any = chosen
    for depth, part in enumerate(path):
        value, place = _step(parent, part)
        last = depth == len(path) - 1
        present = chosen_parent.get(place)
        if last:
            chosen_parent[place] = copy.deepcopy(value)
            return
        if present is None:
            present = _Sparse() if isinstance(value, list) else _kept(value) if isinstance(value, dict) else value
            chosen_parent[place] = present
        elif isinstance(present, list):  # was chosen whole before
            return
        parent, chosen_parent = value, present


def _step(parent: Any, part: str) -> tuple[Any, Any]:
    if isinstance(parent, dict) and part in parent:
        return parent[part], part
    if isinstance(parent, list) and part.isascii() and part.isdigit() and str(int(part[:9])) == part:
        index = int(part)
        if index < len(parent):
            return parent[index], index
    raise FormatError("pointer_unknown", "A JSON pointer leads to nothing in the document.")


class _Sparse(dict[int, Any]):
    """An array of which some items are chosen."""


def _dense(value: Any) -> Any:
    if isinstance(value, _Sparse):
        return [_dense(value[index]) for index in sorted(value)]
    if isinstance(value, dict):
        return {name: _dense(item) for name, item in value.items()}
    return value


def _no_context() -> FormatError:
    return FormatError("jsonld_invalid", "The document names no JSON-LD context.")


def _bad_pointer() -> FormatError:
    return FormatError("pointer_invalid", "A JSON pointer is not one (RFC 6901), or there are too many.")
