"""Seeded runs for as long as SIMULATION_SECONDS allows; and runs with a planted fault, which must be found."""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

import pytest

from lianzheng.contracts import machine as machine_module
from lianzheng.contracts.machine import Machine
from lianzheng.governance.motions.model import Share
from lianzheng.ledger.genesis import Genesis
from simulation.promises import check
from simulation.world import Broken, World

SECONDS = int(os.environ.get("SIMULATION_SECONDS", "10"))
BLOCKS = 60


def play(seed: int, **options: Any) -> World:
    world = World(seed, **options)
    world.run(BLOCKS)
    check(world)
    return world


def test_every_seed_keeps_its_promises() -> None:
    """At least three seeds, then as many as there is time for: the time bounds the work, it judges nothing."""
    until, seed = monotonic() + SECONDS, 1
    codes: dict[str, int] = {}
    while seed <= 3 or monotonic() < until:
        world = play(seed, size=4 + seed % 3, schema=1 + seed % 2)
        for results in world.results.values():
            for result in results:
                codes[result.code] = codes.get(result.code, 0) + 1
        seed += 1
    # A run in which nothing is accepted, or nothing refused, would show nothing.
    assert codes["ok"] > 20 and len(codes) > 15, codes


def test_a_seed_gives_the_same_run_again() -> None:
    one, other = play(7), play(7)
    assert one.chain == other.chain and one.hashes == other.hashes


def found(fault: str, **options: Any) -> str:
    """What is found of a planted fault within a few seeds."""
    for seed in range(1, 12):
        try:
            play(seed, **options)
        except Broken as finding:
            return str(finding)
    raise AssertionError(f"nobody noticed: {fault}")


class Forgetful(Machine):
    """Skips one of the writes of a block now and then."""

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[Any]:
        results = super().execute_block(height, time_ms, transactions)
        if height % 9 == 0 and any(result.ok for result in results):
            self._state.apply([(f"nonce/forgotten/{height}", {"max": 1})])
        return results


def test_a_node_that_computes_otherwise_is_found() -> None:
    def make(number: int, genesis: Genesis) -> Machine:
        return Forgetful(genesis) if number == 2 else Machine(genesis)

    assert "another state" in found("one node writes more than the others", make=make)


def test_nonces_that_are_not_remembered_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def never_used(state: Any, sender: str, key_id: str, nonce: int) -> tuple[str, Any]:
        return f"nonce/{sender}/{key_id}", {"max": nonce, "used": f"{1:016x}"}

    monkeypatch.setattr(machine_module, "use_nonce", never_used)
    assert "twice" in found("any nonce is taken")


def test_motions_carried_by_too_few_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Share, "reached", lambda self, votes, groups: votes >= 1)
    assert "was carried by" in found("one vote is enough")


def test_a_refusal_that_leaves_something_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Machine.apply

    def untidy(self: Machine, transaction: bytes, height: int, time_ms: int) -> Any:
        result = plain(self, transaction, height, time_ms)
        if not result.ok:
            self._state.apply([("litter/" + result.code, {"height": height})])
        return result

    monkeypatch.setattr(Machine, "apply", untidy)
    assert "a refusal" in found("refusals write")
