"""This issuer's own status lists: entries drawn at random, bits that are durable, lists that the ledger names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import decode_w3c, encode_w3c
from lianzheng.errors import ConflictError, NotFoundError, VerificationError
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.signers import signers_of
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.identity.status.bitstring import new_list
from lianzheng.identity.status.lists import StatusEntry, build_entry, build_list
from lianzheng.identity.status.model import StatusListRecord, StatusPublish, status_state_key
from lianzheng.identity.status.ports import StatusStore, StoredList
from lianzheng.ledger.sender import TransactionSender
from lianzheng.limits import STATUS_DOCUMENT_BYTES_MAX, STATUS_LIST_FILL_MAX

__all__ = ["ISSUED_PURPOSES", "StatusDesk"]

ISSUED_PURPOSES = ("revocation", "suspension")
"""What every credential that this node issues can suffer; each has its own list and its own random index."""


class StatusDesk:
    """One issuer's lists. ``base_url`` gives the address under which a new list will be found."""

    def __init__(
        self,
        me: str,
        base_url: Callable[[], str],
        store: StatusStore,
        ledger: LedgerReader,
        sender: TransactionSender,
        signer: ProofSigner,
        clock: Clock,
    ) -> None:
        self._me = me
        self._base_url = base_url
        self._store = store
        self._ledger = ledger
        self._sender = sender
        self._signer = signer
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def allocate(self, credential_id: str) -> list[JsonObject]:
        """``credentialStatus`` of a new credential: one free entry in a published list of each purpose.

        Raises as :meth:`publish`, where a list has to be opened first.
        """
        found = []
        for purpose in ISSUED_PURPOSES:
            stored = await self._open_list(purpose)
            index = await self._store.take_index(stored.name, credential_id, len(stored.bits) * 8)
            found.append(build_entry(StatusEntry(purpose, stored.url, index)))
        return found

    async def set_status(self, credential_id: str, purpose: str, value: bool) -> int:
        """The credential is (un)suspended or revoked: kept first, then published; the list's version on the ledger.

        Again with the same value it completes what was interrupted. Raises ``NotFoundError`` ``credential_unknown``,
        ``ConflictError`` ``revocation_final``, and as :meth:`publish`, with the change already kept.
        """
        entries = [one for one in await self._store.entries_of(credential_id) if one.purpose == purpose]
        if not entries:
            raise NotFoundError("credential_unknown", "No credential of this id with such a status was issued here.")
        if purpose == "revocation" and not value:
            raise ConflictError(
                "revocation_final",
                "What is revoked stays revoked.",
                next_step="Issue another credential; suspend where it is not for good.",
            )
        version = 0
        for entry in entries:
            await self._store.flip(entry, value)
            version = await self.publish(entry.name)
        return version

    async def publish(self, name: str) -> int:
        """The ledger names the list as it now stands; its version there. Nothing is sent where it does already.

        A list whose key was rotated out or recovered is signed anew: it is needed for as long as credentials are.
        The document is durable before its digest is sent, and is sent again until its fate is known.
        Raises ``NotFoundError`` ``status_list_unknown``; ``ConflictError`` ``status_list_behind``; what
        ``TransactionSender.send`` raises.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            stored = await self._store.load_list(name)
            if self._differs(stored):
                raise ConflictError(
                    "status_list_behind",
                    "The ledger names a list of this name that this node does not have; publishing would undo it.",
                    next_step="Restore the newest copy of node.db; new credentials get entries in a new list.",
                )
            stored = await self._settle(stored)
            if stored.published_changes != stored.changes or not self._stands(stored.published):
                await self._store.set_pending(name, encode_w3c(self._signed(stored)), stored.changes)
                await self._settle(await self._store.load_list(name))
            record = self._record(name)
            return 0 if record is None else record.version

    async def publish_all(self) -> None:
        """Every list that is not on the ledger as it stands, such as after a crash. Raises as :meth:`publish`, last."""
        conflict: ConflictError | None = None
        for name in await self._store.names():
            try:
                await self.publish(name)
            except ConflictError as error:
                conflict = error
        if conflict is not None:
            raise conflict

    async def document(self, name: str) -> bytes:
        """The signed list that the ledger names: exact RFC 8785 bytes, whose digest is the ledger's.

        Raises ``NotFoundError`` ``status_list_unknown``, ``status_list_unpublished``.
        """
        stored, record = await self._store.load_list(name), self._record(name)
        for document in (stored.published, stored.pending):
            if document is not None and record is not None and sha256_raw(document) == record.digest:
                return document
        raise NotFoundError("status_list_unpublished", "The ledger does not name this list yet.")

    async def _open_list(self, purpose: str) -> StoredList:
        stored = await self._store.open_list(purpose)
        number = 0 if stored is None else int(stored.name.rpartition("-")[2])
        if stored is not None and (
            self._differs(stored) or await self._store.used(stored.name) >= STATUS_LIST_FILL_MAX
        ):
            stored, number = None, number + 1
        if stored is None:
            while self._record(f"{purpose}-{number}") is not None:  # of a database that was lost: never said twice
                number += 1
            name = f"{purpose}-{number}"
            url = f"{self._base_url()}/status-lists/{name}"
            await self._store.add_list(name, purpose, url, bytes(new_list()))
            stored = await self._store.load_list(name)
        if stored.published is None:
            await self.publish(stored.name)
        return stored

    async def _settle(self, stored: StoredList) -> StoredList:
        """Send what is pending, unless the ledger has it, and note that it stands."""
        if stored.pending is None:
            return stored
        record, digest = self._record(stored.name), sha256_raw(stored.pending)
        if record is None or record.digest != digest:
            version = 1 if record is None else record.version + 1
            payload = StatusPublish(name=stored.name, version=version, digest=digest)
            await self._sender.send("status.publish", payload)
        await self._store.promote(stored.name)
        return await self._store.load_list(stored.name)

    def _signed(self, stored: StoredList) -> JsonObject:
        now = rfc3339(max(self._clock.now_ms(), self._ledger.now_block_ms()))
        unsigned = build_list(self._me, stored.url, stored.purpose, stored.bits, now)
        return create_proof(unsigned, self._signer, ProofOptions("eddsa-jcs-2022", created=now))

    def _differs(self, stored: StoredList) -> bool:
        """Whether the ledger and this database are of different times: one was restored from an older copy.

        Bits and entries of what is missing are not known then: they could come back to life, or be given out again.
        """
        record = self._record(stored.name)
        if record is None:
            return stored.published is not None
        return record.digest not in {sha256_raw(one) for one in (stored.published, stored.pending) if one is not None}

    def _stands(self, document: bytes | None) -> bool:
        """Whether there is a published list, under a key that stands."""
        if document is None:
            return False
        (method, signed_ms), *_ = signers_of(decode_w3c(document, STATUS_DOCUMENT_BYTES_MAX))
        try:
            return not ledger_key(self._ledger.state, method, "assertionMethod", signed_ms).past
        except VerificationError:
            return False

    def _record(self, name: str) -> StatusListRecord | None:
        value = self._ledger.state.get(status_state_key(self._me, name))
        return None if value is None else StatusListRecord.from_json(value)
