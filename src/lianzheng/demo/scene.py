"""The scene from the first founder to the closing table; returns an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from lianzheng.clock import Clock
from lianzheng.demo.processes import NodeProcesses
from lianzheng.demo.screen import Screen
from lianzheng.demo.stage import Settings, Stage
from lianzheng.demo.steps.assess import assess, query
from lianzheng.demo.steps.closing import close, report
from lianzheng.demo.steps.consent import consent
from lianzheng.demo.steps.data import load
from lianzheng.demo.steps.enrolment import enrol
from lianzheng.demo.steps.evidence import evidence
from lianzheng.demo.steps.founders import found, prepare
from lianzheng.demo.steps.mismatch import begin, finish
from lianzheng.demo.steps.refusals import refusals
from lianzheng.demo.steps.task import agree
from lianzheng.errors import ConfigError
from lianzheng.limits import ANONYMITY_SET_MIN

__all__ = ["play"]

_MARK = ".lianzheng-demo"


def play(settings: Settings, clock: Clock, console: Console, *, serve: bool) -> int:
    """Play the scene; 0 if everything was as it must be, 1 if not, 130 if interrupted.

    Raises ``ConfigError`` ``out_not_empty``, ``out_in_use``, and what stops a node from starting.
    """
    stage = Stage(settings, Screen(console, clock), clock)
    try:
        with _folder(settings.out):
            asyncio.run(_run(stage, serve))
    except KeyboardInterrupt:
        console.print("\ninterrupted; the nodes are stopped")
        return 130
    if stage.failures:
        console.print(f"[bold red]{len(stage.failures)} things were not as they must be[/]")
        for failure in stage.failures:
            console.print(f"  - {failure}", markup=False)
        return 1
    console.print(f"\n[bold green]All as it must be.[/] Files: {settings.out}")
    return 0


async def _run(stage: Stage, serve: bool) -> None:
    screen = stage.screen
    if stage.settings.people < ANONYMITY_SET_MIN:
        screen.warn(f"fewer than {ANONYMITY_SET_MIN} people: what a token's terms share makes it less anonymous")
    screen.step(
        "Founders 创始成员",
        "Keys, certificates and genesis on disk; three nodes with mutual TLS; the agreement signed.",
    )
    prepare(stage)
    async with contextlib.AsyncExitStack() as stack:
        stage.processes = NodeProcesses({broker.short: broker.home for broker in stage.brokers})
        await stack.enter_async_context(stage.processes)
        for node in stage.nodes:
            await stack.enter_async_context(node)
        await found(stage, stage.processes)
        await _play(stage)
        if serve:
            await _serve(stage)


async def _play(stage: Stage) -> None:
    screen = stage.screen
    screen.step(
        "Data 数据", "Each broker loads its own customers; no broker sees the whole of a person; we know the truth."
    )
    await load(stage)
    screen.step("Enrolment 身份登记", "A wallet makes its own DID; a broker that knows the person vouches for it.")
    await enrol(stage)
    screen.step("Consent 授权", "Shown, ticked item by item, signed; one anonymous token for each provider.")
    await consent(stage)
    screen.step("Task contract 任务合约", "Proposed by the requester, approved by each provider, on the ledger.")
    await agree(stage)
    screen.step("Hidden query 匿踪查询", "No consent, no computation; the provider learns nothing about whom.")
    await query(stage)
    screen.step("Assessment 评估", "Questionnaire, local data, external bands that may lower or flag, never raise.")
    case = await begin(stage)
    await assess(stage)
    case = case or await begin(stage)
    if case is not None:
        await finish(stage, case)
    screen.step("Evidence 存证", "Every act was anchored; anybody can check it offline.")
    await evidence(stage, case or next(case for case in stage.cases if case.result is not None))
    screen.step("Refusals 拒绝", "What must not work, tried with real keys and certificates.")
    await refusals(stage)
    screen.step("The point of it 意义", "The requester alone, and with the alliance's bands, against the truth.")
    await report(stage)
    close(stage)


async def _serve(stage: Stage) -> None:
    for broker in stage.brokers:
        stage.screen.act(broker.short, f"stays up: {broker.node_url}/docs   token in {broker.home / 'api-token'}")
    stage.screen.note("Ctrl-C stops all three")
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()


@contextlib.contextmanager
def _folder(out: Path) -> Iterator[None]:
    """A fresh folder, this scene's alone; one that an earlier scene made is replaced, any other is left alone."""
    mark = out / _MARK
    if out.exists() and not mark.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            "out_not_empty", f"{out} is no folder that an earlier demo made.", next_step="Name another --out folder."
        )
    out.mkdir(parents=True, exist_ok=True)
    with mark.open("a", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                "out_in_use",
                f"A demo is running in {out}.",
                next_step="End it with Ctrl-C, or name another --out folder.",
            ) from error
        for old in out.iterdir():
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            elif old.name != _MARK:
                old.unlink()
        held.truncate(0)
        held.write("made by `lianzheng demo`; it may be replaced by the next run\n")
        held.flush()
        yield
