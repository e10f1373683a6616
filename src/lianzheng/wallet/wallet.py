"""One investor's wallet: the acts of ``acts`` on a state that is sealed before anything leaves."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from lianzheng.clock import Clock
from lianzheng.consent.model import ConsentRecord
from lianzheng.consent.named import ConsentOffer, Presentation
from lianzheng.consent.status import read_record
from lianzheng.errors import NotFoundError
from lianzheng.identity.enrolment import EnrolmentChallenge, EnrolmentRequest, EnrolmentResponse, IdentityDocument
from lianzheng.identity.model import did_of
from lianzheng.ledger.context import MembersView, StateView
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import CREDENTIAL_PERIOD_MS, WALLET_BYTES_MAX
from lianzheng.wallet import acts
from lianzheng.wallet.acts import SignedConsent
from lianzheng.wallet.keys import creation_operation
from lianzheng.wallet.model import AccessEntry, HeldConsent, HeldCredential, WalletState
from lianzheng.wallet.ports import WalletStore

__all__ = ["Wallet"]

_EXPIRY_MS = 3600 * 1000
_WITHDRAWAL_EXPIRY_MS = 23 * 3600 * 1000  # the longest that LED-3 lets a client ask: nodes post it when they can


class Wallet:
    """State changes are saved before their results are handed out, so that no consent key is ever used twice."""

    def __init__(self, name: str, state: WalletState, store: WalletStore, clock: Clock, *, test_network: bool) -> None:
        self._name = name
        self._state = state
        self._store = store
        self._clock = clock
        self._test_network = test_network

    @classmethod
    def create(
        cls,
        name: str,
        chain_id: str,
        store: WalletStore,
        clock: Clock,
        *,
        test_network: bool,
        seed: bytes | None = None,
    ) -> Wallet:
        """A new wallet, saved. ``seed`` is 32 secret bytes; drawn fresh where it is not given."""
        secret = secrets.token_bytes(32) if seed is None else seed
        state = WalletState(chain_id=chain_id, seed=secret, operation=creation_operation(secret, chain_id))
        wallet = cls(name, state, store, clock, test_network=test_network)
        wallet._keep(state)
        return wallet

    @classmethod
    def load(cls, name: str, store: WalletStore, clock: Clock, *, test_network: bool) -> Wallet:
        """The wallet of this name. Raises ``NotFoundError`` ``wallet_unknown``."""
        state = WalletState.from_bytes(store.load(name), WALLET_BYTES_MAX)
        return cls(name, state, store, clock, test_network=test_network)

    @property
    def did(self) -> str:
        """The investor's DID."""
        return did_of(self._state.operation)

    @property
    def chain_id(self) -> str:
        """The network."""
        return self._state.chain_id

    @property
    def credentials(self) -> tuple[HeldCredential, ...]:
        """Credentials held, oldest first."""
        return self._state.credentials

    @property
    def consents(self) -> tuple[HeldConsent, ...]:
        """Consents given, oldest first."""
        return self._state.consents

    @property
    def access_log(self) -> tuple[AccessEntry, ...]:
        """Who asked what, oldest first."""
        return self._state.access_log

    def create_did(self) -> Transaction:
        """``did.create`` for any member's node to submit."""
        return acts.create_did_transaction(self._state, self._expiry())

    def enrol(self, challenge: EnrolmentChallenge, issuer: str, document: IdentityDocument) -> EnrolmentRequest:
        """As ``acts.enrolment_request``."""
        return acts.enrolment_request(self._state, challenge, issuer, document)

    def accept(self, response: EnrolmentResponse, issuer: str, document: IdentityDocument, ledger: StateView) -> None:
        """Verify and keep a credential; as ``acts.accept_enrolment``."""
        self._keep(
            acts.accept_enrolment(
                self._state,
                response,
                issuer,
                document,
                ledger,
                self._clock.now_ms(),
                test_network=self._test_network,
            )
        )

    def consent(
        self,
        offer: ConsentOffer,
        presentation: Presentation,
        *,
        members: MembersView,
        genesis_time_ms: int,
        block_ms: int,
        issuer: str | None = None,
        validity: tuple[str, str] | None = None,
        shared_by: Mapping[str, int] | None = None,
    ) -> SignedConsent:
        """Sign a consent under a credential of the present period; as ``choose_credential`` and ``sign_consent``."""
        period = (block_ms - genesis_time_ms) // CREDENTIAL_PERIOD_MS
        credential = acts.choose_credential(self._state, offer.requester.did, period, members, issuer)
        state, signed = acts.sign_consent(
            self._state,
            offer,
            credential,
            presentation,
            genesis_time_ms=genesis_time_ms,
            now_ms=self._clock.now_ms(),
            test_network=self._test_network,
            validity=validity,
            shared_by=shared_by,
        )
        self._keep(state)
        return signed

    def withdraw(self, consent_id: str) -> tuple[Transaction, ...]:
        """Revocations of every token of a consent; calling it again gives them anew. Raises ``consent_unknown``."""
        held = self._held(consent_id)
        self._mark(held, "withdrawn")
        expires_at = self._clock.now_ms() + _WITHDRAWAL_EXPIRY_MS
        return acts.withdraw_transactions(self._state, held.tokens, expires_at)

    def pause(self, consent_id: str, ledger: StateView, *, resume: bool = False) -> tuple[Transaction, ...]:
        """Pause (or resume) every token of a consent on its present record. Raises ``consent_unknown``."""
        held = self._held(consent_id)
        records: list[ConsentRecord] = [read_record(ledger, token.cid) for token in held.tokens]
        self._mark(held, "signed" if resume else "paused")
        return tuple(
            acts.pause_transaction(self._state, token, record, self._expiry(), resume=resume)
            for token, record in zip(held.tokens, records, strict=True)
        )

    def note_access(self, entry: AccessEntry) -> None:
        """Add to the access log what the requester reports about a use."""
        self._keep(self._state.model_copy(update={"access_log": (*self._state.access_log, entry)}))

    def _held(self, consent_id: str) -> HeldConsent:
        for held in self._state.consents:
            if held.consent_id == consent_id:
                return held
        raise NotFoundError("consent_unknown", "The wallet holds no such consent.")

    def _mark(self, held: HeldConsent, status: str) -> None:
        marked = held.model_copy(update={"status": status})
        consents = tuple(marked if item == held else item for item in self._state.consents)
        self._keep(self._state.model_copy(update={"consents": consents}))

    def _keep(self, state: WalletState) -> None:
        self._store.save(self._name, state.to_bytes())
        self._state = state

    def _expiry(self) -> int:
        return self._clock.now_ms() + _EXPIRY_MS
