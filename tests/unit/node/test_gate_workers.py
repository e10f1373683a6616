"""``[gate] workers`` decides where the curve work of batches is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from lianzheng.clock import ManualClock
from lianzheng.compute.gate.workers import LocalGateWorkers, ProcessGateWorkers
from lianzheng.errors import ConfigError
from lianzheng.limits import GATE_WORKERS_MAX
from lianzheng.node.build import build
from lianzheng.node.config import load_config
from node_kit import make_network


@pytest.mark.parametrize(("count", "kind"), [(0, LocalGateWorkers), (2, ProcessGateWorkers)])
async def test_workers_of_a_node(tmp_path: Path, count: int, kind: type) -> None:
    clock = ManualClock()
    make_network(tmp_path, clock)
    path = tmp_path / "node.toml"
    path.write_text(path.read_text() + f"\n[gate]\nworkers = {count}\n")
    parts = build(load_config(path), clock)
    assert type(parts.gate_workers) is kind
    parts.gate_workers.close()


@pytest.mark.parametrize("count", [-1, GATE_WORKERS_MAX + 1])
def test_a_number_of_workers_out_of_bounds(tmp_path: Path, count: int) -> None:
    make_network(tmp_path, ManualClock())
    path = tmp_path / "node.toml"
    path.write_text(path.read_text() + f"\n[gate]\nworkers = {count}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.code == "config_invalid"
