"""Bitstring Status List: bit order and encoding against an independent library, bombs, checks, cache."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openvc.status import bitstring as oracle

from credential_kit import policy, signed
from lianzheng.clock import ManualClock
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.verifier import verify_vc
from lianzheng.identity.status.bitstring import decode_list, encode_list, get_status, new_list, set_status
from lianzheng.identity.status.cache import StatusCache
from lianzheng.identity.status.lists import (
    StatusEntry,
    allocate_index,
    build_entry,
    build_list,
    check_status,
    read_entries,
)
from lianzheng.limits import STATUS_LISTS_KEPT

_URL = "https://issuer.example/status/1"
_INDEXES = st.sets(st.integers(0, 131_071), max_size=40)


@given(_INDEXES)
def test_bits_are_where_the_oracle_finds_them_and_the_other_way_round(indexes: set[int]) -> None:
    ours, theirs = new_list(), oracle.new_bitstring(131_072)
    for index in indexes:
        set_status(ours, index, 1)
        oracle.set_status_bit(theirs, index, 1)
    assert bytes(ours) == bytes(theirs)
    assert oracle.decode_bitstring(encode_list(ours)) == bytes(ours)
    assert decode_list(oracle.encode_bitstring(bytes(theirs))) == bytes(ours)
    assert {index for index in [*indexes, 0, 7, 8, 131_071] if get_status(ours, index)} == indexes


@given(st.integers(1, 8), st.integers(0, 16_000), st.data())
def test_wide_entries_keep_their_neighbours(size: int, index: int, data: st.DataObject) -> None:
    bits = bytearray(b"\xff" * 16_384)
    value = data.draw(st.integers(0, (1 << size) - 1))
    set_status(bits, index, value, size)
    assert get_status(bits, index, size) == value
    assert get_status(bits, index + 1, size) == (1 << size) - 1
    number = int.from_bytes(bits, "big") >> (16_384 * 8 - (index + 1) * size)
    assert number & ((1 << size) - 1) == value, "the list is one big-endian number"


def _packed(data: bytes) -> str:
    return "u" + b64u_encode(data)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("status_list_size", _packed(gzip.compress(bytes(16_383), mtime=0))),
        ("status_list_size", _packed(gzip.compress(bytes(64 * 1024 * 1024), mtime=0))),  # 64 KiB become 64 MiB
        ("status_list_malformed", _packed(gzip.compress(bytes(16_384), mtime=0)[:-8])),
        ("status_list_malformed", _packed(gzip.compress(bytes(16_384), mtime=0) + b"tail")),
        ("status_list_malformed", _packed(b"no gzip")),
        ("status_list_malformed", encode_list(bytes(16_384))[1:]),
        ("status_list_malformed", "z" + encode_list(bytes(16_384))[1:]),
        ("status_list_malformed", None),
    ],
)
def test_lists_that_must_fail(code: str, text: object) -> None:
    with pytest.raises(LianzhengError) as caught:
        decode_list(text)
    assert caught.value.code == code


@pytest.mark.parametrize("index", [-1, 131_072, 2**31])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(LianzhengError) as caught:
        get_status(new_list(), index)
    assert caught.value.code == "status_index_out_of_range"


def _credential(purpose: str, index: int, **change: Any) -> dict[str, Any]:
    entry = {**build_entry(StatusEntry(purpose, _URL, index)), **change}
    return signed(credentialStatus=entry)


def _list(purpose: str, *indexes: int, number: int = 1) -> dict[str, Any]:
    bits = new_list()
    for index in indexes:
        set_status(bits, index, 1)
    made = signed(number=number)
    document = build_list(made["issuer"], _URL, purpose, bits, "2026-01-01T00:00:00Z", ttl_ms=60_000)
    return signed(number=number, **document)


@pytest.mark.parametrize(
    ("purpose", "code"), [("revocation", "credential_revoked"), ("suspension", "credential_suspended")]
)
def test_a_set_bit_withdraws_the_credential(purpose: str, code: str) -> None:
    credential = _credential(purpose, 4242)

    def load(*indexes: int) -> Any:
        return lambda url: _list(purpose, *indexes)

    verify_vc(credential, policy(check_status=lambda one: check_status(one, load(4241, 4243))))
    with pytest.raises(LianzhengError) as caught:
        verify_vc(credential, policy(check_status=lambda one: check_status(one, load(4242))))
    assert caught.value.code == code


def test_refresh_is_a_note_and_no_refusal() -> None:
    assert check_status(_credential("refresh", 9), lambda url: _list("refresh", 9)) == ("refresh",)
    assert check_status(_credential("refresh", 8), lambda url: _list("refresh", 9)) == ()


def test_another_issuers_list_or_purpose_does_not_count() -> None:
    for document in (
        _list("revocation", number=2),
        _list("suspension"),
        {**_list("revocation"), "type": ["VerifiableCredential"]},
        {**_list("revocation"), "id": "https://issuer.example/status/2"},
    ):
        with pytest.raises(LianzhengError) as caught:
            check_status(_credential("revocation", 1), lambda url, document=document: document)  # type: ignore[misc]
        assert caught.value.code == "status_list_mismatch"


@pytest.mark.parametrize(
    "change",
    [
        {"statusListIndex": 5},
        {"statusListIndex": "-1"},
        {"statusListIndex": "05"},
        {"statusListIndex": "٥"},
        {"statusListCredential": "status"},
        {"statusPurpose": None},
        {"statusSize": 0},
        {"statusSize": True},
    ],
)
def test_entries_that_must_fail(change: dict[str, Any]) -> None:
    entry = {**build_entry(StatusEntry("revocation", _URL, 1)), **change}
    with pytest.raises(LianzhengError) as caught:
        read_entries({"credentialStatus": [entry]})
    assert caught.value.code == "status_entry_malformed"


def test_a_list_is_kept_for_its_ttl_and_while_the_ledger_names_it() -> None:
    clock = ManualClock()
    cache, first = StatusCache(clock), _list("revocation", 1)
    cache.put(_URL, b"d" * 32, first)
    clock.advance(59_999)
    assert cache.get(_URL, b"d" * 32) is first
    assert cache.get(_URL, b"e" * 32) is None, "the ledger names another list"
    assert cache.get("https://example.org/other", b"d" * 32) is None
    clock.advance(1)
    assert cache.get(_URL, b"d" * 32) is None


def test_the_oldest_list_makes_room() -> None:
    cache, found = StatusCache(ManualClock()), _list("revocation", 1)
    for number in range(STATUS_LISTS_KEPT + 1):
        cache.put(f"{_URL}-{number}", None, found)
    assert cache.get(f"{_URL}-0", None) is None
    assert cache.get(f"{_URL}-1", None) is found
    assert cache.get(f"{_URL}-{STATUS_LISTS_KEPT}", None) is found


def test_indexes_are_drawn_from_the_whole_list_and_never_twice() -> None:
    taken: set[int] = set()
    for _ in range(500):
        taken.add(allocate_index(taken, 131_072))
    assert len(taken) == 500
    # 500 even draws: none below half the list has a chance of 2^-500.
    assert min(taken) < 65_536 <= max(taken)
    with pytest.raises(LianzhengError) as caught:
        allocate_index(range(131_072), 131_072)
    assert caught.value.code == "status_list_full"
