"""Decoders of the gate's messages: one value has one encoding, and no bytes do anything but decode or be refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.compute.gate.model import Evaluation, GateAnswer, GateCall, GateRequest, UsageReceipt, ViewEpoch
from lianzheng.encoding.model import Record
from lianzheng.errors import FormatError
from lianzheng.limits import INT_MAX, QUERY_VIEWS_MAX

chain_ids = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
dids = st.builds(
    lambda chain, rest: f"did:lz:{chain}:z{rest}",
    chain_ids,
    st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", min_size=40, max_size=45),
)
codes = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
views = st.builds(lambda *parts: "/".join(parts), codes, codes, codes)
naturals = st.integers(0, INT_MAX)
key_ids = st.from_regex(r"#[a-z0-9-]{1,40}", fullmatch=True)


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


pairs = st.builds(ViewEpoch, view=views, epoch=naturals)
requests = st.builds(
    GateRequest,
    chain_id=chain_ids,
    requester=dids,
    key_id=key_ids,
    provider=dids,
    task=exactly(32),
    cid=exactly(32),
    views=st.lists(pairs, min_size=1, max_size=3).map(tuple),
    nonce=exactly(32),
    time_ms=naturals,
    signature=exactly(64),
)
evaluations = st.builds(Evaluation, view=views, epoch=naturals, w=exactly(48), proof=exactly(64))
answers = st.builds(
    GateAnswer,
    chain_id=chain_ids,
    provider=dids,
    key_id=key_ids,
    request=exactly(32),
    task=exactly(32),
    cid=exactly(32),
    evaluations=st.lists(evaluations, max_size=3).map(tuple),
    task_salt=exactly(32),
    time_ms=naturals,
    signature=exactly(64),
)
messages = st.one_of(
    requests,
    answers,
    st.builds(GateCall, request=requests, token=st.binary(max_size=200)),
    st.builds(UsageReceipt, request=requests, answer=answers),
)
TYPES: list[type[Record]] = [GateRequest, GateCall, GateAnswer, UsageReceipt]


@given(messages)
def test_what_is_encoded_decodes_to_the_same(message: Record) -> None:
    data = message.to_bytes()
    assert type(message).from_bytes(data) == message
    assert type(message).from_bytes(data).to_bytes() == data


@given(messages, st.data())
def test_a_changed_byte_is_refused_or_another_value(message: Record, data: st.DataObject) -> None:
    """Never the same value: so a hash or signature over the bytes is over the value."""
    raw = bytearray(message.to_bytes())
    where = data.draw(st.integers(0, len(raw) - 1))
    raw[where] ^= data.draw(st.integers(1, 255))
    try:
        other = type(message).from_bytes(bytes(raw))
    except FormatError:
        return
    assert other != message
    assert other.to_bytes() == bytes(raw)


@given(messages, st.data())
def test_cut_or_lengthened_it_is_refused(message: Record, data: st.DataObject) -> None:
    raw = message.to_bytes()
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    for other in (cut, raw + b" ", raw + b"\n", b"\xef\xbb\xbf" + raw, raw + raw):
        with pytest.raises(FormatError):
            type(message).from_bytes(other)


@given(messages)
def test_another_spelling_of_the_same_value_is_refused(message: Record) -> None:
    value = message.to_json()
    reverse = {name: value[name] for name in sorted(value, reverse=True)}
    for other in (
        json.dumps(value, sort_keys=True).encode(),
        json.dumps(value, sort_keys=True, indent=1).encode(),
        json.dumps(reverse, separators=(",", ":")).encode(),
    ):
        with pytest.raises(FormatError):
            type(message).from_bytes(other)


@given(messages, st.data())
def test_a_member_that_is_missing_unknown_or_of_another_type_is_refused(message: Record, data: st.DataObject) -> None:
    value = message.to_json()
    name = data.draw(st.sampled_from(sorted(value)))
    without = {key: item for key, item in value.items() if key != name}
    broken: list[dict[str, Any]] = [
        value | {"more": 1},
        value | {name: None},
        value | {name: [[]]},
        value | {name: 1.5},
    ]
    if name != "v":  # the version has a default in Python; on the wire its absence is another encoding
        broken.append(without)
    for other in broken:
        with pytest.raises(FormatError):
            type(message).from_json(other)
    with pytest.raises(FormatError):
        type(message).from_bytes(json.dumps(without, sort_keys=True, separators=(",", ":")).encode())


@given(exactly(32), st.integers(1, 3))
def test_spare_bits_of_base64url_are_refused(nonce: bytes, spare: int) -> None:
    """Four spellings decode to the same 32 bytes; one is the encoding (CON-1)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    value = _example().to_json()
    text = _example().model_copy(update={"nonce": nonce}).to_json()["nonce"]
    other = text[:-1] + alphabet[alphabet.index(text[-1]) + spare]
    with pytest.raises(FormatError):
        GateRequest.from_json(value | {"nonce": other})


@given(st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    for kind in TYPES:
        with pytest.raises(FormatError):
            kind.from_bytes(noise)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_other_json_is_refused_and_nothing_else_is_raised(value: Any) -> None:
    raw = json.dumps(value).encode()
    for kind in TYPES:
        with pytest.raises(FormatError):
            kind.from_bytes(raw)


@pytest.mark.parametrize("count", [0, QUERY_VIEWS_MAX + 1])
def test_a_request_has_1_to_16_views(count: int) -> None:
    value = _example().to_json()
    with pytest.raises(FormatError, match="views"):
        GateRequest.from_json(value | {"views": value["views"] * count})
    assert len(GateRequest.from_json(value | {"views": value["views"] * QUERY_VIEWS_MAX}).views) == QUERY_VIEWS_MAX


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": True}, {"time_ms": -1}, {"time_ms": INT_MAX + 1}, {"time_ms": True}, {"time_ms": "1"},
     {"key_id": "node"}, {"chain_id": "Upper"}, {"provider": "did:web:example.org"}],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        GateRequest.from_json(_example().to_json() | changes)


def _example() -> GateRequest:
    did = "did:lz:test:z" + "2" * 44
    return GateRequest(
        chain_id="test", requester=did, key_id="#node", provider=did, task=bytes(32), cid=bytes(32),
        views=(ViewEpoch(view="a/b/c", epoch=1),), nonce=bytes(32), time_ms=1, signature=bytes(64),
    )  # fmt: skip
