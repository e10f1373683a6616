"""Repositories behind the gate: the provider's durable count of uses, and the requester's receipts.

All checks of one claim and all its writes are one ``BEGIN IMMEDIATE`` transaction: two requests that race for the
last use are counted one after the other (GATE-8).
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.compute import (
    gate_nonce,
    gate_receipt,
    gate_task,
    gate_task_use,
    gate_use,
    received_receipt,
    received_task_salt,
    view_epoch,
)
from lianzheng.adapters.storage.tables.resume import gate_ask
from lianzheng.adapters.storage.usemark import UseMark
from lianzheng.compute.ports import TaskUses, UseClaim
from lianzheng.compute.tasks.model import TaskCounts
from lianzheng.errors import RefusedError, VerificationError
from lianzheng.limits import VIEW_ANSWERS_MAX

__all__ = ["ReceiptRepository", "UseRepository"]


class UseRepository:
    """Implements ``compute.ports.UseStore``."""

    def __init__(self, database: Database, mark: UseMark | None = None) -> None:
        """``mark`` stands outside the database; without it a restored database cannot be told from the present one."""
        self._database = database
        self._mark = mark
        self._salts: dict[bytes, bytes] = {}  # drawn once, never changed

    async def claim_nonce(self, requester: str, nonce: bytes, request_hash: bytes, time_ms: int) -> None:
        values = {"requester": requester, "nonce": nonce, "request_hash": request_hash, "time_ms": time_ms}
        query = select(gate_nonce.c.request_hash).where(
            gate_nonce.c.requester == requester, gate_nonce.c.nonce == nonce
        )

        def work(connection: Connection) -> Any:
            connection.execute(upsert(gate_nonce).values(**values).on_conflict_do_nothing())
            return connection.execute(query).scalar_one()

        if await self._database.transact(work) != request_hash:
            raise _nonce_reused()

    async def forget_nonces(self, before_ms: int) -> None:
        await self._database.transact(lambda c: c.execute(delete(gate_nonce).where(gate_nonce.c.time_ms < before_ms)))

    async def stored_answer(self, request_hash: bytes, request: bytes) -> bytes | None:
        return self._database.look(lambda connection: _stored(connection, request_hash, request))

    async def check_quota(self, claim: UseClaim) -> None:
        self._database.look(lambda connection: _new_task_uses(connection, claim))

    async def check_uses(self, claim: UseClaim) -> None:
        self._database.look(lambda connection: _new_uses(connection, claim))

    async def count(self, claim: UseClaim, answer: bytes) -> bytes:
        counted, number = await self._database.transact(lambda connection: _count(connection, claim, answer))
        if self._mark is not None:
            await self._mark.raise_to(number)
        return counted

    async def open(self) -> bool:
        """Open the mark; True where the database is older than what it counted: it was restored from a backup."""
        if self._mark is None:
            return False
        last = await self._database.query(lambda c: c.execute(select(func.max(gate_receipt.c.sequence))).scalar()) or 0
        marked = self._mark.open()
        restored = last > 0 if marked is None else last < marked
        await self._mark.raise_to(last)
        return restored

    def close(self) -> None:
        """Release the mark."""
        if self._mark is not None:
            self._mark.close()

    async def task_salt(self, task: bytes) -> bytes:
        salt = self._salts.get(task)
        if salt is None:
            salt = await self._database.transact(lambda connection: _draw_task_salt(connection, task))
            self._salts[task] = salt
        return salt

    async def task_uses(self, task: bytes) -> TaskUses:
        return await self._database.query(lambda connection: _task_uses(connection, task))

    async def receipts(self, task: bytes) -> list[tuple[bytes, bytes]]:
        query = (
            select(gate_receipt.c.request, gate_receipt.c.answer)
            .where(gate_receipt.c.task == task)
            .order_by(gate_receipt.c.sequence)
        )
        return await self._database.query(lambda c: [(row.request, row.answer) for row in c.execute(query)])


def _count(connection: Connection, claim: UseClaim, answer: bytes) -> tuple[bytes, int]:
    stored = _stored(connection, claim.request_hash, claim.request)
    if stored is not None:
        return stored, 0
    task_uses = _new_task_uses(connection, claim)
    uses = _new_uses(connection, claim)
    for view, epoch in claim.uses:
        _count_answer(connection, view, epoch)
    if uses:
        connection.execute(insert(gate_use), uses)
    if task_uses:
        connection.execute(insert(gate_task_use), task_uses)
        _draw_task_salt(connection, claim.task)
        counted = gate_task.c.uses + len(task_uses)
        connection.execute(update(gate_task).where(gate_task.c.task == claim.task).values(uses=counted))
    done = connection.execute(
        insert(gate_receipt).values(
            request_hash=claim.request_hash,
            task=claim.task,
            cid=claim.cid,
            request=claim.request,
            answer=answer,
            time_ms=claim.time_ms,
        )
    )
    return answer, int(done.inserted_primary_key[0]) if done.inserted_primary_key else 0


def _stored(connection: Connection, request_hash: bytes, request: bytes) -> bytes | None:
    query = select(gate_receipt.c.request, gate_receipt.c.answer).where(gate_receipt.c.request_hash == request_hash)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.request != request:  # the hash leaves out the signature: same words, other bytes
        raise _nonce_reused()
    answer: bytes = row.answer
    return answer


def _new_uses(connection: Connection, claim: UseClaim) -> list[dict[str, Any]]:
    query = select(gate_use.c.view, gate_use.c.epoch).where(gate_use.c.cid == claim.cid)
    counted = {(row.view, row.epoch) for row in connection.execute(query)}
    new = [use for use in dict.fromkeys(claim.uses) if use not in counted]
    if len(counted) + len(new) > claim.max_uses:
        raise RefusedError("uses_exhausted", "The consent allows no further use.")
    return [{"cid": claim.cid, "view": view, "epoch": epoch} for view, epoch in new]


def _new_task_uses(connection: Connection, claim: UseClaim) -> list[dict[str, Any]]:
    query = select(gate_task_use.c.view, gate_task_use.c.epoch).where(
        gate_task_use.c.task == claim.task, gate_task_use.c.cid == claim.cid
    )
    counted = {(row.view, row.epoch) for row in connection.execute(query)}
    new = [use for use in dict.fromkeys(claim.uses) if use not in counted]
    if new and _total(connection, claim.task) + len(new) > claim.quota:
        raise RefusedError("task_exhausted", "The task's quota at this provider is used up.")
    return [{"task": claim.task, "cid": claim.cid, "view": view, "epoch": epoch} for view, epoch in new]


def _total(connection: Connection, task: bytes) -> int:
    total: int | None = connection.execute(
        select(gate_task.c.uses).where(gate_task.c.task == task)
    ).scalar_one_or_none()
    return total or 0


def _draw_task_salt(connection: Connection, task: bytes) -> bytes:
    values = {"task": task, "salt": secrets.token_bytes(32), "uses": 0}
    connection.execute(upsert(gate_task).values(**values).on_conflict_do_nothing())
    salt: bytes = connection.execute(select(gate_task.c.salt).where(gate_task.c.task == task)).scalar_one()
    return salt


def _task_uses(connection: Connection, task: bytes) -> TaskUses:
    requests = select(func.count()).select_from(gate_receipt).where(gate_receipt.c.task == task)
    cids = select(gate_task_use.c.cid).where(gate_task_use.c.task == task).distinct().order_by(gate_task_use.c.cid)
    found = tuple(connection.execute(cids).scalars())
    counts = TaskCounts(
        requests=connection.execute(requests).scalar_one(), uses=_total(connection, task), consents=len(found)
    )
    return TaskUses(counts, found)


def _count_answer(connection: Connection, view: str, epoch: int) -> None:
    mine = (view_epoch.c.view == view, view_epoch.c.epoch == epoch)
    row = connection.execute(select(view_epoch.c.answers, view_epoch.c.status).where(*mine)).one_or_none()
    if row is None or row.status != "published":
        raise RefusedError("epoch_not_open", "The epoch of a view does not answer now.")
    if row.answers >= VIEW_ANSWERS_MAX:
        raise RefusedError("view_key_exhausted", "The view key has given as many answers as one key may.")
    connection.execute(update(view_epoch).where(*mine).values(answers=row.answers + 1))


def _nonce_reused() -> RefusedError:
    return RefusedError("nonce_reused", "The nonce belongs to another request.", next_step="Draw a fresh nonce.")


class ReceiptRepository:
    """Implements ``compute.ports.ReceiptStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_receipt(
        self, task: bytes, provider: str, cid: bytes, request_hash: bytes, receipt: bytes, time_ms: int
    ) -> None:
        values = {
            "task": task,
            "provider": provider,
            "cid": cid,
            "request_hash": request_hash,
            "receipt": receipt,
            "time_ms": time_ms,
        }
        async with self._database.begin() as connection:
            await connection.execute(upsert(received_receipt).values(**values).on_conflict_do_nothing())
            await connection.execute(delete(gate_ask).where(gate_ask.c.request_hash == request_hash))

    async def receipts(self, task: bytes, provider: str) -> list[tuple[bytes, bytes]]:
        query = (
            select(received_receipt.c.cid, received_receipt.c.receipt)
            .where(received_receipt.c.task == task, received_receipt.c.provider == provider)
            .order_by(received_receipt.c.sequence)
        )
        async with self._database.read() as connection:
            return [(row.cid, row.receipt) for row in await connection.execute(query)]

    async def remember_task_salt(self, task: bytes, provider: str, salt: bytes) -> None:
        values = {"task": task, "provider": provider, "salt": salt}
        async with self._database.begin() as connection:
            await connection.execute(upsert(received_task_salt).values(**values).on_conflict_do_nothing())
            kept = (await connection.execute(_received_salt(task, provider))).scalar_one()
        if kept != salt:
            raise VerificationError("task_salt_changed", "The provider's salt of this task differs from its first.")

    async def task_salt(self, task: bytes, provider: str) -> bytes | None:
        async with self._database.read() as connection:
            salt: bytes | None = (await connection.execute(_received_salt(task, provider))).scalar_one_or_none()
        return salt


def _received_salt(task: bytes, provider: str) -> Any:
    return select(received_task_salt.c.salt).where(
        received_task_salt.c.task == task, received_task_salt.c.provider == provider
    )
