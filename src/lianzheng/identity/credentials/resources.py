"""``relatedResource`` [5.3 of the data model]: digests that fix what a credential points at.

What we hold (the contexts of the closed store) is compared; what we would have to fetch is not, but the form of its
digest is checked, so that whoever fetches it can compare.
"""

from __future__ import annotations

import base64
import hashlib
import re

from lianzheng.encoding.binary import b64u_decode, multibase_decode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError
from lianzheng.identity.credentials.contexts import CONTEXTS, context_bytes

__all__ = ["check_resource"]

_SRI = re.compile(r"(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})\Z")
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}
_MULTIHASH = {b"\x12\x20": "sha256", b"\x20\x30": "sha384", b"\x13\x40": "sha512"}
_HELD = {entry.url for entry in CONTEXTS}


def check_resource(url: str, item: JsonObject) -> None:
    """The digests of one related resource are well formed, and hold where the resource is in our store.

    Raises ``FormatError``: ``credential_malformed``, ``related_resource_mismatch``.
    """
    digests = [_read_sri(item[name]) for name in ("digestSRI",) if name in item]
    digests += [_read_multibase(item[name]) for name in ("digestMultibase",) if name in item]
    if not digests:
        raise _bad()
    for algorithm, digest in digests:
        if len(digest) != _SIZES[algorithm]:
            raise _bad()
        if url in _HELD and hashlib.new(algorithm, context_bytes(url)).digest() != digest:
            raise FormatError("related_resource_mismatch", "A related resource has another digest than stated.")


def _read_sri(value: object) -> tuple[str, bytes]:
    match = _SRI.match(value) if isinstance(value, str) else None
    if match is None:
        raise _bad()
    try:
        return match[1], base64.b64decode(match[2], validate=True)
    except ValueError as error:
        raise _bad() from error


def _read_multibase(value: object) -> tuple[str, bytes]:
    if not isinstance(value, str) or value[:1] not in {"u", "z"}:
        raise _bad()
    try:
        data = b64u_decode(value[1:]) if value[0] == "u" else multibase_decode(value)
    except FormatError as error:
        raise _bad() from error
    algorithm = _MULTIHASH.get(data[:2])
    if algorithm is None:
        raise _bad()
    return algorithm, data[2:]


def _bad() -> FormatError:
    return FormatError("credential_malformed", "relatedResource has no digest in a known form.")
