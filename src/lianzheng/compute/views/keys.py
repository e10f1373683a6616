"""The view keys that answer now, in memory for the gate; at rest they are in the key store alone (GATE-0)."""

from __future__ import annotations

from lianzheng.clock import Clock
from lianzheng.compute.gate.ports import ViewKey
from lianzheng.compute.ports import LocalEpoch
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.crypto.keystore import KeyStore

__all__ = ["OpenViewKeys"]


class OpenViewKeys:
    """Implements ``compute.gate.ports.ViewKeys``."""

    def __init__(self, keystore: KeyStore, clock: Clock) -> None:
        self._keystore = keystore
        self._clock = clock
        self._keys: dict[tuple[str, int], tuple[ViewKey, int, int]] = {}

    def get(self, view: str, epoch: int) -> ViewKey | None:
        """The key while the epoch answers; None before it begins and after it ends."""
        found = self._keys.get((view, epoch))
        if found is None:
            return None
        key, from_ms, until_ms = found
        return key if from_ms <= self._clock.now_ms() < until_ms else None

    def put(self, epoch: LocalEpoch) -> None:
        """A published epoch answers from now on, within its times."""
        commit = epoch.commit
        key = ViewKey(self._keystore.get_scalar(epoch.key_name), G1.from_bytes(commit.key_point))
        self._keys[(commit.view, commit.epoch)] = (key, commit.from_ms, commit.until_ms)

    def remove(self, view: str, epoch: int) -> None:
        """The epoch answers no more."""
        self._keys.pop((view, epoch), None)
