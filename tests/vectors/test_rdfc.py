"""RDFC-1.0 over JSON-LD: the canonical forms that W3C's Data Integrity vectors publish, and graphs made to hurt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials import linked_data
from lianzheng.identity.credentials.contexts import CONTEXTS, CREDENTIALS_V2, context_bytes, load_context
from lianzheng.identity.credentials.linked_data import Dataset, canonicalize, canonicalize_dataset

_FOLDERS = [
    ("eddsa/eddsa-rdfc-2022", "DataInt", "sha256"),
    ("eddsa/eddsa-rdfc-2022/employ", "DataInt", "sha256"),
    ("ecdsa/ecdsa-rdfc-2019-p256", "ECDSAP256", "sha256"),
    ("ecdsa/ecdsa-rdfc-2019-p256/employ", "ECDSAP256", "sha256"),
    ("ecdsa/ecdsa-rdfc-2019-p384", "ECDSAP384", "sha384"),
    ("ecdsa/ecdsa-rdfc-2019-p384/employ", "ECDSAP384", "sha384"),
]


@pytest.mark.parametrize(("folder", "name", "algorithm"), _FOLDERS)
def test_published_canonical_documents(shared_vectors: Path, folder: str, name: str, algorithm: str) -> None:
    document = json.loads((shared_vectors / folder / f"signed{name}.json").read_text("utf-8"))
    proof = document.pop("proof")
    options = {key: value for key, value in proof.items() if key != "proofValue"} | {"@context": document["@context"]}
    expected = (shared_vectors / folder / f"canonDoc{name}.txt").read_text("utf-8")
    assert "".join(canonicalize(document, algorithm).nquads) == expected
    expected = (shared_vectors / folder / f"proofCanon{name}.txt").read_text("utf-8")
    assert "".join(canonicalize(options, algorithm).nquads) == expected


def _node(name: str) -> dict[str, Any]:
    return {"type": "blank node", "value": f"_:{name}"}


def _arc(start: str, end: str, predicate: str = "http://example.org/vocab#p") -> dict[str, Any]:
    return {"subject": _node(start), "predicate": {"type": "IRI", "value": predicate}, "object": _node(end)}


def test_three_nodes_in_a_ring_have_one_form_under_any_names() -> None:
    """RDFC-1.0's own suite calls these "evil": told apart by the N-degree hash alone, and the order must not matter."""
    expected = tuple(
        f"_:c14n{start} <http://example.org/vocab#p> _:c14n{end} .\n" for start, end in [(0, 1), (1, 2), (2, 0)]
    )
    for names in ("abc", "bca", ["c14n1", "c14n0", "c14n2"], "zyx"):
        ring = [_arc(names[i], names[(i + 1) % 3]) for i in range(3)]
        made = {canonicalize_dataset({"@default": list(triples)}).nquads for triples in (ring, ring[::-1])}
        assert made in ({expected}, {tuple(sorted(line.replace("c14n1", "c14nx") for line in expected))})


def test_control_characters_are_escaped_as_in_rdf_canon_test_060() -> None:
    values = {"\x00": "\\u0000", "\x08": "\\b", "\t": "\\t", "\n": "\\n", "\x0b": "\\u000B", "\x0c": "\\f"}
    values |= {"\r": "\\r", '"': '\\"', "\\": "\\\\", "\x1f": "\\u001F", "\x7f": "\\u007F", "\x80": "\x80"}
    text = "".join(values)
    literal = {"type": "literal", "value": text, "datatype": "http://www.w3.org/2001/XMLSchema#string"}
    dataset: Dataset = {"@default": [_arc("a", "b") | {"object": literal}]}
    expected = f'_:c14n0 <http://example.org/vocab#p> "{"".join(values.values())}" .\n'
    assert canonicalize_dataset(dataset).nquads == (expected,)


@pytest.mark.parametrize("size", [8, 9, 16, 40, 64])
def test_a_complete_graph_is_refused_by_its_budget(size: int) -> None:
    """n nodes, each with an arc to every other: (n-1)! paths (rdf-canon test 074, a ten-clique)."""
    nodes = [f"n{index}" for index in range(size)]
    dataset = {"@default": [_arc(start, end) for start in nodes for end in nodes if start != end]}
    with pytest.raises(LianzhengError) as caught:
        canonicalize_dataset(dataset)
    assert caught.value.code == "rdf_too_complex"


