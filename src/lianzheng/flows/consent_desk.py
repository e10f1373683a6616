"""Receiving a consent and putting the act on record belong together (AUTH-3, EV-1)."""

from __future__ import annotations

from lianzheng.clock import Clock
from lianzheng.consent.service import ConsentService, ReceivedConsent
from lianzheng.consent.submission import ConsentSubmission
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.evidence.model import CaptureContext, Document
from lianzheng.evidence.service import EvidenceService

__all__ = ["ConsentDesk", "consent_case"]


def consent_case(consent_id: str) -> str:
    """The case under which a consent's evidence stands."""
    return f"consent-{consent_id}"


class ConsentDesk:
    """The requester's counter for consents."""

    def __init__(
        self, consents: ConsentService, evidence: EvidenceService, capture: CaptureContext, clock: Clock
    ) -> None:
        self._consents = consents
        self._evidence = evidence
        self._capture = capture
        self._clock = clock

    async def receive(self, raw: bytes) -> ReceivedConsent:
        """The consent of ``raw`` (canonical ``ConsentSubmission``) is kept, queued and on record.

        The evidence holds the named consent as signed, never a token or its r.
        Raises as ``ConsentService.receive``.
        """
        submission = ConsentSubmission.from_bytes(raw)
        received = await self._consents.receive(submission)
        document = Document("named-consent.json", "application/vc", encode_w3c(submission.named))
        await self._keep(received.consent_id, document)
        return received

    async def withdraw(self, consent_id: str) -> int:
        """Withdrawn at the counter, on record. Raises as ``ConsentService.withdraw``."""
        revoked = await self._consents.withdraw(consent_id)
        await self._keep(
            consent_id, Document("withdrawal.txt", "text/plain; charset=utf-8", b"withdrawn at the counter")
        )
        return revoked

    async def _keep(self, consent_id: str, document: Document) -> None:
        context = self._capture.model_copy(update={"local_time_ms": self._clock.now_ms()})
        await self._evidence.record(consent_case(consent_id), "consent", "clerk", context, [document])
