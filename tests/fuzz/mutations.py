"""Seeded mutations of bytes and of the JSON in them; none returns one of the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from bundle_kit import walk
from lianzheng.encoding.canonical import decode, encode
from lianzheng.errors import FormatError

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def mutate(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One mutation of one seed, half of them canonical JSON again, so that they reach past the decoder."""
    while True:
        seed = random.choice(seeds)
        data = _members(random, seed, random.choice(seeds)) if random.random() < 0.5 else _bytes(random, seed)
        if data not in seeds:
            return data


def _bytes(random: Random, seed: bytes) -> bytes:
    at = random.randrange(len(seed))
    match random.randrange(6):
        case 0:
            return seed[:at] + bytes([seed[at] ^ (1 << random.randrange(8))]) + seed[at + 1 :]
        case 1:
            return seed[:at]
        case 2:
            other = random.randrange(len(seed))
            return seed[:at] + seed[other:]
        case 3:
            return seed[:at] + random.choice([b"\xff", b"\xed\xa0\x80", b"\\ud800", b".0", b"e0", b" "]) + seed[at:]
        case 4:
            return seed.replace(b"{", b'{"version":1,', 1)
        case _:
            return seed[:at] + b"[" * random.choice([17, 5000]) + seed[at:]


def _members(random: Random, seed: bytes, other: bytes) -> bytes:
    """A member changed, or put in the place of another of either value; other bytes where the seed is no JSON."""
    try:
        value, donor = decode(seed), decode(other)
    except FormatError:
        return _bytes(random, seed)
    path, old = random.choice([one for one in walk(value) if one[0]])
    new = random.choice([item for _, item in walk(donor)]) if random.random() < 0.4 else _changed(random, old)
    parent: Any = value
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = new
    try:
        return encode(value)
    except FormatError:
        return _bytes(random, seed)


def _changed(random: Random, old: Any) -> Any:
    if isinstance(old, str) and old:
        at = random.randrange(len(old))
        return old[:at] + random.choice(_DIGITS) + old[at + 1 :]
    if isinstance(old, int):
        return old + random.choice([-1, 1, 2**53 - 1])
    return random.choice([None, "", 0, [], {}])