def test_too_many_blank_nodes_are_refused_before_any_work() -> None:
    dataset = {"@default": [_arc(f"n{index}", f"m{index}") for index in range(129)]}
    with pytest.raises(LianzhengError) as caught:
        canonicalize_dataset(dataset)
    assert caught.value.code == "rdf_too_complex"


@pytest.mark.parametrize(
    "change",
    [
        {"@context": [CREDENTIALS_V2] * 3000},
        {"name": ["x"] * 3000},
        {"credentialSubject": [{"id": f"urn:x:{index}"} for index in range(1500)]},
    ],
)
def test_documents_that_only_cost_time_are_refused_before_they_do(change: dict[str, Any]) -> None:
    with pytest.raises(LianzhengError) as caught:
        canonicalize({"@context": [CREDENTIALS_V2], "id": "urn:x:1", "type": "VerifiableCredential", **change})
    assert caught.value.code == "rdf_too_complex"


def test_contexts_of_strangers_do_not_pile_up() -> None:
    for index in range(200):
        canonicalize({"@context": [CREDENTIALS_V2, {f"a{index}": "urn:x:a"}], "id": "urn:x:1", f"a{index}": "x"})
    assert len(linked_data._resolved) <= 64


def test_every_stored_context_has_its_digest() -> None:
    for entry in CONTEXTS:
        assert len(context_bytes(entry.url)) > 50
        assert "@context" in load_context(entry.url)


_PASSED_OVER: list[Any] = [None, [], [[]], {"@value": "x", "@index": "i"}]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("context_unknown", {"@context": [CREDENTIALS_V2, "https://attacker.example/context"]}),
        ("context_unknown", {"@context": [CREDENTIALS_V2, {"@import": "https://attacker.example/context"}]}),
        ("context_unknown", {"@context": [CREDENTIALS_V2, {"x": {"@id": "urn:x", "@context": "file:///etc/passwd"}}]}),
        ("jsonld_invalid", {"@context": [CREDENTIALS_V2, {"VerifiableCredential": "urn:x"}]}),
        ("jsonld_invalid", {"@context": 5}),
        ("term_undefined", {"alumniOf": "A school that no context knows"}),
        ("term_undefined", {"credentialSubject": {"id": "did:example:a", "income": 1}}),
        *(
            ("value_unsigned", {name: "x"})
            for name in ("@base", "@vocab", "@index", "@language", "@import", "@propagate")
        ),
        *(("value_unsigned", {"name": value}) for value in _PASSED_OVER),
        ("value_unsigned", {"@graph": [{"id": "urn:x:1"}]}),
        ("value_unsigned", {"@included": []}),
        ("value_unsigned", {"credentialSubject": {"id": "did:example:a", "@language": "en"}}),
        ("iri_relative", {"id": "../credentials/1"}),
        ("iri_relative", {"type": ["VerifiableCredential", "UnknownType"]}),
        ("iri_relative", {"issuer": "issuer-without-scheme"}),
        ("iri_relative", {"id": "https://example.org/with a space"}),
    ],
)
def test_what_json_ld_would_drop_or_take_from_elsewhere_is_refused(code: str, change: dict[str, Any]) -> None:
    document: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential"],
        "issuer": "did:example:issuer",
        "credentialSubject": {"id": "did:example:a"},
    }
    assert len(canonicalize(document).nquads) == 3
    with pytest.raises(LianzhengError) as caught:
        canonicalize({**document, **change})
    assert caught.value.code == code


def test_the_direction_of_a_text_is_signed() -> None:
    def named(direction: str) -> tuple[str, ...]:
        name = {"@value": "HTML و CSS", "@language": "ar", "@direction": direction}
        return canonicalize({"@context": CREDENTIALS_V2, "id": "urn:x:1", "name": name}).nquads

    assert named("rtl") != named("ltr")
    assert "https://www.w3.org/ns/i18n#ar_rtl" in named("rtl")[0]
