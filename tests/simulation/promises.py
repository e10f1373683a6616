"""What must hold of a finished run, checked by a second reading of its blocks that shares no logic with the rules."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.ledger.ports import TxResult
from lianzheng.ledger.proofs import verify_consistency, verify_state
from lianzheng.ledger.transaction import Transaction
from simulation.world import Broken, Decided, World

__all__ = ["check"]

_MORE_THAN = {"incident.contain": (1, 3), "incident.close": (1, 2), "issuer.withdraw": (1, 2), "points.appeal": (1, 2)}
"""Shares of the decision record; every other kind needs more than two thirds."""


def check(world: World) -> None:
    """Read the chain again, one transaction at a time. Raises ``Broken``."""
    reading = _Reading(world)
    for block in world.chain:
        reading.block(block)
    reading.end()


class _Reading:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = Random(world.seed)
        self._machine: Machine = world.make(len(world.nodes), world.genesis)
        self._stood: Counter[bytes] = Counter()
        self._nonces: Counter[tuple[str, str, int]] = Counter()
        self._revoked: set[str] = set()
        self._logs: list[tuple[int, bytes]] = [(0, self._machine.log.root())]

    def block(self, block: Decided) -> None:
        machine = self._machine
        machine._begin_block(block.height)  # what every block does first; transactions follow one by one
        said = self._world.results[block.height]
        for wire, expected in zip(block.transactions, said, strict=True):
            before = dict(machine.state.scan(""))
            result = machine.apply(wire, block.height, block.time_ms)
            after = dict(machine.state.scan(""))
            self._need(
                (result.code, result.data) == (expected.code, expected.data), "a block read again says otherwise"
            )
            self._one(wire, result, before, after)
        machine._height, machine._time_ms = block.height, block.time_ms
        self._need(machine.app_hash() == self._world.hashes[block.height], "a block read again gives another state")
        machine.commit()
        self._standing()
        self._logs.append((machine.log.size, machine.log.root()))

    def _one(self, wire: bytes, result: TxResult, before: JsonObject, after: JsonObject) -> None:
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        self._need(result.code != "internal_refusal", "a rule fell over")
        if not result.ok:
            self._need(all(key.startswith("nonce/") for key in changed), "a refusal changed more than its nonce")
            self._need(bool(changed) <= result.final, "a refusal at the door changed something")
        if result.origin is not None and (result.ok or result.final):
            self._once(wire, result)
        for key in changed:
            if key.startswith("motion/"):
                self._carried(before, before.get(key), after.get(key))
            elif key.startswith("settlement/"):
                self._settled(after[key])
            elif key.startswith("consent/"):
                if key in self._revoked:
                    self._need(after.get(key) is None, "a revoked consent came back")
                elif after.get(key, {}).get("status") == "revoked":
                    self._revoked.add(key)

    def _once(self, wire: bytes, result: TxResult) -> None:
        body = Transaction.parse(wire).body
        if result.ok and result.origin is not None:
            self._stood[result.origin.tx_id] += 1
            self._need(self._stood[result.origin.tx_id] == 1 or body.nonce is None, "a transaction stood twice")
        if body.nonce is not None:
            self._nonces[(body.sender, body.key_id, body.nonce)] += 1
            self._need(self._nonces[(body.sender, body.key_id, body.nonce)] == 1, "a nonce was spent twice")

    def _carried(self, state: JsonObject, before: Any, after: Any) -> None:
        if after is None or after["status"] != "carried" or (before or {}).get("status") == "carried":
            return
        members = [value for key, value in state.items() if key.startswith("member/")]
        groups = {one["control_group"] for one in members if one["phase"] == "active"} - {after["excluded"]}
        yes = len(groups & set(after["yes"]))
        part, whole = _MORE_THAN.get(after["kind"], (2, 3))
        self._need(len(set(after["yes"])) == len(after["yes"]), "a control group voted twice")
        self._need(whole * yes > part * len(groups), f"{after['kind']} was carried by {yes} of {len(groups)} groups")

    def _settled(self, settlement: Any) -> None:
        lines = settlement["lines"]
        self._need(sum(one["paid"] for one in lines) == sum(one["received"] for one in lines), "a transfer made points")
        for one in lines:
            own = one["before"] + one["base"] + one["breadth"] + one["quality"] - one["penalty"]
            self._need(one["balance"] == own + one["received"] - one["paid"], "a line does not add up")
            self._need(one["paid"] <= max(0, own + one["received"]), "a transfer went below zero")

    def _standing(self) -> None:
        state = self._machine.state
        active = [value["did"] for _, value in state.scan("member/") if value["phase"] == "active"]
        sequencer = state.get("sequencer")
        self._need(sequencer is not None and sequencer["did"] in active, "the network lost who orders it")
        phase = (state.get("network") or {}).get("phase")
        contained = any(True for _ in state.scan("contained/network/"))
        self._need(contained or phase != "contained", "the network is contained by nothing")

    def end(self) -> None:
        machine = self._machine
        for (old, old_root), (new, new_root) in pairwise(self._logs):
            if old and old != new:
                verify_consistency(old, new, old_root, new_root, machine.log.consistency_path(old, new))
        if machine.schema < 2:
            return
        root = machine.roots().state_root
        keys = [key for key, _ in machine.state.scan("")]
        for key in self._rng.sample(keys, min(12, len(keys))) + [f"absent/{number}" for number in range(4)]:
            value, path = machine.state_path(key)
            self._need(value == machine.state.get(key), "a proof is of another value")
            verify_state(key, value, path, root)
            other = {"not": "this"} if value is None else None
            try:
                verify_state(key, other, path, root)
            except VerificationError:
                continue
            raise Broken(f"seed {self._world.seed}: a path proves what is not so")

    def _need(self, holds: bool, text: str) -> None:
        if not holds:
            raise Broken(f"seed {self._world.seed}, height {self._machine.height}: {text}")
