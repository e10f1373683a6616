"""One valid bundle with everything in it: two batches, three records of a case, a change of signers."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from evidence_kit import NETWORK, LocalLedger, Site
from lianzheng.clock import ManualClock
from lianzheng.encoding.canonical import decode_object, encode
from lianzheng.limits import BUNDLE_BYTES_MAX

JsonPath = tuple[str | int, ...]


@cache
def valid(network: str = NETWORK, seed: bytes = b"\x07" * 32) -> tuple[bytes, bytes]:
    """Bundle and trust file."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_play(Path(folder), LocalLedger(ManualClock(), network, seed)))


async def _play(folder: Path, ledger: LocalLedger) -> tuple[bytes, bytes]:
    async with Site(folder, ledger) as site:
        for case in ("other", "case-1", "other", "case-1", "other"):
            await site.record(case, "suitability-test", "question", "answers")
        await site.service.flush()
        ledger.next_seed = b"\x08" * 32
        ledger.block()
        ledger.clock.advance(1000)
        for case in ("other", "case-1", "other"):
            await site.record(case, "risk-confirmation", "warning")
        await site.service.flush()
        await site.record("other")
        await site.service.flush()
        return await site.service.bundle("case-1"), site.service.trust_file()


def as_json() -> dict[str, Any]:
    """A fresh copy of the valid bundle as JSON."""
    return decode_object(valid()[0], BUNDLE_BYTES_MAX)


def walk(value: Any, path: JsonPath = ()) -> Iterator[tuple[JsonPath, Any]]:
    """Every value inside, the outermost first."""
    yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from walk(child, (*path, key))


def changed(path: JsonPath, new: Any) -> bytes:
    """The valid bundle, canonically encoded, with another value at ``path``."""
    document = as_json()
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = copy.deepcopy(new)
    return encode(document)
