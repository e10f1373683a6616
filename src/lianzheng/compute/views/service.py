"""The life of an epoch at its provider: fresh key, table, commit, publish, end, erasure (GATE-0, PIR-1).

Order of steps, each durable before the next, so that a crash anywhere is mended by :meth:`ViewService.resume`::

    build (``builder``) -> table in the database (built) -> epoch.commit (committed) -> epoch.publish (published)
    -> ended -> after the dispute window: key and table erased
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from lianzheng.clock import DAY_MS, Clock
from lianzheng.compute.datasets.model import dataset_record
from lianzheng.compute.model import dataset_of
from lianzheng.compute.ports import DatasetStore, EpochStore, LedgerSender, LocalEpoch
from lianzheng.compute.protocols.hidden_query.pir import hint_digest
from lianzheng.compute.protocols.hidden_query.served import ServedTables
from lianzheng.compute.views.build import BuiltTable
from lianzheng.compute.views.builder import KEY_PREFIX, EpochBuilder, Report
from lianzheng.compute.views.keys import OpenViewKeys
from lianzheng.compute.views.model import (
    EpochCommit,
    EpochPublish,
    epoch_key,
    epoch_record,
    key_proof_transcript,
)
from lianzheng.compute.views.ports import EpochBuild, EpochBuilds
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.crypto.keystore import KeyStore
from lianzheng.errors import ConflictError, NotFoundError, RefusedError, UnavailableError
from lianzheng.ledger.context import StateView
from lianzheng.limits import DISPUTE_WINDOW_DAYS, EPOCH_MS_MAX
from lianzheng.zk import schnorr

__all__ = ["ViewService"]

_OPEN = ("built", "committed", "published")
_DISPUTE_MS = DISPUTE_WINDOW_DAYS * DAY_MS


class ViewService:
    """Epochs of this member's own views."""

    def __init__(
        self,
        datasets: DatasetStore,
        epochs: EpochStore,
        builds: EpochBuilds,
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
        self._builds = builds
        self._builder = EpochBuilder(builds, keystore, chain_id, provider)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.keys = OpenViewKeys(keystore, clock)
        self.served = ServedTables(epochs, chain_id, provider)

    async def open_epoch(self, view: str, until_ms: int, report: Report | None = None) -> LocalEpoch:
        """A new epoch of ``view`` over the rows now loaded, published; it answers from now until ``until_ms``.

        Earlier epochs go on until their own end. Cancelled, or ended by a crash, it leaves what is finished of the
        table, and the next call carries on; ``report`` is told how far the table is. Raises ``NotFoundError``
        ``dataset_unknown`` or ``dataset_empty`` (nothing loaded), ``ConflictError`` ``dataset_changed``,
        ``RefusedError`` with a rule's code (then nothing remains of the epoch), and ``UnavailableError`` of the engine
        (then :meth:`resume` carries on) or of the workers.
        """
        async with self._turns[view]:
            for epoch in await self._epochs.all():  # numbers are consecutive: an unfinished epoch goes first
                if epoch.commit.view == view and epoch.status in ("built", "committed"):
                    with suppress(RefusedError):
                        await self._advance(epoch)
            return await self._advance(await self._build(view, until_ms, report))

    async def resume(self) -> None:
        """At start: keys of published epochs answer again, unfinished epochs are carried on, stray keys erased.

        An epoch that cannot go on is dropped with its key; an engine that does not answer leaves it for next time.
        Tables under construction wait to be opened again.
        """
        epochs = await self._epochs.all()
        kept = [*await self._builder.names(), *(epoch.key_name for epoch in epochs if epoch.status != "erased")]
        for name in self._keystore.names():
            if name.startswith(KEY_PREFIX) and name not in kept:
                self._keystore.erase(name)
        for epoch in epochs:
            if epoch.status == "published":
                await self._answer_again(epoch)
            elif epoch.status in ("built", "committed"):
                async with self._turns[epoch.commit.view]:
                    with suppress(RefusedError, UnavailableError):
                        await self._advance(epoch)

    async def people(self, view: str) -> int:
        """How many people the view's data set has now; 0 where nothing is loaded."""
        load = await self._datasets.current(dataset_of(view))
        return 0 if load is None else load.people

    async def renew(self, view: str, length_ms: int) -> None:
        """Epochs of this length follow one another from now on, each opened before the last ends; 0 ends that."""
        await self._builds.set_rotation(view, length_ms)

    async def renewals_due(self) -> list[tuple[str, int]]:
        """Views to open an epoch of now, and until when: the last one ends within a tenth of its length, or a day."""
        now, epochs = self._clock.now_ms(), await self._epochs.all()
        due = []
        for view, length in (await self._builds.rotations()).items():
            ends = [epoch.commit.until_ms for epoch in epochs if epoch.commit.view == view and epoch.status in _OPEN]
            end = max(now, *ends, 0)
            if end - now <= min(length // 10, DAY_MS):
                due.append((view, min(end + length, now + EPOCH_MS_MAX)))
        return due

    async def end(self, view: str, epoch: int) -> None:
        """The epoch answers no more at this node. Raises ``NotFoundError`` ``epoch_unknown``."""
        await self._epochs.set_status(view, epoch, "ended")
        self._stop_answering(view, epoch)

    async def end_all(self) -> list[tuple[str, int]]:
        """After a restore from backup: every open epoch of this node is ended, and no table goes on (GATE-8)."""
        for build in await self._builder.unfinished():  # its key may have answered after the backup was made
            await self._discard(build)
        ended = await self._epochs.end_open()
        for view, epoch in ended:
            self._stop_answering(view, epoch)
        return ended

    async def expire(self) -> list[tuple[str, int]]:
        """Epochs past their end are ended; past the dispute window key and table are erased, and named."""
        now = self._clock.now_ms()
        erased = []
        await self._drop_outdated()
        for epoch in await self._epochs.all():
            commit = epoch.commit
            if epoch.status == "erased" or commit.until_ms > now:
                continue
            self._stop_answering(commit.view, commit.epoch)
            if commit.until_ms + _DISPUTE_MS <= now:
                await asyncio.to_thread(self._keystore.erase, epoch.key_name)
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

    async def warm(self) -> None:
        """Tables that are asked in private are laid out before anybody asks, in threads (PIR-2)."""
        for epoch in await self._epochs.all():
            if epoch.status == "published" and epoch.commit.parameters.retrieval == "pir":
                with suppress(NotFoundError):
                    await self.served.hint_of(epoch)

    def _stop_answering(self, view: str, epoch: int) -> None:
        self.keys.remove(view, epoch)
        self.served.forget(view, epoch)

    async def _answer_again(self, epoch: LocalEpoch) -> None:
        try:
            self.keys.put(epoch)
        except NotFoundError:  # a database beside another key store: without its key the epoch is over
            await self._epochs.set_status(epoch.commit.view, epoch.commit.epoch, "ended")

    async def _build(self, view: str, until_ms: int, report: Report | None) -> LocalEpoch:
        dataset = dataset_of(view)
        load = await self._datasets.current(dataset)
        if load is None:
            raise NotFoundError(
                "dataset_empty", "No rows of this dataset are loaded.", next_step="Load its source first."
            )
        offer = dataset_record(self._state(), dataset)
        if offer.status != "published":  # the ledger would refuse both too, after minutes of work
            raise RefusedError("dataset_withdrawn", "The dataset was withdrawn.")
        if view not in offer.views:
            raise RefusedError("view_unknown", "The dataset does not offer this view.")
        for found in await self._builder.unfinished():
            if found.view == view and await self._kept(found):  # a crash came between keeping the epoch and this
                await self._builder.finished(found)
        number = await self._next_number(view)
        build, key, table = await self._builder.table(view, number, load, offer.retrieval, report)
        # Rows are read in short steps: had another load come meanwhile, some might have been missed.
        if await self._datasets.current(dataset) != load:
            await self._builder.discard(build)
            raise ConflictError("dataset_changed", "The dataset was loaded anew meanwhile.", next_step="Try again.")
        epoch = LocalEpoch(self._commit(build, key, table, until_ms), load.snapshot, build.key_name, "built", 0)
        await self._epochs.add(epoch, table.wire)
        await self._builder.finished(build)
        return epoch

    async def _kept(self, build: EpochBuild) -> bool:
        return any(epoch.key_name == build.key_name for epoch in await self._epochs.all())

    async def _discard(self, build: EpochBuild) -> None:
        if await self._kept(build):
            await self._builder.finished(build)
        else:
            await self._builder.discard(build)

    async def _drop_outdated(self) -> None:
        """Builds over a load that is no longer there are erased, unless someone works on them now."""
        for build in await self._builder.unfinished():
            load = await self._datasets.current(dataset_of(build.view))
            if (load is None or load.snapshot != build.snapshot) and not self._turns[build.view].locked():
                async with self._turns[build.view]:
                    await self._discard(build)

    def _commit(self, build: EpochBuild, key: int, table: BuiltTable, until_ms: int) -> EpochCommit:
        point = G1.generator() * key
        transcript = key_proof_transcript(self._chain_id, self._provider, build.view, build.epoch)
        proof = schnorr.prove(G1.generator(), point, key, transcript)
        return EpochCommit(
            view=build.view,
            epoch=build.epoch,
            key_point=point.to_bytes(),
            key_proof=proof.to_bytes(),
            salt=build.salt,
            columns_root=table.columns_root,
            boundaries=table.boundaries,
            parameters=table.parameters,
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
