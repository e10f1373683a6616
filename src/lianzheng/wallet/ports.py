"""What the wallet needs from outside. Many wallets may share one sealed store."""

from __future__ import annotations

from typing import Protocol

__all__ = ["WalletStore"]


class WalletStore(Protocol):
    """Sealed, durable storage of wallets by name."""

    def load(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``wallet_unknown``."""

    def save(self, name: str, data: bytes) -> None:
        """Durable and sealed when it returns; replaces what stood there."""

    def remove(self, name: str) -> None:
        """Nothing stands under this name when it returns, whether or not something did."""

    def names(self) -> list[str]:
        """Every wallet, sorted. A name with a slash is a part of the wallet before it, and is not listed."""
