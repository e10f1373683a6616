"""Worker processes give what this process gives, in order, survive a lost worker, and end with their node."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from consent_kit import CHAIN, Maker
from lianzheng.compute.gate import work
from lianzheng.compute.gate.evaluation import EvaluationContext
from lianzheng.compute.gate.work import Element, EvaluationWork, TokenWork
from lianzheng.compute.gate.workers import LocalGateWorkers, ProcessGateWorkers, _cut
from lianzheng.crypto.hazmat.bls12381 import G1, scalar_to_bytes
from lianzheng.errors import FormatError, LianzhengError, UnavailableError
from lianzheng.limits import GATE_BATCH_MAX, GATE_CHUNK_MIN
from lianzheng.zk import dleq

MAKER = Maker()
KEY = MAKER.key.public().to_bytes()
WORKS = [TokenWork(MAKER.token()[0], KEY) for _ in range(2 * GATE_CHUNK_MIN + 3)]
BAD = 5
WORKS[BAD] = WORKS[BAD]._replace(token=WORKS[BAD].token.model_copy(update={"z": scalar_to_bytes(7)}))
K = 1_000_003
P = G1.generator() * K
CONTEXT = EvaluationContext(CHAIN, bytes(32), "set/wealth/bands", 1, bytes(32), bytes(32))


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessGateWorkers]:
    made = ProcessGateWorkers(CHAIN, 2)
    yield made
    made.close()


def shown(elements: list[Element]) -> list[object]:
    return [(e.code, e.text, e.detail) if isinstance(e, LianzhengError) else e for e in elements]


async def test_processes_say_what_this_process_says(pool: ProcessGateWorkers) -> None:
    here = await LocalGateWorkers(CHAIN).verify(WORKS)
    there = await pool.verify(WORKS)
    assert shown(there) == shown(here) == shown(work.verify_all(WORKS, CHAIN))
    assert [at for at, element in enumerate(here) if isinstance(element, LianzhengError)] == [BAD]
    assert [element for element in here if isinstance(element, bytes)][:BAD] == [one.token.b for one in WORKS[:BAD]]


async def test_evaluations_come_back_in_order_and_are_proven(pool: ProcessGateWorkers) -> None:
    elements = [G1.generator() * (at + 2) for at in range(2 * GATE_CHUNK_MIN)]
    works = [EvaluationWork(K, P.to_bytes(), element.to_bytes(), CONTEXT) for element in elements]
    for workers in (pool, LocalGateWorkers(CHAIN)):
        for element, evaluation in zip(elements, await workers.evaluate(works), strict=True):
            w = G1.from_bytes(evaluation.w)
            assert w == element * K
            proof = dleq.DleqProof.from_bytes(evaluation.proof)
            dleq.verify(G1.generator(), P, element, w, proof, CONTEXT.transcript())


async def test_no_work_is_no_work(pool: ProcessGateWorkers) -> None:
    assert await pool.verify([]) == []
    assert await pool.evaluate([]) == []


async def test_a_lost_worker_costs_its_batch_and_nothing_else() -> None:
    workers = ProcessGateWorkers(CHAIN, 1)
    try:
        assert len(await workers.verify(WORKS[:2])) == 2
        pool = workers._pool
        assert pool is not None
        under_way = asyncio.ensure_future(workers.verify(WORKS * 8))
        await asyncio.sleep(0)
        os.kill(next(iter(pool._processes)), signal.SIGKILL)
        with pytest.raises(UnavailableError) as caught:
            await under_way
        assert caught.value.code == "gate_workers_lost"
        assert shown(await workers.verify(WORKS[:2])) == shown(work.verify_all(WORKS[:2], CHAIN))
    finally:
        workers.close()


SCRIPT = """
import asyncio, sys
from lianzheng.compute.gate.workers import ProcessGateWorkers
async def main():
    workers = ProcessGateWorkers("lz-chain-1", 2)
    await workers.evaluate([])
    workers._started().submit(int).result()
    print(*workers._pool._processes, flush=True)
    await asyncio.sleep(60)
if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_end_with_a_node_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        workers = [int(word) for word in node.stdout.readline().split()]
        node.kill()
    assert workers
    deadline = time.monotonic() + 20
    while any(_runs(process) for process in workers):
        assert time.monotonic() < deadline, "a worker outlived its node"


def _runs(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (GATE_CHUNK_MIN, 1), (2 * GATE_CHUNK_MIN, 2), (500, 4)])
def test_parts_are_nearly_equal_and_not_too_small(count: int, parts: int) -> None:
    cut = _cut(range(count), 4)
    assert len(cut) == parts
    assert [one for part in cut for one in part] == list(range(count))
    assert not cut or max(map(len, cut)) - min(map(len, cut)) <= 1


def test_errors_cross_processes_whole_and_works_hide_their_key() -> None:
    error = UnavailableError("gate_workers_lost", "A text.", next_step="Ask again.", detail="why")
    other = copy.copy(error)  # goes through what pickling goes through
    assert type(other) is UnavailableError
    assert (other.code, other.text, other.next_step, other.detail, str(other)) == (
        error.code,
        error.text,
        error.next_step,
        error.detail,
        str(error),
    )
    assert str(K) not in repr(EvaluationWork(K, P.to_bytes(), P.to_bytes(), CONTEXT))


def test_remembered_elements_are_bounded_and_what_their_bytes_say() -> None:
    points = [G1.generator() * (at + 2) for at in range(2 * GATE_BATCH_MAX + 5)]
    for point in points:
        assert work._element(work._remembered(point)) == point
    assert len(work._READ) == 2 * GATE_BATCH_MAX
    assert work._element(points[0].to_bytes()) == points[0]  # forgotten, and read anew
    with pytest.raises(FormatError):
        work._element(bytes(48))
