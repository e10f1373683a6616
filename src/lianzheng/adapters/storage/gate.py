"""Repositories behind the gate: the provider's durable count of uses, and the requester's receipts.

All checks of one claim and all its writes are one ``BEGIN IMMEDIATE`` transaction: two requests that race for the
last use are counted one after the other (GATE-8).
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from lianzheng.adapters.storage.database import Database, driver
from lianzheng.adapters.storage.tables.compute import (
    gate_nonce,
    gate_receipt,
    gate_task_use,
    received_receipt,
    received_task_salt,
)
from lianzheng.adapters.storage.tables.resume import gate_ask
from lianzheng.adapters.storage.usemark import UseMark
from lianzheng.compute.ports import TaskUses, UseClaim
from lianzheng.compute.tasks.model import TaskCounts
from lianzheng.errors import RefusedError, VerificationError
from lianzheng.limits import VIEW_ANSWERS_MAX

__all__ = ["ReceiptRepository", "UseRepository"]


# As text, because these run several times in every request and a statement takes longer to build than to execute.
_CLAIM_NONCE = (
    "INSERT INTO gate_nonce (requester, nonce, request_hash, time_ms) VALUES (?,?,?,?) ON CONFLICT DO NOTHING"
)
_NONCE = "SELECT request_hash FROM gate_nonce WHERE requester = ? AND nonce = ?"
_STORED = "SELECT request, answer, sequence FROM gate_receipt WHERE request_hash = ?"
_USES = "SELECT view, epoch FROM gate_use WHERE cid = ?"
_TASK_USES = "SELECT view, epoch FROM gate_task_use WHERE task = ? AND cid = ?"
_TOTAL = "SELECT uses FROM gate_task WHERE task = ?"
_SALT = "SELECT salt FROM gate_task WHERE task = ?"
_ADD_TASK = "INSERT INTO gate_task (task, salt, uses) VALUES (?,?,0) ON CONFLICT DO NOTHING"
_ADD_USE = "INSERT INTO gate_use (cid, view, epoch) VALUES (?,?,?)"
_ADD_TASK_USE = "INSERT INTO gate_task_use (task, cid, view, epoch) VALUES (?,?,?,?)"
_COUNT_TASK = "UPDATE gate_task SET uses = uses + ? WHERE task = ?"
_EPOCH = "SELECT answers, status FROM compute_view_epoch WHERE view = ? AND epoch = ?"
_COUNT_ANSWER = "UPDATE compute_view_epoch SET answers = answers + 1 WHERE view = ? AND epoch = ?"
_ADD_RECEIPT = "INSERT INTO gate_receipt (request_hash, task, cid, request, answer, time_ms) VALUES (?,?,?,?,?,?)"


class UseRepository:
    """Implements ``compute.ports.UseStore``."""

    def __init__(self, database: Database, mark: UseMark | None = None) -> None:
        """``mark`` stands outside the database; without it a restored database cannot be told from the present one."""
        self._database = database
        self._mark = mark
        self._salts: dict[bytes, bytes] = {}  # drawn once, never changed

    async def claim_nonce(self, requester: str, nonce: bytes, request_hash: bytes, time_ms: int) -> None:
        def work(connection: Connection) -> bytes:
            claim = driver(connection)
            claim.execute(_CLAIM_NONCE, (requester, nonce, request_hash, time_ms))
            held: bytes = claim.execute(_NONCE, (requester, nonce)).fetchone()[0]
            return held

        if await self._database.transact(work) != request_hash:
            raise _nonce_reused()

    async def forget_nonces(self, before_ms: int) -> None:
        await self._database.transact(lambda c: c.execute(delete(gate_nonce).where(gate_nonce.c.time_ms < before_ms)))

    async def stored_answer(self, request_hash: bytes, request: bytes) -> bytes | None:
        found = self._database.peek(lambda connection: _stored(connection, request_hash, request))
        if found is None:
            return None
        answer, number = found
        await self._marked(number)  # its first asker may still be waiting for the mark
        return answer

    async def check_quota(self, claim: UseClaim) -> None:
        self._database.peek(lambda connection: _new_task_uses(connection, claim))

    async def check_uses(self, claim: UseClaim) -> None:
        self._database.peek(lambda connection: _new_uses(connection, claim))

    async def count(self, claim: UseClaim, answer: bytes) -> bytes:
        counted, number = await self._database.transact(lambda c: _count(driver(c), claim, answer))
        await self._marked(number)
        return counted

    async def _marked(self, number: int) -> None:
        """No answer leaves before the mark stands at it, whoever of two askers counted it."""
        if self._mark is not None:
            await self._mark.raise_to(number)

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
            salt = await self._database.transact(lambda c: _draw_task_salt(driver(c), task))
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


def _count(connection: sqlite3.Connection, claim: UseClaim, answer: bytes) -> tuple[bytes, int]:
    stored = _stored(connection, claim.request_hash, claim.request)
    if stored is not None:
        return stored
    task_uses = _new_task_uses(connection, claim)
    uses = _new_uses(connection, claim)
    for view, epoch in claim.uses:
        _count_answer(connection, view, epoch)
    if uses:
        connection.executemany(_ADD_USE, [(claim.cid, view, epoch) for view, epoch in uses])
    if task_uses:
        connection.executemany(_ADD_TASK_USE, [(claim.task, claim.cid, view, epoch) for view, epoch in task_uses])
        _draw_task_salt(connection, claim.task)
        connection.execute(_COUNT_TASK, (len(task_uses), claim.task))
    receipt = (claim.request_hash, claim.task, claim.cid, claim.request, answer, claim.time_ms)
    return answer, connection.execute(_ADD_RECEIPT, receipt).lastrowid or 0


def _stored(connection: sqlite3.Connection, request_hash: bytes, request: bytes) -> tuple[bytes, int] | None:
    """The answer's bytes and its number."""
    row = connection.execute(_STORED, (request_hash,)).fetchone()
    if row is None:
        return None
    if row[0] != request:  # the hash leaves out the signature: same words, other bytes
        raise _nonce_reused()
    return row[1], row[2]


