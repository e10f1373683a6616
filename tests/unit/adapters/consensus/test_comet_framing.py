"""Frames of the ABCI socket: whatever the pieces, the same messages come out."""

from __future__ import annotations

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.adapters.consensus.cometbft.framing import FrameDecoder, encode_frame
from lianzheng.encoding.binary import varint_encode
from lianzheng.errors import FormatError


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_uvarint_is_protobufs(number: int) -> None:
    assert varint_encode(number) == _VarintBytes(number)


@given(st.lists(st.binary(max_size=400), max_size=8), st.integers(min_value=1, max_value=97))
def test_messages_survive_any_cut(messages: list[bytes], piece: int) -> None:
    stream = b"".join(map(encode_frame, messages))
    decoder = FrameDecoder()
    out: list[bytes] = []
    for start in range(0, len(stream), piece):
        out += decoder.feed(stream[start : start + piece])
    assert out == messages


def test_a_length_over_the_bound_is_refused_before_its_bytes_come() -> None:
    decoder = FrameDecoder(bytes_max=1000)
    assert decoder.feed(encode_frame(b"x" * 1000)) == [b"x" * 1000]
    with pytest.raises(FormatError, match="abci_frame_invalid"):
        decoder.feed(varint_encode(1001))


def test_an_endless_length_is_refused() -> None:
    with pytest.raises(FormatError, match="abci_frame_invalid"):
        FrameDecoder().feed(b"\xff" * 10)


@given(st.binary(max_size=200))
def test_any_bytes_give_messages_or_the_one_refusal(data: bytes) -> None:
    try:
        FrameDecoder(bytes_max=150).feed(data)
    except FormatError as error:
        assert error.code == "abci_frame_invalid"
