"""One investor's wallet: the acts of ``acts`` on a state that is sealed before anything leaves."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal, TypeVar

from lianzheng.clock import Clock
from lianzheng.compute.gate.access import AccessAnswer, AccessChallenge, AccessQuery
from lianzheng.consent.model import ConsentRecord
from lianzheng.consent.named import ConsentOffer, Presentation
from lianzheng.consent.status import read_record
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Record
from lianzheng.errors import ConflictError, NotFoundError
from lianzheng.identity.did.model import DidRecord
from lianzheng.identity.enrolment import EnrolmentChallenge, EnrolmentRequest, EnrolmentResponse, IdentityDocument
from lianzheng.identity.model import did_of
from lianzheng.ledger.context import MembersView, StateView
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import CREDENTIAL_PERIOD_MS
from lianzheng.wallet import acts
from lianzheng.wallet.accesses import access_query, merged, read_answer
from lianzheng.wallet.acts import SignedConsent
from lianzheng.wallet.backup import WalletBackup
from lianzheng.wallet.control import Change, deactivation, recovery, rotation, settle
from lianzheng.wallet.documents import Presented, documents_of, find_document, present, receive_document
from lianzheng.wallet.keys import KEY_ID, creation_operation, did_seed, fresh_index
from lianzheng.wallet.model import (
    AccessEntry,
    HeldConsent,
    HeldCredential,
    HeldDocument,
    HeldKey,
    HeldToken,
    Reserve,
    WalletState,
    decode_state,
)
from lianzheng.wallet.ports import WalletStore

__all__ = ["ChangeKind", "Settled", "Wallet"]

ChangeKind = Literal["rotate", "recover", "deactivate"]
Settled = Literal["done", "open", "void"]
R = TypeVar("R", bound=Record)
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
        committed: bool = False,
    ) -> Wallet:
        """A new wallet, saved. ``seed`` is 32 secret bytes; drawn fresh where it is not given.

        ``committed``: its DID commits to its next and its recovery key, from a reserve of its own (ID-3); a network
        of schema 1 does not take that.
        """
        secret = secrets.token_bytes(32) if seed is None else seed
        reserve = Reserve(chain_id=chain_id, secret=secrets.token_bytes(32)) if committed else None
        state = WalletState(
            chain_id=chain_id,
            seed=secret,
            operation=creation_operation(secret, chain_id, reserve.secret if reserve else None),
            key=HeldKey(id=KEY_ID, secret=did_seed(secret, chain_id)),
        )
        wallet = cls(name, state, store, clock, test_network=test_network)
        wallet.keep_reserve(reserve)
        wallet._keep(state)
        return wallet

    @classmethod
    def restore(cls, name: str, copy: WalletBackup, store: WalletStore, clock: Clock, *, test_network: bool) -> Wallet:
        """The wallet of a copy, saved. It goes on with consent keys that nobody has used before (AUTH-1)."""
        state = copy.state.model_copy(update={"next_index": fresh_index()})
        wallet = cls(name, state, store, clock, test_network=test_network)
        wallet.keep_reserve(copy.reserve)
        wallet._keep(state)
        return wallet

    @classmethod
    def load(cls, name: str, store: WalletStore, clock: Clock, *, test_network: bool) -> Wallet:
        """The wallet of this name. Raises ``NotFoundError`` ``wallet_unknown``."""
        state = decode_state(store.load(name))
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
    def key_id(self) -> str:
        """Name of the DID's present key, as far as the wallet knows."""
        return self._state.key.id

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

    # --- the DID's future --------------------------------------------------------------------------------------

    @property
    def reserve(self) -> Reserve | None:
        """The recovery secret, where it is on this device."""
        return self._part("reserve", Reserve)

    @property
    def change(self) -> Change | None:
        """A change of the DID that was sent, or was about to be."""
        return self._part("change", Change)

    def keep_reserve(self, reserve: Reserve | None) -> None:
        """This is the reserve on this device from now on; None: there is none any more."""
        if reserve is None:
            self._store.remove(f"{self._name}/reserve")
        else:
            self._store.save(f"{self._name}/reserve", reserve.to_bytes())

    def begin(
        self, kind: ChangeKind, record: DidRecord, reserve: Reserve | None = None, *, stolen: bool = False
    ) -> Change:
        """A change of the DID on its present ``record``, kept before it is handed out to be sent.

        ``reserve`` from shares, where it is not on this device; ``stolen`` of a recovery as ``control.recovery``.
        Raises as these; ``ConflictError`` ``change_open`` while an earlier change may still go through (see
        :meth:`finish`).
        """
        if self.change is not None:
            raise ConflictError("change_open", "An earlier change of the DID is still on its way.")
        given, expiry = reserve or self.reserve, self._expiry()
        if kind == "recover":
            made = recovery(self._state, given, record, expiry, stolen=stolen)
        else:
            made = (rotation if kind == "rotate" else deactivation)(self._state, given, record, expiry)
        self._store.save(f"{self._name}/change", made.to_bytes())
        return made

    def finish(self, record: DidRecord, block_ms: int) -> Settled | None:
        """What became of the change under way, by the ledger's present record; the wallet has taken it over.

        None where none is under way. "open": send its bytes again.
        """
        change = self.change
        if change is None:
            return None
        outcome = settle(change, record, block_ms)
        if outcome == "done":
            if change.reserve is not None:
                self.keep_reserve(Reserve(chain_id=self.chain_id, secret=change.reserve))
            self._keep(_taken_over(self._state, change))
        if outcome != "open":
            self._store.remove(f"{self._name}/change")
        return outcome

    def copy(self) -> WalletBackup:
        """Everything that a backup holds: the state, and the reserve where it is on this device."""
        return WalletBackup(created_ms=self._clock.now_ms(), state=self._state, reserve=self.reserve)

    # --- enrolment and consent ---------------------------------------------------------------------------------

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

    # --- credentials -------------------------------------------------------------------------------------------

    @property
    def documents(self) -> tuple[HeldDocument, ...]:
        """Every Verifiable Credential, those of enrolment first."""
        return documents_of(self._state)

    def receive(self, document: JsonObject, ledger: StateView) -> HeldDocument:
        """Verify and keep a credential; as ``documents.receive_document``."""
        self._keep(receive_document(self._state, document, ledger, self._clock.now_ms()))
        return self._state.documents[-1]

    def document(self, name: str) -> JsonObject:
        """One credential as it came. Raises ``document_unknown``."""
        return find_document(self._state, name)

    def present(self, wanted: Presented) -> JsonObject:
        """As ``documents.present``."""
        return present(self._state, wanted, self._clock.now_ms())

    # --- who asked ---------------------------------------------------------------------------------------------

    def ask_uses(self, token: HeldToken, challenge: AccessChallenge, member: str, skip: int = 0) -> AccessQuery:
        """As ``accesses.access_query``."""
        return access_query(self._state, token, challenge, member, skip)

    def note_uses(
        self, answer: AccessAnswer, query: AccessQuery, consent: HeldConsent, token: HeldToken, ledger: StateView
    ) -> int:
        """What a member tells, verified and added to the log; the number of uses. As ``accesses.read_answer``."""
        told = read_answer(answer, query, consent, token, ledger)
        if told:
            self._keep(self._state.model_copy(update={"access_log": merged(self._state.access_log, told)}))
        return len(told)

    def _part(self, part: str, kind: type[R]) -> R | None:
        try:
            return kind.from_bytes(self._store.load(f"{self._name}/{part}"))
        except NotFoundError:
            return None

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


def _taken_over(state: WalletState, change: Change) -> WalletState:
    """With a new seed come another v and other consent keys: what was signed for the old v serves no more (ID-7)."""
    if change.key is None:
        return state
    after = state.model_copy(update={"key": change.key})
    if change.seed is None:
        return after
    return after.model_copy(
        update={"seed": change.seed, "former": (*state.former, state.seed), "next_index": 0, "credentials": ()}
    )
