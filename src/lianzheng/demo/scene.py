"""The scene from the first founder to the closing table; returns an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

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


def play(settings: Settings, clock: Clock, console: Console, *, serve: bool) -> int:
    """Play the scene; 0 if everything was as it must be, 1 if not, 130 if interrupted.

    Raises ``ConfigError`` ``out_not_empty``.
    """
    _prepare_folder(settings)
    stage = Stage(settings, Screen(console, clock), clock)
    try:
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


def _prepare_folder(settings: Settings) -> None:
    """A fresh folder; one that an earlier scene made is replaced, any other is left alone."""
    out = settings.out
    mark = out / ".lianzheng-demo"
    if out.exists() and any(out.iterdir()):
        if not mark.exists():
            raise ConfigError(
                "out_not_empty", f"{out} holds files that no earlier demo made.", next_step="Name another --out folder."
            )
        for folder, names, files in os.walk(out, topdown=False):
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in names:
                os.rmdir(os.path.join(folder, name))
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text("made by `lianzheng demo`; it may be replaced by the next run\n", "utf-8")
