"""The demo's scene, shortened, while nodes are killed under it; then everything settles and the checker reads."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import sys
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from fault.acts import Acts
from fault.killer import Killer, Mortal
from fault.patient import Claims, PatientClient
from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import SystemClock
from lianzheng.demo.screen import Screen
from lianzheng.demo.stage import Case, Settings, Stage
from lianzheng.demo.steps import consent as consent_step
from lianzheng.demo.steps import enrolment
from lianzheng.demo.steps.data import load, open_epochs
from lianzheng.demo.steps.founders import prepare
from lianzheng.demo.steps.task import agree
from lianzheng.errors import LianzhengError, RefusedError, UnavailableError, VerificationError

__all__ = ["Outcome", "play"]

_ROOT = Path(__file__).resolve().parents[2]
_AT_ONCE = 4
_POLLS = 600
_POLL_S = 1 / 10
_ENROL_TRIES = 50


@dataclass
class Outcome:
    """How one run ended."""

    seed: int
    kills: list[str]
    failures: list[str] = field(default_factory=list)
    report: str = ""


class _Stage(Stage):
    async def ledger_with(self, *more: str) -> AgreedLedger:
        """As ever, with patience for a follower that has just come back."""
        for _ in range(_POLLS):
            try:
                return await super().ledger_with(*more)
            except VerificationError:
                await asyncio.sleep(_POLL_S)
        return await super().ledger_with(*more)


async def play(out: Path, seed: int, *, people: int, kills: int) -> Outcome:
    """One network, one seed; ``failures`` is empty where everything acknowledged stands."""
    clock = SystemClock()
    stage = _Stage(Settings(people=people, seed=seed, out=out), Screen(Console(file=io.StringIO()), clock), clock)
    prepare(stage)
    claims = Claims()
    outcome = Outcome(seed, [])
    async with AsyncExitStack() as stack:
        processes = await stack.enter_async_context(Mortal({one.short: one.home for one in stage.brokers}))
        stage.processes = processes
        plain = {}
        for broker in stage.brokers:
            token = load_passphrase(broker.home / "api-token").decode()
            plain[broker.short] = await stack.enter_async_context(NodeClient(broker.node_url, token))
            patient = PatientClient(broker.node_url, token, broker.did, claims)
            broker.node = await stack.enter_async_context(patient)
            await processes.start(broker.short)
        for broker in stage.brokers:
            await processes.wait_ready(broker.short, plain[broker.short])
        acts = Acts(stage, claims)
        killer = Killer(processes, plain, seed, kills)
        outcome.kills = killer.kills
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(killer.run())
                group.create_task(_scene(acts, killer.enough))
            await _settle(acts)
            await _end(acts)
            await killer.end_all()
        except* (LianzhengError, AssertionError) as errors:
            outcome.failures += [_text(error) for error in _leaves(errors)]
    outcome.failures += stage.failures
    members = [{"name": one.short, "did": one.did, "home": str(one.home)} for one in stage.brokers]
    claims.save(out / "claims.json", stage.brokers[0].home / "genesis.json", members)
    if not outcome.failures:
        await _check(out / "claims.json", outcome)
    return outcome


async def _scene(acts: Acts, enough: asyncio.Event) -> None:
    stage = acts.stage
    for broker in stage.brokers:
        await broker.api.post("/api/v1/agreement/signature")
        await broker.api.post("/api/v1/issuer/keys")
    await load(stage)
    for step in (enrolment, consent_step):  # each has the name for itself
        vars(step)["enrol_at"] = _enrol_at
    await enrolment.enrol(stage)
    await consent_step.consent(stage)
    await agree(stage)
    approved = [broker.did for broker in stage.providers]
    claim = {"task": stage.task, "requester": stage.requester.did, "approved": approved, "closed_ms": None}
    acts.claims.tasks.append(claim)
    able = [case for case in stage.cases if case.consent is not None]
    await acts.granted(able)
    await _level(stage)
    await _each(acts, "first")
    await acts.in_private(stage.providers[-1])
    procedure = asyncio.create_task(acts.mismatch())
    turn = 0
    while turn == 0 or not enough.is_set():  # the scene goes on as long as nodes die
        turn += 1
        await open_epochs(stage)
        await asyncio.gather(*(_report(stage, broker.api) for broker in stage.providers))
        await acts.turn(turn, able)
        await consent_step.consent(stage)
    await procedure
    for broker in stage.providers:
        await _report(stage, broker.api)


async def _each(acts: Acts, name: str) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> None:
        async with gate:
            await acts.assess(case, name)

    await asyncio.gather(*(one(case) for case in acts.stage.cases))


async def _report(stage: Stage, provider: NodeClient) -> None:
    await provider.post(f"/api/v1/tasks/{stage.task}/report")


async def _enrol_at(wallet: object, person: object, issuer: object, ledger: object) -> None:
    """A nonce that was taken by a try whose answer was lost is gone: the wallet begins again."""
    for _ in range(_ENROL_TRIES):
        try:
            return await _ENROL_AT(wallet, person, issuer, ledger)  # type: ignore[arg-type]
        except RefusedError as error:
            if error.code != "enrolment_nonce_unknown":
                raise
    raise UnavailableError("enrolment_impossible", "No try to enrol came through.")


_ENROL_AT = enrolment.enrol_at


async def _level(stage: Stage) -> None:
    height = max([(await node.get("/api/v1/status"))["height"] for node in stage.nodes])
    for node in stage.nodes:
        for _ in range(_POLLS):
            status = await node.get("/api/v1/status")
            if status["height"] >= height:
                break
            await asyncio.sleep(_POLL_S)
        stage.require(f"a node is up to date: {status}", status["height"] >= height)


async def _settle(acts: Acts) -> None:
    """Nothing more happens: grants are posted, evidence is anchored, followers have caught up."""
    stage = acts.stage
    await acts.granted([case for case in stage.cases if case.consent is not None])
    for node in stage.nodes:
        for name in (await node.get("/api/v1/cases"))["cases"]:
            for _ in range(_POLLS):
                records = (await node.get(f"/api/v1/cases/{name}"))["records"]
                if all(record["state"] in ("anchored", "final") for record in records):
                    break
                await asyncio.sleep(_POLL_S)
    for broker in stage.brokers:
        await _heard(broker.home)
    await _level(stage)


async def _heard(home: Path) -> None:
    """No question of this member waits for an answer any more."""
    for _ in range(_POLLS):
        with closing(sqlite3.connect(f"file:{home / 'data' / 'node.db'}?mode=ro", uri=True)) as database:
            if not database.execute("SELECT 1 FROM gate_ask WHERE code = ''").fetchone():
                return
        await asyncio.sleep(_POLL_S)


async def _end(acts: Acts) -> None:
    """Under a task that every node knows to be closed nothing is answered."""
    stage = acts.stage
    await acts.close(stage.task)
    await _level(stage)
    found = await acts.assess(next(case for case in stage.cases if case.consent is not None), "second")
    said = {trace["bands"]["status"] for trace in found["traces"]}
    stage.require(f"a closed task is not answered: {sorted(said)}", "answered" not in said)
    await _settle(acts)


async def _check(claims: Path, outcome: Outcome) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools.checker",
        str(claims),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    outcome.report = out.decode().strip()
    if process.returncode:
        outcome.failures.append(outcome.report)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _text(error: BaseException) -> str:
    return f"{getattr(error, 'code', type(error).__name__)}: {error}"
