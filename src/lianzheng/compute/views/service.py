"""The life of an epoch at its provider: fresh key, table, commit, publish, end, erasure (GATE-0, PIR-1).

Order of steps, each durable before the next, so that a crash anywhere is mended by :meth:`ViewService.resume`::

    key in the key store -> table in the database (built) -> epoch.commit (committed) -> epoch.publish (published)
    -> ended -> after the dispute window: key and table erased
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from lianzheng.clock import Clock
from lianzheng.compute.datasets.model import dataset_record
from lianzheng.compute.model import dataset_of
from lianzheng.compute.ports import DatasetStore, EpochStore, LedgerSender, LocalEpoch
from lianzheng.compute.protocols.hidden_query.entries import EntryContext
from lianzheng.compute.protocols.hidden_query.pir import hint_digest
from lianzheng.compute.protocols.hidden_query.served import ServedTables
from lianzheng.compute.protocols.hidden_query.table import Table, build_table
from lianzheng.compute.views.build import elements_under_key, values_of
from lianzheng.compute.views.keys import OpenViewKeys
from lianzheng.compute.views.model import (
    EpochCommit,
    EpochPublish,
    TableParameters,
    epoch_key,
    epoch_record,
    key_proof_transcript,
)
from lianzheng.crypto.hazmat.bls12381 import G1, random_scalar
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import ConflictError, NotFoundError, RefusedError, UnavailableError
from lianzheng.ledger.context import StateView
from lianzheng.limits import DISPUTE_WINDOW_DAYS
from lianzheng.zk import schnorr

__all__ = ["ViewService"]

_KEY_PREFIX = "view-key/"
_DISPUTE_MS = DISPUTE_WINDOW_DAYS * 24 * 3600 * 1000


class ViewService:
    """Epochs of this member's own views."""

    def __init__(
        self,
        datasets: DatasetStore,
        epochs: EpochStore,
        keystore: KeyStore,
        sender: LedgerSender,
        state: Callable[[], StateView],
        clock: Clock,
        chain_id: str,
        provider: str,
    ) -> None:
        self._datasets = datasets
        self._epochs = epochs
        self._keystore = keystore
        self._sender = sender
        self._state = state
        self._clock = clock
        self._chain_id = chain_id
        self._provider = provider
        self._building = asyncio.Lock()
        self.keys = OpenViewKeys(keystore, clock)
        self.served = ServedTables(epochs, chain_id, provider)

    async def open_epoch(self, view: str, until_ms: int) -> LocalEpoch:
        """A new epoch of ``view`` over the rows now loaded, published; it answers from now until ``until_ms``.

        Earlier epochs go on until their own end. Raises ``NotFoundError`` ``dataset_empty`` (nothing loaded),
        ``ConflictError`` ``dataset_changed``, ``RefusedError`` with a rule's code (then nothing remains of the
        epoch), and ``UnavailableError`` of the engine (then :meth:`resume` carries on).
        """
        async with self._building:
            for epoch in await self._epochs.all():  # numbers are consecutive: an unfinished epoch goes first
                if epoch.commit.view == view and epoch.status in ("built", "committed"):
                    with suppress(RefusedError):
                        await self._advance(epoch)
            return await self._advance(await self._build(view, until_ms))

    async def resume(self) -> None:
        """At start: keys of published epochs answer again, unfinished epochs are carried on, stray keys erased.

        An epoch that cannot go on is dropped with its key; an engine that does not answer leaves it for next time.
        """
        async with self._building:
            epochs = await self._epochs.all()
            kept = [epoch.key_name for epoch in epochs if epoch.status != "erased"]
            for name in self._keystore.names():
                if name.startswith(_KEY_PREFIX) and name not in kept:
                    self._keystore.erase(name)
            for epoch in epochs:
                if epoch.status == "published":
                    await self._answer_again(epoch)
                elif epoch.status in ("built", "committed"):
                    with suppress(RefusedError, UnavailableError):
                        await self._advance(epoch)

    async def end(self, view: str, epoch: int) -> None:
        """The epoch answers no more at this node. Raises ``NotFoundError`` ``epoch_unknown``."""
        await self._epochs.set_status(view, epoch, "ended")
        self._stop_answering(view, epoch)

    async def end_all(self) -> list[tuple[str, int]]:
        """After a restore from backup: every open epoch of this node is ended (GATE-8)."""
        ended = await self._epochs.end_open()
        for view, epoch in ended:
            self._stop_answering(view, epoch)
        return ended

    async def expire(self) -> list[tuple[str, int]]:
        """Epochs past their end are ended; past the dispute window key and table are erased, and named."""
        now = self._clock.now_ms()
        erased = []
        for epoch in await self._epochs.all():
            commit = epoch.commit
            if epoch.status == "erased" or commit.until_ms > now:
                continue
            self._stop_answering(commit.view, commit.epoch)
            if commit.until_ms + _DISPUTE_MS <= now:
                self._keystore.erase(epoch.key_name)
                await self._epochs.set_status(commit.view, commit.epoch, "erased")
                erased.append((commit.view, commit.epoch))
            elif epoch.status != "ended":
                await self._epochs.set_status(commit.view, commit.epoch, "ended")
        return erased

    async def table(self, view: str, epoch: int) -> bytes:
        """Wire form of a published table, the same bytes for every requester.

        Raises ``NotFoundError`` ``epoch_unknown``, ``RefusedError`` ``retrieval_mismatch`` (it is asked in private).
        """
        found = await self._epochs.get(view, epoch)
        if found is not None and found.commit.parameters.retrieval != "table":
            raise RefusedError("retrieval_mismatch", "This table is asked in private, not downloaded.")
        data = await self._epochs.table(view, epoch)
        if found is None or data is None or found.status not in ("published", "ended"):
            raise NotFoundError("epoch_unknown", "This node has no table of such an epoch.")
        return data

    def _stop_answering(self, view: str, epoch: int) -> None:
        self.keys.remove(view, epoch)
        self.served.forget(view, epoch)

    async def _answer_again(self, epoch: LocalEpoch) -> None:
        try:
            self.keys.put(epoch)
        except NotFoundError:  # a database beside another key store: without its key the epoch is over
            await self._epochs.set_status(epoch.commit.view, epoch.commit.epoch, "ended")

    async def _build(self, view: str, until_ms: int) -> LocalEpoch:
        dataset = dataset_of(view)
        load = await self._datasets.current(dataset)
        if load is None:
            raise NotFoundError(
                "dataset_empty", "No rows of this dataset are loaded.", next_step="Load its source first."
            )
        retrieval = dataset_record(self._state(), dataset).retrieval
        values: list[tuple[bytes, bytes]] = []
        async for people in self._datasets.people(dataset):
            values += await asyncio.to_thread(values_of, view, people)
        if await self._datasets.current(dataset) != load:
            raise ConflictError("dataset_changed", "The dataset was loaded anew meanwhile.", next_step="Try again.")
        number = await self._next_number(view)
        context = EntryContext(self._chain_id, self._provider, view, number, secrets.token_bytes(32))
        key, table = await asyncio.to_thread(_draw, values, context)
        commit = self._commit(key, table, table.parameters(retrieval), context, until_ms)
        key_name = _KEY_PREFIX + b64u_encode(commit.key_point)
        self._keystore.put_scalar(key_name, key)
        epoch = LocalEpoch(commit, load.snapshot, key_name, "built", 0)
        await self._epochs.add(epoch, table.to_bytes())
        return epoch

    def _commit(
        self, key: int, table: Table, parameters: TableParameters, context: EntryContext, until_ms: int
    ) -> EpochCommit:
        point = G1.generator() * key
        transcript = key_proof_transcript(context.chain_id, context.provider, context.view, context.epoch)
        proof = schnorr.prove(G1.generator(), point, key, transcript)
        return EpochCommit(
            view=context.view,
            epoch=context.epoch,
            key_point=point.to_bytes(),
            key_proof=proof.to_bytes(),
            salt=context.salt,
            columns_root=table.columns_root(),
            boundaries=table.boundaries_digest(),
            parameters=parameters,
            from_ms=self._clock.now_ms(),
            until_ms=until_ms,
        )

    async def _next_number(self, view: str) -> int:
        local = [epoch.commit.epoch for epoch in await self._epochs.all() if epoch.commit.view == view]
        number = max(local, default=0) + 1
        state = self._state()
        while state.get(epoch_key(view, number)) is not None:  # a database older than the ledger
            number += 1
        return number

    async def _advance(self, epoch: LocalEpoch) -> LocalEpoch:
        """Carry an epoch on to ``published`` from wherever it stands."""
        try:
            if epoch.status == "built":
                epoch = await self._send_commit(epoch)
            return await self._send_publish(epoch)
        except RefusedError:
            await self._drop(epoch)
            raise

    async def _send_commit(self, epoch: LocalEpoch) -> LocalEpoch:
        commit = epoch.commit
        if not self._on_ledger(commit):
            try:
                await self._sender.send("epoch.commit", commit)
            except RefusedError:  # before a crash it may have landed, and this node's state was behind
                if not self._on_ledger(commit):
                    raise
        await self._epochs.set_status(commit.view, commit.epoch, "committed")
        return replace(epoch, status="committed")

    async def _send_publish(self, epoch: LocalEpoch) -> LocalEpoch:
        commit = epoch.commit
        if not self._published(commit):
            hint = hint_digest(await self.served.hint_of(epoch)) if commit.parameters.retrieval == "pir" else None
            payload = EpochPublish(view=commit.view, epoch=commit.epoch, hint=hint)
            try:
                await self._sender.send("epoch.publish", payload)
            except RefusedError:  # as above: requesters ask under what the ledger has, so it must answer here
                if not self._published(commit):
                    raise
        await self._epochs.set_status(commit.view, commit.epoch, "published")
        epoch = replace(epoch, status="published")
        self.keys.put(epoch)
        return epoch

    def _on_ledger(self, commit: EpochCommit) -> bool:
        try:
            return epoch_record(self._state(), commit.view, commit.epoch).key_point == commit.key_point
        except NotFoundError:
            return False

    def _published(self, commit: EpochCommit) -> bool:
        if not self._on_ledger(commit):
            return False
        return epoch_record(self._state(), commit.view, commit.epoch).status != "committed"

    async def _drop(self, epoch: LocalEpoch) -> None:
        commit = epoch.commit
        if self._on_ledger(commit):  # the number is taken for good; only the epoch is over
            await self._epochs.set_status(commit.view, commit.epoch, "ended")
        else:
            self._keystore.erase(epoch.key_name)
            await self._epochs.drop(commit.view, commit.epoch)


def _draw(values: list[tuple[bytes, bytes]], context: EntryContext) -> tuple[int, Table]:
    """A fresh key and its table; another key where two people's tags are equal (B20)."""
    while True:
        key = random_scalar()
        try:
            return key, build_table(elements_under_key(key, values), context)
        except ConflictError:
            continue
