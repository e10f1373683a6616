"""No decoder crashes, hangs or takes a second spelling; nothing signed verifies once mutated (CON-1, CON-4, EV-4)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutations import mutate
from fuzz.targets import decoders, signed
from lianzheng.errors import LianzhengError

BOUNDED = settings(max_examples=150, deadline=2000)


@pytest.mark.parametrize("name", decoders())
def test_the_seeds_decode_to_themselves(name: str) -> None:
    target = decoders()[name]
    assert all(target.again(seed) == seed for seed in target.seeds)


@pytest.mark.parametrize("name", decoders())
@BOUNDED
@given(number=st.integers(0, 2**32), noise=st.binary(max_size=200), plain=st.booleans())
def test_what_decodes_has_the_one_encoding(name: str, number: int, noise: bytes, plain: bool) -> None:
    target = decoders()[name]
    data = noise if plain else mutate(Random(number), target.seeds)
    try:
        again = target.again(data)
    except LianzhengError as error:
        assert error.code.isidentifier()
        return
    assert again == data


@pytest.mark.parametrize("name", signed())
@BOUNDED
@given(number=st.integers(0, 2**32))
def test_nothing_mutated_verifies(name: str, number: int) -> None:
    target = signed()[name]
    with pytest.raises(LianzhengError):
        target.verify(mutate(Random(number), target.seeds))


@pytest.mark.parametrize("name", signed())
def test_the_seeds_verify(name: str) -> None:
    target = signed()[name]
    for seed in target.seeds:
        target.verify(seed)
