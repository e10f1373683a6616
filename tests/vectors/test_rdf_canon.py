"""W3C's own cases for RDFC-1.0 through our canonicalisation with its limits.

Source: github.com/w3c/rdf-canon, ``tests/rdfc10`` (``test0NN-in.nq``, ``test0NN-rdfc10.nq``), ``tests/manifest.csv``,
distributed under the W3C Test Suite License and the W3C 3-clause BSD License. Here in short form: ``e0`` is a blank
node, ``:p`` an IRI in ``http://example.org/vocab#``, ``t`` is its ``test``, ``0:1 2`` are two arcs ``:p``.

Left out: 001 to 017 (no shape that is not here too), 060 (its escapes are in ``test_rdfc.py``), 076 and 077 (statements
twice: ``to_dataset`` makes the set), and the maps of labels, which the results contain.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.linked_data import Dataset, canonicalize_dataset

V = "http://example.org/vocab#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMES = {"t": f"{V}test", "T": "http://example.org/test", "G": "http://example.org/g1", "nil": f"{RDF}nil"}
XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
BLANK = re.compile(r"(?:e|g|o|s|b|c14n)[0-9]+\Z")
LITERAL = re.compile(r'"([^"]*)"(?:@([a-z]+)|\^\^<(.+)>)?\Z')

CASES = {
    "018 self link": ("e0 :self e0", "c14n0 :self c14n0"),
    "019 disjoint self links": ("e0 :self e0; e1 :self e1", "c14n0 :self c14n0; c14n1 :self c14n1"),
    "020 diamond": (
        "t :A e0; t :B e1; e0 :next e2; e1 :next e2",
        "t :A c14n2; t :B c14n0; c14n0 :next c14n1; c14n2 :next c14n1",
    ),
    "021 circle of 2": ("e0 :next e1; e1 :next e0", "c14n0 :next c14n1; c14n1 :next c14n0"),
    "022 double circle of 2": (
        "e0 :next e1; e0 :prev e1; e1 :next e0; e1 :prev e0",
        "c14n0 :next c14n1; c14n0 :prev c14n1; c14n1 :next c14n0; c14n1 :prev c14n0",
    ),
    "023 circle of 3": (
        "e0 :next e1; e1 :next e2; e2 :next e0",
        "c14n0 :next c14n1; c14n1 :next c14n2; c14n2 :next c14n0",
    ),
    "030 point at circle of 3": (
        "t :A e0; t :B e1; t :C e2; e0 :next e1; e1 :next e2; e2 :next e0",
        "t :A c14n0; t :B c14n1; t :C c14n2; c14n0 :next c14n1; c14n1 :next c14n2; c14n2 :next c14n0",
    ),
    "033 disjoint identical subgraphs (1)": (
        "e0 :prop e1; e2 :prop e3",
        "c14n0 :prop c14n1; c14n2 :prop c14n3",
    ),
    "034 disjoint identical subgraphs (2)": (
        "e2 :prop e3; e0 :prop e1",
        "c14n0 :prop c14n1; c14n2 :prop c14n3",
    ),
    "035 reordered with strings (1)": (
        'e0 :p1 e2; e1 :p1 e3; e2 :p2 "Foo"; e3 :p2 "Foo"',
        'c14n0 :p1 c14n1; c14n1 :p2 "Foo"; c14n2 :p1 c14n3; c14n3 :p2 "Foo"',
    ),
    "036 reordered with strings (2)": (
        'e0 :p1 e3; e1 :p1 e2; e2 :p2 "Foo"; e3 :p2 "Foo"',
        'c14n0 :p1 c14n1; c14n1 :p2 "Foo"; c14n2 :p1 c14n3; c14n3 :p2 "Foo"',
    ),
    "038 reordered 4 (1)": (
        "e0 :p1 e1; e0 :p1 e2; e1 :p1 e3",
        "c14n0 :p1 c14n2; c14n1 :p1 c14n0; c14n1 :p1 c14n3",
    ),
    "039 reordered 4 (2)": (
        "e0 :p1 e1; e0 :p1 e2; e2 :p1 e3",
        "c14n0 :p1 c14n2; c14n1 :p1 c14n0; c14n1 :p1 c14n3",
    ),
    "040 reordered 6": (
        "e0 :p1 e1; e1 :p1 e2; e3 :p1 e4; e4 :p1 e5",
        "c14n0 :p1 c14n1; c14n1 :p1 c14n2; c14n3 :p1 c14n4; c14n4 :p1 c14n5",
    ),
    "043 literal with language": ('T :test "test"@en', 'T :test "test"@en'),
    "047 deep diff (1)": (
        'e0 :p e1; e1 :p e2; e2 :z "foo1"; e2 :z "foo2"; e3 :p e4; e4 :p e5; e5 :z "bar1"; e5 :z "bar2"',
        ('c14n0 :z "bar1"; c14n0 :z "bar2"; c14n1 :z "foo1"; c14n1 :z "foo2"; c14n2 :p c14n0; c14n3 :p c14n2; '
        "c14n4 :p c14n1; c14n5 :p c14n4"),
    ),
    "048 deep diff (2)": (
        'e0 :p e1; e1 :p e2; e2 :z "bar1"; e2 :z "bar2"; e3 :p e4; e4 :p e5; e5 :z "foo1"; e5 :z "foo2"',
        ('c14n0 :z "bar1"; c14n0 :z "bar2"; c14n1 :z "foo1"; c14n1 :z "foo2"; c14n2 :p c14n0; c14n3 :p c14n2; '
        "c14n4 :p c14n1; c14n5 :p c14n4"),
    ),
    "053 list": (
        ('e1 first "1"; e1 rest e2; e2 first "2"; e2 rest e3; e3 first "3"; e3 rest nil; '
        "e0 <http://example.org/test#property1> e1; "
        'e4 first "4"; e4 rest e5; e5 first "5"; e5 rest e6; e6 first "6"; e6 rest nil; '
        "e0 <http://example.org/test#property2> e4"),
        ('c14n0 first "3"; c14n0 rest nil; c14n1 first "6"; c14n1 rest nil; c14n2 first "1"; c14n2 rest c14n5; '
        "c14n3 <http://example.org/test#property1> c14n2; c14n3 <http://example.org/test#property2> c14n6; "
        'c14n4 first "5"; c14n4 rest c14n1; c14n5 first "2"; c14n5 rest c14n0; c14n6 first "4"; c14n6 rest c14n4'),
    ),
    "054 t-graph": (
        "0:1; 1:2; 2:3 4; 3:5; 4:10; 5:6; 6:7; 7:8; 8:9; 10:11; 11:12; 12:13; 13:14; 14:15",
        "0:14 7; 1:15; 10:9; 11:10; 12:11; 13:12; 14:13; 15:0; 3:2; 4:3; 5:4; 6:5; 7:6; 9:8",
    ),
    "055 simple reorder (1)": (
        "e0 :p e1; e0 :p <http://example.com>; e1 :p <http://example.org>",
        "c14n0 :p <http://example.com>; c14n0 :p c14n1; c14n1 :p <http://example.org>",
    ),
    "056 simple reorder (2)": (
        "e0 :p <http://example.org>; e1 :p e0; e1 :p <http://example.com>",
        "c14n0 :p <http://example.com>; c14n0 :p c14n1; c14n1 :p <http://example.org>",
    ),
    "057 unnamed graph": (
        ('e0 <http://xmlns.com/foaf/0.1/homepage> <http://manu.sporny.org/> e1; '
        'e0 <http://xmlns.com/foaf/0.1/name> "Manu Sporny" e1'),
        ('c14n1 <http://xmlns.com/foaf/0.1/homepage> <http://manu.sporny.org/> c14n0; '
        'c14n1 <http://xmlns.com/foaf/0.1/name> "Manu Sporny" c14n0'),
    ),
    "058 unnamed graph with blank node objects": (
        "<https://example.com/1> <https://example.com/2> e0 e3; <https://example.com/1> <https://example.com/2> e1 e3",
        ("<https://example.com/1> <https://example.com/2> c14n1 c14n0; "
        "<https://example.com/1> <https://example.com/2> c14n2 c14n0"),
    ),
    "059 graphs of blank nodes": (
        ("<urn:ex:s> <urn:ex:p> <urn:ex:o> <urn:ex:g>; s0 <urn:ex:p> o0 g0; s1 <urn:ex:p> o1 g1; s2 <urn:ex:p> o2 g2; "
        "s3 <urn:ex:p> o3 g3; s4 <urn:ex:p> o4 g4; s5 <urn:ex:p> o5 g5; s6 <urn:ex:p> <urn:ex:o> <urn:ex:g>"),
        ("<urn:ex:s> <urn:ex:p> <urn:ex:o> <urn:ex:g>; c14n0 <urn:ex:p> <urn:ex:o> <urn:ex:g>; "
        "c14n1 <urn:ex:p> c14n3 c14n2; c14n10 <urn:ex:p> c14n12 c14n11; c14n13 <urn:ex:p> c14n15 c14n14; "
        "c14n16 <urn:ex:p> c14n18 c14n17; c14n4 <urn:ex:p> c14n6 c14n5; c14n7 <urn:ex:p> c14n9 c14n8"),
    ),
    "061 one text in two languages": (
        ('<http://example.com> <http://example.com/label> "test"@en; <http://example.com> <http://example.com/label> '
        '"test"@fr'),
        ('<http://example.com> <http://example.com/label> "test"@en; <http://example.com> <http://example.com/label> '
        '"test"@fr'),
    ),
    "062 one text of two datatypes": (
        't :label "test"^^<http://example.com/t1>; t :label "test"^^<http://example.com/t2>',
        't :label "test"^^<http://example.com/t1>; t :label "test"^^<http://example.com/t2>',
    ),
    "063 diamond with _:b": (
        "t :A b0; t :B b1; b0 :next b2; b1 :next b2",
        "t :A c14n2; t :B c14n0; c14n0 :next c14n1; c14n2 :next c14n1",
    ),
    "070 isomorphic default and IRI named": (
        "T :A e0; T :B e0; T :embed e0; T :A e1 G; T :B e1 G; T :embed e1 G",
        "T :A c14n0; T :A c14n1 G; T :B c14n0; T :B c14n1 G; T :embed c14n0; T :embed c14n1 G",
    ),
    "071 isomorphic default and node named": (
        "T :A e0; T :B e0; T :embed e0; T :A e1 g1; T :B e1 g1; T :embed e1 g1",
        "T :A c14n0; T :A c14n2 c14n1; T :B c14n0; T :B c14n2 c14n1; T :embed c14n0; T :embed c14n2 c14n1",
    ),
    "072 shared blank nodes": (
        "T :A e0; T :B e0; T :embed e0; T :A e0 G; T :B e0 G; T :embed e0 G",
        "T :A c14n0; T :A c14n0 G; T :B c14n0; T :B c14n0 G; T :embed c14n0; T :embed c14n0 G",
    ),
    "073 referencing graph name": (
        "T :A e0; T :B e0; T :embed e0; T :graph g1; T :A e0 g1; T :B e0 g1; T :embed e0 g1",
        ("T :A c14n1; T :A c14n1 c14n0; T :B c14n1; T :B c14n1 c14n0; T :embed c14n1; T :embed c14n1 c14n0; "
        "T :graph c14n0"),
    ),
}  # fmt: skip

_RING = (
    "c14n0 :next c14n2; c14n0 :prev c14n1; c14n1 :next c14n0; c14n1 :prev c14n2; c14n2 :next c14n1; c14n2 :prev c14n0"
)
EVIL = {
    "044 evil (1)": "0:1 2 3; 1:0 3 4; 2:0 4 5; 3:0 1 5; 4:1 2 5; 5:3 2 4; 6:7 8 9; 7:6 10 11; 8:6 10 11; 9:6 10 11; "
    "10:7 8 9; 11:7 8 9",
    "045 evil (2)": "0:1 2 3; 1:0 4 5; 2:0 4 5; 3:0 4 5; 4:1 2 3; 5:1 2 3; 6:7 8 9; 7:6 9 10; 8:6 10 11; 9:6 7 11; "
    "10:7 8 11; 11:9 8 10",
    "046 evil (3)": "0:1 2 3; 1:0 9 8; 2:3 8 0; 3:0 2 9; 4:5 6 7; 5:10 4 11; 6:4 11 10; 7:10 11 4; 8:1 2 9; 9:8 3 1; "
    "10:6 7 5; 11:5 6 7",
}
EVIL_256 = (
    "0:1 2 3; 1:0 4 5; 10:7 8 9; 11:7 8 9; 2:0 3 5; 3:0 2 4; 4:1 3 5; 5:1 2 4; 6:7 8 9; 7:10 11 6; 8:10 11 6; 9:10 11 6"
)
EVIL_384 = (
    "0:1 2 3; 1:0 4 5; 10:11 7 8; 11:10 7 9; 2:0 4 5; 3:0 4 5; 4:1 2 3; 5:1 2 3; 6:7 8 9; 7:10 11 6; 8:10 6 9; 9:11 6 8"
)


def _statements(text: str, blank: str) -> list[list[str]]:
    """Terms of each statement; ``0:1 2`` stands for two of them."""
    found: list[list[str]] = []
    for part in text.split("; "):
        start, arcs, ends = part.partition(":")
        if arcs and start.isdigit():
            found += [[f"{blank}{start}", ":p", f"{blank}{end}"] for end in ends.split()]
        else:
            found.append(re.findall(r'"[^"]*"\S*|\S+', part))
    return found


def _term(text: str) -> dict[str, Any]:
    literal = LITERAL.match(text)
    if literal is not None:
        value, language, datatype = literal.groups()
        kind = f"{RDF}langString" if language else datatype or XSD_STRING
        return {"type": "literal", "value": value, "datatype": kind} | ({"language": language} if language else {})
    if BLANK.match(text):
        return {"type": "blank node", "value": f"_:{text}"}
    return {"type": "IRI", "value": _iri(text)}


def _iri(text: str) -> str:
    if text in ("first", "rest"):
        return RDF + text
    return NAMES.get(text) or (V + text[1:] if text.startswith(":") else text.strip("<>"))


def _dataset(text: str) -> Dataset:
    dataset: Dataset = {}
    for subject, predicate, target, *graph in _statements(text, "e"):
        name = _term(graph[0])["value"] if graph else "@default"
        triple = {"subject": _term(subject), "predicate": _term(predicate), "object": _term(target)}
        dataset.setdefault(name, []).append(triple)
    return dataset


def _nquads(text: str) -> str:
    """The result as the suite's file has it."""

    def shown(term: str) -> str:
        if term.startswith('"'):
            return term
        return f"_:{term}" if BLANK.match(term) else f"<{_iri(term)}>"

    return "".join(" ".join(map(shown, one)) + " .\n" for one in _statements(text, "c14n"))


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_the_suite(name: str) -> None:
    given, expected = CASES[name]
    assert "".join(canonicalize_dataset(_dataset(given)).nquads) == _nquads(expected)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("turn", [1, 2], ids=["024 to 029", "064 to 069, reversed"])
