"""Hand-written encodings against heads of a real chain: hashes and signatures were made by CometBFT v0.38.25 itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.adapters.consensus.cometbft.heads import parse_time
from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.cometbft import CometHead, verify_comet_head
from lianzheng.ledger.cometbft.encoding import header_hash, validators_hash

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("cometbft.json").read_text("utf-8"))
HEADS = {one["height"]: one for one in VECTORS["heads"]}
CHAIN = VECTORS["chain_id"]


def head_of(height: int) -> CometHead:
    return CometHead.from_json(HEADS[height]["head"])


@pytest.mark.parametrize("height", sorted(HEADS))
def test_block_hash_and_commit_are_the_engines(height: int) -> None:
    head = head_of(height)
    assert header_hash(head.header).hex() == HEADS[height]["block_hash"]
    assert verify_comet_head(head, CHAIN).hex() == HEADS[height]["block_hash"]
    assert validators_hash(head.validators) == head.header.validators_hash
    assert CometHead.from_bytes(head.to_bytes()) == head


def test_a_commit_ends_with_the_signature_that_first_exceeds_two_thirds() -> None:
    """Four validators of 2520 each: three hold 7560 of 10080, two only 5040 (EV-4)."""
    head = head_of(13)
    assert [one.power for one in head.validators] == [2520] * 4
    assert len(head.commit.signatures) == 3


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [one for key, item in value.items() for one in _leaves(item, (*path, key))]
    if isinstance(value, list):
        return [one for index, item in enumerate(value) for one in _leaves(item, (*path, index))]
    return [path]


def _changed(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1
    if not value:
        return "AA"
    return ("B" if value[0] == "A" else "A") + value[1:]


HEAD_13 = HEADS[13]["head"]


@pytest.mark.parametrize("path", _leaves(HEAD_13), ids=lambda path: ".".join(map(str, path)))
def test_every_altered_field_is_refused(path: tuple[Any, ...]) -> None:
    """EV-4: nothing in a head may be changed unnoticed."""
    copy = json.loads(json.dumps(HEAD_13))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = _changed(place[path[-1]])
    with pytest.raises((VerificationError, FormatError)):
        verify_comet_head(CometHead.from_bytes(encode(copy)), CHAIN)


def test_another_chain_id_is_refused() -> None:
    with pytest.raises(VerificationError, match="head_foreign_network"):
        verify_comet_head(head_of(13), "another-network")


def test_times_are_read_to_the_nanosecond() -> None:
    """RFC 3339; Go leaves out trailing zeros. 2026-11-22T23:45:44Z is 20779 days and 85544 s after 1970."""
    assert parse_time("2026-11-22T23:45:44.4551Z").seconds == 20_779 * 86_400 + 85_544
    assert parse_time("2026-11-22T23:45:44.4551Z").nanos == 455_100_000
    assert parse_time("2026-11-22T23:45:44Z").nanos == 0
    assert parse_time("2026-11-22T23:45:44.000000001Z").nanos == 1
