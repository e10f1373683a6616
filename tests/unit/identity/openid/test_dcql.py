"""DCQL: the text's own examples, every rule of sections 6 and 7 with a case on each side, and bounds."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.errors import FormatError, LianzhengError, RefusedError
from lianzheng.identity.openid.dcql import Held, Match, check_answer, evaluate, match, parse_query, select
from lianzheng.limits import DCQL_CLAIMS_MAX, DCQL_CREDENTIALS_MAX, DCQL_SELECTED_MAX, DCQL_VALUES_MAX

EXAMPLES: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "openid4vp" / "dcql.json").read_text("utf-8")
)
PID = "https://credentials.example.com/identity_credential"
NAME = {"given_name": "Arthur", "family_name": "Dent", "address": {"street_address": "42 Market Street"}}
MDL = "org.iso.18013.5.1"


def sd_jwt(vct: str, **claims: Any) -> Held:
    return Held("dc+sd-jwt", claims, frozenset({vct}))


def mdoc(doctype: str, **items: Any) -> Held:
    return Held("mso_mdoc", {MDL: items}, frozenset({doctype}))


def vc(*types: str, form: str = "jwt_vc_json", **subject: Any) -> Held:
    return Held(form, {"type": list(types), "credentialSubject": subject}, frozenset(types))


def example(name: str) -> Any:
    return parse_query(deepcopy(EXAMPLES[name]))


def simple(**change: Any) -> dict[str, Any]:
    """A query for one credential; ``None`` takes a member away."""
    whole = {"id": "one", "format": "jwt_vc_json", "meta": {}} | change
    return {"credentials": [{name: value for name, value in whole.items() if value is not None}]}


def places(found: dict[str, tuple[Match, ...]]) -> dict[str, list[int]]:
    return {name: [one.index for one in matches] for name, matches in found.items()}


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"claims_path_credential", "type_values"}))
def test_the_texts_queries_are_read(name: str) -> None:
    query = example(name)
    assert [one.id for one in query.credentials] == [one["id"] for one in EXAMPLES[name]["credentials"]]


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        (["name"], ["Arthur Dent"]),
        (
            ["address"],
            [{"street_address": "42 Market Street", "locality": "Milliways", "postal_code": "12345"}],
        ),
        (["address", "street_address"], ["42 Market Street"]),
        (["degrees", None, "type"], ["Bachelor of Science", "Master of Science"]),
        (["nationalities", 1], ["Betelgeusian"]),
    ],
)
def test_claims_paths_of_section_7_3(path: list[Any], selected: list[Any]) -> None:
    assert select(path, EXAMPLES["claims_path_credential"]) == selected


@pytest.mark.parametrize(
    "path",
    [
        ["surname"],
        ["name", "first"],
        ["name", 0],
        ["name", None],
        ["address", 0],
        ["nationalities", 2],
        ["degrees", "type"],
    ],
)
def test_paths_that_select_nothing_are_errors(path: list[Any]) -> None:
    with pytest.raises(FormatError) as caught:
        select(path, EXAMPLES["claims_path_credential"])
    assert caught.value.code == "claim_absent"


def test_elements_without_the_key_drop_out_and_the_others_stay() -> None:
    """7.1.1, 2.1 and 2.3: a missing key removes one element, a wrong type ends it all."""
    root = {"a": [{"b": 1}, {"c": 2}, {"b": 3}], "n": [[1], [2, 3]], "mixed": [{"b": 1}, 7]}
    assert select(["a", None, "b"], root) == [1, 3]
    assert select(["n", None, 1], root) == [3]
    with pytest.raises(FormatError):
        select(["mixed", None, "b"], root)


def test_nulls_that_multiply_end_at_the_bound() -> None:
    root = {"a": [[0] * 100] * (DCQL_SELECTED_MAX // 100 + 1)}
    with pytest.raises(FormatError) as caught:
        select(["a", None, None], root)
    assert caught.value.code == "dcql_too_large"


def test_alternatives_in_the_order_of_the_verifier() -> None:
    query = example("credentials_alternatives")
    pid, other = sd_jwt(PID, **NAME), sd_jwt("https://othercredentials.example/pid", **NAME)
    reduced = sd_jwt("https://credentials.example.com/reduced_identity_credential", family_name="Dent", given_name="A")
    home = sd_jwt("https://cred.example/residence_credential", postal_code="1", locality="M", region="R")
    rewards = sd_jwt("https://company.example/company_rewards", rewards_number="9")
    assert places(evaluate(query, [rewards, other, pid])) == {"pid": [2]}
    assert places(evaluate(query, [rewards, other])) == {"other_pid": [1]}
    both = {"pid_reduced_cred_1": [1], "pid_reduced_cred_2": [0]}
    assert places(evaluate(query, [home, reduced])) == both
    assert places(evaluate(query, [home, reduced, rewards], optional=True)) == {**both, "nice_to_have": [2]}
    for wallet in ([reduced], [home], [rewards], [], [sd_jwt(PID, given_name="A", family_name="D")]):
        with pytest.raises(RefusedError) as caught:
            evaluate(query, wallet, optional=True)
        assert caught.value.code == "dcql_unsatisfied"


def test_claim_sets_in_the_order_of_the_verifier() -> None:
    query = example("claims_alternatives")
    region = {"last_name": "D", "locality": "M", "region": "R", "date_of_birth": "1"}
    postal = {"last_name": "D", "postal_code": "1", "date_of_birth": "1"}
    first = (("last_name",), ("locality",), ("region",), ("date_of_birth",))
    second = (("last_name",), ("postal_code",), ("date_of_birth",))
    assert match(query.credentials[0], sd_jwt(PID, **region, postal_code="1")) == first
    assert match(query.credentials[0], sd_jwt(PID, **postal)) == second
    assert match(query.credentials[0], sd_jwt(PID, last_name="D", postal_code="1")) is None


def test_values_match_with_their_type() -> None:
    query = example("value_matching_simple")
    right = {**NAME, "family_name": "Doe", "postal_code": "90211"}
    assert places(evaluate(query, [sd_jwt(PID, **right)])) == {"my_credential": [0]}
    for wrong in ({"postal_code": 90211}, {"postal_code": "90212"}, {"family_name": "doe"}):
        with pytest.raises(RefusedError):
            evaluate(query, [sd_jwt(PID, **{**right, **wrong})])


@pytest.mark.parametrize(
    ("value", "wanted", "fits"),
    [(True, 1, False), (1, True, False), (1, 1, True), (False, False, True), (1, "1", False)],
)
def test_a_boolean_is_no_number(value: Any, wanted: Any, fits: bool) -> None:
    query = parse_query(simple(claims=[{"path": ["credentialSubject", "x"], "values": [wanted]}])).credentials[0]
    assert (match(query, vc("IDCredential", x=value)) is not None) is fits


def test_all_credentials_where_there_are_no_sets() -> None:
    query = example("multi_credentials")
    vehicle = Held(
        "mso_mdoc",
        {"org.iso.7367.1": {"vehicle_holder": "A"}, MDL: {"given_name": "A"}},
        frozenset({"org.iso.7367.1.mVRC"}),
    )
    assert places(evaluate(query, [vehicle, sd_jwt(PID, **NAME)])) == {"pid": [1], "mdl": [0]}
    with pytest.raises(RefusedError):
        evaluate(query, [sd_jwt(PID, **NAME)])


def test_mdoc_by_doctype_and_namespace() -> None:
    query = example("complex_mdoc")
    who = {"given_name": "A", "family_name": "D", "portrait": "x"}
    home = {"resident_address": "1", "resident_country": "2"}
    photo, licence = mdoc("org.iso.23220.photoid.1", **who, **home), mdoc("org.iso.18013.5.1.mDL", **who)
    assert places(evaluate(query, [photo, licence])) == {"mdl-id": [1]}
    assert places(evaluate(query, [photo])) == {"photo_card-id": [0]}
    assert places(evaluate(query, [licence, photo], optional=True)) == {"mdl-id": [0], "photo_card-address": [1]}
    deeper = parse_query(
        {"credentials": [{"id": "m", "format": "mso_mdoc", "meta": {}, "claims": [{"path": [MDL, "a", "b"]}]}]}
    )
    assert match(deeper.credentials[0], mdoc("x", a={"b": 1})) is None  # 7.2: exactly two


def test_types_of_w3c_credentials() -> None:
    """The three credentials that B.1.1 says match, and one of each alternative that does not."""
    query = parse_query(simple(meta={"type_values": EXAMPLES["type_values"]})).credentials[0]
    base, names = "https://www.w3.org/2018/credentials#VerifiableCredential", "https://example.org/examples#"
    for types in (
        (base, names + "UniversityDegreeCredential"),
        (base, names + "BachelorDegree", names + "AlumniCredential"),
        (base, "IdentityCredential"),
    ):
        assert match(query, vc(*types)) == ()
    for wrong in ((base, names + "BachelorDegree"), (names + "UniversityDegreeCredential",), (base,)):
        assert match(query, vc(*wrong)) is None
    assert match(example("dcql_jwt_vc").credentials[0], vc("IDCredential", family_name="D", given_name="A")) is not None


def test_format_binding_and_authority() -> None:
    held = vc("IDCredential")
    assert match(parse_query(simple()).credentials[0], held) == ()
    assert match(parse_query(simple(format="ldp_vc")).credentials[0], held) is None
    unbound = Held("jwt_vc_json", {}, frozenset(), holder_binding=False)
    assert match(parse_query(simple()).credentials[0], unbound) is None
    free = parse_query(simple(require_cryptographic_holder_binding=False)).credentials[0]
    assert match(free, unbound) == ()
    aki = [
        {"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]},
        {"type": "etsi_tl", "values": ["https://lotl.example.com"]},
    ]
    trusting = parse_query(simple(trusted_authorities=aki)).credentials[0]
    assert match(trusting, held) is None
    named = Held("jwt_vc_json", {}, frozenset(), authorities=frozenset({("etsi_tl", "https://lotl.example.com")}))
    assert match(trusting, named) == ()
    crossed = Held("jwt_vc_json", {}, frozenset(), authorities=frozenset({("aki", "https://lotl.example.com")}))
    assert match(trusting, crossed) is None


def test_multiple_returns_every_one() -> None:
    wallet = [vc("A"), vc("B", form="ldp_vc"), vc("C")]
    assert places(evaluate(parse_query(simple()), wallet)) == {"one": [0]}
    assert places(evaluate(parse_query(simple(multiple=True)), wallet)) == {"one": [0, 2]}


def test_an_answer_is_checked_again_by_the_verifier() -> None:
    query = example("credentials_alternatives")
    pid = sd_jwt(PID, **NAME)
    check_answer(query, {"pid": [pid]})
    rewards = sd_jwt("https://company.example/company_rewards", rewards_number="9")
    check_answer(query, {"pid": [pid], "nice_to_have": [rewards]})
    for presented, code in (
        ({}, "dcql_unsatisfied"),
        ({"nice_to_have": [rewards]}, "dcql_unsatisfied"),
        ({"pid": [rewards]}, "dcql_unsatisfied"),
        ({"pid": [pid, pid]}, "dcql_unasked"),
        ({"pid": []}, "dcql_unasked"),
        ({"pid": [pid], "surplus": [pid]}, "dcql_unasked"),
    ):
        with pytest.raises(RefusedError) as caught:
            check_answer(query, presented)
        assert caught.value.code == code
    whole = example("multi_credentials")
    with pytest.raises(RefusedError):
        check_answer(whole, {"pid": [pid]})


def test_what_no_set_names_was_not_asked_for() -> None:
    """6.4.2: with sets, only what an option names is requested."""
    value = {
        "credentials": [*simple()["credentials"], {**simple()["credentials"][0], "id": "two"}],
        "credential_sets": [{"options": [["one"]]}],
    }
    query = parse_query(value)
    assert places(evaluate(query, [vc("A")])) == {"one": [0]}
    with pytest.raises(RefusedError) as caught:
        check_answer(query, {"one": [vc("A")], "two": [vc("A")]})
    assert caught.value.code == "dcql_unasked"


CLAIM = {"path": ["x"]}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"credentials": []},
        {"credentials": {}},
        {"credentials": [7]},
        simple(id=None),
        simple(id=""),
        simple(id="a b"),
        simple(id="a\n"),
        simple(format=None),
        simple(meta=None),
        simple(meta=[]),
        simple(multiple=1),
        simple(require_cryptographic_holder_binding="false"),
        simple(claims=[]),
        simple(claims=[{}]),
        simple(claims=[{"path": []}]),
        simple(claims=[{"path": "x"}]),
        simple(claims=[{"path": [-1]}]),
        simple(claims=[{"path": [True]}]),
        simple(claims=[{"path": [1.0]}]),
        simple(claims=[{"path": [{}]}]),
        simple(claims=[{**CLAIM, "values": []}]),
        simple(claims=[{**CLAIM, "values": [None]}]),
        simple(claims=[{**CLAIM, "values": [1.5]}]),
        simple(claims=[{**CLAIM, "id": "a"}, {**CLAIM, "id": "a"}]),
        simple(claim_sets=[["a"]]),
        simple(claims=[CLAIM], claim_sets=[["a"]]),
        simple(claims=[{**CLAIM, "id": "a"}], claim_sets=[["b"]]),
        simple(claims=[{**CLAIM, "id": "a"}], claim_sets=[[]]),
        simple(claims=[{**CLAIM, "id": "a"}], claim_sets=[]),
        simple(meta={"type_values": []}),
        simple(meta={"type_values": ["x"]}),
        simple(meta={"type_values": [[]]}),
        simple(format="mso_mdoc", meta={"doctype_value": ["x"]}),
        simple(trusted_authorities=[]),
        simple(trusted_authorities=[{"type": "aki"}]),
        {"credentials": simple()["credentials"] * 2},
        {**simple(), "credential_sets": []},
        {**simple(), "credential_sets": [{}]},
        {**simple(), "credential_sets": [{"options": []}]},
        {**simple(), "credential_sets": [{"options": [[]]}]},
        {**simple(), "credential_sets": [{"options": [["two"]]}]},
        {**simple(), "credential_sets": [{"options": [["one"]], "required": 0}]},
    ],
)
def test_malformed_queries(value: Any) -> None:
    with pytest.raises(FormatError) as caught:
        parse_query(value)
    assert caught.value.code == "dcql_malformed"


def test_unknown_members_are_ignored() -> None:
    value = simple(future=1, claims=[{**CLAIM, "future": []}])
    assert parse_query({**value, "future": {}}) == parse_query(simple(claims=[CLAIM]))


@pytest.mark.parametrize(
    "value",
    [
        {"credentials": [{"id": f"c{n}", "format": "ldp_vc", "meta": {}} for n in range(DCQL_CREDENTIALS_MAX + 1)]},
        simple(claims=[CLAIM] * (DCQL_CLAIMS_MAX + 1)),
        {
            "credentials": [
                {"id": f"c{n}", "format": "ldp_vc", "meta": {}, "claims": [CLAIM] * DCQL_CLAIMS_MAX} for n in range(5)
            ]
        },
        simple(claims=[{"path": ["x"] * 1000}]),
        simple(claims=[{**CLAIM, "values": list(range(DCQL_VALUES_MAX + 1))}]),
        simple(meta={"type_values": [["x"]] * 10_000}),
        {**simple(), "credential_sets": [{"options": [["one"]] * 10_000}]},
        {**simple(), "credential_sets": [{"options": [["one"] * 10_000]}]},
    ],
)
def test_huge_queries_are_refused_before_anything_is_matched(value: Any) -> None:
    with pytest.raises(FormatError) as caught:
        parse_query(value)
    assert caught.value.code == "dcql_too_large"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=12,
)
_PATHS = st.lists(st.none() | st.integers(0, 3) | st.sampled_from("abx"), min_size=1, max_size=4)


@given(_JSON, _PATHS)
def test_a_path_selects_something_or_says_so(root: Any, path: list[Any]) -> None:
    """Against a walk that follows one path at a time, written from the text's words instead of its steps."""
    try:
        found: list[Any] | None = select(path, root)
    except FormatError as error:
        assert error.code == "claim_absent"
        found = None
    assert found == _walk([root], path)


