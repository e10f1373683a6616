"""GB/T 32905-2016 Annex A."""

from __future__ import annotations

from pathlib import Path

import orjson

from lianzheng.crypto.digest import sm3_raw


def test_sm3_gives_the_digests_of_the_standard(shared_vectors: Path) -> None:
    vectors = orjson.loads((shared_vectors / "sm" / "gbt32918-32905.json").read_bytes())["sm3"]
    assert len(vectors) == 2
    for vector in vectors:
        assert sm3_raw(bytes.fromhex(vector["message_hex"])).hex() == vector["digest_hex"]
