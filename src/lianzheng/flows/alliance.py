"""Assess one investor with the alliance: local first, then each provider that the investor has consented to.

A provider that refuses, is away or answers wrongly never blocks the assessment: it is named with its reason code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lianzheng.clock import Clock, day_of
from lianzheng.compute.datasets.model import dataset_record
from lianzheng.compute.gate.model import UsageReceipt, ViewEpoch, request_hash
from lianzheng.compute.gate.requester import GateClient, Opened, Use
from lianzheng.compute.model import dataset_of
from lianzheng.compute.ports import AccessBook, AskStore, ReceiptStore
from lianzheng.compute.protocols.hidden_query.client import current_epoch
from lianzheng.compute.protocols.hidden_query.retrieval import RetrievalClient
from lianzheng.compute.tasks.model import TaskContract, task_record
from lianzheng.consent.model import decode_token
from lianzheng.consent.ports import ConsentStore, StoredToken
from lianzheng.crypto.hazmat.bls12381 import scalar_from_bytes
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.flows.clients import ClientBook
from lianzheng.ledger.context import StateView
from lianzheng.suitability.assessment import Assessment, ProviderBands
from lianzheng.suitability.questionnaire import Answers, Score
from lianzheng.suitability.service import SuitabilityService

__all__ = ["AllianceAssessment", "ProviderTrace", "Traced"]

_BEHIND = frozenset({"consent_unknown", "ledger_stale"})
_BEHIND_TRIES = 2
_BEHIND_S = 1 / 3
"""Longer than a follower waits between two looks at the sequencer."""


@dataclass(frozen=True, slots=True)
class ProviderTrace:
    """One provider's part, for the screen: what came back, how many bytes travelled, how long it took."""

    bands: ProviderBands
    sent_bytes: int
    received_bytes: int
    elapsed_us: int


@dataclass(frozen=True, slots=True)
class Traced:
    """An assessment and how it came about."""

    assessment: Assessment
    score: Score
    traces: tuple[ProviderTrace, ...]