def test_double_circles_of_three_in_every_order(order: tuple[int, ...], turn: int) -> None:
    arcs = [(f"e{one} :next e{(one + turn) % 3}", f"e{one} :prev e{(one - turn) % 3}") for one in order]
    given = "; ".join(itertools.chain.from_iterable(arcs))
    assert "".join(canonicalize_dataset(_dataset(given)).nquads) == _nquads(_RING)


@pytest.mark.parametrize("name", EVIL)
def test_evil_graphs_within_their_limits(name: str) -> None:
    """Two components of six nodes with three arcs each, all alike at first sight: "computable given defined limits"."""
    assert "".join(canonicalize_dataset(_dataset(EVIL[name])).nquads) == _nquads(EVIL_256)


def test_075_under_sha_384() -> None:
    """The suite has had two cases of this number: the diamond, and the first evil graph."""
    diamond = CASES["020 diamond"][0]
    expected = "t :A c14n0; t :B c14n2; c14n0 :next c14n1; c14n2 :next c14n1"
    assert "".join(canonicalize_dataset(_dataset(diamond), "sha384").nquads) == _nquads(expected)
    evil = canonicalize_dataset(_dataset(EVIL["044 evil (1)"]), "sha384")
    assert "".join(evil.nquads) == _nquads(EVIL_384)


def test_074_a_clique_of_ten_is_refused() -> None:
    """The suite's one negative case: every one of ten nodes with an arc to every other."""
    given = "; ".join(f"{one}:" + " ".join(str(other) for other in range(10) if other != one) for one in range(10))
    with pytest.raises(LianzhengError) as caught:
        canonicalize_dataset(_dataset(given))
    assert caught.value.code == "rdf_too_complex"
