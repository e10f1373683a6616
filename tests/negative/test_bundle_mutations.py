"""Every member of a valid bundle, altered one at a time, makes it a refused one (EV-4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bundle_kit import JsonPath, as_json, changed, valid, walk
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError, VerificationError
from lianzheng.verify import verify_bundle


def _other_scalars(value: Any) -> Iterator[Any]:
    """Other values of the same kind, so that types alone do not catch the change; and null."""
    if isinstance(value, int):
        yield value + 1
        yield max(value - 1, 0) if value else 2
    elif isinstance(value, str):
        yield value + "A"
        yield value[:-1]
        yield ("B" if value[0] != "B" else "C") + value[1:]
        try:
            data = b64u_decode(value)
        except FormatError:
            data = b""
        if len(data) in (32, 64):
            yield b64u_encode(bytes([data[0] ^ 1]) + data[1:])
            yield b64u_encode(data[:-1] + bytes([data[-1] ^ 128]))
            yield b64u_encode(bytes(len(data)))
    if value is not None:
        yield None
    else:
        yield {"sha256": b64u_encode(bytes(32)), "sm3": b64u_encode(bytes(32))}
        yield b64u_encode(bytes(32))


def _other_arrays(items: list[Any]) -> Iterator[list[Any]]:
    for index, item in enumerate(items):
        yield items[:index] + items[index + 1 :]
        yield [*items[: index + 1], item, *items[index + 1 :]]
        for other in range(index + 1, len(items)):
            swapped = list(items)
            swapped[index], swapped[other] = swapped[other], swapped[index]
            yield swapped
    yield [*items, b64u_encode(bytes(32))]


def _other_objects(members: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in members:
        yield {key: value for key, value in members.items() if key != name}
    yield members | {"extra": 0}
    yield members | {"a": None}


def _others(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from _other_objects(value)
    elif isinstance(value, list):
        yield from _other_arrays(value)
    else:
        yield from _other_scalars(value)


def _cases() -> Iterator[tuple[JsonPath, Any]]:
    for path, value in walk(as_json()):
        if not path:
            continue
        for other in _others(value):
            if other != value:
                yield path, other


def _refusal(data: bytes, trust: bytes | None) -> str | None:
    try:
        verify_bundle(data, trust)
    except VerificationError as error:
        return error.code
    return None


def test_the_bundle_that_is_altered_is_valid() -> None:
    data, trust = valid()
    report = verify_bundle(data, trust)
    assert report.anchored and len(report.records) == 3 and report.signatures_checked == 2
    assert verify_bundle(data, None).exit_code == 3


def test_ev4_every_altered_member_is_refused() -> None:
    _, trust = valid()
    cases = list(_cases())
    accepted = [path for path, other in cases if _refusal(changed(path, other), trust) is None]
    assert accepted == [] and len(cases) > 700


def test_ev4_members_removed_from_or_added_to_the_whole_are_refused() -> None:
    _, trust = valid()
    for other in _other_objects(as_json()):
        # A missing ``v`` has a default, so that its absence is only another spelling.
        assert _refusal(encode(other), trust) in ("bundle_malformed", "bundle_not_canonical")


def test_ev4_without_trust_only_the_claim_of_the_network_may_differ() -> None:
    """No trust file, no network: the genesis digest is then a claim. Everything else still has to agree."""
    accepted = {path for path, other in _cases() if _refusal(changed(path, other), None) is None}
    assert accepted == {("network", "genesis_digest")}


def test_every_byte_changed_is_refused() -> None:
    data, trust = valid()
    for position in range(len(data)):
        for mask in (0x01, 0x20, 0x80):
            mutated = data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]
            assert _refusal(mutated, trust) is not None, position


@pytest.mark.parametrize("length", [0, 1, 10, -1, -2])
def test_a_truncated_bundle_is_refused(length: int) -> None:
    data, trust = valid()
    assert _refusal(data[:length], trust) == "bundle_malformed"
