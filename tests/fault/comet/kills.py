"""Processes that die: at random moments, at each persistence point, and with less on disk than they had written."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fault.comet.ground import Node
from fault.comet.trial import Trial

__all__ = ["hung", "kills", "steps", "truncated"]

_PAUSE_S, _DOWN_S, _START_S = (0.1, 1.5), (0.0, 0.8), (0.0, 1.8)
_AT_ONCE = (1,) * 17 + (2, 2, 4)
_PERSISTENCE_POINTS = 9
_WAYS = ("application", "engine", "both")


async def kills(trial: Trial) -> None:
    """``kill -9`` of application, engine or both; sometimes while it starts, sometimes of two members or all."""
    done: list[str] = []
    while len(done) < trial.scale.kills:
        await trial.pause(*_PAUSE_S)
        victims = trial.rng.sample(trial.nodes, trial.rng.choice(_AT_ONCE))
        for victim in victims:
            done.append(_kill(victim, trial.rng.choice(_WAYS)))
        await trial.pause(*_DOWN_S)
        for victim in victims:
            if not victim.lives:
                victim.start()
        if trial.rng.random() < 0.25:
            await trial.pause(*_START_S)
            done.append(_kill(victims[0], trial.rng.choice(_WAYS)) + " (starting)")
            if not victims[0].lives:
                victims[0].start()
        await trial.ground.ready(*victims)
    counts = ", ".join(f"{sum(way in text for text in done)} {way}" for way in _WAYS)
    trial.note(f"{len(done)} ({counts})")


def _kill(node: Node, way: str) -> str:
    if way != "engine":
        node.kill()
    if way != "application":
        node.kill_engine()
    return f"{node.name}'s {way}"


async def hung(trial: Trial) -> None:
    """An engine that is there and does nothing: its node notices by the others' heads, and starts it again."""
    node = trial.pick()
    restarts = node.status.get("restarts", 0)
    for pid in node.engines():
        os.kill(pid, signal.SIGSTOP)
    took = await trial.ground.until(
        lambda: node.status.get("restarts", 0) > restarts, "a hung engine is started again", 4 * trial.scale.patience_s
    )
    trial.note(f"{node.name}'s engine, started again after {took:.0f} s")


async def steps(trial: Trial) -> None:
    """The stock engine ends itself at its n-th persistence point, under load, in a network of four."""
    for index in range(_PERSISTENCE_POINTS):
        node = trial.pick()
        _kill(node, "both")
        node.status = {}
        node.start(FAIL_TEST_INDEX=str(index))
        await trial.ground.until(
            lambda node=node: node.status.get("restarts"),  # type: ignore[misc]
            f"{node.name}'s engine ends at persistence point {index}",
            trial.scale.patience_s,
        )
        await node.ask(op="mend")
        await trial.settle()
    trial.note(f"{_PERSISTENCE_POINTS} persistence points")


async def truncated(trial: Trial) -> None:
    """The end of a write-ahead log is not there after a crash: the engine's, the database's, or both."""
    for names in (("cs.wal",), ("ledger.db-wal",), ("cs.wal", "ledger.db-wal")):
        node = trial.pick()
        _kill(node, "both")
        for name in names:
            path = {
                "cs.wal": node.home / "cometbft" / "data" / "cs.wal" / "wal",
                "ledger.db-wal": node.home / "data" / "ledger.db-wal",
            }[name]
            trial.note(f"{node.name}'s {name} {_shorten(trial, path)}")
            if name == "ledger.db-wal":
                trial.ground.truncated(node)
        await trial.settle()


def _shorten(trial: Trial, path: Path) -> str:
    size = path.stat().st_size if path.exists() else 0
    keep = trial.rng.randint(0, size)
    if size:
        os.truncate(path, keep)
    return f"from {size} to {keep} bytes"
