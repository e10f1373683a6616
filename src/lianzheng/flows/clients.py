"""The member's client references: a keyed name for each customer, used wherever the identity number must not stand."""

from __future__ import annotations

import hashlib
import hmac

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.framing import tagged
from lianzheng.errors import NotFoundError
from lianzheng.suitability.customers import CustomerRecord
from lianzheng.suitability.ports import CustomerStore

__all__ = ["ClientBook"]


class ClientBook:
    """References of all customers in the loaded data sets; the store holds them, so that memory need not.

    A reference is HMAC-SHA-256 of idnorm under a key of this member: stable, and useless to others.
    """

    def __init__(self, store: CustomerStore, key: bytes) -> None:
        self._store = store
        self._key = key

    def reference_of(self, idnorm: bytes) -> str:
        """The reference that a person has, or would have, here."""
        digest = hmac.digest(self._key, tagged("client-reference", idnorm), hashlib.sha256)
        return "c-" + b64u_encode(digest[:15])

    async def open(self) -> None:
        """At start: every customer on record has its reference."""
        await self._store.name_customers(self.reference_of)

    async def record(self, reference: str) -> CustomerRecord:
        """The customer's record. Raises ``NotFoundError`` ``customer_unknown``."""
        found = await self._store.customer_named(reference)
        if found is None:
            raise NotFoundError("customer_unknown", "No customer of this member has this reference.")
        return found

    async def find_customer(self, idnorm: bytes) -> str | None:
        """``identity.ports.CustomerDirectory``: the reference of a customer, or None."""
        reference = self.reference_of(idnorm)
        return None if await self._store.customer_named(reference) is None else reference

    async def find_idnorm(self, client_reference: str) -> bytes | None:
        """``consent.ports.CustomerIdentities``: idnorm of a customer, or None."""
        found = await self._store.customer_named(client_reference)
        return None if found is None else found.idnorm
