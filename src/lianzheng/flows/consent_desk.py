"""Receiving or losing a consent and putting the act on record belong together (AUTH-3, AUTH-4, EV-1, EV-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.consent.ports import ConsentStore
from lianzheng.consent.service import ConsentService, ReceivedConsent
from lianzheng.consent.submission import ConsentSubmission
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import ConflictError, NotFoundError, UnavailableError
from lianzheng.evidence.model import Acknowledgement, Document
from lianzheng.flows.acts import ActRecorder, consent_case

__all__ = ["ConsentDesk", "DeskReceipt"]

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class DeskReceipt:
    """What the wallet gets back: the tokens' ids, and the promise that the act will be anchored."""

    received: ReceivedConsent
    acknowledgement: Acknowledgement


class ConsentDesk:
    """The requester's counter for consents."""

    def __init__(self, consents: ConsentService, store: ConsentStore, acts: ActRecorder) -> None:
        self._consents = consents
        self._store = store
        self._acts = acts

    async def receive(self, raw: bytes) -> DeskReceipt:
        """The consent of ``raw`` (canonical ``ConsentSubmission``) is kept, queued and on record.

        The evidence holds the named consent as signed, never a token or its r. Sending the same consent again gives
        the same answer, and completes what a crash may have left. Raises as ``ConsentService.receive``.
        """
        submission = ConsentSubmission.from_bytes(raw)
        signed = encode_w3c(submission.named)
        try:
            received = await self._consents.receive(submission)
        except ConflictError:
            received = await self._same_again(submission, signed)
        case = consent_case(received.consent_id)
        try:
            return DeskReceipt(received, await self._acts.first(case))
        except NotFoundError:
            document = Document("named-consent.json", "application/vc", signed)
            return DeskReceipt(received, await self._acts.record(case, "consent", "clerk", [document]))

    async def withdraw(self, consent_id: str) -> int:
        """Withdrawn at the counter, on record even while the ledger is away: then this member's own use has ended.

        Raises as ``ConsentService.withdraw``, and ``UnavailableError`` of the ledger; call again then.
        """
        try:
            revoked = await self._consents.withdraw(consent_id)
        except UnavailableError:
            await self._record_withdrawal(consent_id)
            raise
        await self._record_withdrawal(consent_id)
        return revoked

    async def forget(self, cids: Sequence[bytes]) -> None:
        """Tokens that their own key has revoked are never used again; the withdrawal is on record, once."""
        withdrawn: dict[str, list[bytes]] = {}
        for cid in cids:
            token = await self._store.token(cid)
            if token is not None and token.state != "revoked":
                withdrawn.setdefault(token.consent_id, []).append(cid)
        await self._consents.forget(cids)
        for consent_id, own in withdrawn.items():
            text = "withdrawn by the wallet\n" + "".join(f"{b64u_encode(cid)}\n" for cid in own)
            document = Document("withdrawal.txt", _TEXT, text.encode())
            await self._acts.record(consent_case(consent_id), "consent", "investor", [document])

    async def _record_withdrawal(self, consent_id: str) -> None:
        document = Document("withdrawal.txt", _TEXT, b"withdrawn at the counter")
        await self._acts.record(consent_case(consent_id), "consent", "clerk", [document])

    async def _same_again(self, submission: ConsentSubmission, signed: bytes) -> ReceivedConsent:
        consent_id = str(submission.named["credentialSubject"]["offer"]["consent_id"])
        stored = await self._store.consent(consent_id)
        if stored is None or stored.document != signed:
            raise ConflictError(
                "consent_exists", "Another consent has this id.", next_step="Make a new offer and sign again."
            )
        tokens = await self._store.tokens(consent_id)
        return ReceivedConsent(consent_id, tuple(token.cid for token in tokens))
