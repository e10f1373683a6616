"""c_nonce values (OpenID4VCI 1.0, section 7): made for anybody who asks, so none is kept until it was used."""

from __future__ import annotations

import hmac
import secrets

from lianzheng.clock import Clock
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.errors import FormatError, RefusedError
from lianzheng.flows.openid.shelf import Shelf
from lianzheng.limits import OPENID_NONCE_MS

__all__ = ["Nonces"]

_TIME, _RANDOM, _TAG = 8, 16, 32


class Nonces:
    """Nonces that carry their own end and a tag under a key of this process; each serves once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._used: Shelf[bool] = Shelf(clock, OPENID_NONCE_MS)

    def make(self) -> str:
        """A fresh one."""
        end = (self._clock.boot_ms() + OPENID_NONCE_MS).to_bytes(_TIME, "big")
        body = end + secrets.token_bytes(_RANDOM)
        return b64u_encode(body + self._tag(body))

    def use(self, nonce: str) -> None:
        """Take ``nonce``; raises ``RefusedError`` ``invalid_nonce`` for a foreign, old or used one."""
        try:
            raw = b64u_decode(nonce, _TIME + _RANDOM + _TAG)
        except FormatError as error:
            raise _invalid() from error
        body, tag = raw[:-_TAG], raw[-_TAG:]
        fresh = self._clock.boot_ms() < int.from_bytes(body[:_TIME], "big")
        if not hmac.compare_digest(self._tag(body), tag) or not fresh or self._used.get(nonce):
            raise _invalid()
        self._used.put(nonce, True)

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")


def _invalid() -> RefusedError:
    return RefusedError("invalid_nonce", "The proof's nonce is not one of ours, has expired or was used.")
