"""Was a credential taken back? Asks its status lists, of which the ledger knows the newest by digest."""

from __future__ import annotations

import asyncio

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import VerificationError
from lianzheng.flows.keyring import KeyFinder
from lianzheng.identity.credentials.datamodel import issuer_of, listed, types_of
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.status.cache import StatusCache
from lianzheng.identity.status.lists import ENTRY_TYPE, check_status, list_digest, list_name_of, read_entries
from lianzheng.identity.status.model import StatusListRecord, status_state_key
from lianzheng.identity.status.ports import StatusFetcher
from lianzheng.limits import CATCH_UP_MS, STATUS_DOCUMENT_BYTES_MAX

__all__ = ["LedgerStatusChecker"]

_LOOKS = 10
"""How often the ledger is looked at again within ``CATCH_UP_MS``."""


class LedgerStatusChecker:
    """Implements ``flows.verification.StatusChecker``."""

    def __init__(self, ledger: LedgerReader, keys: KeyFinder, fetcher: StatusFetcher, clock: Clock) -> None:
        self._ledger = ledger
        self._keys = keys
        self._fetcher = fetcher
        self._clock = clock
        self._cache = StatusCache(clock)

    async def check(self, credential: JsonObject) -> tuple[str, ...]:
        """No list says that ``credential`` was taken back; the purposes that say something else.

        Raises ``VerificationError``: ``status_type_unknown``, ``status_list_unpublished``,
        ``status_list_digest_mismatch``, and as ``identity.status.lists.check_status``, ``verify_vc`` and the fetcher.
        """
        stated = listed(credential.get("credentialStatus", []))
        if not all(isinstance(one, dict) and ENTRY_TYPE in types_of(one) for one in stated):
            raise VerificationError("status_type_unknown", "The credential's status is of a kind that is not known.")
        issuer = issuer_of(credential)
        urls = {entry.list_url for entry in read_entries(credential)}
        lists = {url: await self._load(issuer, url) for url in sorted(urls)}
        return check_status(credential, lists.__getitem__)

    async def _load(self, issuer: str, url: str) -> JsonObject:
        """The verified list at ``url``; of an issuer on the ledger the very one that the ledger names."""
        if not issuer.startswith("did:lz:"):
            kept = self._cache.get(url, None)
            return kept or await self._verified(url, None, await self._fetch(issuer, "", url))
        name = list_name_of(url)
        for last in (*(False,) * _LOOKS, True):
            digest = self._published(issuer, name)
            if digest is not None:
                kept = self._cache.get(url, digest)
                if kept is not None:
                    return kept
                document = await self._fetch(issuer, name, url)
                if list_digest(document) == digest:
                    return await self._verified(url, digest, document)
            if not last:  # this node may be a block behind the issuer's
                await asyncio.sleep(CATCH_UP_MS / 1000 / _LOOKS)
        if digest is None:
            raise VerificationError("status_list_unpublished", "The ledger knows no such status list of the issuer.")
        raise VerificationError(
            "status_list_digest_mismatch",
            "The status list is not the one that its issuer has put on the ledger.",
            next_step="Do not rely on the credential; tell its issuer.",
        )

    async def _fetch(self, issuer: str, name: str, url: str) -> JsonObject:
        return parse_w3c(await self._fetcher.fetch(issuer, name, url), STATUS_DOCUMENT_BYTES_MAX)

    async def _verified(self, url: str, digest: bytes | None, document: JsonObject) -> JsonObject:
        ring = await self._keys.keys_of(document, "assertionMethod")
        policy = CredentialPolicy(now_ms=self._clock.now_ms(), resolve_key=ring)
        document = (await asyncio.to_thread(verify_vc, document, policy)).document
        self._cache.put(url, digest, document)
        return document

    def _published(self, issuer: str, name: str) -> bytes | None:
        value = self._ledger.state.get(status_state_key(issuer, name))
        return None if value is None else StatusListRecord.from_json(value).digest
