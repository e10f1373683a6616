"""Looking up the keys that a document's proofs name, before it is verified."""

from __future__ import annotations

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError, VerificationError
from lianzheng.identity.credentials.keys import ProofKey, did_key
from lianzheng.identity.credentials.signers import signers_of
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolution.keys import KeyUse, ledger_key, published_key
from lianzheng.identity.resolution.resolver import Resolver

__all__ = ["METHODS", "KeyFinder", "KeyRing"]

METHODS = frozenset({"key", "lz", "web"})
"""DID methods of signers that can be looked up."""


class KeyRing:
    """Keys found beforehand, as the ``resolve_key`` of a verification."""

    def __init__(self, found: dict[str, KeyUse]) -> None:
        self._found = found

    def __call__(self, method: str, purpose: str) -> ProofKey:
        use = self._found.get(method)
        if use is None:
            raise VerificationError("verification_method_unknown", "The proof names a key that nobody could look up.")
        return use.key

    @property
    def uses(self) -> tuple[KeyUse, ...]:
        """Every key on it."""
        return tuple(self._found.values())


class KeyFinder:
    """did:lz at this node's committed state, did:key from itself, did:web through the resolver."""

    def __init__(self, ledger: LedgerReader, resolver: Resolver, clock: Clock) -> None:
        self._ledger = ledger
        self._resolver = resolver
        self._clock = clock

    async def keys_of(self, document: JsonObject, purpose: str, methods: frozenset[str] = METHODS) -> KeyRing:
        """The keys that the proofs of ``document`` name, for ``purpose``; of did:lz as they were when it was signed.

        Where one key made two proofs, the earlier one decides. Raises ``RefusedError`` ``issuer_method_refused`` for
        a DID method that is not among ``methods``; as ``signers_of``, ``ledger_key`` and ``Resolver.resolve``.
        """
        found: dict[str, KeyUse] = {}
        for method, signed_ms in sorted(signers_of(document), key=lambda one: (one[1] is None, one[1] or 0)):
            if method not in found:
                found[method] = await self.find(method, purpose, methods, signed_ms)
        return KeyRing(found)

    async def find(
        self, method: str, purpose: str, methods: frozenset[str] = METHODS, signed_ms: int | None = None
    ) -> KeyUse:
        """The key that one verification method names, now or at ``signed_ms``. Errors as of :meth:`keys_of`."""
        did = method.partition("#")[0]
        name = did.split(":")[1] if did.startswith("did:") and did.count(":") > 1 else ""
        if name not in methods:
            raise RefusedError(
                "issuer_method_refused",
                "The signer's DID is of a method that is not accepted here.",
                next_step="Name the method in the request if you accept such signers.",
            )
        if name == "lz":
            return ledger_key(self._ledger.state, method, purpose, signed_ms)
        if name == "key":
            return KeyUse(did_key(method, purpose))
        resolved = await self._resolver.resolve(did)
        if resolved.document is None:
            raise VerificationError("did_deactivated", "The signer's DID is deactivated for good.")
        return published_key(resolved.document, method, purpose, self._clock.now_ms())
