"""Records take exactly what they say, and say what is wrong without quoting it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from lianzheng.encoding.model import Natural, Record, Seq, member_path
from lianzheng.errors import FormatError


class Inner(Record):
    v: Literal[1] = 1
    kind: Literal["a", "b"] = "a"


class Outer(Record):
    inner: Inner
    schema_version: Literal[2] = Field(default=2, alias="schema")
    maybe: Literal[16] | None = None
    many: Annotated[tuple[Inner, ...], Seq] = ()
    table: dict[str, Natural] = Field(default={})


@pytest.mark.parametrize(
    ("value", "member"),
    [
        ({"inner": {"v": True}}, "inner.v"),
        ({"inner": {"v": 1.0}}, "inner.v"),
        ({"inner": {}, "many": [{}, {"v": True}]}, "many.1.v"),
        ({"inner": {}, "maybe": 16.0}, "maybe"),
        ({"inner": {}, "schema": 2.0}, "schema"),
        ({"inner": {}, "schema": "2"}, "schema"),
    ],
)
def test_an_integer_literal_takes_the_integer_alone(value: Any, member: str) -> None:
    """Python holds 1, True and 1.0 to be equal, and so does pydantic's ``Literal``."""
    with pytest.raises(FormatError, match=f"field_invalid.* {member} "):
        Outer.from_json(value)


def test_the_integer_itself_is_taken_everywhere() -> None:
    value = {"inner": {"v": 1, "kind": "b"}, "schema": 2, "maybe": 16, "many": [{"v": 1}]}
    assert Outer.from_json(value).many == (Inner(),)
    assert Inner(v=1).to_bytes() == b'{"kind":"a","v":1}'
    assert Inner.from_bytes(b'{"kind":"a","v":1}') == Inner()


@pytest.mark.parametrize("raw", [b'{"kind":"a","v":true}', b'{"kind":"a","v":1.0}', b'{"kind":"a","v":2}'])
def test_nor_do_bytes_pass(raw: bytes) -> None:
    with pytest.raises(FormatError):
        Inner.from_bytes(raw)


def test_the_json_schema_is_an_integer_with_one_value() -> None:
    found = Inner.model_json_schema()["properties"]
    assert found["v"] | {"title": ""} == {"type": "integer", "minimum": 1, "maximum": 1, "default": 1, "title": ""}
    assert found["kind"]["enum"] == ["a", "b"]


def test_a_literal_of_several_integers_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="one integer"):

        class Several(Record):
            v: Literal[1, 2]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"inner": {}, "typo": 1}, "member typo is"),
        ({"inner": {"v2_old": 1}}, "member inner.v2_old is"),
        ({"inner": {}, "99990119900101001X": 1}, "member [?] is"),
        ({"inner": {}, "E12345678": 1}, "member [?] is"),
        ({"inner": {}, "张三": 1}, "member [?] is"),
        ({"inner": {}, "table": {"did:lz:net:z9dFki963p82": "x"}}, r"member table\.[?] is"),
        ([], "member Outer is"),
        (None, "member Outer is"),
    ],
)
def test_the_member_is_named_and_nothing_of_the_sender_repeated(value: Any, shown: str) -> None:
    with pytest.raises(FormatError, match=shown):
        Outer.from_json(value)


@given(st.lists(st.one_of(st.integers(0, 99), st.text(max_size=60)), max_size=4))
def test_a_path_never_shows_long_digits_or_other_scripts(parts: list[str | int]) -> None:
    shown = member_path(parts)
    assert shown.isascii() or not parts
    assert not any(run.isdigit() and len(run) > 3 for run in shown.replace(".", " ").split())
    assert len(shown) <= 41 * 4