def _walk(nodes: list[Any], path: list[Any]) -> list[Any] | None:
    if not path:
        return nodes or None
    kind = dict if isinstance(path[0], str) else list
    if any(type(node) is not kind for node in nodes):
        return None
    step: list[Any] = []
    for node in nodes:
        if path[0] is None:
            step.extend(node)
        elif path[0] in (node if isinstance(path[0], str) else range(len(node))):
            step.append(node[path[0]])
    return _walk(step, path[1:])


@given(_JSON)
def test_any_json_is_a_query_or_refused(value: Any) -> None:
    for candidate in (value, {"credentials": value}, simple(claims=value), simple(meta=value)):
        try:
            parse_query(candidate)
        except LianzhengError as error:
            assert error.code in {"dcql_malformed", "dcql_too_large"}


@given(
    st.lists(st.sampled_from("ABC"), max_size=4),
    st.lists(st.lists(st.sampled_from("ABC"), min_size=1, max_size=2), min_size=1, max_size=3),
)
def test_what_the_wallet_chooses_the_verifier_takes(owned: list[str], options: list[list[str]]) -> None:
    """The two ends agree: either the wallet answers and the verifier accepts, or no option can be had."""
    value = {
        "credentials": [{"id": name, "format": "jwt_vc_json", "meta": {"type_values": [[name]]}} for name in "ABC"],
        "credential_sets": [{"options": options}],
    }
    query, wallet = parse_query(value), [vc(name) for name in owned]
    possible = any(set(option) <= set(owned) for option in options)
    try:
        chosen = evaluate(query, wallet)
    except RefusedError:
        assert not possible
        return
    assert possible
    check_answer(query, {name: [wallet[one.index] for one in found] for name, found in chosen.items()})
