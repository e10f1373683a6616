"""What the OpenID flows keep: in memory, bounded, for minutes, under digests of the secrets that open it.

Nothing here survives a restart: offers, tokens and requests then are unknown, and are made anew. That is the choice:
a lost offer costs a new QR code, a kept one is a bearer secret on a disk.
"""

from __future__ import annotations

import secrets
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import UnavailableError
from lianzheng.limits import OPENID_CLIENTS_MAX, OPENID_KEPT_MAX

__all__ = ["Allowance", "Shelf", "secret"]

_Kept = TypeVar("_Kept")
_MINUTE_US = 60_000_000


def secret() -> str:
    """256 random bits as text that may stand in a URL."""
    return b64u_encode(secrets.token_bytes(32))


class Shelf(Generic[_Kept]):
    """Values by the digest of a secret, each until its time; the clock is the one that never steps back."""

    def __init__(self, clock: Clock, keep_ms: int, most: int = OPENID_KEPT_MAX) -> None:
        self._clock = clock
        self._keep_ms = keep_ms
        self._most = most
        self._kept: dict[bytes, tuple[int, _Kept]] = {}

    def put(self, key: str, value: _Kept) -> None:
        """Keep ``value``. Raises ``UnavailableError`` ``openid_busy`` where too much is kept already."""
        if len(self._kept) >= self._most:
            self._sweep()
        if len(self._kept) >= self._most:
            raise UnavailableError("openid_busy", "Too many flows are open.", next_step="Try again in a minute.")
        self._kept[_digest(key)] = (self._clock.boot_ms() + self._keep_ms, value)

    def get(self, key: str) -> _Kept | None:
        """What is kept under ``key`` and still in time."""
        until, value = self._kept.get(_digest(key), (0, None))
        return value if self._clock.boot_ms() < until else None

    def drop(self, key: str) -> None:
        """Forget it, if it is there."""
        self._kept.pop(_digest(key), None)

    def _sweep(self) -> None:
        now_ms = self._clock.boot_ms()
        self._kept = {key: one for key, one in self._kept.items() if now_ms < one[0]}


class Allowance:
    """Requests a minute of one address, refilled evenly; of a bounded number of addresses.

    An IPv6 subscriber has 2^64 addresses or more (RFC 6177): counted is the /64.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._levels: dict[str, tuple[int, int]] = {}

    def take(self, address: str) -> bool:
        """Take one request, if the address has one left."""
        address = _subscriber(address)
        now_us, full = self._clock.boot_us(), self._per_minute * _MINUTE_US  # in shares of a request: integers suffice
        level, seen_us = self._levels.pop(address, (full, now_us))
        level = min(full, level + (now_us - seen_us) * self._per_minute)
        enough = level >= _MINUTE_US
        while len(self._levels) >= OPENID_CLIENTS_MAX:
            del self._levels[next(iter(self._levels))]
        self._levels[address] = (level - _MINUTE_US if enough else level, now_us)
        return enough


def _subscriber(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address  # a socket without one
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
    return str(parsed)


def _digest(key: str) -> bytes:
    return sha256_raw(key.encode("utf-8", "surrogatepass"))