class AllianceAssessment:
    """The main use case of a requesting member."""

    def __init__(
        self,
        consents: ConsentStore,
        gate: GateClient,
        tables: RetrievalClient,
        receipts: ReceiptStore,
        suitability: SuitabilityService,
        clients: ClientBook,
        state: Callable[[], StateView],
        clock: Clock,
        asks: AskStore | None = None,
        book: AccessBook | None = None,
    ) -> None:
        """``asks`` is the store of ``gate``'s questions, for :meth:`resume`; ``book`` keeps what was read."""
        self._book = book
        self._asks = asks
        self._consents = consents
        self._gate = gate
        self._tables = tables
        self._receipts = receipts
        self._suitability = suitability
        self._clients = clients
        self._state = state
        self._clock = clock

    async def assess(
        self, case_id: str, reference: str, answers: Answers, confirmed: Sequence[str], task: bytes | None
    ) -> Traced:
        """The assessment of a customer on record; ``task`` None means local only.

        Raises ``customer_unknown``, ``task_unknown``, and what ``SuitabilityService`` raises; never for a provider.
        """
        customer = await self._clients.record(reference)
        score = await self._suitability.take_test(case_id, reference, answers, confirmed)
        traces = await self.ask_all(reference, task) if task is not None else ()
        bands = [trace.bands for trace in traces]
        assessment = await self._suitability.assess(case_id, reference, score, customer, bands)
        return Traced(assessment, score, tuple(traces))

    async def resume(self) -> int:
        """Receipts now kept of questions whose answers were lost; one that is refused or still unheard stays for later.

        What the provider has counted must not be missing here, or its report would not fit (GATE-8, GATE-10).
        """
        kept = 0
        for ask in await self._asks.open() if self._asks is not None else ():
            try:
                receipt = await self._gate.repeat(ask)
                await self._keep_receipt(ask.task, ask.provider, ask.cid, receipt)
            except LianzhengError:  # noted with the question where it is final
                continue
            kept += 1
        return kept

    async def ask_all(self, reference: str, task: bytes) -> tuple[ProviderTrace, ...]:
        """Every provider of the task, asked at once, in the order of the contract. Raises ``task_unknown``."""
        contract = task_record(self._state(), task).contract
        tokens = await self._tokens(reference, contract)
        return tuple(
            await asyncio.gather(
                *(self._ask(provider, tokens.get(provider), contract.views, task) for provider in contract.providers)
            )
        )

    async def ask_many(self, references: Sequence[str], task: bytes) -> list[tuple[ProviderTrace, ...]]:
        """As :meth:`ask_all` for each customer in order, in one batch a provider (EQ-1). Raises ``task_unknown``."""
        contract = task_record(self._state(), task).contract
        tokens = [await self._tokens(reference, contract) for reference in references]
        columns = await asyncio.gather(
            *(
                self._ask_batch(provider, [found.get(provider) for found in tokens], contract.views, task)
                for provider in contract.providers
            )
        )
        return list(zip(*columns, strict=True))

    async def _ask_batch(
        self, provider: str, tokens: Sequence[StoredToken | None], views: Sequence[str], task: bytes
    ) -> list[ProviderTrace]:
        """One provider's part for each token; one that is missing or refused hits nobody else."""
        started = self._clock.boot_us()
        traces = [_silent(provider, "not_asked", "consent_missing")] * len(tokens)
        uses: dict[int, tuple[StoredToken, Use]] = {}
        for place, token in enumerate(tokens):
            if token is None or token.r is None:
                continue
            try:
                wanted = self._wanted(provider, token, views)
            except LianzhengError as error:
                traces[place] = _failed(provider, error, 0)
                continue
            if wanted:
                uses[place] = (token, Use(token.token, scalar_from_bytes(token.r), wanted))
        outcomes = await self._ask_many_patiently(task, {place: use for place, (_, use) in uses.items()})
        for place, outcome in outcomes.items():
            try:
                if isinstance(outcome, LianzhengError):
                    raise outcome
                traces[place] = await self._trace(task, provider, uses[place][0], outcome, started)
            except LianzhengError as error:
                traces[place] = _failed(provider, error, self._clock.boot_us() - started)
        return traces

    async def _ask_many_patiently(self, task: bytes, uses: dict[int, Use]) -> dict[int, Opened | LianzhengError]:
        """As ``GateClient.ask_many`` by place; a provider a block behind is asked again, as in a single question."""
        outcomes: dict[int, Opened | LianzhengError] = {}
        for round_ in range(_BEHIND_TRIES + 1):
            open_ = [place for place in uses if place not in outcomes or _is_behind(outcomes[place])]
            if not open_:
                break
            if round_:
                await asyncio.sleep(_BEHIND_S)
            try:
                answers = await self._gate.ask_many(task, [uses[place] for place in open_])
            except LianzhengError as error:  # the call as a whole
                answers = [error] * len(open_)
            outcomes.update(zip(open_, answers, strict=True))
        return outcomes

    async def _tokens(self, reference: str, contract: TaskContract) -> dict[str, StoredToken]:
        """For each provider the newest token that covers the contract; one already on the ledger goes first."""
        found: dict[str, StoredToken] = {}
        today = day_of(self._clock.now_ms())
        for consent in await self._consents.consents_of(reference):
            for token in await self._consents.tokens(consent.consent_id):
                if token.state not in ("granted", "queued") or token.r is None or not _covers(token, contract, today):
                    continue
                held = found.get(token.provider)
                if held is None or (held.state, token.state) != ("granted", "queued"):
                    found[token.provider] = token
        return found

    async def _ask(self, provider: str, token: StoredToken | None, views: Sequence[str], task: bytes) -> ProviderTrace:
        if token is None or token.r is None:
            return _silent(provider, "not_asked", "consent_missing")
        started = self._clock.boot_us()
        try:
            wanted = self._wanted(provider, token, views)
            if not wanted:
                return _silent(provider, "not_asked", "consent_missing")
            opened = await self._ask_patiently(task, token.token, scalar_from_bytes(token.r), wanted)
            return await self._trace(task, provider, token, opened, started)
        except LianzhengError as error:
            return _failed(provider, error, self._clock.boot_us() - started)

    async def _trace(
        self, task: bytes, provider: str, token: StoredToken, opened: Opened, started: int
    ) -> ProviderTrace:
        """The receipt is kept and the bands are read."""
        await self._keep_receipt(task, provider, token.cid, opened.receipt)
        bands: dict[str, int] = {}
        for view, element in opened.elements.items():
            for code, band in (await self._tables.bands(view, element)).items():
                # A threshold says "at least", so the higher of two views of one indicator is what is known.
                bands[code] = max(band, bands.get(code, 0))
        if self._book is not None:
            await self._book.keep_bands(request_hash(opened.receipt.request), bands)
        answered = ProviderBands(provider=provider, status="answered", bands=bands)
        return ProviderTrace(answered, opened.sent_bytes, opened.received_bytes, self._clock.boot_us() - started)

    async def _ask_patiently(self, task: bytes, token: bytes, r: int, views: tuple[ViewEpoch, ...]) -> Opened:
        """As ``GateClient.ask``; a provider a block behind does not know a fresh consent yet, and counted nothing."""
        for _ in range(_BEHIND_TRIES):
            try:
                return await self._gate.ask(task, token, r, views)
            except LianzhengError as error:
                if error.code not in _BEHIND:
                    raise
                await asyncio.sleep(_BEHIND_S)
        return await self._gate.ask(task, token, r, views)

    def _wanted(self, provider: str, token: StoredToken, views: Sequence[str]) -> tuple[ViewEpoch, ...]:
        """The provider's views of the task that the investor has agreed to, each in its open epoch."""
        state, now = self._state(), self._clock.now_ms()
        consented = decode_token(token.token).terms.views
        own = [view for view in views if dataset_record(state, dataset_of(view)).owner == provider]
        epochs = [current_epoch(state, view, now) for view in own if view in consented]
        return tuple(ViewEpoch(view=item.view, epoch=item.epoch) for item in epochs)

    async def _keep_receipt(self, task: bytes, provider: str, cid: bytes, receipt: UsageReceipt) -> None:
        # The receipt first: should the salt have changed, the receipt is what proves it (B26).
        await self._receipts.save_receipt(
            task, provider, cid, request_hash(receipt.request), receipt.to_bytes(), receipt.answer.time_ms
        )
        await self._receipts.remember_task_salt(task, provider, receipt.answer.task_salt)


def _covers(token: StoredToken, contract: TaskContract, today: str) -> bool:
    terms = decode_token(token.token).terms
    same = terms.purpose == contract.purpose and terms.function == contract.function
    return same and terms.not_before <= today <= terms.not_after and not set(terms.views).isdisjoint(contract.views)


def _is_behind(outcome: Opened | LianzhengError) -> bool:
    return isinstance(outcome, LianzhengError) and outcome.code in _BEHIND


def _failed(provider: str, error: LianzhengError, elapsed_us: int) -> ProviderTrace:
    away = isinstance(error, UnavailableError) or error.code == "epoch_none_open"
    return _silent(provider, "unavailable" if away else "refused", error.code, elapsed_us)


def _silent(
    provider: str, status: Literal["refused", "unavailable", "not_asked"], code: str, elapsed_us: int = 0
) -> ProviderTrace:
    return ProviderTrace(ProviderBands(provider=provider, status=status, code=code), 0, 0, elapsed_us)
