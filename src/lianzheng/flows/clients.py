"""The member's client references: a keyed name for each customer, used wherever the identity number must not stand."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.framing import tagged
from lianzheng.errors import NotFoundError
from lianzheng.suitability.customers import CustomerRecord
from lianzheng.suitability.ports import CustomerStore

__all__ = ["Client", "ClientBook"]


@dataclass(frozen=True, slots=True, repr=False)
class Client:
    """A customer, where its record stands."""

    reference: str
    dataset: str
    idnorm: bytes


class ClientBook:
    """References of all customers in the loaded data sets.

    A reference is HMAC-SHA-256 of idnorm under a key of this member: stable, and useless to others.
    """

    def __init__(self, store: CustomerStore, key: bytes) -> None:
        self._store = store
        self._key = key
        self._clients: dict[str, Client] = {}

    def reference_of(self, idnorm: bytes) -> str:
        """The reference that a person has, or would have, here."""
        digest = hmac.digest(self._key, tagged("client-reference", idnorm), hashlib.sha256)
        return "c-" + b64u_encode(digest[:15])

    def learn(self, dataset: str, records: Iterable[CustomerRecord]) -> None:
        """The customers of ``dataset`` are exactly ``records`` from now on."""
        kept = {name: client for name, client in self._clients.items() if client.dataset != dataset}
        for record in records:
            reference = self.reference_of(record.idnorm)
            kept.setdefault(reference, Client(reference, dataset, record.idnorm))
        self._clients = kept

    async def open(self, datasets: Iterable[str] | None = None) -> None:
        """Read the references of these data sets from the store, by default of all, at start."""
        for dataset in await self._store.datasets() if datasets is None else datasets:
            self.learn(dataset, await self._store.customers(dataset))

    async def record(self, reference: str) -> CustomerRecord:
        """The customer's record. Raises ``NotFoundError`` ``customer_unknown``."""
        client = self._clients.get(reference)
        if client is None:
            raise NotFoundError("customer_unknown", "No customer of this member has this reference.")
        return await self._store.customer(client.dataset, client.idnorm)

    async def find_customer(self, idnorm: bytes) -> str | None:
        """``identity.ports.CustomerDirectory``: the reference of a customer, or None."""
        reference = self.reference_of(idnorm)
        return reference if reference in self._clients else None

    async def find_idnorm(self, client_reference: str) -> bytes | None:
        """``consent.ports.CustomerIdentities``: idnorm of a customer, or None."""
        client = self._clients.get(client_reference)
        return None if client is None else client.idnorm

    def references(self) -> list[str]:
        """All references, sorted."""
        return sorted(self._clients)