def _new_uses(connection: sqlite3.Connection, claim: UseClaim) -> list[tuple[str, int]]:
    counted = set(connection.execute(_USES, (claim.cid,)))
    new = [use for use in dict.fromkeys(claim.uses) if use not in counted]
    if len(counted) + len(new) > claim.max_uses:
        raise RefusedError("uses_exhausted", "The consent allows no further use.")
    return new


def _new_task_uses(connection: sqlite3.Connection, claim: UseClaim) -> list[tuple[str, int]]:
    counted = set(connection.execute(_TASK_USES, (claim.task, claim.cid)))
    new = [use for use in dict.fromkeys(claim.uses) if use not in counted]
    if new and _total(connection, claim.task) + len(new) > claim.quota:
        raise RefusedError("task_exhausted", "The task's quota at this provider is used up.")
    return new


def _total(connection: sqlite3.Connection, task: bytes) -> int:
    row = connection.execute(_TOTAL, (task,)).fetchone()
    return 0 if row is None else int(row[0])


def _draw_task_salt(connection: sqlite3.Connection, task: bytes) -> bytes:
    connection.execute(_ADD_TASK, (task, secrets.token_bytes(32)))
    salt: bytes = connection.execute(_SALT, (task,)).fetchone()[0]
    return salt


def _task_uses(connection: Connection, task: bytes) -> TaskUses:
    requests = select(func.count()).select_from(gate_receipt).where(gate_receipt.c.task == task)
    cids = select(gate_task_use.c.cid).where(gate_task_use.c.task == task).distinct().order_by(gate_task_use.c.cid)
    found = tuple(connection.execute(cids).scalars())
    counts = TaskCounts(
        requests=connection.execute(requests).scalar_one(), uses=_total(driver(connection), task), consents=len(found)
    )
    return TaskUses(counts, found)


def _count_answer(connection: sqlite3.Connection, view: str, epoch: int) -> None:
    row = connection.execute(_EPOCH, (view, epoch)).fetchone()
    if row is None or row[1] != "published":
        raise RefusedError("epoch_not_open", "The epoch of a view does not answer now.")
    if row[0] >= VIEW_ANSWERS_MAX:
        raise RefusedError("view_key_exhausted", "The view key has given as many answers as one key may.")
    connection.execute(_COUNT_ANSWER, (view, epoch))


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
